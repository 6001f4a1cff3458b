"""A workspace that was copied or moved lists and plays what was made in it, and nothing else."""

import json
import shutil

import pytest

from renderers.files import noted_path, read_json, write_json
from studio.atlases.atlas_files import list_atlases
from studio.films.film_records import list_newest_films
from studio.screens.jobs.job_cards import find_picture
from studio.screens.render.film_list import check_film, list_films
from studio.workspace.database import open_database
from studio.workspace.jobs import list_jobs
from studio.workspace.paths import Workspace

SHORT = ("--points", "0.0,0.1", "--seconds", "0.2", "--fps", "10")


@pytest.fixture
def filled(studio, workspace):
    """A workspace with films, one of them under a name of its own, a sheet and an atlas."""
    for words in (
        ("render", "timelapse", "city", "--grid"),
        ("render", "interpolation", "city", *SHORT, "--out", workspace.renders / "own" / "w.mp4"),
        ("render", "sheet", "city"),
        ("atlas", "city", "--count", "12"),
    ):
        assert studio(*words).status == 0
    return workspace


def listed(workspace):
    return [(film.key, film.title, film.made_at) for film in list_films(workspace, "city")]


def with_old_records(workspace):
    """Let the records of a workspace name whole paths, as those of earlier versions do."""
    with open_database(workspace.database, writing=True) as db:
        for job, result in db.execute("SELECT id, result FROM jobs WHERE result IS NOT NULL"):
            whole = result.replace("{workspace}", str(workspace.root))
            db.execute("UPDATE jobs SET result = ? WHERE id = ?", (whole, job))
    for record in workspace.renders.glob("*/videos.json"):
        document = read_json(record)
        for video in document["videos"]:
            video["path"] = str(noted_path(record.parent, video["path"]))
        write_json(document, record)


@pytest.mark.slow
@pytest.mark.parametrize("is_old", [False, True])
def test_a_copied_workspace_lists_and_plays_its_own_films(filled, tmp_path, is_old):
    expected = listed(filled)
    if is_old:
        with_old_records(filled)
    copied = Workspace.open(shutil.copytree(filled.root, tmp_path / "elsewhere"))
    assert listed(copied) == expected
    assert len(expected) == 3
    films = list_films(copied, "city")
    assert all(film.path.is_relative_to(copied.root) for film in films)
    assert all(check_film(copied, f).startswith("Whole") for f in films if not f.is_sheet)
    newest = [record.path for record in list_newest_films(copied, 9)]
    assert newest
    assert all(path.is_relative_to(copied.root) for path in newest)
    assert [atlas.path.is_relative_to(copied.root) for atlas in list_atlases(copied, "city")] == [
        True
    ]
    pictures = [find_picture(copied, job) for job in list_jobs(copied)]
    assert all(path.is_relative_to(copied.root) for path in pictures if path is not None)
    assert any(pictures)
    shutil.rmtree(filled.root)
    assert listed(copied) == expected


def test_records_name_no_place_outside_their_folder(filled):
    with open_database(filled.database) as db:
        told = [row["result"] for row in db.execute("SELECT result FROM jobs")]
    told += [json.dumps(read_json(path)) for path in filled.renders.glob("*/videos.json")]
    assert [text for text in told if text and str(filled.root) in text] == []


def test_a_film_that_is_asked_for_again_in_a_copy_is_there_already(filled, tmp_path, monkeypatch):
    from renderers.jobs import rendering
    from studio.films.options.film_options import Timelapse
    from studio.films.timelapse import film_timelapse

    copied = Workspace.open(shutil.copytree(filled.root, tmp_path / "elsewhere"))
    monkeypatch.setattr(rendering, "render_missing", None)  # Nothing is rendered.
    film = Timelapse(run="city", films="grid")
    (video,) = film_timelapse(copied, film, lambda done, total, note="": None)
    assert video.path.is_relative_to(copied.root)


def test_what_leads_out_of_the_workspace_is_not_taken_for_its_own(workspace):
    assert not workspace.recalled("{workspace}/../x.mp4").is_relative_to(workspace.root)
    assert str(workspace.recalled("/elsewhere/renders/none.mp4")) == "/elsewhere/renders/none.mp4"
