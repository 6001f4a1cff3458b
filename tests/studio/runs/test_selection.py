"""Choices of batches, compared with Python's own ranges."""

from bisect import bisect_right
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.runs.selection import choose_batches, choose_frames, nearest_batch
from studio.workspace.errors import EXPECTED_ERRORS

KEPT = st.lists(st.integers(0, 60), min_size=1, unique=True).map(sorted)
BOUND = st.integers(0, 80) | st.none()
RANGES = st.tuples(BOUND, BOUND, st.integers(1, 9) | st.none())


def text_of(start, stop, step):
    parts = [start, stop] if step is None else [start, stop, step]
    return ":".join("" if part is None else str(part) for part in parts)


def batches_of(kept, start, stop, step):
    """What the range means, between the first and the last checkpoint."""
    last = kept[-1] + 1
    wanted = range(
        kept[0] if start is None else start, last if stop is None else min(stop, last), step or 1
    )
    return [batch for batch in wanted if batch >= kept[0]]


@given(KEPT, RANGES)
def test_a_range_means_what_it_means_in_python(kept, bounds):
    expected = [batch for batch in batches_of(kept, *bounds) if batch in kept]
    if not expected:
        with pytest.raises(EXPECTED_ERRORS, match="No checkpoint of run 'city' lies in"):
            choose_batches(kept, text_of(*bounds), "city", skip_missing=True)
        return
    assert choose_batches(kept, text_of(*bounds), "city", skip_missing=True) == expected


@given(KEPT, RANGES)
def test_a_gap_shows_the_checkpoint_before_it_where_that_is_asked_for(kept, bounds):
    numbers = batches_of(kept, *bounds)
    if not numbers:
        return
    held = [kept[bisect_right(kept, batch) - 1] for batch in numbers]
    assert choose_frames(kept, text_of(*bounds), "city", "hold") == (numbers, held)


@given(KEPT, st.lists(st.integers(0, 80), min_size=1))
def test_a_list_of_batches_is_taken_in_order_or_refused_for_its_gaps(kept, wanted):
    text = ",".join(map(str, wanted))
    if set(wanted) <= set(kept):
        assert choose_batches(kept, text, "city") == sorted(set(wanted))
    else:
        with pytest.raises(EXPECTED_ERRORS, match=r"has no checkpoint .*--skip-missing"):
            choose_batches(kept, text, "city")


@given(st.text(max_size=12))
def test_any_text_chooses_checkpoints_or_is_refused(text):
    with suppress(*EXPECTED_ERRORS):
        assert set(choose_batches([1, 2, 3], text, "city")) <= {1, 2, 3}


def test_a_range_of_astronomical_size_costs_nothing():
    assert choose_batches([1, 2, 3], f"0:{10**30}", "city") == [1, 2, 3]


@given(KEPT, st.floats(-10, 90))
def test_the_nearest_checkpoint_is_as_near_as_any(kept, batch):
    nearest = nearest_batch(kept, batch)
    assert nearest in kept
    assert abs(nearest - batch) == min(abs(there - batch) for there in kept)


def test_listed_batches_keep_the_order_in_which_they_were_asked_for():
    assert choose_batches([1, 500, 1000], "1000,500,1,500", "city") == [1000, 500, 1]
