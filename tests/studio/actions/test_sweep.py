"""Several settings, one run after the other: what is queued, refused, and told."""

import time

import pytest

from studio.actions.sweeps.sweep_actions import Sweep
from studio.workspace.jobs import UNENDED, find_job, list_jobs
from tests.studio.conftest import TINY


def test_a_run_for_each_combination_waits_for_the_one_before(studio, workspace, monkeypatch):
    monkeypatch.setattr("studio.actions.submission._start", lambda *_: Process())
    words = ["sweep", "streets", "--run", "s", "--batches", "2", *TINY]
    words += ["--vary", "loss=hinge,non_saturating", "--vary", "ema=[0.9, 0.99]", "--json"]
    result = studio(*words).json
    assert [run["run"] for run in result["runs"]] == ["s-1", "s-2", "s-3", "s-4"]
    assert result["runs"][1]["settings"] == ["loss=hinge", "ema=0.99"]
    jobs = [find_job(workspace, run["job"]) for run in result["runs"]]
    assert [job.follows for job in jobs] == [None, *(job.id for job in jobs[:-1])]
    assert jobs[3].follows_any
    assert jobs[1].fields["settings"]["ema"] == 0.99
    assert jobs[1].fields["settings"]["z_dim"] == 16


class Process:
    """Stands for the process of a job that never begins: the queue alone is looked at."""

    pid = 2**22 + 1  # No process has such a number.

    def wait(self):
        return 0


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        (["loss"], "does not vary"),
        (["loss=hinge"], "does not vary"),
        (["loss=hinge,earth"], "s-2 (loss=earth)"),
        (["ema=0.1,0.2", "seed=" + ",".join(map(str, range(64)))], "would be 128"),
    ],
)
def test_a_sweep_of_which_one_run_cannot_be_is_refused_and_nothing_is_queued(
    studio, workspace, vary, said
):
    before = len(list_jobs(workspace))
    words = [word for each in vary for word in ("--vary", each)]
    refused = studio("sweep", "streets", "--run", "s", "--batches", "2", *TINY, *words)
    assert refused.status != 0
    assert said in " ".join(refused.err.split())
    assert len(list_jobs(workspace)) == before


def test_words_of_a_sweep_are_read_as_the_same_sweep():
    fields = {"dataset": "streets", "run": "s", "vary": ["loss=hinge,wasserstein"]}
    assert Sweep.read(Sweep.read(fields).given()) == Sweep.read(fields)


@pytest.mark.slow
def test_the_runs_of_a_sweep_are_trained_and_their_scores_told_best_first(studio, workspace):
    words = ["sweep", "streets", "--run", "s", "--batches", "3", *TINY, "--set", "score_every=1"]
    result = studio(*words, "--vary", "learning_rate=0.001,0.0001", "--json").json
    deadline = time.monotonic() + 180
    jobs = [run["job"] for run in result["runs"]]
    while any(find_job(workspace, job).status in UNENDED for job in jobs):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert [find_job(workspace, job).status for job in jobs] == ["done", "done"]
    told = studio("compare", "s-*", "--best-first").out
    assert "s-2 against s-1" in told
    assert "learning_rate_g" in told
