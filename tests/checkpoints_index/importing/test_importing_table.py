"""The table of docs/import.md: each of its rows is measured here, and it has no other rows."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.refusals import ToldByStatistics
from tests.checkpoints_index.foreign_networks import (
    DCGAN,
    MLP,
    DenseGAN,
    Residual,
    UpsamplingGAN,
    View,
    trained,
)
from tests.checkpoints_index.importing import test_importing_saved_models as saved_models

os.environ["KERAS_BACKEND"] = "torch"
TABLE = Path(__file__).parents[3] / "docs" / "import.md"
CLASS = "tests.checkpoints_index.foreign_networks:Residual"
POINTS = 64
SHOWN = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)


def leaky():
    return nn.LeakyReLU(0.2)


def mlp(activation, eps=1e-5):
    first = (nn.Linear(100, 128), activation(), nn.Linear(128, 256), nn.BatchNorm1d(256, eps))
    return settle(nn.Sequential(*first, activation(), nn.Linear(256, 784), nn.Tanh()))


def dcgan(activation, norm=nn.BatchNorm2d, last=nn.Tanh):
    layers = [View(), nn.ConvTranspose2d(100, 64, 4, 1, 0, bias=False), norm(64), activation()]
    for before, after in ((64, 32), (32, 16)):
        convolution = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
        layers += [convolution, norm(after), activation()]
    return settle(nn.Sequential(*layers, nn.ConvTranspose2d(16, 3, 4, 2, 1), last()))


def collected():
    """As `dcgan.py` of the best-known collection has its layers, narrower."""
    layers = [nn.Linear(100, 24 * 8 * 8), nn.Unflatten(1, (24, 8, 8)), nn.BatchNorm2d(24)]
    for before, after in ((24, 24), (24, 12)):
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1)]
        layers += [nn.BatchNorm2d(after, 0.8), leaky()]
    return settle(nn.Sequential(*layers, nn.Conv2d(12, 3, 3, padding=1), nn.Tanh()))


def settle(network):
    """Statistics as training leaves them."""
    for _ in range(50):
        network(torch.randn(64, 100))
    return network.eval()


@dataclass
class Case:
    """A network, and what a person says of it.

    Attributes:
        make: gives the network, which takes z [N, z_dim], or [N, z_dim, 1, 1].
        option: what the table tells to give; "-" for nothing.
        said: further options, which spare the seconds of finding out what another row shows.
        way: how it is recognised where something was said; else that is measured.
        is_light: whether its pictures are 0..1.
        dtype: what its weights are saved as.
        suffix: the kind of file.
        generator: a class that is named.
    """

    make: Any
    option: str = "-"
    said: dict[str, Any] = field(default_factory=dict)
    way: str = ""
    is_light: bool = False
    dtype: torch.dtype = torch.float32
    suffix: str = ".pt"
    generator: str | None = None


SHAPES, STATISTICS = "shapes", "shapes and statistics"
KNOWN = {"activation": "relu", "norm_eps": 1e-5}
SLOW = ("DCGAN, ReLU", "DCGAN, LeakyReLU")  # Statistics are fitted for many seconds.
CASES = {
    "DCGAN of the tutorial": Case(lambda: trained(DCGAN())),
    "DCGAN of the tutorial, float16": Case(
        lambda: trained(DCGAN()), said=KNOWN, way=SHAPES, dtype=torch.float16
    ),
    "DCGAN of the tutorial, safetensors": Case(
        lambda: trained(DCGAN()), said=KNOWN, way=SHAPES, suffix=".safetensors"
    ),
    "dense, Upsample and convolutions": Case(lambda: trained(UpsamplingGAN())),
    "dense, transposed convolutions": Case(lambda: trained(DenseGAN())),
    "MLP, plain": Case(lambda: trained(MLP())),
    "our dcgan": Case(lambda: trained(GeneratorSpec("dcgan", {"z_dim": 8, "width": 0.1}).build())),
    "a class of yours": Case(lambda: trained(Residual()), generator=CLASS),
    "MLP, ReLU": Case(lambda: mlp(nn.ReLU)),
    "MLP, LeakyReLU": Case(lambda: mlp(leaky)),
    "MLP, LeakyReLU, eps 0.8": Case(lambda: mlp(leaky, 0.8), "norm_eps=0.8"),
    "DCGAN, ReLU": Case(lambda: dcgan(nn.ReLU)),
    "DCGAN, LeakyReLU": Case(lambda: dcgan(leaky)),
    "Upsample and convolutions, eps 1e-5, 0.8, 0.8": Case(collected),
    "DCGAN, instance norm": Case(lambda: dcgan(nn.ReLU, nn.InstanceNorm2d)),
    "DCGAN, sigmoid at the end": Case(
        lambda: dcgan(nn.ReLU, last=nn.Sigmoid), "output=sigmoid", KNOWN, STATISTICS, is_light=True
    ),
    "DCGAN, nothing at the end": Case(
        lambda: dcgan(nn.ReLU, last=nn.Identity), "output=none", KNOWN, STATISTICS
    ),
}
LAYERED = {"SavedModel of Keras, as skylines'", "`.keras` and `.h5`"}


def rows():
    """The rows of the table by their networks: how, option, rms as proposed, and largest."""
    text = TABLE.read_text(encoding="utf-8")
    return {name: (how, option, rms, most) for name, how, option, rms, most in SHOWN.findall(text)}


def save(case, network, folder):
    weights = {
        name: tensor.to(case.dtype) if tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    path = folder / f"G_1{case.suffix}"
    save_file(weights, path) if case.suffix == ".safetensors" else torch.save(weights, path)
    return path


@torch.inference_mode()
def draw(network, z, is_light=False):
    """Pictures as they are shown: -1..1, flat."""
    try:
        drawn = network(z)
    except RuntimeError:
        drawn = network(z[:, :, None, None])
    return (2 * drawn - 1 if is_light else drawn).clamp(-1, 1)


def measure(found, expected, z):
    """How far pictures are from the real ones, rms and at most, in levels of 255."""
    G = found.spec.build().eval()
    G.load_state_dict(found.weights)
    ours = draw(G, z)
    if expected.ndim == 2:  # A plain vector is a grey picture.
        expected = expected.view(len(z), 1, *ours.shape[2:])
    difference = (ours - expected.expand_as(ours)) * 127.5
    return difference.pow(2).mean().sqrt().item(), difference.abs().max().item()


def how(case, found):
    if case.generator:
        return "its class is named"
    told = any(isinstance(remark, ToldByStatistics) for remark in found.remarks)
    return case.way or (STATISTICS if told else SHAPES)


def compare(name, way, option, rms, most):
    said_way, said_option, said_rms, said_most = rows()[name]
    assert (way, option) == (said_way, said_option)
    assert rms == pytest.approx(float(said_rms), abs=1 if float(said_rms) else 0.01), name
    assert most == pytest.approx(float(said_most), abs=0.01), name


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in CASES]
)
def test_a_network_makes_the_pictures_that_the_table_says(name, tmp_path):
    torch.manual_seed(0)
    case = CASES[name]
    network = case.make()
    path = save(case, network, tmp_path)
    proposed = GeneratorFinder(case.generator, case.said).find(path)
    z = torch.randn(POINTS, proposed.spec.z_dim)
    expected = draw(network, z, case.is_light)
    rms, most = measure(proposed, expected, z)
    if case.option != "-":
        option, value = case.option.split("=")
        value = float(value) if option == "norm_eps" else value
        said = GeneratorFinder(None, {**case.said, option: value}).find(path)
        _, most = measure(said, expected, z)
    shown = "-" if case.option == "-" else f"`--option {case.option}`"
    compare(name, how(case, proposed), shown, rms, most)


def test_a_saved_model_makes_the_pictures_that_the_table_says(tmp_path):
    layers = saved_models.skyline_layers()
    found = GeneratorFinder().find(saved_models.save(tmp_path / "generator_1", layers))
    z = torch.randn(POINTS, saved_models.Z_DIM)
    expected = saved_models.compute(layers, z)
    name = "SavedModel of Keras, as skylines'"
    compare(name, "its configuration", "-", *measure(found, expected, z))


def test_a_model_of_keras_makes_the_pictures_that_the_table_says(tmp_path):
    pytest.importorskip("keras")
    from tests.checkpoints_index.importing import test_importing_keras as keras_models

    model, z = keras_models.generator(), torch.randn(POINTS, 6)
    with torch.inference_mode():
        expected = model(z, training=False).permute(0, 3, 1, 2)
    for suffix in ("keras", "h5"):
        found = GeneratorFinder().find(keras_models.save(model, tmp_path / f"G.{suffix}"))
        measured = measure(found, expected, z)
        compare("`.keras` and `.h5`", "its configuration", "-", *measured)


def test_the_table_has_the_rows_that_are_measured_and_no_other():
    assert rows().keys() == CASES.keys() | LAYERED
