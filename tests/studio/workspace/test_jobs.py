import os
import signal
import subprocess
import sys
import time

import pytest

from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import (
    cancel_job,
    find_job,
    list_jobs,
    retry_job,
    submit_job,
    working_as_job,
)
from studio.workspace.paths import Workspace


def await_status(workspace, job, *statuses):
    deadline = time.monotonic() + 120
    while (found := find_job(workspace, job.id)).status not in statuses:
        assert time.monotonic() < deadline, f"{found} did not become {statuses}"
        time.sleep(0.1)
    return found


def test_a_job_is_a_process_of_its_own_with_a_log_and_an_end(empty_workspace):
    job = submit_job(empty_workspace, ["runs"])
    assert job.pid != os.getpid()
    for _ in range(600):
        if b"No runs yet" in empty_workspace.log(job.id).read_bytes():
            break
        time.sleep(0.1)
    assert b"No runs yet" in empty_workspace.log(job.id).read_bytes()
    assert job.text == "studio runs"


def test_a_job_that_is_refused_before_it_begins_failed_and_says_why(empty_workspace):
    words = ["train", "streets", "--run", "new"]
    ended = await_status(empty_workspace, submit_job(empty_workspace, words, "new"), "failed")
    assert "'streets'" in ended.note


def test_a_failed_job_says_why(workspace):
    job = submit_job(workspace, ["specimens", "sample", "city", "--batch", "99"], "city")
    ended = await_status(workspace, job, "failed")
    assert "no checkpoint 99" in ended.note
    assert "no checkpoint 99" in workspace.log(job.id).read_text()


def test_a_job_reports_how_far_it_is(workspace):
    words = ["specimens", "sample", "city", "--batch", "5", "--count", "8"]
    ended = await_status(workspace, submit_job(workspace, words, "city"), "done")
    assert (ended.done, ended.total) == (8, 8)
    assert ended.run == "city"


SLEEPER = """
import sys, time
from studio.workspace.jobs import working_as_job
from studio.workspace.stopping import exit_on_sigterm
from studio.workspace.paths import Workspace
exit_on_sigterm()
with working_as_job(Workspace.open(sys.argv[1]), ["atlas", "city"], "city"):
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


def test_a_job_is_run_again_by_the_same_command(workspace):
    words = ["specimens", "sample", "city", "--batch", "99"]
    failed = await_status(workspace, submit_job(workspace, words, "city"), "failed")
    again = retry_job(workspace, failed)
    assert again.command == words
    assert again.id != failed.id
    await_status(workspace, again, "failed")


def test_training_is_run_again_as_a_resume(workspace):
    with pytest.raises(EXPECTED_ERRORS), working_as_job(workspace, ["train", "streets"], "city"):
        raise StudioError("the disk is full")
    (job, *_) = list_jobs(workspace)
    assert job.note == "the disk is full"
    again = retry_job(workspace, job)
    assert again.command == ["resume", "city"]
    await_status(workspace, again, "done")


def test_training_that_was_refused_before_its_run_was_made_is_run_again_as_it_was(workspace):
    words = ["train", "streets", "--run", "paris"]
    refused = submit_job(workspace, [*words, "--init-from", "rome"], "paris")
    refused = await_status(workspace, refused, "failed")
    assert "rome" in refused.note
    again = retry_job(workspace, refused)
    assert again.command == refused.command
    assert await_status(workspace, again, "failed").note == refused.note


def test_training_that_was_refused_a_name_is_not_run_again_on_the_run_that_has_it(workspace):
    words = ["train", "streets", "--run", "city"]
    refused = await_status(workspace, submit_job(workspace, words, "city"), "failed")
    assert "city" in refused.note
    again = retry_job(workspace, refused)
    assert again.command == words
    assert await_status(workspace, again, "failed").note == refused.note


def test_an_unknown_job_is_a_sentence(empty_workspace):
    with pytest.raises(EXPECTED_ERRORS, match="no job 5"):
        find_job(Workspace.open(empty_workspace.root), 5)
