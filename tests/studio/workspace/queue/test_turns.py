"""Turns of jobs that are processes of their own: order, devices, times, jobs that follow others."""

import os
import signal
import subprocess
import sys
import time

import pytest

from studio.workspace import jobs
from studio.workspace.errors import StudioError
from studio.workspace.jobs import Needs, Terms, find_job, insert_job, jobs_that_are
from studio.workspace.queue.requests import (
    begin_at_once,
    cancel_job,
    move_job,
    offered_jobs,
    pause_job,
    queue_again,
    schedule_job,
)

WORKER = """
import sys, time
from studio.workspace.errors import StudioError
from studio.workspace.jobs import CANCELLED, INTERRUPTED, mark_refused
from studio.workspace.paths import Workspace
from studio.workspace.queue.turns import NotFollowedError, awaiting_turn
from studio.workspace.queue.work import working_as_job
from studio.workspace.stopping import heed_stop_requests
heed_stop_requests()
workspace, job = Workspace.open(sys.argv[1]), int(sys.argv[2])
try:
    with awaiting_turn(workspace, job, print), working_as_job(workspace, job, INTERRUPTED):
        end = workspace.root / f"end-{job}"
        while not end.exists():
            time.sleep(0.02)
        if end.read_text():
            raise StudioError(end.read_text())
except NotFollowedError as error:
    mark_refused(workspace, job, str(error), CANCELLED)
"""
CPU = Needs("films", ("cpu",))
PATIENCE_S = 60.0


class Queue:
    """Jobs of a workspace, each with a real process that works until it is told to end."""

    def __init__(self, workspace):
        self.workspace, self.processes = workspace, {}

    def add(self, needs=CPU, **terms):
        words = ["render", "timelapse", "city"]
        terms = Terms(needs=needs, **terms)
        fields = {"number": len(self.processes)}  # No two ask for the same.
        job = insert_job(self.workspace, "render timelapse", fields, words, "city", terms)
        self.start(job)
        return job

    def start(self, job):
        words = [sys.executable, "-c", WORKER, str(self.workspace.root), str(job)]
        self.processes[job] = subprocess.Popen(words, stdout=subprocess.DEVNULL)

    def row(self, job):
        return find_job(self.workspace, job)

    def until(self, job, status, waits_for=""):
        deadline = time.monotonic() + PATIENCE_S
        while (row := self.row(job)).status != status or waits_for not in row.waits_for:
            assert time.monotonic() < deadline, (row.status, row.waits_for, row.note)
            time.sleep(0.05)
        return row

    def end(self, job, failure=""):
        written = self.workspace.root / "ending"
        written.write_text(failure)
        written.rename(self.workspace.root / f"end-{job}")

    def kill(self, job):
        self.processes[job].kill()
        self.processes[job].wait()


@pytest.fixture
def queue(empty_workspace):
    made = Queue(empty_workspace)
    yield made
    for process in made.processes.values():
        process.kill()
        process.wait()


@pytest.mark.slow
def test_jobs_of_one_device_work_one_after_the_other_in_an_order_that_can_be_changed(queue):
    first = queue.add()
    queue.until(first, "running")
    second, third, other = queue.add(), queue.add(), queue.add(Needs("training", ("cpu",)))
    queue.until(second, "queued", f"job {first} is at work on it")
    queue.until(third, "queued", f"job {second} is before it")
    queue.until(other, "running")  # Another kind of work shares the device.
    move_job(queue.workspace, queue.row(third), "first")
    queue.until(second, "queued", f"job {third} is before it")
    queue.end(first)
    queue.until(third, "running")
    assert [job.id for job in jobs_that_are(queue.workspace, "running")] == [third, other]
    queue.end(third)
    assert queue.until(second, "running").waits_for == ""


@pytest.mark.slow
def test_the_lease_of_a_killed_job_is_free_and_the_killed_are_offered_in_their_place(queue):
    first, second, third = queue.add(), queue.add(), queue.add()
    queue.until(first, "running")
    queue.until(second, "queued", "at work")
    queue.until(third, "queued", "before it")
    queue.kill(second)  # The next one goes on waiting, behind the first.
    assert queue.row(second).status == "interrupted"
    queue.kill(first)
    queue.until(third, "running")
    assert [job.id for job in offered_jobs(queue.workspace)] == [first, second]
    for job in (second, first):
        queue_again(queue.workspace, queue.row(job))
        queue.start(job)
    queue.until(first, "queued", "at work")
    queue.end(third)
    queue.until(first, "running")
    assert offered_jobs(queue.workspace) == []


def test_of_two_who_let_a_job_go_on_one_is_told_that_the_other_was_first(queue):
    job = queue.add()
    queue.until(job, "running")
    queue.kill(job)
    seen = queue.row(job)
    queue_again(queue.workspace, seen)
    with pytest.raises(StudioError, match="is queued, so it cannot go on"):
        queue_again(queue.workspace, seen)


def test_a_job_that_waits_is_paused_and_keeps_its_place(queue):
    first, second, third = queue.add(), queue.add(), queue.add()
    queue.until(first, "running")
    queue.until(second, "queued", "at work")
    pause_job(queue.workspace, queue.row(second))
    assert queue.processes[second].wait(PATIENCE_S) != 0
    assert queue.row(second).status == "paused"
    queue.until(third, "queued", "at work")
    queue_again(queue.workspace, queue.row(second))
    queue.start(second)
    queue.until(third, "queued", f"job {second} is before it")
    cancel_job(queue.workspace, queue.row(second))
    queue.until(second, "cancelled")
    queue.end(first)
    queue.until(third, "running")


