"""Stacks of near-duplicates are those that comparing every pair gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent.errors import LatentError
from latent.nearness.distances import measure_table
from latent.nearness.stacks import find_stacks, measure_median


def stack_by_brute_force(features, within, metric):
    """Rows reached from each row over pairs within the distance, in float64."""
    near = measure_table(features, metric=metric) <= within
    stacks, seen = [], set()
    for start in range(len(features)):
        if start in seen:
            continue
        stack, waiting = set(), [start]
        while waiting:
            row = waiting.pop()
            if row not in stack:
                stack.add(row)
                waiting += np.flatnonzero(near[row]).tolist()
        seen |= stack
        if len(stack) > 1:
            stacks.append(sorted(stack))
    return sorted(stacks, key=lambda stack: (-len(stack), stack[0]))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 120),
    places=st.integers(1, 12),
    within=st.floats(0, 2),
    metric=st.sampled_from(["euclidean", "cosine"]),
)
def test_stacks_are_those_of_every_pair(seed, count, places, within, metric):
    drawn = np.random.default_rng(seed)
    centres = drawn.normal(size=(places, 5)) * 3
    features = centres[drawn.integers(places, size=count)] + drawn.normal(size=(count, 5)) * 0.2
    features = features.astype(np.float32)
    found = [stack.tolist() for stack in find_stacks(features, within, metric)]
    assert found == stack_by_brute_force(features, within, metric)


def test_a_stack_larger_than_the_first_look_is_whole():
    features = np.zeros((300, 4), np.float32)
    features[200:] = 9 + np.arange(100)[:, None]
    assert [stack.tolist() for stack in find_stacks(features, 0.0)] == [list(range(200))]


def test_a_chain_is_one_stack_and_its_ends_are_apart():
    features = np.arange(5, dtype=np.float32)[:, None]
    assert [stack.tolist() for stack in find_stacks(features, 1.0)] == [[0, 1, 2, 3, 4]]
    assert find_stacks(features, 0.99) == []


@pytest.mark.parametrize("within", [-1.0, float("inf"), float("nan")])
def test_a_distance_that_is_none_is_refused(within):
    with pytest.raises(LatentError, match="within a distance of 0 or more"):
        find_stacks(np.zeros((3, 2), np.float32), within)


def test_the_median_distance_is_that_of_all_pairs_where_there_are_few():
    features = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32)
    table = measure_table(features)
    assert measure_median(features) == np.median(table[np.triu_indices(60, 1)])
    assert measure_median(features[:1]) == 0.0
