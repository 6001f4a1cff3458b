"""Films with a frame around their pictures, and what their files say of themselves."""

import json
import subprocess

import numpy as np
import pytest
from PIL import Image

from renderers.video.ffmpeg import ffmpeg_command
from renderers.video.video_reader import count_frames, read_frames
from tests.studio.conftest import BATCHES

POINTS = ("--points", "0.0,0.1,0.2")
OWED = "© OpenStreetMap contributors, ODbL"
MOVING, HELD = BATCHES * 30 // 12, 60  # A short run has 12 checkpoints a second, then two seconds.


def tags_of(path) -> dict[str, str]:
    """What the container says, as ffprobe would show it."""
    command = ffmpeg_command("-i", f"file:{path}", "-f", "ffmetadata", "-")
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pairs = (line.split("=", 1) for line in said.splitlines() if "=" in line)
    return {name.lower(): text.replace("\\", "") for name, text in pairs}


@pytest.fixture
def owing(workspace):
    """The workspace, whose pictures owe words to somebody."""
    path = workspace.dataset("streets") / "manifest.json"
    manifest = {**json.loads(path.read_text()), "attribution": OWED}
    del manifest["xxh3"]  # Older versions wrote none.
    path.write_text(json.dumps(manifest))
    return workspace


def test_without_a_composition_every_checkpoint_is_one_frame(studio):
    for words in ((), ("--plain",), ("--composition", "plain")):
        (video, *_) = studio("render", "timelapse", "city", *POINTS, *words, "--json").json[
            "videos"
        ]
        assert video["frames"] == count_frames(video["path"]) == BATCHES


@pytest.mark.slow
def test_a_composition_has_a_pace_that_one_watches_and_holds_its_last_frame(studio, owing):
    words = ("timelapse", "city", *POINTS, "--composition", "grid", "--aspect", "16:9")
    plan = studio("plan", *words, "--pictures", "2", "--json").json
    (video,) = studio("render", *words, "--json").json["videos"]
    frames = list(read_frames(video["path"]))
    assert video["frames"] == len(frames) == plan["frames"] == MOVING + HELD
    assert plan["is_exact"]
    assert plan["fps"] == "30"
    assert frames[0].shape == (1080, 1920, 3) == (plan["height"], plan["width"], 3)
    cells = [frame[100:500, 100:500].astype(int) for frame in frames]
    assert all(np.abs(cells[-1] - cell).max() < 12 for cell in cells[-HELD:])
    shown = json.loads(next(owing.renders.glob("*/plan.json")).read_text())["plan"]["batches"]
    assert (shown[0], shown[-HELD - 1 :]) == (1, [BATCHES] * (HELD + 1))
    with Image.open(plan["picture"]) as strip:
        assert strip.height == 240


def test_every_checkpoint_is_a_frame_of_a_composition_too_where_that_is_asked_for(studio):
    words = ("--composition", "large", "--pace", "batch", "--json")
    (video,) = studio("render", "timelapse", "city", *POINTS, *words).json["videos"]
    assert video["frames"] == count_frames(video["path"]) == BATCHES


def test_a_shape_alone_frames_each_point(studio):
    words = ("--aspect", "4:5", "--duration", "0.5", "--json")
    videos = studio("render", "timelapse", "city", *POINTS, *words).json["videos"]
    assert [video["label"] for video in videos] == ["0.0", "0.1", "0.2"]
    assert {video["frames"] for video in videos} == {15}
    assert next(iter(read_frames(videos[0]["path"]))).shape == (1350, 1080, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--plain", "--aspect", "16:9"), "leave out --aspect and --resolution"),
        (("--plain", "--composition", "grid"), "exclude each other"),
        (("--composition", "grid", "--size", "640x480"), "rather than --size"),
        (("--composition", "grid", "--show", "curve"), "does not show curve"),
        (("--composition", "wipe"), "A wipe shows 2 points, not 3"),
        (("--composition", "grid", "--follow"), "a composition"),
        (("--composition", "map"), "Draw one: studio atlas city"),
    ],
)
def test_what_does_not_go_together_is_refused(studio, words, message):
    refused = studio("render", "timelapse", "city", *POINTS, *words)
    assert refused.status != 0
    assert message in refused.err


def test_a_composition_of_other_films_shows_one_point(studio):
    words = ("--points", "0.0,0.1", "--seconds", "0.2", "--aspect", "9:16", "--json")
    (video,) = studio("render", "interpolation", "city", *words).json["videos"]
    assert video["frames"] == 6
    assert next(iter(read_frames(video["path"]))).shape == (1920, 1080, 3)
    wrong = studio("render", "interpolation", "city", *words[:4], "--composition", "strip")
    assert "A strip shows 3 to 64 points, not 1" in wrong.err


@pytest.mark.parametrize("suffix", ["mp4", "webm", "mkv", "mov"])
def test_a_file_says_what_it_shows_who_is_owed_and_what_made_it(studio, owing, tmp_path, suffix):
    out = tmp_path / "a folder" / f"city.{suffix}"
    words = ("render", "timelapse", "city", *POINTS, "--batches", "2:9", "--out", out, "--both")
    videos = studio(*words, "--json").json["videos"]
    tags = tags_of(videos[-1]["path"])
    assert tags["title"] == "city, batches 2 to 8"
    assert tags["run"] == "city"
    assert tags["batches"] == "2 to 8"
    assert tags["points"] == "0.0, 0.1, 0.2"
    assert tags["copyright"] == tags["licence"] == OWED
    command = "studio render timelapse city --both --points 0.0,0.1,0.2 --batches 2:9 --out city."
    assert tags["command"] == command + suffix
    assert str(tmp_path) not in repr(tags)
    assert tags_of(videos[1]["path"])["points"] == "0.1"


def test_no_folder_of_this_machine_is_named(studio, workspace, tmp_path):
    studio("specimens", "export", "city", "0.0", "--out", tmp_path)
    (picture,) = tmp_path.glob("*.jpg")
    words = ("--points", f"{picture},seed:1", "--out", tmp_path / "a.mp4", "--json")
    video = studio("render", "timelapse", "city", *words).json["videos"][0]
    tags = tags_of(video["path"])
    assert f"--points {picture.name},seed:1" in tags["command"]
    assert str(tmp_path) not in repr(tags)
    path = f"2@{picture} -> 9@{picture}"
    words = ("--seconds", "0.1", "--out", tmp_path / "b.mp4", "--json")
    video = studio("render", "path", "city", path, *words).json["videos"][0]
    assert f"'2@{picture.name} -> 9@{picture.name}'" in tags_of(video["path"])["command"]


def test_the_film_that_a_run_grows_says_the_same(studio, owing):
    videos = studio("film", "city", "--json").json["videos"]
    tags = tags_of(videos[-1]["path"])
    assert tags["run"] == "city"
    assert tags["copyright"] == OWED
    assert tags["command"] == "studio film city"
    assert tags_of(videos[0]["path"])["points"] == videos[0]["label"]
