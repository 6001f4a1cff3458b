"""Features, neighbours, maps and placement, on a real small generator."""

import numpy as np
import pytest
import torch
from torch import nn

from latent.atlas import draw_map, measure_neighbours_kept
from latent.errors import LatentError
from latent.features import SPACES, compute_features
from latent.neighbours import find_neighbours
from latent.placement import place_on_grid


@pytest.fixture(scope="module")
def G():
    torch.manual_seed(0)
    layers = [nn.Linear(8, 16 * 64), nn.Unflatten(1, (16, 8, 8)), nn.ReLU()]
    layers += [nn.Upsample(scale_factor=4), nn.Conv2d(16, 3, 3, padding=1), nn.Tanh()]
    return nn.Sequential(*layers).eval()


@pytest.mark.parametrize("space", SPACES)
def test_every_space_describes_a_point_by_itself_alone(G, space):
    z = torch.randn(70, 8, generator=torch.Generator().manual_seed(0))
    together = compute_features(G, z, space)
    assert len(together) == 70
    assert torch.allclose(together[65:66], compute_features(G, z[65:66], space), atol=1e-5)


def test_an_unknown_space_lists_the_known_ones(G):
    with pytest.raises(LatentError, match="pictures, activations, z"):
        compute_features(G, torch.zeros(1, 8), "clip")


def test_neighbours_are_those_of_a_plain_search():
    rows = np.random.default_rng(0).normal(size=(200, 12))
    query = rows[:3] + 0.01
    indices, distances = find_neighbours(rows, query, 7)
    plain = np.linalg.norm(rows[None] - query[:, None], axis=2)
    assert np.array_equal(indices, np.argsort(plain, 1)[:, :7])
    assert np.allclose(distances, np.sort(plain, 1)[:, :7])


def test_fewer_rows_than_asked_for_all_come_back():
    indices, _ = find_neighbours(np.eye(3), np.eye(3)[:1], 10)
    assert sorted(indices[0]) == [0, 1, 2]


def test_a_map_keeps_clusters_apart_says_how_faithful_it_is_and_is_repeated_by_its_seed():
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(3, 20)) * 20
    features = np.concatenate([c + generator.normal(size=(40, 20)) for c in centres])
    drawn = draw_map(features)
    assert drawn.coordinates.min() == 0
    assert drawn.coordinates.max() == 1
    nearest = find_neighbours(drawn.coordinates, drawn.coordinates, 6)[0]
    assert np.array_equal(nearest // 40, np.repeat(np.arange(120) // 40, 6).reshape(120, 6))
    assert drawn.neighbours_kept > 2 * drawn.neighbours_by_chance
    assert drawn.coordinates.dtype == np.float32
    assert np.array_equal(draw_map(features).coordinates, drawn.coordinates)


def test_a_perfect_map_keeps_all_neighbours_and_a_shuffled_one_hardly_any():
    flat = np.random.default_rng(2).random((300, 2))
    assert measure_neighbours_kept(flat, flat, 10) == 1
    shuffled = np.random.default_rng(3).permutation(flat)
    assert measure_neighbours_kept(flat, shuffled, 10) < 0.1


def test_too_few_points_for_a_map_are_refused():
    with pytest.raises(LatentError, match="atlas of 4 points"):
        draw_map(np.zeros((4, 2)))


def test_no_thumbnail_hides_another_and_order_is_kept():
    places = np.random.default_rng(4).random((500, 2)).astype(np.float32)
    cells, side = place_on_grid(places)
    assert len({tuple(cell) for cell in cells}) == 500
    assert cells.min() >= 0
    assert cells.max() < side
    assert np.corrcoef(cells[:, 1], places[:, 0])[0, 1] > 0.95
    assert np.corrcoef(cells[:, 0], places[:, 1])[0, 1] < -0.95


@pytest.mark.parametrize("space", ["pictures", "activations"])
def test_a_generator_that_is_not_finite_is_a_sentence(space):
    broken = nn.Sequential(nn.Linear(8, 48), nn.Unflatten(1, (3, 4, 4)), nn.ReLU()).eval()
    nn.init.constant_(broken[0].weight, float("nan"))
    with pytest.raises(LatentError, match=r"not finite.*earlier checkpoint"):
        compute_features(broken, torch.randn(3, 8), space)
