import shutil

import pytest

from checkpoints_index import CheckpointIndex
from studio.screens.parts.run_cache import RunCache
from studio.workspace.errors import EXPECTED_ERRORS
from tests.studio.conftest import BATCHES


def test_what_was_appended_shows_at_the_next_look(workspace, studio):
    records = RunCache(workspace)
    assert records.summary("city").checkpoints == BATCHES
    assert len(records.metrics("city")) == BATCHES
    studio("resume", "city", "--batches", BATCHES + 2)
    assert records.summary("city").last_batch == BATCHES + 2
    assert [entry["batch"] for entry in records.metrics("city")] == list(range(1, BATCHES + 3))
    assert records.storage_report("city").batches == CheckpointIndex(workspace.runs)["city"].batches


def test_a_run_that_is_not_training_has_no_forecast(workspace):
    assert RunCache(workspace).forecast("city") is None


def test_another_run_of_the_same_name_is_looked_at_anew(workspace, studio):
    records = RunCache(workspace)
    assert records.summary("city").checkpoints == BATCHES
    studio("train", "streets", "--run", "other", "--batches", 2, "--preset", "small-and-quick")
    shutil.rmtree(workspace.run("city"))
    with pytest.raises(EXPECTED_ERRORS, match="Known: other"):
        records.summary("city")
    shutil.copytree(workspace.run("other"), workspace.run("city"))
    assert records.summary("city").checkpoints == 2
    assert len(records.metrics("city")) == 2
