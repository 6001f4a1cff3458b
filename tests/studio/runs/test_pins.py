import pytest

from studio.actions.declared.checkpoint_actions import Pin
from studio.runs.pins import forget_pins, list_pins, pin_batches, specimen_batches, unpin_batches
from studio.specimens.points import FIXED, points_of
from studio.workspace.errors import EXPECTED_ERRORS


def test_pins_are_kept_by_run_and_batch(workspace):
    for batch in (7, 3, 7):
        pin_batches(workspace, "city", [batch])
    assert list_pins(workspace, "city") == [3, 7]
    assert list_pins(workspace, "town") == []
    unpin_batches(workspace, "city", [7])
    assert list_pins(workspace, "city") == [3]


def test_a_batch_without_a_checkpoint_cannot_be_pinned(workspace):
    with pytest.raises(EXPECTED_ERRORS, match="no checkpoint 99"):
        pin_batches(workspace, "city", [99])
    with pytest.raises(EXPECTED_ERRORS, match="Run 'cty' is not in the index"):
        pin_batches(workspace, "cty", [1])


def test_a_pin_that_is_not_there_is_a_sentence(workspace):
    pin_batches(workspace, "city", [3])
    with pytest.raises(EXPECTED_ERRORS, match=r"Batch 4 of run 'city' is not pinned\. Pinned: 3\."):
        unpin_batches(workspace, "city", [4])


def test_a_run_that_is_gone_leaves_no_pins(workspace):
    pin_batches(workspace, "city", [3])
    forget_pins(workspace, "city")
    assert list_pins(workspace, "city") == []


def test_specimens_name_their_batches(workspace, studio):
    assert points_of(workspace, "city", FIXED)
    studio("specimens", "sample", "city", "--batch", 5, "--count", 2)
    assert specimen_batches(workspace, "city") == [0, 5]


def test_several_batches_and_ranges_are_pinned_and_unpinned_at_once(studio, workspace):
    assert studio("pin", "city", "1", "3,5", "6:12:3").status == 0
    assert list_pins(workspace, "city") == [1, 3, 5, 6, 9]
    assert studio("pin", "city", "3", "5:10", "--remove").status == 0
    assert list_pins(workspace, "city") == [1]
    assert Pin.read({"run": "city", "batches": 5}).batches == ("5",)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["2", "99", "100"], "no checkpoint 99, 100"),
        (["2", "x"], "'x' is no batch. Write a number, or FROM:TO:STEP."),
        (["2", "50:60"], "No checkpoint of run 'city' lies in '50:60'"),
        (["2", "1:5:0"], "'1:5:0' is no choice of batches"),
    ],
)
def test_where_one_batch_cannot_be_pinned_none_is(studio, workspace, words, sentence):
    said = studio("pin", "city", *words)
    assert said.status == 1
    assert sentence in said.err
    assert list_pins(workspace, "city") == []
