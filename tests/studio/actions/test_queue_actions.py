"""The queue by its commands: real jobs that are killed, paused, followed, moved and repeated."""

import os
import signal
import subprocess
import sys
import time

import pytest

import studio as studio_package
from studio.actions.catalogue import known_actions
from studio.actions.declared.film_actions import FilmAction
from studio.actions.declared.training_actions import Resume, Train
from studio.actions.permissions import Permissions
from studio.actions.queue_actions import JobsDuplicate
from studio.actions.submission import start_process, submit
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import Needs, Terms, find_job, insert_job, list_jobs
from tests.studio.conftest import TINY

LONG = 100_000  # Batches that no test waits for.
PATIENCE_S = 90.0
SETTINGS = TINY[1:-2:2]


def training(run="town", batches=LONG, **more):
    settings = dict(each.split("=", 1) for each in SETTINGS)
    return Train(
        **{"dataset": "streets", "run": run, "preset": "none", "batches": batches},
        **{"settings": [f"{name}={value}" for name, value in settings.items()]},
        **more,
    )


def until(workspace, job, *statuses, done=0):
    deadline = time.monotonic() + PATIENCE_S
    while (row := find_job(workspace, job)).status not in statuses or row.done < done:
        assert time.monotonic() < deadline, (row.status, row.waits_for, row.note)
        time.sleep(0.1)
    return row


@pytest.fixture
def later(workspace):
    """Terms of jobs that do not begin by themselves; those that still wait are ended."""
    yield Terms(not_before=time.time() + 3600)
    for job in list_jobs(workspace):
        if job.status in ("queued", "running") and job.pid:
            os.kill(job.pid, signal.SIGKILL)


@pytest.mark.slow
def test_training_is_paused_goes_on_is_killed_and_is_resumed_as_the_same_job(
    workspace, studio, later
):
    job = submit(workspace, training()).id
    until(workspace, job, "running", done=3)
    follower = submit(workspace, training("next"), Terms(follows=job)).id
    assert studio("jobs", "pause", job).err.startswith(f"Job {job} pauses.")
    paused = until(workspace, job, "paused")
    assert "saves its state" not in paused.note
    assert studio("jobs", "resume", job).out == f"Job {job}: {paused.text}\n"
    killed = until(workspace, job, "running", done=paused.done + 1)
    assert "goes on from the training state" in workspace.log(job).read_text()
    os.kill(killed.pid, signal.SIGKILL)
    until(workspace, job, "interrupted")
    assert find_job(workspace, follower).status == "queued"  # It may go on, and then be done.
    assert studio("jobs", "resume").out == f"Job {job}: {paused.text}\n"
    until(workspace, job, "running", done=paused.done + 1)
    assert studio("stop", "town").status == 0
    assert until(workspace, job, "done").result["asked_to_stop"] is True
    until(workspace, follower, "running")
    assert studio("jobs", "cancel", follower).status == 0
    assert until(workspace, follower, "cancelled").note == ""
    again = studio("jobs", "resume", job)
    assert again.status == 1
    assert f"Job {job} is done, so it cannot go on" in again.err
    assert studio("jobs", "resume").out == "No job was interrupted.\n"


@pytest.mark.slow
def test_a_film_is_queued_behind_the_training_of_a_run_that_is_not_there_yet(workspace, studio):
    assert studio("render", "timelapse", "new", "--detach").status == 1
    job = submit(workspace, training("new", batches=3)).id
    queued = studio("render", "timelapse", "new", "--points", "seed:1", "--after", job, "--json")
    film = queued.json["id"]
    assert find_job(workspace, film).follows == job
    until(workspace, film, "done")
    assert find_job(workspace, film).result["videos"][0]["frames"] == 3
    assert studio("render", "timelapse", "nowhere", "--after", job).status == 1


@pytest.mark.slow
def test_the_order_time_and_device_of_jobs_that_wait_are_shown_and_changed(
    workspace, studio, later
):
    here = studio_package.open(workspace.root)
    first = here.render_timelapse(run="city", points="seed:1", at="+1h")
    second = here.render_timelapse(run="city", points="seed:2", at="+1h")
    assert studio("jobs", "move", second.id, "--to", "first").status == 0
    places = {row["id"]: row["place"] for row in studio("jobs", "list", "--json").json}
    assert places[second.id] < places[first.id]
    assert studio("jobs", "move", first.id, "--before", second.id).status == 0
    assert first.row.order < second.row.order
    assert (first.row.needs.kind, first.row.needs.devices) == ("films", ("cpu",))
    assert studio("jobs", "schedule", second.id, "--after", first.id, "--anyway").status == 0
    assert (second.row.follows, second.row.follows_any, second.row.not_before) == (
        first.id,
        1,
        None,
    )
    assert studio("jobs", "start", first.id).err == f"Job {first.id} begins.\n"
    assert [job.wait(PATIENCE_S).status for job in (first, second)] == ["done", "done"]


SUBMIT = """
import sys, time
import studio
here = studio.open(sys.argv[1])
print(here.render_timelapse(run="city", points="seed:1", at="+6s").id, flush=True)
time.sleep(600)
"""


