import json
import logging
import sys
import time
from importlib.util import find_spec

import pytest

from checkpoints_index import CheckpointIndex
from renderers.video.video_reader import count_frames
from studio.datasets.folder import prepare_folder
from studio.films.live import join_live_film, live_frames
from studio.runs import metrics
from studio.runs.changes import change_settings
from studio.runs.config import TrainingConfig
from studio.runs.events import list_events
from studio.runs.metrics import read_metrics
from studio.specimens.points import FIXED, points_of
from studio.training.data.batches import Batches
from studio.training.loop.session import train_run
from studio.training.monitor.alarms.resource_alarms import SpeedAlarm
from studio.training.setup.creation import create_run
from studio.upkeep.renaming import rename_dataset
from studio.workspace.trust import trust
from tests.studio.conftest import write_pictures


@pytest.fixture
def new_run(workspace):
    """Makes a run of the smallest networks on the dataset of streets: new_run("tiny", ema=0)."""

    def create(name, storage="visual", **settings):
        networks = {"generator_options": {"width": 0.02}, "discriminator_width": 0.02}
        sizes = {"z_dim": 4, "image_size": 32, "batch_size": 2, "fixed_points": 2}
        quiet = {"score_every": 0, "histograms_every": 0, "film_every": 0}
        given = {**networks, **sizes, **quiet, "dataset": "streets", **settings}
        create_run(workspace, name, TrainingConfig(**given), storage)

    return create


def go_on(workspace, name, stop_at=None, at_batch=lambda batch: None, **limits):
    """Train a run here, to its end or to a batch."""
    reached = []

    def on_progress(done, total, note=""):
        reached.append(done)
        at_batch(done)

    def should_stop():
        return stop_at is not None and bool(reached) and reached[-1] >= stop_at

    return train_run(workspace, name, on_progress, should_stop, **limits)


def texts(workspace, run, kind):
    return [event.text for event in list_events(workspace, run) if event.kind == kind]


def test_a_run_leaves_everything_that_tells_of_it(workspace, new_run):
    new_run("tiny", batches=6, score_every=3, histograms_every=3, film_every=1, preview_every=2)
    assert go_on(workspace, "tiny") == ("finished", 6)
    assert CheckpointIndex(workspace.runs)["tiny"].batches == [1, 2, 3, 4, 5, 6]
    metrics = read_metrics(workspace.metrics("tiny"))
    assert [entry["batch"] for entry in metrics if "swd" in entry] == [3, 6]
    assert all("diversity" in entry and "data_s" in entry for entry in metrics)
    lines = workspace.histograms("tiny").read_text().splitlines()
    assert [json.loads(line)["batch"] for line in lines] == [3, 6]
    assert workspace.preview("tiny").exists()
    if find_spec("tensorboard"):
        assert list(workspace.tensorboard("tiny").glob("events.out.tfevents.*"))
    assert live_frames(workspace, "tiny") == [1, 2, 3, 4, 5, 6]
    assert [event.kind for event in list_events(workspace, "tiny")] == ["finished", "started"]


def test_the_film_is_there_although_checkpoints_are_few(workspace, new_run):
    new_run("tiny", batches=7, checkpoint_every=5, film_every=1)
    go_on(workspace, "tiny")
    assert CheckpointIndex(workspace.runs)["tiny"].batches == [5, 7]
    assert [count_frames(video.path) for video in join_live_film(workspace, "tiny")] == [7, 7, 7]


def test_a_session_that_has_seconds_left_stops_within_them(workspace, new_run):
    new_run("tiny", batches=10**6)
    began = time.monotonic()
    status, last = go_on(workspace, "tiny", duration_s=5)
    assert status == "stopped"
    assert time.monotonic() - began < 5
    assert texts(workspace, "tiny", "stopped") == [f"stopped at batch {last:,}"]


def test_fixed_points_that_are_added_while_a_run_trains_are_kept(workspace, new_run):
    new_run("tiny", batches=5)

    def add(batch):
        if batch == 2:
            change_settings(workspace, "tiny", {"fixed_points": 4})

    go_on(workspace, "tiny", at_batch=add)
    labels = [point.label for point in points_of(workspace, "tiny", FIXED)]
    assert labels == ["0.0", "0.1", "0.2", "0.3"]


def test_negatives_are_drawn_on_where_a_stopped_run_was(workspace, new_run):
    for name in ("whole", "parts"):
        new_run(name, storage="exact", batches=6, negatives="streets")
    go_on(workspace, "whole")
    go_on(workspace, "parts", stop_at=3)
    go_on(workspace, "parts")
    index = CheckpointIndex(workspace.runs)
    one, other = index["whole"].weights(6), index["parts"].weights(6)
    assert all(tensor.equal(other[name]) for name, tensor in one.items())
    assert "d_null" in read_metrics(workspace.metrics("whole"))[-1]


