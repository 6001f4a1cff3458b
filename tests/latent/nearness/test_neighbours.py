"""The search for neighbours against comparing everything in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latent import find_neighbours
from latent.errors import LatentError
from latent.nearness.distances import METRICS, measure_table


def search_plainly(features, query, k, metric):
    """Every distance in float64; of equal ones the first row first."""
    table = measure_table(np.asarray(features), np.asarray(query), metric).T
    order = np.argsort(table, 1, kind="stable")[:, :k]
    return order, np.take_along_axis(table, order, 1)


def assert_same(features, query, k, metric="euclidean"):
    indices, distances = find_neighbours(features, query, k, metric)
    plain_indices, plain_distances = search_plainly(features, query, k, metric)
    assert np.array_equal(indices, plain_indices)
    assert np.array_equal(distances, plain_distances)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("queries", [1, 4, 5, 1100])
@pytest.mark.parametrize("types", [("f4", "f4"), ("f8", "f8"), ("f4", "f8"), ("f8", "f4")])
def test_neighbours_are_those_of_comparing_everything_in_float64(metric, queries, types):
    generator = np.random.default_rng(queries)
    features = generator.normal(size=(4500, 24)).astype(types[0])
    query = generator.normal(size=(queries, 24)).astype(types[1])
    assert_same(features, query, 10, metric)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("queries", [1, 40])
def test_clusters_far_from_the_origin_and_tighter_than_the_rounding_of_their_place(metric, queries):
    generator = np.random.default_rng(1)
    centres = generator.normal(size=(6, 16)) * 1000
    features = centres[np.arange(6000) % 6] + generator.normal(size=(6000, 16)) * 1e-3
    features = features.astype(np.float32)
    assert_same(features, features[:queries] + np.float32(1e-4), 12, metric)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 300),
    st.integers(1, 5),
    st.integers(1, 9),
    st.integers(1, 320),
    st.sampled_from(METRICS),
    st.sampled_from(["f2", "f4", "f8", "i8"]),
    st.integers(0, 2**32 - 1),
)
def test_ties_are_ordered_by_their_place(count, width, queries, k, metric, kind, seed):
    generator = np.random.default_rng(seed)
    features = generator.integers(-2, 3, (count, width)).astype(kind)
    assert_same(features, generator.integers(-2, 3, (queries, width)).astype(kind), k, metric)


@pytest.mark.parametrize("scale", [1e-30, 1e-18, 1e18, 1e25, 3e38])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("queries", [2, 9])
def test_sizes_that_leave_the_range_of_float32_are_searched_all_the_same(scale, metric, queries):
    generator = np.random.default_rng(2)
    features = (generator.uniform(-1, 1, (700, 6)) * scale).astype(np.float32)
    features[3] = 0
    assert_same(features, features[:queries] / 2, 7, metric)


@pytest.mark.parametrize("queries", [1, 20])
def test_rows_that_are_all_alike_come_in_their_order(queries):
    features = np.full((20_000, 8), 0.1, np.float32)
    indices, distances = find_neighbours(features, features[:queries], 5)
    assert np.array_equal(indices, np.tile(np.arange(5), (queries, 1)))
    assert not distances.any()


@pytest.mark.parametrize("metric", METRICS)
def test_many_rows_in_a_few_places_come_in_their_order(metric):
    """1,500 rows of a collapsed generator, each searched for, are a matter of a moment."""
    places = np.random.default_rng(3).normal(size=(3, 300)).astype(np.float32)
    features = places[np.random.default_rng(4).integers(0, 3, 1500)]
    indices, distances = find_neighbours(features, features, 12, metric)
    for place in places:
        rows = np.flatnonzero((features == place).all(1))
        assert (indices[rows] == rows[:12]).all()
    assert not distances.any()
    assert_same(features, places[:1].repeat(5, 0) + 0.5, 900, metric)


def test_a_row_of_zeros_has_no_direction():
    assert_same(np.array([[0.0, 0], [1, 0], [0, 1], [-1, 0]]), np.zeros((1, 2)), 4, "cosine")
    _, distances = find_neighbours(np.eye(2), np.zeros((1, 2)), 2, "cosine")
    assert np.array_equal(distances, [[1, 1]])


def test_fewer_rows_than_asked_for_all_come_back():
    indices, _ = find_neighbours(np.eye(3), np.eye(3)[:1], 10)
    assert sorted(indices[0]) == [0, 1, 2]


@pytest.mark.parametrize(
    ("features", "query", "k", "metric", "said"),
    [
        (np.eye(3), np.eye(3), 0, "euclidean", "ask for one or more"),
        (np.eye(3), np.eye(3), 1, "taxicab", "Known: euclidean, cosine"),
        (np.eye(3)[:0], np.eye(3), 1, "euclidean", "no features"),
        (np.eye(3), np.eye(4), 1, "euclidean", "same space"),
        (np.ones(3), np.eye(3), 1, "euclidean", "table of numbers"),
        (np.array([[np.nan, 1]]), np.ones((1, 2)), 1, "euclidean", "not finite"),
        (np.ones((9, 2)), np.full((6, 2), np.inf), 1, "cosine", "not finite"),
        (np.array([[1, np.inf]]), np.ones((7, 2)), 1, "cosine", "not finite"),
    ],
)
def test_what_cannot_be_searched_is_a_sentence(features, query, k, metric, said):
    with pytest.raises(LatentError, match=said):
        find_neighbours(features, query, k, metric)
