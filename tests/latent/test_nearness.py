"""Features and neighbours, on a real small generator."""

import numpy as np
import pytest
import torch
from torch import nn

from latent.errors import LatentError
from latent.nearness.features import compute_features
from latent.nearness.neighbours import find_neighbours


@pytest.fixture(scope="module")
def G():
    torch.manual_seed(0)
    layers = [nn.Linear(8, 16 * 64), nn.Unflatten(1, (16, 8, 8)), nn.ReLU()]
    layers += [nn.Upsample(scale_factor=4), nn.Conv2d(16, 3, 3, padding=1), nn.Tanh()]
    return nn.Sequential(*layers).eval()


@pytest.mark.parametrize("space", ["pictures", "activations", "z"])
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


@pytest.mark.parametrize("space", ["pictures", "activations"])
def test_a_generator_that_is_not_finite_is_a_sentence(space):
    broken = nn.Sequential(nn.Linear(8, 48), nn.Unflatten(1, (3, 4, 4)), nn.ReLU()).eval()
    nn.init.constant_(broken[0].weight, float("nan"))
    with pytest.raises(LatentError, match=r"not finite.*earlier checkpoint"):
        compute_features(broken, torch.randn(3, 8), space)
