import numpy as np
from scipy.spatial.distance import pdist

from latent.maps.placement import place_on_grid, spread_apart


def place_by_comparing_all(coordinates, side):
    """The plain way: every free cell is compared."""
    wanted = np.column_stack([1 - coordinates[:, 1], coordinates[:, 0]]) * (side - 1)
    rows, columns = np.divmod(np.arange(side * side), side)
    free = np.ones(side * side, bool)
    cells = np.zeros((len(coordinates), 2), int)
    for point in np.argsort(((coordinates - 0.5) ** 2).sum(1), kind="stable"):
        distance = (rows - wanted[point, 0]) ** 2 + (columns - wanted[point, 1]) ** 2
        cell = int(np.where(free, distance, np.inf).argmin())
        free[cell] = False
        cells[point] = rows[cell], columns[cell]
    return cells


def test_no_thumbnail_hides_another_and_order_is_kept():
    places = np.random.default_rng(4).random((500, 2)).astype(np.float32)
    cells, side = place_on_grid(places)
    assert len({tuple(cell) for cell in cells}) == 500
    assert cells.min() >= 0
    assert cells.max() < side
    assert np.corrcoef(cells[:, 1], places[:, 0])[0, 1] > 0.95
    assert np.corrcoef(cells[:, 0], places[:, 1])[0, 1] < -0.95


def test_looking_nearby_first_finds_the_same_cells():
    for seed in range(6):
        crowded = np.clip(np.random.default_rng(seed).normal(0.5, 0.1, (150, 2)), 0, 1)
        cells, side = place_on_grid(crowded)
        assert np.array_equal(cells, place_by_comparing_all(crowded, side))


def test_all_points_at_one_place_and_one_point_alone_are_placed():
    cells, _ = place_on_grid(np.ones((30, 2)))
    assert len({tuple(cell) for cell in cells}) == 30
    assert place_on_grid(np.zeros((1, 2)))[0].tolist() == [[1, 0]]


def test_points_are_pushed_apart_until_none_is_too_near():
    places = np.random.default_rng(3).normal(size=(200, 2)).astype(np.float32)
    apart = spread_apart(places, 0.2)
    assert pdist(places).min() < 0.02
    assert pdist(apart).min() > 0.19
    assert np.corrcoef(places[:, 0], apart[:, 0])[0, 1] > 0.95
    assert np.array_equal(spread_apart(apart, 0.1), apart)


def test_points_in_one_place_are_pushed_apart_too():
    assert pdist(spread_apart(np.zeros((20, 2)), 1.0)).min() > 0.9
