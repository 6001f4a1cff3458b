"""A dry run says what a training would take, refuses what it would refuse, and leaves no run."""

import pytest
from PIL import Image

from studio.actions.declared.dry_runs.trial_actions import DryRunResult, Try
from studio.screens.train.dry_run_panel import show_dry_run
from studio.training.setup import dry_run
from studio.workspace.errors import StudioError
from studio.workspace.jobs import find_job, insert_job, record_result, update_job
from tests.studio.conftest import TINY

WORDS = ("try", "streets", *TINY, "--batches", "400")


def test_a_few_steps_say_what_the_training_takes_and_leave_no_run(workspace, studio):
    before = sorted(workspace.runs.rglob("*"))
    outcome = studio(*WORDS, "--json")
    assert outcome.status == 0, outcome.err
    found = DryRunResult.model_validate(outcome.json)
    assert (found.batches, found.batch_size, found.device) == (400, 4, "cpu")
    assert found.steps >= 1
    assert found.duration_s == pytest.approx(400 * found.batch_s, rel=0.01, abs=0.1)
    assert 0 < found.memory_bytes < found.device_bytes
    assert found.fits
    with Image.open(found.sheet) as sheet:
        assert sheet.width > 300
    assert sorted(workspace.runs.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("try", "no-such"), "There is no dataset 'no-such'"),
        ((*WORDS, "--run", "city"), "Run 'city' exists already"),
        ((*WORDS, "--run", "../up"), "cannot be the name of a run"),
        ((*WORDS, "--set", "batch_size=99"), "fewer than a batch of 99"),
    ],
)
def test_what_the_training_would_refuse_is_refused_in_the_same_words(studio, words, said):
    outcome = studio(*words)
    assert outcome.status != 0
    assert said in " ".join(outcome.err.split())


def test_a_step_that_takes_too_long_is_given_up_and_the_time_is_a_least_one(studio, monkeypatch):
    monkeypatch.setattr(dry_run, "PATIENCE_S", 0.0)
    outcome = studio(*WORDS, "--json")
    found = DryRunResult.model_validate(outcome.json)
    assert found.steps == 0
    assert found.facts()[0][0].startswith("more than")
    assert "No batch came to its end" in outcome.err


def test_the_page_shows_a_dry_run_as_it_stands(workspace):
    fields = Try(dataset="streets").model_dump(mode="json")
    number = insert_job(workspace, "try", fields, ["try", "streets"])
    assert Try.read(fields).about_run is None
    assert "Trying it" in show_dry_run(find_job(workspace, number))
    update_job(workspace, number, status="failed", note="<b>No memory.")
    assert "&lt;b&gt;No memory." in show_dry_run(find_job(workspace, number))
    update_job(workspace, number, status="done")
    record_result(workspace, number, {"dataset": 3})
    assert "cannot be read" in show_dry_run(find_job(workspace, number))
    result = DryRunResult(
        **{"dataset": "streets", "device": "cpu", "batches": 400, "batch_size": 4, "steps": 1},
        **{"batch_s": 0.5, "duration_s": 200.0, "memory_bytes": 5 * 10**8},
        **{"device_bytes": 10**10, "checkpoints_bytes": 10**9, "state_bytes": 10**6},
        free_bytes=10**6,
    )
    record_result(workspace, number, result.model_dump(mode="json"))
    shown = show_dry_run(find_job(workspace, number))
    assert "400 batches of streets" in shown
    assert "500 ms" in shown
    assert "The disk has no room" in shown


def test_a_dataset_with_a_name_of_an_enemy_has_no_sheet_elsewhere(workspace):
    with pytest.raises(StudioError):
        workspace.dry_run_sheet("../../up")
