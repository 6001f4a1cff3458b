"""Films under the names that a person chose."""

from __future__ import annotations

import numpy as np
import pytest

from renderers.video.video_reader import read_frames

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
