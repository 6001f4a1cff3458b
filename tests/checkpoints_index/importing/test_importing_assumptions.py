"""What no shape shows: it is said, it can be chosen, and then the pictures are the same."""

import pytest
import torch
from torch import nn

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.chain import PixelNorm
from checkpoints_index.importing.finder import GeneratorFinder
from tests.checkpoints_index.foreign_networks import MLP, View, trained

Z_DIM = 16


def upsampling(activation=nn.LeakyReLU, norm=None, mode="nearest", last=nn.Tanh):
    """z [N, 16] -> [N, 3, 16, 16]: convolutions behind Upsample, as progressive GANs have them."""
    between = [activation()] if norm is None else [activation(), norm()]
    layers = [View(), nn.ConvTranspose2d(Z_DIM, 12, 4), *between]
    for taken, given in ((12, 10), (10, 8)):
        layers += [nn.Upsample(scale_factor=2, mode=mode), nn.Conv2d(taken, given, 3, padding=1)]
        layers += between
    return trained(nn.Sequential(*layers, nn.Conv2d(8, 3, 3, padding=1), last()))


def normed(eps):
    """z [N, 16] -> [N, 256], with statistics that were never measured."""
    return nn.Sequential(
        *(nn.Linear(Z_DIM, 24), nn.BatchNorm1d(24, eps), nn.LeakyReLU(0.2)),
        *(nn.Linear(24, 768), nn.Tanh()),
    ).eval()


def leaky():
    return nn.LeakyReLU(0.2)


def steep():
    return nn.LeakyReLU(0.4)


@pytest.fixture
def find(tmp_path):
    """find(network, **options): what the network is recognised as."""

    def save_and_find(network, **options):
        torch.save(network.state_dict(), tmp_path / "G_1.pt")
        return GeneratorFinder(None, options).find(tmp_path / "G_1.pt")

    return save_and_find


def pictures_of(found, z):
    G = found.spec.build()
    G.load_state_dict(found.weights)
    with torch.inference_mode():
        return G(z)


CHOICES = {
    "pixel norm": (upsampling(leaky, PixelNorm), {"norm": "pixel"}),
    "instance norm": (
        # In front of the activation, where it is usual.
        trained(
            nn.Sequential(
                *(View(), nn.ConvTranspose2d(Z_DIM, 12, 4), nn.InstanceNorm2d(12), nn.ReLU()),
                *(nn.ConvTranspose2d(12, 8, 4, 2, 1), nn.InstanceNorm2d(8), nn.ReLU()),
                *(nn.ConvTranspose2d(8, 3, 4, 2, 1), nn.Tanh()),
            )
        ),
        {"norm": "instance"},
    ),
    "bilinear upsampling": (upsampling(leaky, mode="bilinear"), {"upsampling": "bilinear"}),
    "pixel norm and bilinear": (
        upsampling(leaky, PixelNorm, "bilinear"),
        {"norm": "pixel", "upsampling": "bilinear"},
    ),
    "no activation": (upsampling(nn.Identity), {"activation": "none"}),
    "slope": (upsampling(steep), {"slope": 0.4}),
    "GELU": (upsampling(nn.GELU), {"activation": "gelu"}),
    "nothing at the end": (upsampling(leaky, last=nn.Identity), {"output": "none"}),
    "eps": (normed(0.8), {"norm_eps": 0.8}),
}


@pytest.mark.parametrize(("network", "options"), CHOICES.values(), ids=CHOICES)
def test_what_was_chosen_makes_the_very_same_pictures(network, options, find):
    z = torch.randn(5, Z_DIM, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = network(z).view(5, 3, 16, 16)
    assert torch.equal(pictures_of(find(network, **options), z), expected)
    proposed = pictures_of(find(network), z)
    same_size = proposed.shape == expected.shape
    assert not same_size or not torch.allclose(proposed, expected, atol=1e-3)  # An option told it.


def test_convolutions_without_a_bias_show_where_they_are_normed(find):
    """Two modules between the last ones are a norm and an activation, and enlarge nothing."""
    layers = [View(), nn.ConvTranspose2d(Z_DIM, 12, 4, bias=False), nn.InstanceNorm2d(12), leaky()]
    for taken, given in ((12, 10), (10, 8)):
        convolution = nn.Conv2d(taken, given, 3, padding=1, bias=False)
        layers += [nn.Upsample(scale_factor=2), convolution, nn.InstanceNorm2d(given), leaky()]
    network = trained(nn.Sequential(*layers, nn.Conv2d(8, 3, 3, padding=1, bias=False), nn.Tanh()))
    z = torch.randn(5, Z_DIM)
    with torch.inference_mode():
        assert torch.equal(pictures_of(find(network), z), network(z))


UPSAMPLING, TRANSPOSED = upsampling(leaky), CHOICES["instance norm"][0]
REMARKS = [
    (UPSAMPLING, {}, ["LeakyReLU 0.2 between layers", "nearest upsampling", "tanh at the end"]),
    (UPSAMPLING, {}, ["latent points of the distribution 'normal'"]),
    (UPSAMPLING, {"slope": 0.3}, ["LeakyReLU 0.3 between layers"]),
    (UPSAMPLING, {"activation": "none"}, ["no activation between layers"]),
    (UPSAMPLING, {"upsampling": "bilinear"}, ["bilinear upsampling"]),
    (UPSAMPLING, {"output": "sigmoid"}, ["sigmoid at the end"]),
    (TRANSPOSED, {}, ["ReLU between layers", "no normalisation where positions leave room"]),
    (TRANSPOSED, {"norm": "pixel"}, ["pixel normalisation where positions leave room"]),
    (TRANSPOSED, {"norm": "instance"}, ["instance normalisation where positions leave room"]),
    (normed(1e-5), {}, ["batch norm's eps 1e-05", "LeakyReLU 0.2 between layers"]),
    (normed(1e-5), {"norm_eps": 0.8}, ["batch norm's eps 0.8"]),
    (MLP(Z_DIM, 3, 16), {}, ["LeakyReLU 0.2 between layers", "batch norm's eps 1e-05"]),
]


@pytest.mark.parametrize(("network", "options", "said"), REMARKS)
def test_every_assumption_is_named_with_the_option_that_says_otherwise(
    network, options, said, find
):
    remarks = " ".join(find(network, **options).remarks)
    for words in said:
        assert words in remarks
    for option in ("activation", "slope", "norm_eps", "norm", "upsampling", "image_size", "output"):
        assert f" {option}" in remarks


def test_what_is_not_in_a_network_is_not_named(find):
    remarks = " ".join(find(UPSAMPLING).remarks)
    assert "batch norm's eps" not in remarks
    assert "normalisation where" not in remarks
    assert "upsampling;" not in " ".join(find(TRANSPOSED).remarks)


@pytest.mark.parametrize("option", [{"norm": "batch"}, {"upsampling": "cubic"}, {"norm_eps": -1}])
def test_a_choice_that_there_is_not_is_refused_with_those_that_there_are(option, find):
    with pytest.raises(CheckpointError, match=r"none of|from 0 to 10"):
        find(UPSAMPLING, **option)
