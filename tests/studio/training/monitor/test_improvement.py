"""Patience: a run ends when the distance of its pictures to the data no longer falls."""

import pytest

from studio.runs.metrics import MetricsLog
from studio.training.monitor.improvement import Improvement


@pytest.fixture
def metrics(tmp_path):
    """The numbers of an earlier session, whose distance fell until batch 30."""
    log = MetricsLog(tmp_path / "metrics.jsonl")
    for batch in range(1, 51):
        scores = {"swd": max(10.0, 40.0 - batch)} if batch % 10 == 0 else {}
        log.append(batch, {"g": 1.0, **scores})
    log.close()
    return tmp_path / "metrics.jsonl"


def last_batch(improvement, batches, score):
    for batch in batches:
        improvement.add(batch, {"swd": score(batch)} if batch % 10 == 0 else {})
        if improvement.is_over:
            return batch
    return None


def test_a_run_that_stands_still_ends_after_its_patience_and_one_that_improves_goes_on(tmp_path):
    nothing = tmp_path / "none.jsonl"
    still = Improvement(40, nothing)
    assert last_batch(still, range(1, 200), lambda batch: 5.0 + (batch % 20) / 1000) == 50
    assert still.reason == "the distance to the data has not fallen since batch 10 (5.01)"
    assert last_batch(Improvement(40, nothing), range(1, 200), lambda b: 500.0 - b) is None


def test_nobody_ends_without_patience_or_before_a_distance_is_known(tmp_path):
    nothing = tmp_path / "none.jsonl"
    assert last_batch(Improvement(None, nothing), range(1, 200), lambda batch: 5.0) is None
    assert last_batch(Improvement(40, nothing), range(1, 9), lambda batch: 5.0) is None


def test_the_patience_of_a_later_session_begins_with_it_and_knows_the_best_before(metrics):
    assert last_batch(Improvement(40, metrics), range(51, 200), lambda batch: 12.0) == 90


def test_distances_after_a_batch_that_was_gone_back_to_are_void(metrics):
    improvement = Improvement(30, metrics)
    improvement.add(20, {"swd": 18.0})
    assert improvement.reason.endswith("since batch 20 (24)")
