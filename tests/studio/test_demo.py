"""The demo itself, shorter: every product is there, and a second call reuses it."""

from pathlib import Path

import pytest
from PIL import Image

from checkpoints_index import CheckpointIndex
from renderers.video.video_reader import count_frames
from studio.actions import demo_steps
from studio.actions.demo_steps import go_on_training
from studio.actions.studio import Job
from studio.demo import Demo, DemoResult
from studio.specimens.passports import read_passport
from studio.specimens.specimens import list_specimens
from studio.workspace.jobs import jobs_that_are
from studio.workspace.queue.requests import cancel_job
from tests.studio.conftest import BATCHES as CITY_BATCHES

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
    assert [count_frames(path) for path in films] == [30 + 60]  # A second, and two for the last.
    assert count_frames(next(path for path in paths if path.name == "walk.mp4")) == 720
    with Image.open(next(path for path in paths if path.name == "atlas.png")) as atlas:
        assert atlas.width > 500
    specimens = [path for path in paths if path.suffix == ".jpg"]
    labels = {read_passport(path).label for path in specimens}
    assert len(labels) == 6
    starred = {s.label for s in list_specimens(empty_workspace, "helsinki") if s.starred}
    assert starred == labels
    assert jobs_that_are(empty_workspace, "queued", "running") == []

    made_at = {path: path.stat().st_mtime_ns for path in paths}
    second = empty_studio(*words)
    assert second.json == first.json
    assert {path: path.stat().st_mtime_ns for path in paths} == made_at

    # What it made stays what it shows, however far the run has gone on beside the app.
    monkeypatch.setattr(demo_steps, "GOES_ON_TO", BATCHES + 3)
    going_on = go_on_training(empty_workspace)
    assert Job(empty_workspace, going_on.id).wait(120).status == "done"
    third = empty_studio(*words)
    assert third.json == first.json
    files = [path for path in paths if path.is_file()]
    assert all(path.stat().st_mtime_ns == made_at[path] for path in files)
    assert go_on_training(empty_workspace) is None


def test_the_run_of_the_demo_goes_on_as_one_job_until_somebody_stops_it(workspace, monkeypatch):
    monkeypatch.setattr(demo_steps, "RUN", "city")
    monkeypatch.setattr(demo_steps, "GOES_ON_TO", CITY_BATCHES)
    assert go_on_training(workspace) is None
    monkeypatch.setattr(demo_steps, "GOES_ON_TO", 10**6)
    begun = go_on_training(workspace)
    assert (begun.action, begun.run, begun.status) == ("resume", "city", "queued")
    assert go_on_training(workspace).id == begun.id  # A second call of the demo begins no other.
    cancel_job(workspace, begun)
    assert Job(workspace, begun.id).wait(60).status == "cancelled"


def test_the_demo_says_how_its_training_is_stopped(tmp_path):
    told = DemoResult(
        root=tmp_path, products=(), attribution="", training={"id": 7, "text": "studio resume x"}
    )
    assert any("job 7" in str(line) and "studio stop helsinki" in str(line) for line in told.tell())
    assert Demo(serve=False).follow_up() is None
