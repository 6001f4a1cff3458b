"""What a film will be is said before it is rendered, and its preview shows what it will show."""

import numpy as np
import pytest
from PIL import Image

from renderers.video.video_reader import read_frames
from tests.studio.conftest import BATCHES

SHORT = ("--points", "0.0,0.1", "--seconds", "0.5", "--fps", "20")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("timelapse", ("--points", "0.0,0.1,0.2", "--both", "--show", "batch,curve")),
        ("timelapse", ("--points", "0.0", "--crop", "16x8+0+8", "--batches", "2:9:2")),
        ("interpolation", SHORT),
        ("path", ("2@0.0 -> 9@0.1", "--seconds", "0.5", "--fps", "20")),
    ],
)
def test_the_plan_says_what_the_film_becomes(studio, kind, words):
    plan = studio("plan", kind, "city", *words, "--json").json
    made = studio("render", kind, "city", *words, "--json").json["videos"]
    assert plan["videos"] == len(made)
    assert {video["frames"] for video in made} == {plan["frames"]}
    height, width, _ = next(iter(read_frames(made[-1]["path"]))).shape
    assert (plan["width"], plan["height"]) == (width, height)
    assert plan["render_s"] > 0
    assert plan["size_bytes"] > 0


@pytest.mark.slow
def test_a_preview_shows_the_frames_of_the_film(studio):
    words = ("city", "--points", "0.0,0.1", "--grid", "--show", "batch", "--crf", "0")
    plan = studio("plan", "timelapse", *words, "--pictures", "3", "--json").json
    film = studio("render", "timelapse", *words, "--json").json["videos"][0]["path"]
    frames = list(read_frames(film))
    assert [row["frame"] for row in plan["shown"]] == [0, 5, BATCHES - 1]
    with Image.open(plan["picture"]) as strip:
        seen = np.asarray(strip.convert("RGB")).astype(int)
    width = (seen.shape[1] - 2 * 4) // 3
    for place, row in enumerate(plan["shown"]):
        small = Image.fromarray(frames[row["frame"]]).resize((width, 240), Image.Resampling.BOX)
        own = seen[:, place * (width + 4) :][:, :width]
        assert np.abs(own - np.asarray(small)).mean() < 4


def test_what_cannot_be_filmed_has_no_plan(studio):
    refused = studio("plan", "interpolation", "city", "--points", "0.0", "--seconds", "0.5")
    assert refused.status != 0
    wrong = studio("plan", "timelapse", "city", "--batches", "90:99")
    assert "No checkpoint of run 'city' lies in '90:99'" in wrong.err


@pytest.mark.slow
def test_a_plan_learns_from_earlier_films(studio):
    words = ("city", "--points", "0.0,0.1", "--seconds", "2", "--fps", "20")
    assert studio("plan", "interpolation", *words, "--json").json["by_films"] == 0
    studio("render", "interpolation", *words)
    learned = studio("plan", "interpolation", *words, "--json").json
    size = studio("jobs", "list", "--json").json
    assert size
    assert learned["by_films"] == 1
    assert "by 1 earlier film" in studio("plan", "interpolation", *words).out


def test_a_paced_film_is_planned_about(studio):
    said = studio("plan", "timelapse", "city", "--pace", "perceptual").out
    assert said.startswith(f"About {BATCHES} frames")
