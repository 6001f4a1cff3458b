import numpy as np
import pytest

from latent import find_neighbours
from latent.trust.dimension import estimate_dimension


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_the_dimension_of_a_cube_in_more_directions_is_found(dimensions):
    stream = np.random.default_rng(dimensions)
    turned = np.linalg.qr(stream.normal(size=(8, 8)))[0][:dimensions]
    points = stream.random((2000, dimensions)) @ turned
    distances = find_neighbours(points, points, 3)[1][:, 1:]
    assert estimate_dimension(distances) == pytest.approx(dimensions, rel=0.12)


def test_equal_points_have_no_dimension():
    assert estimate_dimension(np.zeros((10, 2))) == 0
