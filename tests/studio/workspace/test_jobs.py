"""The rows of jobs: who works on one, how it ends, and what is found after a crash."""

import os
import signal
import subprocess
import sys
import time

import pytest

from studio.workspace.database import open_database
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import (
    find_job,
    insert_job,
    list_jobs,
    newest_job,
    report_progress,
)
from studio.workspace.paths import Workspace
from studio.workspace.queue.requests import cancel_job
from studio.workspace.queue.work import working_as_job

SLEEPER = """
import sys, time
from studio.workspace.jobs import insert_job
from studio.workspace.queue.work import working_as_job
from studio.workspace.stopping import heed_stop_requests
from studio.workspace.paths import Workspace
heed_stop_requests()
workspace = Workspace.open(sys.argv[1])
with working_as_job(workspace, insert_job(workspace, "atlas", {}, ["atlas", "city"], "city")):
    print("working", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def sleeper(empty_workspace):
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, str(empty_workspace.root)], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"working\n"
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def queued(empty_workspace):
    """The number of a job that nobody has begun."""
    words = ["near", "city", "1.5", "-k", "3"]
    return insert_job(empty_workspace, "near", {"run": "city", "k": 3}, words, "city")


def test_a_row_holds_the_action_and_the_words_that_one_would_type(empty_workspace, queued):
    job = find_job(empty_workspace, queued)
    assert (job.action, job.fields, job.run) == ("near", {"run": "city", "k": 3}, "city")
    assert job.text == "studio near city 1.5 -k 3"
    assert (job.status, job.result, job.left_s) == ("queued", None, None)
    assert newest_job(empty_workspace, "near", run="city") == job
    assert newest_job(empty_workspace, "near", run="town") is None
    assert newest_job(empty_workspace, "train") is None


def test_the_time_left_counts_from_the_first_progress_and_waits_for_a_pace(empty_workspace, queued):
    with working_as_job(empty_workspace, queued):
        begun = time.time() - 100.0  # It waited for a device until ten seconds ago.
        with open_database(empty_workspace.database) as db:
            db.execute("UPDATE jobs SET started_at = ? WHERE id = ?", (begun, queued))
        report_progress(empty_workspace, queued, 200, 1000, "frames", 0, time.time() - 10.0)
        assert find_job(empty_workspace, queued).left_s == pytest.approx(40.0, abs=3.0)
        report_progress(empty_workspace, queued, 1, 1000, "frames", 0, time.time() - 0.5)
        assert find_job(empty_workspace, queued).left_s is None


def test_a_damaged_row_does_not_hide_the_other_jobs(empty_workspace, queued):
    damaged = insert_job(empty_workspace, "near", {}, ["near"], "city")
    with open_database(empty_workspace.database) as db:
        db.execute("UPDATE jobs SET fields = '{', command = 'x' WHERE id = ?", (damaged,))
    assert [job.id for job in list_jobs(empty_workspace)] == [damaged, queued]
    assert (
        find_job(empty_workspace, damaged).fields,
        find_job(empty_workspace, damaged).command,
    ) == (
        None,
        [],
    )


def test_work_that_ends_well_is_done_and_one_that_fails_says_why(empty_workspace, queued):
    with working_as_job(empty_workspace, queued):
        report_progress(empty_workspace, queued, 3, 4, "pictures")
        job = find_job(empty_workspace, queued)
        assert (job.status, job.pid, job.done, job.total) == ("running", os.getpid(), 3, 4)
    assert find_job(empty_workspace, queued).status == "done"
    with pytest.raises(StudioError), working_as_job(empty_workspace, queued):
        raise StudioError("the disk is full")
    assert find_job(empty_workspace, queued).note == "the disk is full"
    with pytest.raises(ZeroDivisionError), working_as_job(empty_workspace, queued):
        raise ZeroDivisionError("division by zero")
    job = find_job(empty_workspace, queued)
    assert (job.status, job.note) == ("failed", "ZeroDivisionError: division by zero")


def test_a_job_that_was_cancelled_while_it_waited_does_not_begin(empty_workspace, queued):
    cancel_job(empty_workspace, find_job(empty_workspace, queued))
    with (
        pytest.raises(StudioError, match="cancelled before it began"),
        working_as_job(empty_workspace, queued),
    ):
        raise AssertionError("it began")
    assert find_job(empty_workspace, queued).status == "cancelled"


def test_a_running_job_is_cancelled(empty_workspace, sleeper):
    (job,) = list_jobs(empty_workspace)
    assert job.status == "running"
    cancel_job(empty_workspace, job)
    sleeper.wait(timeout=60)
    (ended,) = list_jobs(empty_workspace)
    assert ended.status == "cancelled"
    with pytest.raises(EXPECTED_ERRORS, match="cancelled already"):
        cancel_job(empty_workspace, ended)


def test_a_killed_job_is_found_interrupted(empty_workspace, sleeper):
    os.kill(sleeper.pid, signal.SIGKILL)
    sleeper.wait(timeout=60)
    (job,) = list_jobs(empty_workspace)
    assert job.status == "interrupted"


def test_an_unknown_job_is_a_sentence(empty_workspace):
    with pytest.raises(EXPECTED_ERRORS, match="no job 5"):
        find_job(Workspace.open(empty_workspace.root), 5)