def test_a_waiting_job_outlives_who_asked_for_it(workspace):
    words = [sys.executable, "-c", SUBMIT, str(workspace.root)]
    app = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    job = int(app.stdout.readline())
    os.killpg(app.pid, signal.SIGKILL)
    app.communicate()
    assert find_job(workspace, job).status == "queued"
    assert until(workspace, job, "done").result["videos"][0]["frames"] > 1


def test_a_job_is_duplicated_as_it_is_and_with_other_values(workspace, studio, later):
    job = submit(workspace, training("town-7", batches=1), later).id
    copy = studio("jobs", "duplicate", job).out
    assert "--run town-8" in copy
    changed = studio("jobs", "duplicate", job, "batches=2", "run=hamlet").out
    assert "--run hamlet" in changed
    assert "--batches 2" in changed
    refused = studio("jobs", "duplicate", job, "batches=none")
    assert refused.status == 2
    unknown = studio("jobs", "duplicate", job, "colour=red")
    assert unknown.status == 2
    assert "colour" in unknown.err


def test_a_page_duplicates_a_job_with_no_path_outside_and_no_command_of_its_own(
    workspace, later, tmp_path
):
    here = studio_package.open(workspace.root)
    film = here.render_timelapse(run="city", points="seed:1", at="+1h").id
    train = submit(workspace, training(), later).id
    permissions = Permissions(workspace)
    outside = {"job": film, "settings": [f"out={tmp_path / 'film.mp4'}"]}
    with pytest.raises(StudioError, match="outside the workspace"):
        permissions.check(JobsDuplicate.read(outside))
    relative = {"job": film, "settings": ["out=renders/film.mp4"]}
    with pytest.raises(StudioError, match="in full"):
        permissions.check(JobsDuplicate.read(relative))
    command = {"job": train, "settings": ["settings={'alarm_command': 'touch /tmp/x'}"]}
    with pytest.raises(EXPECTED_ERRORS):
        permissions.check(JobsDuplicate.read(command))
    assert permissions.check(JobsDuplicate(job=film)).job == film


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pause", "x"), "whole number"),
        (("pause", 0), "out of range"),
        (("pause", 2**70), "too large"),
        (("resume", 1, 2**70), "too large"),
        (("retry", 2**70), "too large"),
        (("pause", 99), "There is no job 99"),
        (("resume", 99), "There is no job 99"),
        (("resume", "1; rm"), "whole number"),
        (("move", 1), "Use one of --to and --before"),
        (("move", 1, "--to", "left"), "'left' is not known"),
        (("schedule", 1, "--at", "soon"), "'soon' is no moment"),
        (("schedule", 1, "--at", "25:00"), "'25:00' is no moment"),
        (("schedule", 1, "--at", "1999-01-01"), "is past"),
        (("schedule", 1, "--at", "+9999999d"), "more than a year away"),
        (("schedule", 1, "--anyway"), "--after, which is missing"),
        (("duplicate", 99), "There is no job 99"),
        (("list", "--newest", 0), "out of range"),
    ],
)
def test_a_number_or_a_time_that_cannot_be_is_a_sentence(empty_studio, words, said):
    refused = empty_studio("jobs", *words)
    assert refused.status in (1, 2)
    assert said in refused.err
    assert "Traceback" not in refused.err


def test_a_job_that_cannot_begin_says_why_and_is_not_offered(workspace, studio):
    fields = Resume(run="nowhere").model_dump(mode="json")
    needs = Needs("training", ("cpu",))
    job = insert_job(workspace, "resume", fields, ["resume"], "nowhere", Terms(needs=needs))
    start_process(workspace, job)
    failed = until(workspace, job, "failed", "interrupted", "cancelled")
    assert failed.status == "failed"
    assert "nowhere" in failed.note
    assert studio("jobs", "resume").out == "No job was interrupted.\n"


def test_training_ends_when_it_stops_improving(workspace, studio):
    options = ("--set", "score_every=2", "--patience", 4, "--batches", 60, "--run", "flat")
    frozen = ("--set", "learning_rate=0", "--set", "ema_halflife_batches=0")
    trained = studio("train", "streets", *options, *TINY, *frozen[:2], "--json")
    assert trained.json["status"] == "stopped", trained
    assert trained.json["batch"] < 60
    events = studio("events", "flat", "--json").json
    assert "the distance to the data has not fallen since batch" in events[0]["text"]
    refused = studio("train", "streets", "--run", "other", "--patience", 4, *TINY)
    assert refused.status == 2
    assert "--patience 4 needs the distance to the data, which is measured every 500" in refused.err


def test_every_film_that_is_rendered_on_devices_takes_its_turn_there():
    films = {
        name: action
        for name, action in known_actions().items()
        if name.startswith("render ") and "devices" in action.model_fields
    }
    assert {"render timelapse", "render atlas-growth", "render direction"} <= set(films)
    assert all(issubclass(action, FilmAction) for action in films.values())
    own = [action for action in films.values() if action.perform is not FilmAction.perform]
    # One that tells more of its result still renders by way of FilmAction's.
    assert all({"super", "perform"} <= {*action.perform.__code__.co_names} for action in own)
