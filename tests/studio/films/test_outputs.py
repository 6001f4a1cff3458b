"""Films under the names that a person chose."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from renderers.video.video_reader import read_frames
from studio.workspace.jobs import list_jobs
from tests.studio.conftest import run_studio

FILM = ("render", "timelapse", "city", "--points", "seed:1", "--scale", "1")


def test_one_video_has_exactly_its_name_and_verify_finds_it(studio, tmp_path):
    out = tmp_path / "city.mp4"
    (video,) = studio(*FILM, "--out", out, "--json").json["videos"]
    assert video["path"] == str(out)
    assert studio("render", "verify", out).status == 0
    assert studio(*FILM, "--out", out).status == 0
    other = studio(*FILM, "--fps", 30, "--out", out)
    assert (other.status, "--overwrite" in other.err) == (1, True)
    assert studio(*FILM, "--fps", 30, "--out", out, "--overwrite").status == 0


def test_a_range_that_ends_beyond_the_checkpoints_is_said(studio):
    film = studio(*FILM, "--batches", "0:1200:4")
    assert "ends at batch 12, the last checkpoint" in film.err


def test_advice_for_an_unknown_specimen_names_a_batch_that_is_there(studio):
    assert "--batch 12" in studio(*FILM, "--points", "0.99").err


@pytest.mark.parametrize(
    "words", [FILM, ("render", "sheet", "city", "--points", "seed:1"), ("film", "city")]
)
def test_a_foreign_file_is_never_overwritten_unasked(studio, tmp_path, words):
    out = tmp_path / ("a.png" if "sheet" in words else "a.mp4")
    out.write_text("mine")
    refused = studio(*words, *(("--grid",) if "film" in words else ()), "--out", out)
    assert refused.status == 1
    assert "--overwrite" in refused.err
    assert out.read_text() == "mine"


def test_a_film_of_listed_batches_runs_in_their_order(studio, tmp_path):
    def film(batches):
        words = ("--batches", batches, "--out", tmp_path / f"{batches[0]}.mkv", "--json")
        (video,) = studio(*FILM, *words).json["videos"]
        return np.stack(list(read_frames(video["path"])))

    assert (film("9,5,1") == film("1,5,9")[::-1]).all()


def test_a_gif_without_a_rate_gets_one_that_it_can_have_and_says_so(studio, tmp_path):
    film = studio(*FILM, "--out", tmp_path / "x.gif")
    assert film.status == 0
    assert "cannot play 60 frames per second: it has 50" in film.err
    refused = studio(*FILM, "--out", tmp_path / "y.gif", "--fps", 60)
    assert refused.status == 1
    assert "A GIF cannot play 60 frames per second" in refused.err


@pytest.mark.parametrize("rate", ["23.976", "24000/1001"])
def test_the_rates_of_television_are_exact_from_the_option_to_the_file(studio, tmp_path, rate):
    out = tmp_path / "a.mkv"
    words = ("--fps", rate, "--duration", "1.001", "--out", out, "--json")
    (video,) = studio(*FILM, *words).json["videos"]
    assert video["frames"] == 24
    assert studio("render", "verify", out).status == 0


def test_a_range_of_seeds_is_so_many_points(studio):
    sheet = studio("render", "sheet", "city", "--points", "seed:1-9,0.1", "--batch", 5, "--json")
    assert sheet.json["rows"] * sheet.json["columns"] >= 10
    for seeds in ("seed:9-1", "seed:1-2000"):
        refused = studio(*FILM, "--points", seeds)
        assert refused.status == 1
        assert "is no range of seeds: use up to 1,000" in refused.err
    refused = studio("render", "path", "city", "1@seed:1-9 -> 5@seed:2")
    assert (refused.status, "names several points" in refused.err) == (1, True)


def test_a_point_in_a_file_with_a_comma_stands_between_quotation_marks(studio, tmp_path):
    studio("specimens", "sample", "city", "--batch", 5, "--count", 1, "--out", tmp_path)
    (picture,) = tmp_path.glob("*.jpg")
    picture = picture.rename(tmp_path / "a,b.jpg")
    words = ("render", "sheet", "city", "--batch", 5, "--json")
    assert studio(*words, "--points", f'"{picture}",seed:1').status == 0
    assert studio(*words, "--points", f'"{picture},seed:1').status == 2


def test_a_sheet_says_how_many_batches_it_leaves_out_and_where_a_range_is_cut(studio):
    words = ("render", "sheet", "city", "--points", "0.1,0.2")
    left_out = studio(*words, "--batches", "1:11").err
    assert "shows 8 of 10 batches. Draw all of them: --count 10" in left_out
    assert "shows" not in studio(*words, "--batches", "1:11", "--count", 10).err
    assert "ends at batch 12, the last checkpoint" in studio(*words, "--batches", "0:1200:4").err
    walk = ("render", "interpolation", "city", "--points", "seed:1,seed:2", "--seconds", 0.2)
    assert "ends at batch 12" in studio(*walk, "--batches", "0:1200:4").err


@pytest.fixture
def ctrl_c():
    """What Ctrl-C does; a shell that starts something in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: os.kill(os.getpid(), signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def test_a_render_that_is_stopped_says_what_is_kept_and_how_it_goes_on(
    studio, workspace, tmp_path, ctrl_c
):
    def press_once_it_renders():
        while not list(workspace.renders.glob("*/parts/*")):
            time.sleep(0.05)
        ctrl_c()

    long = ("--points", "seed:1,seed:2", "--seconds", 600, "--out", tmp_path / "a.mp4")
    threading.Thread(target=press_once_it_renders, daemon=True).start()
    stopped = studio("render", "interpolation", "city", *long)
    assert stopped.status == 1
    said = "Stopped. Its finished parts are kept and are not rendered again. Go on with: studio"
    assert said in " ".join(stopped.err.split())
    assert "Traceback" not in stopped.err
    assert not (tmp_path / "a.mp4").exists()


def test_a_folder_of_links_to_a_workspace_is_one_to_render_in(
    workspace, tmp_path, capsys, monkeypatch
):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(workspace.database, elsewhere)
    for folder in (workspace.runs, workspace.datasets):
        (elsewhere / folder.name).symlink_to(folder)
    words = ("render", "sheet", "city", "--points", "0.1", "--batch", 5)
    assert run_studio(elsewhere, words, capsys, monkeypatch).status == 0


@pytest.mark.parametrize("name", ["%d.png", "%6d.png", "%s.jpg", "%03d-%03d.png", "%00d.png"])
def test_a_number_that_is_not_padded_is_told_as_it_should_be(studio, tmp_path, name):
    refused = studio(*FILM, "--out", tmp_path / "pictures" / name)
    assert refused.status == 1
    assert "write it as %06d" in " ".join(refused.err.split())


@pytest.mark.parametrize(
    "words",
    [
        ("specimens", "export", "city", "seed:1"),
        ("specimens", "sample", "city", "--batch", 5, "--count", 1),
        ("export-checkpoint", "city", 5),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_work_with_the_reason(
    studio, tmp_path, words
):
    (tmp_path / "file").write_text("mine")
    name = "a.safetensors" if words[0] == "export-checkpoint" else "folder"
    refused = studio(*words, "--out", tmp_path / "file" / name)
    assert refused.status == 1
    said = " ".join(refused.err.split())
    assert "is no folder. Choose another folder" in said
    assert "Free some space" not in said


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("archive", "city", "--batches", "12"), ("a.tar", "there.zip")),
        (("export-checkpoint", "city", 12), ("a.bin", "there.pt")),
        (("render", "sheet", "city"), ("a.bmp", "there.png")),
        (("render", "timelapse", "city", "--points", "seed:1"), ("a.avi", "there.mp4")),
        (("film", "city", "--grid"), ("a.gif", "there.mp4")),
    ],
)
def test_a_place_where_nothing_can_go_is_told_before_the_work(
    studio, workspace, tmp_path, words, names
):
    wrong, there = (tmp_path / name for name in names)
    there.write_text("of somebody else")
    (tmp_path / "file").touch()
    behind_a_file = tmp_path / "file" / there.name
    nowhere = Path("/proc") / there.name
    jobs = list_jobs(workspace)
    for place in (wrong, there, behind_a_file, nowhere):
        refused = studio(*words, "--out", place)
        assert refused.status == 1
        assert place.name in refused.err or str(place.parent) in refused.err
    assert list_jobs(workspace) == jobs
    assert there.read_text() == "of somebody else"
