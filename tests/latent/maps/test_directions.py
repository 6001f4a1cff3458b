import numpy as np
import pytest
from sklearn.decomposition import PCA

from latent.maps.directions import find_directions, first_view, shorten_features


@pytest.mark.parametrize("shape", [(300, 40), (40, 300)])
def test_main_directions_are_those_of_scikit_learn(shape):
    features = np.random.default_rng(0).normal(size=shape) * np.linspace(3, 0.1, shape[1])
    directions = find_directions(features, most=4)
    known = PCA(4, svd_solver="full").fit(features)
    assert np.allclose(np.abs(directions.axes.T @ known.components_.T), np.eye(4), atol=1e-3)
    assert directions.share == pytest.approx(known.explained_variance_ratio_.sum(), abs=1e-4)
    scores = directions.project(features)
    assert np.allclose(np.abs(scores), np.abs(known.transform(features)), atol=1e-2)


def test_short_features_stay_and_long_ones_are_shortened():
    stream = np.random.default_rng(1)
    assert shorten_features(stream.normal(size=(30, 512)))[0].shape == (30, 512)
    kept, share = shorten_features(stream.normal(size=(400, 600)))
    assert kept.shape == (400, 256)
    assert 0.5 < share < 1


def test_the_first_view_keeps_proportions_and_is_there_for_any_points():
    flat = np.random.default_rng(2).normal(size=(200, 2)) * [4, 1]
    view = first_view(flat)
    spread = np.ptp(view, axis=0)
    assert spread[0] == pytest.approx(1, abs=1e-5)
    assert spread[1] < 0.5
    assert first_view(np.ones((12, 1))).shape == (12, 2)
    assert np.isfinite(first_view(np.zeros((12, 5)))).all()
