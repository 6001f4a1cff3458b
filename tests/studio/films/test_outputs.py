"""Films under the names that a person chose."""

from __future__ import annotations

import pytest

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
