"""Layers of a generator: their list, and the maps of some channels of one."""

import pytest
import torch
import torch.nn.functional as F

from checkpoints_index import GeneratorSpec
from latent.errors import LatentError
from latent.nearness.features import Space, compute_features
from latent.nearness.layers import Layer, LayerMaps, list_layers
from latent.points import draw_z


@pytest.fixture
def G():
    torch.manual_seed(0)
    return GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.125}).build()


def test_layers_are_listed_in_the_order_in_which_they_work(G):
    layers = list_layers(G, draw_z(1, 8, 0))
    assert layers[0] == Layer("stem_norm", "BatchNorm2d", 32, 4, 4)
    assert layers[-1] == Layer("to_rgb", "NearestUpsamplingConvolution", 3, 32, 32)
    assert [layer.name for layer in layers[1:4]] == ["blocks.0.0", "blocks.0.1", "blocks.0.2"]
    assert "stem" not in {layer.name for layer in layers}  # It gives numbers, and no maps.


def test_maps_are_those_of_the_layer_before_the_next_one_writes_over_them(G):
    z = draw_z(3, 8, 0)
    with torch.inference_mode():
        x = F.relu(G.stem_norm(G.stem(z).view(3, -1, 4, 4)))
        before = G.blocks[0][1](G.blocks[0][0](x)).clone()
        maps = LayerMaps(G, "blocks.0.1", [5, 0])
        assert torch.equal(maps(z), before[:, [5, 0]])
        assert before[:, [5, 0]].min() < 0  # ReLU comes next, and works in place.
        assert torch.equal(LayerMaps(G, "blocks.0.2", [5])(z), F.relu(before[:, [5]]))


def test_maps_follow_weights_that_change_in_place(G):
    z, maps = draw_z(1, 8, 0), LayerMaps(G, "to_rgb", [0, 1, 2])
    with torch.inference_mode():
        before = maps(z)
    with torch.no_grad():
        G.to_rgb.bias.add_(1)
    with torch.inference_mode():
        assert torch.allclose(maps(z), before + 1, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "channels", "sentence"),
    [
        ("nowhere", [0], "has no layer 'nowhere'. Known: stem"),
        ("", [0], "has no layer ''"),
        ("stem", [0], "'stem' gives no maps"),
        ("to_rgb", [3], "3 channels, from 0 to 2: there is no channel 3"),
        ("to_rgb", [-1], "there is no channel -1"),
        ("to_rgb", [], "none of them was named"),
    ],
)
def test_a_layer_or_a_channel_that_is_not_there_is_refused(G, name, channels, sentence):
    with pytest.raises(LatentError, match=sentence), torch.inference_mode():
        LayerMaps(G, name, channels)(draw_z(1, 8, 0))


class EachByItself(torch.nn.Module):
    """A network that is tried out when it is first used, and then draws point by point."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.is_tried = inner, False

    def forward(self, z):
        if not self.is_tried:
            self.inner(z[:1])
            self.is_tried = True
        return torch.cat([self.inner(row) for row in z.split(1)])


@torch.inference_mode()
def test_networks_that_draw_point_by_point_have_the_maps_and_activations_of_all_points(G):
    z = draw_z(5, 8, 0)
    expected = LayerMaps(G, "blocks.1.2", [0, 3])(z)
    found = LayerMaps(EachByItself(G), "inner.blocks.1.2", [0, 3])(z)
    assert torch.allclose(found, expected, atol=1e-6)
    for space in ("activations", Space("activations", layer="inner.blocks.1.2")):
        plain = "activations" if space == "activations" else Space("activations", "blocks.1.2")
        wanted = compute_features(G, z, plain)
        for count in (1, 5):  # The first call tries the network out.
            seen = compute_features(EachByItself(G), z[:count], space)
            assert torch.allclose(seen, wanted[:count], atol=1e-5)
