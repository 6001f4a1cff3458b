import sqlite3
from contextlib import closing

import pytest
from PIL import Image

from renderers.video.video_reader import count_frames, read_frames
from studio.workspace.database import MIGRATIONS, open_database
from studio.workspace.paths import Workspace
from tests.mounting import frozen

FILM = ("render", "timelapse", "city", "--points", "seed:1")
CANNOT = "cannot be written to"


@pytest.fixture
def archive(workspace):
    """The trained workspace, frozen."""
    with frozen(workspace.root):
        yield workspace


def test_films_are_rendered_elsewhere_as_they_would_be_in_it(studio, workspace, tmp_path):
    own, other = (tmp_path / folder / "film.mp4" for folder in ("own", "other"))
    assert studio(*FILM, "--out", own).status == 0
    with frozen(workspace.root):
        assert studio(*FILM, "--out", other).status == 0
        again = studio(*FILM, "--out", other)
        verified = studio("render", "verify", other)
    assert own.read_bytes() == other.read_bytes()
    assert again.status == 0, "a film of its own that is whole is not another's"
    assert verified.status == 0


def test_films_of_many_points_and_numbered_pictures_find_their_plan(studio, archive, tmp_path):
    assert studio(*FILM[:-1], "seed:1,seed:2", "--out", tmp_path / "c.mp4").status == 0
    assert studio(*FILM, "--out", tmp_path / "pictures" / "%06d.png").status == 0
    assert studio("render", "verify", tmp_path / "c-seed-2.mp4").status == 0
    assert studio("render", "verify", tmp_path / "pictures" / "%06d.png").status == 0


def test_everything_else_that_has_a_place_of_its_own_is_done(studio, archive, tmp_path):
    walk = ("render", "interpolation", "city", "--points", "seed:1,seed:2", "--seconds", 0.1)
    assert studio(*walk, "--out", tmp_path / "walk.mp4").status == 0
    assert studio("film", "city", "--grid", "--out", tmp_path / "live.mp4").status == 0
    assert count_frames(tmp_path / "live.mp4") == len(list(read_frames(tmp_path / "live.mp4"))) > 0
    assert studio("render", "sheet", "city", "--out", tmp_path / "sheet.png").status == 0
    assert Image.open(tmp_path / "sheet.png").size[0] > 0
    assert studio("archive", "city", "--batches", "12", "--out", tmp_path / "a.zip").status == 0
    assert studio("export-checkpoint", "city", 12, "--out", tmp_path / "a.pt").status == 0
    assert studio("specimens", "export", "city", "seed:1", "--out", tmp_path / "e").status == 0


def test_what_only_looks_is_done(studio, archive):
    assert studio("verify", "city", "--json").json["ok"]
    assert studio("score", "city", "--count", 16).status == 0
    assert studio("thin", "city", "--every", 2, "--dry-run").status == 0
    assert studio("near", "city", "0.0", "-k", 2).status == 0
    assert studio("runs", "--json").json[0]["name"] == "city"


@pytest.mark.parametrize(
    "words",
    [
        FILM,
        (*FILM, "--out", "a.mp4", "--detach"),
        ("film", "city"),
        ("render", "sheet", "city"),
        ("atlas", "city", "--count", 20),
        ("archive", "city", "--batches", "12"),
        ("specimens", "sample", "city", "--batch", 12, "--out", "a"),
        ("train", "streets", "--run", "new"),
        ("resume", "city"),
        ("set", "city", "learning_rate=0.1"),
        ("pin", "city", 12),
        ("delete", "run", "city", "--yes"),
    ],
)
def test_what_is_kept_in_it_is_refused_before_the_work(words, studio, archive):
    refused = studio(*words)
    assert refused.status == 1
    assert CANNOT in refused.err
    assert "--out" in refused.err
    assert "Rendering" not in refused.err


def test_a_frozen_folder_of_runs_alone_is_enough(studio, workspace, tmp_path):
    workspace.database.unlink()
    workspace.renders.rmdir()
    with frozen(workspace.root):
        assert studio(*FILM, "--out", tmp_path / "a.mp4").status == 0
        assert studio("events", "city").status == 0
        assert Workspace.open(workspace.root) == workspace
    assert not workspace.database.exists()


def test_a_database_of_an_earlier_version_is_read_where_it_cannot_be_brought_up_to_date(workspace):
    workspace.database.unlink()
    with closing(sqlite3.connect(workspace.database)) as db:
        db.row_factory = sqlite3.Row
        for migration in MIGRATIONS[:7]:
            migration(db)
        db.execute("INSERT INTO pins (run, batch, created_at) VALUES ('city', 3, 0)")
        db.execute("PRAGMA user_version = 7")
        db.commit()
    with frozen(workspace.root), open_database(workspace.database) as db:
        assert db.execute("SELECT batch FROM pins").fetchone()[0] == 3
        assert db.execute("SELECT count(*) FROM former_names").fetchone()[0] == 0