def test_a_process_that_starts_late_takes_up_its_job_though_it_was_thought_lost(queue, monkeypatch):
    monkeypatch.setattr(jobs, "START_SECONDS", 0.0)
    job = insert_job(queue.workspace, "render timelapse", {}, ["render"], "city", Terms(needs=CPU))
    assert queue.row(job).status == "interrupted"
    queue.start(job)
    queue.until(job, "running")
    queue.end(job)
    queue.until(job, "done")


def test_a_job_that_works_is_paused_and_its_device_is_free(queue):
    first, second = queue.add(), queue.add()
    queue.until(first, "running")
    pause_job(queue.workspace, queue.row(first))
    queue.until(first, "paused")
    queue.until(second, "running")
    queue_again(queue.workspace, queue.row(first))
    queue.start(first)
    queue.end(second)
    queue.until(first, "running")


def test_the_end_of_the_machine_is_no_cancelling(queue):
    working, waiting = queue.add(), queue.add()
    queue.until(working, "running")
    queue.until(waiting, "queued", "at work")
    for job in (waiting, working):  # What a machine that is shut down sends to all.
        os.kill(queue.processes[job].pid, signal.SIGTERM)
        queue.processes[job].wait(PATIENCE_S)
    assert [queue.row(job).status for job in (working, waiting)] == ["interrupted", "interrupted"]


@pytest.mark.parametrize("anyway", [False, True])
def test_a_job_that_follows_one_that_fails_does_not_begin_unless_it_may(queue, anyway):
    first = queue.add(needs=None)
    second = queue.add(needs=None, follows=first, follows_any=anyway)
    third = queue.add(needs=None, follows=second)
    queue.until(second, "queued", f"Waits for job {first}, which is running.")
    queue.end(first, "the disk is full")
    if anyway:
        queue.until(second, "running")
        queue.end(second)
        queue.until(third, "running")
        return
    row = queue.until(second, "cancelled")
    assert row.note == (
        f"Not begun: job {first}, which it follows, is failed. Begin it all the same: "
        f"studio jobs retry {second}"
    )
    assert "which it follows, is cancelled" in queue.until(third, "cancelled").note


def test_a_job_whose_time_has_not_come_lets_others_go_before_it(queue):
    later = queue.add(not_before=time.time() + 3600)
    queue.until(later, "queued", "Begins on")
    now = queue.add()
    queue.until(now, "running")
    schedule_job(queue.workspace, queue.row(later), Terms())
    queue.until(later, "queued", "at work")
    begin_at_once(queue.workspace, queue.row(later))
    queue.until(later, "running")


def test_a_job_follows_neither_itself_nor_one_that_follows_it_nor_one_that_failed(queue):
    first = queue.add(not_before=time.time() + 3600)
    second = queue.add(follows=first)
    with pytest.raises(StudioError, match=f"job {first} follows job {second} follows job {first}"):
        schedule_job(queue.workspace, queue.row(first), Terms(follows=second))
    with pytest.raises(StudioError, match=f"job {first} follows job {first}"):
        schedule_job(queue.workspace, queue.row(first), Terms(follows=first))
    cancel_job(queue.workspace, queue.row(first))
    third = queue.add(not_before=time.time() + 3600)
    with pytest.raises(StudioError, match="is cancelled already"):
        schedule_job(queue.workspace, queue.row(third), Terms(follows=first))
    with pytest.raises(StudioError, match="There is no job 99"):
        schedule_job(queue.workspace, queue.row(third), Terms(follows=99))


@pytest.mark.slow
def test_one_that_needs_all_cards_is_not_overtaken_by_those_that_need_any(queue):
    cards = ("cuda:0", "cuda:1")
    first, second = queue.add(Needs("training", cards)), queue.add(Needs("training", cards))
    for job in (first, second):
        queue.until(job, "running")
    both, any_card = queue.add(Needs("training", cards, 2)), queue.add(Needs("training", cards))
    queue.until(both, "queued", "Waiting for 2 devices. At work: cuda:0: job")
    queue.until(any_card, "queued", f"job {both} is before it")
    queue.end(first)
    queue.until(first, "done")
    time.sleep(2.5)  # The card is free, and two looks at it come to nothing.
    assert [queue.row(job).status for job in (both, any_card)] == ["queued", "queued"]
    queue.end(second)
    queue.until(both, "running")
    queue.until(any_card, "queued", f"job {both} is at work on it")


@pytest.mark.slow
def test_one_that_takes_what_is_free_waits_for_other_kinds_of_work_too(queue):
    wanted = Needs("films", ("cuda:0", "cuda:1"), 1, exclusive=True)
    training = queue.add(Needs("training", ("cuda:0", "cuda:1"), 2))
    queue.until(training, "running")
    film = queue.add(wanted)
    queue.until(film, "queued", f"cuda:1: job {training}")
    queue.end(training)
    queue.until(film, "running")
    later = queue.add(Needs("training", ("cuda:0", "cuda:1")))
    queue.until(later, "queued", f"cuda:0: job {film}")
    assert queue.row(film).needs == wanted
    queue.end(film)
    queue.until(later, "running")
    queue.end(later)


def test_only_what_waits_has_a_place(queue):
    job = queue.add()
    queue.until(job, "running")
    with pytest.raises(StudioError, match="does not wait, so it has no place"):
        move_job(queue.workspace, queue.row(job), "up")
    with pytest.raises(StudioError, match="does not wait"):
        begin_at_once(queue.workspace, queue.row(job))
