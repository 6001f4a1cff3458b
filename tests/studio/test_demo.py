"""The demo itself, shorter: every product is there, and a second call reuses it."""

from pathlib import Path

import pytest
from PIL import Image

from checkpoints_index import CheckpointIndex
from renderers.video.video_reader import count_frames
from studio.specimens.passports import read_passport

BATCHES = 12


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_makes_everything_and_a_second_call_reuses_it(
    empty_studio, empty_workspace, monkeypatch
):
    monkeypatch.setattr("studio.demo.ATLAS_CITIES", 60)
    words = ("demo", "--no-serve", "--batches", BATCHES, "--json")
    first = empty_studio(*words)
    assert first.status == 0, first.err
    paths = [Path(product["path"]) for product in first.json]
    films = [path for path in paths if "timelapse" in path.name]

    assert CheckpointIndex(empty_workspace.runs)["helsinki"].batches == list(range(1, BATCHES + 1))
    assert len(films) == 10
    assert [count_frames(path) for path in films] == [BATCHES] * 10
    assert count_frames(next(path for path in paths if path.name == "walk.mp4")) == 720
    with Image.open(next(path for path in paths if path.name == "atlas.png")) as atlas:
        assert atlas.width > 500
    specimens = [path for path in paths if path.suffix == ".jpg"]
    assert len({read_passport(path).label for path in specimens}) == 6

    made_at = {path: path.stat().st_mtime_ns for path in paths}
    second = empty_studio(*words)
    assert second.json == first.json
    assert {path: path.stat().st_mtime_ns for path in paths} == made_at
