import pytest

from studio.runs.pins import forget_pins, list_pins, pin_batch, specimen_batches, unpin_batch
from studio.specimens.points import FIXED, points_of
from studio.workspace.errors import EXPECTED_ERRORS


def test_pins_are_kept_by_run_and_batch(workspace):
    for batch in (7, 3, 7):
        pin_batch(workspace, "city", batch)
    assert list_pins(workspace, "city") == [3, 7]
    assert list_pins(workspace, "town") == []
    unpin_batch(workspace, "city", 7)
    assert list_pins(workspace, "city") == [3]


def test_a_batch_without_a_checkpoint_cannot_be_pinned(workspace):
    with pytest.raises(EXPECTED_ERRORS, match="no checkpoint 99 to pin"):
        pin_batch(workspace, "city", 99)
    with pytest.raises(EXPECTED_ERRORS, match="Run 'cty' is not in the index"):
        pin_batch(workspace, "cty", 1)


def test_a_pin_that_is_not_there_is_a_sentence(workspace):
    pin_batch(workspace, "city", 3)
    with pytest.raises(EXPECTED_ERRORS, match=r"Batch 4 of run 'city' is not pinned\. Pinned: 3\."):
        unpin_batch(workspace, "city", 4)


def test_a_run_that_is_gone_leaves_no_pins(workspace):
    pin_batch(workspace, "city", 3)
    forget_pins(workspace, "city")
    assert list_pins(workspace, "city") == []


def test_specimens_name_their_batches(workspace, studio):
    assert points_of(workspace, "city", FIXED)
    studio("specimens", "sample", "city", "--batch", 5, "--count", 2)
    assert specimen_batches(workspace, "city") == [0, 5]
