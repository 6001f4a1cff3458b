"""What statistics, sizes and factors tell of a network, and that its pictures are the same."""

import pytest
import torch
from torch import nn
from torch.nn.utils import spectral_norm, weight_norm
from torch.nn.utils.parametrizations import spectral_norm as spectral_parametrization
from torch.nn.utils.parametrizations import weight_norm as weight_parametrization

from checkpoints_index.importing.finder import GeneratorFinder


class View(nn.Module):
    def forward(self, z):
        return z[:, :, None, None]


def mlp(activation, eps):
    return nn.Sequential(
        *(nn.Linear(20, 64), activation, nn.Linear(64, 96), nn.BatchNorm1d(96, eps), activation),
        *(nn.Linear(96, 128), nn.BatchNorm1d(128, eps), activation),
        *(nn.Linear(128, 784), nn.Tanh()),
    )


def transposed(wrap, kernel=4, norm=True):
    layers = [View(), wrap(nn.ConvTranspose2d(20, 12, 4, 1, 0, bias=True)), nn.ReLU()]
    layers += [wrap(nn.ConvTranspose2d(12, 8, kernel, 2, 1)), nn.ReLU()]
    layers += [wrap(nn.ConvTranspose2d(8, 6, 4, 2, 1)), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(6, 1, 4, 2, 1), nn.Tanh())


@torch.no_grad()
def differs(network, folder, passes, **options):
    """How far the imported pictures are off, in levels of 255, and the remarks."""
    for _ in range(passes):
        network(torch.randn(64, 20))
    network.eval()
    path = folder / "G_1.pt"
    torch.save(network.state_dict(), path)
    found = GeneratorFinder(None, options).find(path)
    G, z = found.spec.build(), torch.randn(4, 20)
    G.load_state_dict(found.weights)
    real = network(z).view(4, 1, 28, 28)
    return float((G(z) - real).abs().max()) * 127.5, " ".join(found.remarks)


RELU, LEAKY = nn.ReLU(), nn.LeakyReLU(0.2)


@pytest.mark.parametrize(
    ("activation", "eps"),
    [
        (RELU, 1e-5),
        (LEAKY, 1e-5),
        (LEAKY, 0.8),
        (RELU, 0.8),
    ],
    ids=str,
)
def test_statistics_of_batch_norm_tell_the_activation_and_eps(activation, eps, tmp_path):
    torch.manual_seed(0)
    levels, remarks = differs(mlp(activation, eps), tmp_path, 60)
    assert levels < 0.01
    assert "statistics of batch norm fit to" in remarks
    assert f"eps {eps:g}" in remarks


def test_an_odd_kernel_may_go_without_output_padding(tmp_path):
    levels, remarks = differs(transposed(lambda layer: layer, kernel=3), tmp_path, 0)
    assert levels < 0.01
    assert "pictures of 28 px" in remarks


@pytest.mark.parametrize(
    "wrap",
    [spectral_norm, weight_norm, spectral_parametrization, weight_parametrization],
    ids=["spectral", "weight", "spectral parametrization", "weight parametrization"],
)
@pytest.mark.filterwarnings("ignore")
def test_weights_under_a_norm_are_computed_from_the_file(wrap, tmp_path):
    levels, _ = differs(transposed(wrap, kernel=3), tmp_path, 30)
    assert levels < 0.01
