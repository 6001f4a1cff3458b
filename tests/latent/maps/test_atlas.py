"""Maps of clouds that are known: their trust, their seeds, and what is refused."""

import numpy as np
import pytest

from benchmarks.trust import clusters, gaussian
from latent import draw_map
from latent.errors import LatentError


def test_a_map_of_clusters_has_structure_and_is_repeated_by_its_seed():
    features = clusters(20)(np.random.default_rng(0), 150)
    drawn = draw_map(features)
    assert drawn.coordinates.dtype == np.float32
    assert drawn.coordinates.shape == (150, 2)
    assert (drawn.coordinates.min(), drawn.coordinates.max()) == (0, 1)
    assert drawn.structure is True
    assert drawn.structure_p == 0.01
    assert 0.2 < drawn.faithful < 1
    assert drawn.faithful_each.shape == (150,)
    assert drawn.faithful == pytest.approx(float(drawn.faithful_each.mean()), abs=0.05)
    assert 0 < drawn.repeatable <= 1
    again = draw_map(features)
    assert np.array_equal(again.coordinates, drawn.coordinates)
    assert not np.array_equal(draw_map(features, seed=1).coordinates, drawn.coordinates)


@pytest.mark.parametrize("count", [200, pytest.param(1500, marks=pytest.mark.slow)])
def test_a_map_of_flat_points_is_faithful_and_one_of_noise_is_not(count):
    stream = np.random.default_rng(count)
    assert draw_map(gaussian(2)(stream, count)).faithful >= (0.6 if count < 500 else 0.65)
    noise = draw_map(gaussian(100)(stream, count))
    assert noise.faithful <= 0.15
    assert noise.repeatable < 0.25
    assert not noise.structure
    assert "UMAP's and not the space's" in noise.verdict


def test_long_features_are_mapped_by_their_main_directions():
    stream = np.random.default_rng(3)
    flat = stream.normal(size=(120, 3))
    features = flat @ stream.normal(size=(3, 900))
    drawn = draw_map(features)
    assert drawn.variance_kept == pytest.approx(1, abs=1e-4)
    assert drawn.faithful > 0.4


@pytest.mark.parametrize("features", [np.zeros((40, 5)), np.repeat(np.eye(3), 20, axis=0)])
def test_equal_points_still_have_a_map(features):
    drawn = draw_map(features)
    assert np.isfinite(drawn.coordinates).all()


def test_ten_points_have_a_map():
    assert draw_map(np.random.default_rng(0).normal(size=(10, 4))).coordinates.shape == (10, 2)


def test_too_few_points_and_numbers_that_are_not_finite_are_refused():
    with pytest.raises(LatentError, match="atlas of 4 points"):
        draw_map(np.zeros((4, 2)))
    features = np.zeros((20, 2))
    features[3, 1] = np.nan
    with pytest.raises(LatentError, match="not finite"):
        draw_map(features)
