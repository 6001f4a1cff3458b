"""The spaces that need more than a name, on real small networks."""

import pytest
import torch
from torch import nn

from latent.errors import LatentError
from latent.nearness.features import Space, compute_features, describe_pictures


class Mapped(nn.Module):
    """A generator with a mapping, as those of style have one."""

    def __init__(self):
        super().__init__()
        self.mapping = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
        self.grow = nn.Sequential(nn.Linear(6, 3 * 64), nn.Unflatten(1, (3, 8, 8)), nn.Tanh())

    def forward(self, z):
        return self.grow(self.mapping(z))


@pytest.fixture(scope="module")
def G():
    torch.manual_seed(0)
    return Mapped().eval()


Z = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))


def test_w_is_what_the_mapping_makes_of_z(G):
    assert torch.equal(compute_features(G, Z, "w"), G.mapping(Z))
    with pytest.raises(LatentError, match="no space w"):
        compute_features(G.grow, torch.zeros(1, 6), "w")


def test_one_layer_of_choice_is_described(G):
    found = compute_features(G, Z, Space("activations", layer="grow.0"))
    assert torch.allclose(found, G.grow[0](G.mapping(Z)))
    with pytest.raises(LatentError, match=r"no layer 'rain'. Known: mapping, mapping.0"):
        compute_features(G, Z, Space("activations", layer="rain"))


def test_features_are_those_of_the_network_that_is_named(G):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 2))
    space = Space("features", network=network, network_name="two")
    assert space.title == "features of two"
    assert torch.allclose(compute_features(G, Z, space), network(G(Z)))


def test_a_picture_is_described_as_the_one_that_is_generated(G):
    assert torch.allclose(describe_pictures(G(Z)), compute_features(G, Z, "pictures"))
    with pytest.raises(LatentError, match="no latent point made"):
        describe_pictures(G(Z), "activations")


@pytest.mark.parametrize("wrong", [{"name": "z", "layer": "a"}, {"name": "features"}])
def test_a_layer_or_a_network_stands_with_its_space_alone(wrong):
    with pytest.raises(LatentError, match=r"layer is of|network together"):
        Space(**wrong)
