import shutil

import pytest

from checkpoints_index import CheckpointIndex
from studio.screens.parts.run_cache import RunCache
from studio.workspace.errors import EXPECTED_ERRORS
from tests.studio.conftest import BATCHES, TINY


def test_what_was_appended_shows_at_the_next_look(workspace, studio):
    run_cache = RunCache(workspace)
    assert run_cache.summary("city").checkpoints == BATCHES
    assert len(run_cache.metrics("city")) == BATCHES
    studio("resume", "city", "--batches", BATCHES + 2)
    assert run_cache.summary("city").last_batch == BATCHES + 2
    assert [entry["batch"] for entry in run_cache.metrics("city")] == list(range(1, BATCHES + 3))
    kept = CheckpointIndex(workspace.runs)["city"].batches
    assert run_cache.storage_report("city").batches == kept


def test_a_run_that_is_not_training_has_no_forecast(workspace):
    assert RunCache(workspace).forecast("city") is None


def test_another_run_of_the_same_name_is_looked_at_anew(workspace, studio):
    run_cache = RunCache(workspace)
    assert run_cache.summary("city").checkpoints == BATCHES
    studio("train", "streets", "--run", "other", "--batches", 2, *TINY)
    shutil.rmtree(workspace.run("city"))
    with pytest.raises(EXPECTED_ERRORS, match="Known: other"):
        run_cache.summary("city")
    shutil.copytree(workspace.run("other"), workspace.run("city"))
    assert run_cache.summary("city").checkpoints == 2
    assert len(run_cache.metrics("city")) == 2
