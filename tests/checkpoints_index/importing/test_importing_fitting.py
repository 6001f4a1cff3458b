"""What statistics, sizes and factors tell of a network, and that its pictures are the same."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.utils import spectral_norm, weight_norm
from torch.nn.utils.parametrizations import spectral_norm as spectral_parametrization
from torch.nn.utils.parametrizations import weight_norm as weight_parametrization

from checkpoints_index.errors import CheckpointError
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.plan import plan_import
from tests.checkpoints_index.foreign_networks import View


def mlp(activation, eps, widths=(96, 128)):
    layers = [nn.Linear(20, 64), activation]
    for taken, given in pairwise((64, *widths)):
        layers += [nn.Linear(taken, given), nn.BatchNorm1d(given, eps), activation]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 784), nn.Tanh())


def transposed(wrap, kernel=4, norm=True):
    layers = [View(), wrap(nn.ConvTranspose2d(20, 12, 4, 1, 0, bias=True)), nn.ReLU()]
    layers += [wrap(nn.ConvTranspose2d(12, 8, kernel, 2, 1)), nn.ReLU()]
    layers += [wrap(nn.ConvTranspose2d(8, 6, 4, 2, 1)), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(6, 1, 4, 2, 1), nn.Tanh())


class WrappedSpectralNorm(nn.Module):
    """Spectral norm as a wrapper, which calls the factors `module.weight_bar`, `_u` and `_v`."""

    def __init__(self, module):
        super().__init__()
        weight = module.weight.detach()
        del module.weight
        module.weight_bar = nn.Parameter(weight.clone())
        self.module = module
        matrix = weight.flatten(1)
        for name, length in zip("uv", matrix.shape, strict=True):
            factor = nn.Parameter(nn.functional.normalize(torch.randn(length), dim=0), False)
            module.register_parameter(f"weight_{name}", factor)

    def forward(self, x):
        module = self.module
        matrix = module.weight_bar.flatten(1)
        module.weight_v.data = nn.functional.normalize(matrix.T @ module.weight_u, dim=0)
        module.weight_u.data = nn.functional.normalize(matrix @ module.weight_v, dim=0)
        module.weight = module.weight_bar / torch.dot(module.weight_u, matrix @ module.weight_v)
        return module(x)


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
    levels, remarks = differs(mlp(activation, eps), tmp_path, 120)
    assert levels < 0.01
    assert "statistics of batch norm fit to" in remarks
    assert f"eps {eps:g}" in remarks


# What no framework has by default: whoever means momentum writes any number as eps.
@pytest.mark.parametrize(
    ("slope", "eps"), [(0.2, 0.01), (0.2, 0.2), (0.2, 0.9), (0.1, 1e-5), (0.3, 1e-5)]
)
def test_statistics_tell_epses_and_slopes_that_are_unusual(slope, eps, tmp_path):
    torch.manual_seed(0)
    levels, remarks = differs(mlp(nn.LeakyReLU(slope), eps, widths=(32, 48, 96)), tmp_path, 150)
    assert levels < 0.01
    assert f"LeakyReLU {slope:g}, eps {eps:g}: statistics of batch norm fit to" in remarks


def of_two_epses(first, rest):
    """Convolutions behind Upsample as the best-known collection has them: eps 1e-5, 0.8, 0.8."""
    return nn.Sequential(
        *(nn.Linear(20, 24 * 7 * 7), nn.Unflatten(1, (24, 7, 7)), nn.BatchNorm2d(24, first)),
        *(nn.Upsample(scale_factor=2), nn.Conv2d(24, 24, 3, padding=1)),
        *(nn.BatchNorm2d(24, rest), LEAKY, nn.Upsample(scale_factor=2)),
        *(nn.Conv2d(24, 12, 3, padding=1), nn.BatchNorm2d(12, rest), LEAKY),
        *(nn.Conv2d(12, 1, 3, padding=1), nn.Tanh()),
    )


@pytest.mark.parametrize(("first", "rest"), [(1e-5, 0.8), (0.8, 1e-5)])
def test_each_batch_norm_may_have_an_eps_of_its_own(first, rest, tmp_path):
    torch.manual_seed(0)
    levels, remarks = differs(of_two_epses(first, rest), tmp_path, 60)
    assert levels < 0.01
    assert f"eps {first:g}, {rest:g}: statistics of batch norm fit to" in remarks
    assert f"batch norm's eps {first:g}, {rest:g}, {rest:g}" in remarks
    said = {"activation": "leaky_relu", "norm_eps": (first, rest, rest)}
    levels, remarks = differs(of_two_epses(first, rest), tmp_path, 3, **said)
    assert levels < 0.01
    assert f"batch norm's eps {first:g}, {rest:g}, {rest:g}" in remarks


@pytest.mark.parametrize("epses", [[0.8], [0.8] * 4, []])
def test_as_many_epses_are_said_as_there_are_batch_norms(epses, tmp_path):
    with pytest.raises(CheckpointError, match=r"3 batch norms: 2, 5, 9|from 0 to 10"):
        differs(of_two_epses(0.8, 0.8), tmp_path, 0, norm_eps=epses)


def test_the_last_file_that_is_whole_tells_for_all_of_them(tmp_path):
    """In the first one nothing was measured yet, and the very last one has diverged."""
    torch.manual_seed(0)
    network = mlp(LEAKY, 0.8)
    torch.save(network.state_dict(), tmp_path / "G_0.pt")
    for _ in range(120):
        network(torch.randn(64, 20))
    torch.save(network.state_dict(), tmp_path / "G_100.pt")
    broken = {name: tensor * torch.nan for name, tensor in network.state_dict().items()}
    torch.save(broken, tmp_path / "G_200.pt")
    plan = plan_import(tmp_path, GeneratorFinder())
    assert [file.batch for file in plan.files] == [0, 100, 200]
    assert "LeakyReLU 0.2, eps 0.8: statistics of batch norm fit to" in " ".join(plan.remarks)


def test_an_odd_kernel_may_go_without_output_padding(tmp_path):
    levels, remarks = differs(transposed(lambda layer: layer, kernel=3), tmp_path, 0)
    assert levels < 0.01
    assert "pictures of 28 px" in remarks


@pytest.mark.parametrize(
    "wrap",
    [
        *(spectral_norm, weight_norm, WrappedSpectralNorm),
        *(spectral_parametrization, weight_parametrization),
    ],
    ids=[
        "spectral",
        "weight",
        "spectral wrapper",
        "spectral parametrization",
        "weight parametrization",
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_weights_under_a_norm_are_computed_from_the_file(wrap, tmp_path):
    levels, _ = differs(transposed(wrap, kernel=3), tmp_path, 30)
    assert levels < 0.01