def test_a_dataset_that_was_replaced_under_its_name_is_an_event(workspace, new_run, tmp_path):
    new_run("tiny", batches=4)
    go_on(workspace, "tiny", stop_at=2)
    said = []
    prepare_folder(
        write_pictures(tmp_path / "p", 5), workspace.dataset("streets"), 64, replace=True
    )
    go_on(workspace, "tiny", stop_at=3, say=said.append)
    [told] = [text for text in texts(workspace, "tiny", "changed") if "dataset" in text]
    assert told.startswith("dataset 'streets' was replaced: ")
    assert told.endswith(" -> 5 pictures of 64 px")
    assert any(told in line for line in said)
    go_on(workspace, "tiny")
    assert len([text for text in texts(workspace, "tiny", "changed") if "dataset" in text]) == 1


def test_a_dataset_that_was_renamed_and_then_replaced_is_an_event(workspace, new_run, tmp_path):
    new_run("tiny", batches=4)
    go_on(workspace, "tiny", stop_at=2)
    rename_dataset(workspace, "streets", "roads")
    go_on(workspace, "tiny", stop_at=3)
    assert not [text for text in texts(workspace, "tiny", "changed") if "replaced" in text]
    prepare_folder(write_pictures(tmp_path / "p", 5), workspace.dataset("roads"), 64, replace=True)
    go_on(workspace, "tiny")
    [told] = [text for text in texts(workspace, "tiny", "changed") if "replaced" in text]
    assert told.startswith("dataset 'roads' was replaced: ")


def test_a_disk_that_will_be_full_sounds_an_alarm_and_tells_a_command(workspace, new_run, tmp_path):
    heard = tmp_path / "heard.json"
    program = f"import sys; open({str(heard)!r}, 'w').write(sys.stdin.read())"
    command = f'{sys.executable} -c "{program}"'
    trust(workspace, "command", command)
    new_run("tiny", batches=10**9, alarm_command=command)
    go_on(workspace, "tiny", stop_at=100)
    (alarm,) = texts(workspace, "tiny", "alarm")
    assert alarm.startswith("Disk full: there is room for checkpoints up to batch ")
    notice = json.loads(heard.read_text())
    assert (notice["run"], notice["batch"], notice["name"]) == ("tiny", 100, "Disk full")


def test_an_alarm_command_that_fails_is_an_event_once(workspace, new_run):
    trust(workspace, "command", "false")
    new_run("tiny", batches=10**9, alarm_command="false")
    go_on(workspace, "tiny", stop_at=100)
    told = [text for text in texts(workspace, "tiny", "alarm") if "Disk full" not in text]
    assert [text.partition(".")[0] for text in told] == [
        "alarm_command 'false' failed: it ended with exit status 1"
    ]


def test_what_people_watch_and_cannot_be_written_is_an_event_once(workspace, new_run):
    new_run("tiny", batches=6, histograms_every=1, preview_every=1)
    for path in (workspace.histograms("tiny"), workspace.preview("tiny")):
        path.mkdir(parents=True)
    assert go_on(workspace, "tiny") == ("finished", 6)
    told = sorted(text.partition(":")[0] for text in texts(workspace, "tiny", "alarm"))
    assert told == ["The histograms failed", "The preview failed"]


def test_numbers_that_wait_for_room_are_an_event_once_and_one_more_when_they_are_lost(
    workspace, new_run, monkeypatch
):
    monkeypatch.setattr(metrics, "FLUSH_SECONDS", 0)
    new_run("tiny", batches=6)
    workspace.metrics("tiny").symlink_to("/dev/full")
    assert go_on(workspace, "tiny") == ("finished", 6)
    told = [text.partition(" failed:")[0] for text in texts(workspace, "tiny", "alarm")]
    assert sorted(told) == ["Keeping the last numbers", "Keeping the numbers"]


def test_data_that_become_slow_sound_an_alarm(workspace, new_run, monkeypatch):
    monkeypatch.setattr(SpeedAlarm, "BATCHES", 24)
    new_run("tiny", batches=100)
    take, taken = Batches.__next__, []

    def take_slowly(self):
        taken.append(1)
        if len(taken) > 40:
            time.sleep(4 * fast_s)
        return take(self)

    began = time.monotonic()
    go_on(workspace, "tiny", stop_at=30)
    fast_s = (time.monotonic() - began) / 30
    monkeypatch.setattr(Batches, "__next__", take_slowly)
    go_on(workspace, "tiny")
    alarms = texts(workspace, "tiny", "alarm")
    assert [alarm.partition(":")[0] for alarm in alarms] == ["Slower"]


def test_a_dataset_smaller_than_a_batch_is_refused_before_there_is_a_run(studio, workspace):
    said = studio("train", "streets", "--run", "wide", "--set", "batch_size=999")
    assert said.status == 1
    assert "has 24 pictures, fewer than a batch of 999" in said.err
    assert "wide" not in CheckpointIndex(workspace.runs)


def test_without_tensorboard_a_run_trains_and_says_once_what_to_install(
    workspace, new_run, monkeypatch, caplog
):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    new_run("tiny", batches=3, histograms_every=2)
    with caplog.at_level(logging.WARNING):
        assert go_on(workspace, "tiny") == ("finished", 3)
    assert [record.getMessage() for record in caplog.records] == [
        "tiny: Curves are not written for TensorBoard, since it is not installed: "
        "pip install 'latent-city-studio[tensorboard]'"
    ]
    assert len(workspace.histograms("tiny").read_text().splitlines()) == 1
    assert workspace.preview("tiny").exists()
