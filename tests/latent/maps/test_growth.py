"""Maps of the same points one after another."""

import numpy as np
import pytest

from benchmarks.trust import clusters
from latent.errors import LatentError
from latent.maps.growth import align, draw_growth, draw_next, measure_movement, normalise
from latent.maps.layout import carry_on, find_graph


def test_places_are_turned_mirrored_scaled_and_shifted_onto_others():
    target = np.random.default_rng(0).normal(size=(50, 2))
    turned = np.array([[0.6, 0.8], [0.8, -0.6]])  # a mirror
    moved = (target - 3) @ turned * 7
    assert np.allclose(align(moved, target), normalise(target)[0], atol=1e-5)
    assert measure_movement(target, align(moved, target)) < 1e-5
    assert align(np.zeros((5, 2)), target[:5]).shape == (5, 2)


def test_size_does_not_hide_how_far_points_move():
    stream = np.random.default_rng(1)
    some, others = stream.normal(size=(2, 5000, 2))
    assert measure_movement(some, 100 * others + 7) == pytest.approx(1.25, abs=0.03)
    assert measure_movement(some, align(others, some)) == pytest.approx(1.25, abs=0.06)


def test_a_map_that_is_narrow_begins_as_it_is():
    features = clusters(10)(np.random.default_rng(6), 100)
    start = np.random.default_rng(7).normal(size=(100, 2)).astype(np.float32) * [9, 0.5]
    begun = carry_on(find_graph(features), start, 0, 1, 1e-6)
    assert np.allclose(begun, start, atol=1e-3)


def test_a_space_that_stays_keeps_its_map_and_one_that_changes_moves():
    features = clusters(10)(np.random.default_rng(1), 120)
    other = clusters(10)(np.random.default_rng(2), 120)
    first, same, changed = draw_growth([features, features, other])
    assert first.moved == 0
    assert same.moved < 0.5 * changed.moved
    for drawn in (first, same, changed):
        assert 0.2 < drawn.faithful < 1
        assert drawn.neighbours.shape == (120, 15)
        assert 0.2 < drawn.kept <= 1
        assert np.allclose(drawn.coordinates.mean(0), 0, atol=1e-5)
        assert (drawn.coordinates**2).sum(1).mean() == pytest.approx(1, abs=1e-4)


def test_maps_come_one_by_one_and_are_repeated_by_their_seed():
    features = clusters(10)(np.random.default_rng(3), 60)
    asked = []

    def batches():
        for number in range(2):
            asked.append(number)
            yield features + number

    growing = draw_growth(batches(), seed=4)
    first = next(growing)
    assert asked == [0]
    second = next(growing)
    again = list(draw_growth(batches(), seed=4))
    assert np.array_equal(first.coordinates, again[0].coordinates)
    assert np.array_equal(second.coordinates, again[1].coordinates)


def test_a_chain_is_taken_up_from_what_was_kept_of_it():
    stream = np.random.default_rng(8)
    steps = [clusters(10)(stream, 60) for _ in range(3)]
    whole = list(draw_growth(steps, seed=1))
    kept = whole[1].coordinates, whole[1].scale
    assert np.array_equal(draw_next(steps[2], kept, 1).coordinates, whole[2].coordinates)


def test_ten_points_have_a_chain():
    steps = np.random.default_rng(9).normal(size=(2, 10, 4))
    assert [drawn.neighbours.shape for drawn in draw_growth(steps)] == [(10, 8)] * 2


def test_other_points_cannot_follow():
    with pytest.raises(LatentError, match="30 points cannot follow one of 40"):
        list(draw_growth([np.random.default_rng(5).normal(size=(n, 4)) for n in (40, 30)]))
