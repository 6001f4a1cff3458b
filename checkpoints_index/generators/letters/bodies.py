"""Networks that make one letter of another: dense, sparse and convolutional."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from checkpoints_index.generators.letters.fields import FIELD_PX
from checkpoints_index.generators.units.hidden_layers import ConstantSum, HiddenLayer, TensorAxis
from checkpoints_index.generators.units.refinements import DenseRefinement, LeakyRefinement

INPUTS, ALPHABET = FIELD_PX**2, 26
OUTPUTS = INPUTS + ALPHABET  # A distance field, then how sure the network is of each letter.
SLOPE = 0.01  # Of all leaky ReLUs, as in the published program.
NEIGHBOURHOOD_PX = 1  # A sparse unit sees all of the layer below up to so far from its place.
SPREAD = 0.25  # The standard deviation of the distance of others, as a share of the layer's width.
GRID_PX = FIELD_PX // 4  # Convolutions halve a field twice.
PLACES = GRID_PX**2
DENSE_UNITS = (1296, 1296, 2916)  # As published: two layers as large as the field, and 54 x 54.
CONV_UNITS = (16, 32, 192, 32, 16)
CONV_NAMES = ("encoder.0", "encoder.1", "code", "grid", "decoder.0")
FIRST_REFINEMENT = {"grid": 3}  # Where refinements begin in a stage; elsewhere at 2.
Places = tuple[tuple[str, int, int], ...]
# Of each hidden layer: the tensors that make its units and those that read them, each with the axis
# along which these lie and the places that one takes there, and the modules that see them.
CONV_PLACES: dict[str, tuple[Places, Places, tuple[str, ...]]] = {
    "encoder.0": (
        (("encoder.0.0.weight", 0, 1), ("encoder.0.0.bias", 0, 1)),
        (("encoder.1.0.weight", 1, 1),),
        ("encoder.1.0",),
    ),
    "encoder.1": (
        (("encoder.1.0.weight", 0, 1), ("encoder.1.0.bias", 0, 1)),
        (("code.0.weight", 1, PLACES),),
        ("flatten",),
    ),
    "code": (
        (("code.0.weight", 0, 1), ("code.0.bias", 0, 1)),
        (("grid.0.weight", 1, 1), ("to_letter.weight", 1, 1)),
        ("grid.0", "to_letter"),
    ),
    "grid": (
        (("grid.0.weight", 0, PLACES), ("grid.0.bias", 0, PLACES)),
        (("decoder.0.0.weight", 0, 1),),
        ("decoder.0.0",),
    ),
    "decoder.0": (
        (("decoder.0.0.weight", 1, 1), ("decoder.0.0.bias", 0, 1)),
        (("to_field.weight", 0, 1),),
        ("to_field",),
    ),
}


class SparseLinear(nn.Module):
    """A linear layer whose units see a share of the layer below, chosen near their own place.

    The units of a layer lie in a square, row after row. Which are seen is drawn when the layer is
    made, and kept beside the weights as `mask`.

    Args:
        inputs, units: numbers before and behind it.
        density: the share that each unit sees, above 0 and up to 1.
    """

    mask: Tensor

    def __init__(self, inputs: int, units: int, density: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(units, inputs))
        self.bias = nn.Parameter(torch.zeros(units))
        seen = max(1, round(density * inputs))
        self.register_buffer("mask", choose_seen(inputs, units, seen))
        bound = 1 / math.sqrt(seen)
        with torch.no_grad():
            self.weight.uniform_(-bound, bound).mul_(self.mask)

    def forward(self, x: Tensor) -> Tensor:
        """float [N, inputs] -> [N, units]."""
        return F.linear(x, self.weight * self.mask, self.bias)


class DenseBody(nn.Module):
    """Layers in which every unit sees the layer below, or a share of it that lies near.

    Args:
        units: of each hidden layer.
        deeper: how many `DenseRefinement`s follow each.
        density: the share of the layer below that each unit sees; 1 for all of it.
    """

    def __init__(self, units: Sequence[int], deeper: Sequence[int], density: float) -> None:
        super().__init__()
        sizes = [INPUTS, *units]
        self.layers = nn.Sequential(
            *(
                nn.Sequential(
                    linear(before, after, density),
                    nn.LeakyReLU(SLOPE),
                    *(DenseRefinement(after, SLOPE) for _ in range(depth)),
                )
                for (before, after), depth in zip(pairwise(sizes), deeper, strict=True)
            )
        )
        self.output = linear(sizes[-1], OUTPUTS, density)

    def forward(self, fields: Tensor) -> Tensor:
        """Fields float [N, 1296] -> [N, 1322]."""
        return F.leaky_relu(self.output(self.layers(fields)), SLOPE)

    @staticmethod
    def hidden_layers(
        prefix: str, units: Sequence[int], deeper: Sequence[int], density: float
    ) -> list[HiddenLayer]:
        """The units of each hidden layer; `prefix` stands before the names of tensors."""
        layers = []
        for level, (count, depth) in enumerate(zip(units, deeper, strict=True)):
            name = f"{prefix}layers.{level}"
            is_last = level == len(units) - 1
            reader = f"{prefix}output" if is_last else f"{prefix}layers.{level + 1}.0"
            refined = [f"{name}.{2 + i}" for i in range(depth)]
            own = [TensorAxis(f"{name}.0.weight", 0), TensorAxis(f"{name}.0.bias", 0)]
            own += _refined_by(refined)
            if density < 1:
                # New units are seen by some; the weights by which they are seen begin as 0.
                own += [TensorAxis(f"{name}.0.mask", 0), TensorAxis(f"{reader}.mask", 1)]
            read = [TensorAxis(f"{each}.weight", 1) for each in (*refined, reader)]
            plain = density >= 1 and not depth
            constant = ConstantSum(f"{reader}.bias", f"{reader}.weight", 1, 0) if plain else None
            layers.append(
                HiddenLayer(name, count, (*own,), (*read,), (*refined, reader), constant=constant)
            )
        return layers


class ConvBody(nn.Module):
    """Convolutions to a grid of 9 x 9, one dense layer that sees all of it, and back.

    Args:
        units: of each of the hidden layers, whose names are CONV_NAMES.
        deeper: how many refinements follow each.
    """

    def __init__(self, units: Sequence[int], deeper: Sequence[int]) -> None:
        super().__init__()
        half, quarter, code, grid, half_back = units
        self.encoder = nn.Sequential(
            _stage(nn.Conv2d(1, half, 4, stride=2, padding=1), half, deeper[0]),
            _stage(nn.Conv2d(half, quarter, 4, stride=2, padding=1), quarter, deeper[1]),
        )
        self.flatten = nn.Flatten(1)
        self.code = nn.Sequential(
            nn.Linear(quarter * GRID_PX**2, code),
            nn.LeakyReLU(SLOPE),
            *(DenseRefinement(code, SLOPE) for _ in range(deeper[2])),
        )
        self.grid = nn.Sequential(
            nn.Linear(code, grid * GRID_PX**2),
            nn.Unflatten(1, (grid, GRID_PX, GRID_PX)),
            nn.LeakyReLU(SLOPE),
            *(LeakyRefinement(grid, SLOPE) for _ in range(deeper[3])),
        )
        upwards = nn.ConvTranspose2d(grid, half_back, 4, stride=2, padding=1)
        self.decoder = nn.Sequential(_stage(upwards, half_back, deeper[4]))
        self.to_field = nn.ConvTranspose2d(half_back, 1, 4, stride=2, padding=1)
        self.to_letter = nn.Linear(code, ALPHABET)

    def forward(self, fields: Tensor) -> Tensor:
        """Fields float [N, 1296] -> [N, 1322]."""
        code = self.code(self.flatten(self.encoder(fields.view(-1, 1, FIELD_PX, FIELD_PX))))
        field = self.to_field(self.decoder(self.grid(code))).flatten(1)
        return F.leaky_relu(torch.cat((field, self.to_letter(code)), 1), SLOPE)

    @staticmethod
    def hidden_layers(
        prefix: str, units: Sequence[int], deeper: Sequence[int]
    ) -> list[HiddenLayer]:
        """The units of each hidden layer; `prefix` stands before the names of tensors."""
        refined = [
            [f"{prefix}{name}.{FIRST_REFINEMENT.get(name, 2) + i}" for i in range(depth)]
            for name, depth in zip(CONV_NAMES, deeper, strict=True)
        ]
        layers = []
        for name, count, behind in zip(CONV_NAMES, units, refined, strict=True):
            own, weights, readers = CONV_PLACES[name]
            made = [TensorAxis(f"{prefix}{t}", axis, span) for t, axis, span in own]
            read = [TensorAxis(f"{each}.weight", 1) for each in behind]
            read += [TensorAxis(f"{prefix}{t}", axis, span) for t, axis, span in weights]
            layers.append(
                HiddenLayer(
                    f"{prefix}{name}",
                    count,
                    (*made, *_refined_by(behind)),
                    (*read,),
                    (*behind, *(f"{prefix}{reader}" for reader in readers)),
                )
            )
        return layers


def linear(inputs: int, units: int, density: float) -> nn.Module:
    """A linear layer, sparse where `density` is below 1, drawn as in the published program."""
    if density < 1:
        return SparseLinear(inputs, units, density)
    layer = nn.Linear(inputs, units)
    bound = 1 / math.sqrt(inputs)
    nn.init.uniform_(layer.weight, -bound, bound)
    nn.init.zeros_(layer.bias)
    return layer


def choose_seen(inputs: int, units: int, seen: int) -> Tensor:
    """Which of the layer below each unit sees: those around its own place, and others near it.

    Returns:
        bool [units, inputs], `seen` true ones in each row.
    """
    below, own = _places(inputs), _places(units)
    distance = torch.cdist(own, below)  # As a share of the width of a layer.
    noise = -torch.log(-torch.log(torch.rand(units, inputs).clamp(1e-9, 1 - 1e-6)))  # Gumbel.
    # The largest of log(p) + Gumbel noise are a draw without replacement (Kool et al. 2019).
    order = noise - distance.square() / (2 * SPREAD**2)
    around = distance <= math.sqrt(2) * (NEIGHBOURHOOD_PX + 0.5) / math.sqrt(inputs)
    nearest = order.masked_fill(around, math.inf).topk(seen, dim=1).indices
    return torch.zeros(units, inputs, dtype=torch.bool).scatter(1, nearest, True)


def _places(count: int) -> Tensor:
    """The places of units that lie in a square row after row: float [count, 2] in 0..1."""
    width = math.ceil(math.sqrt(count))
    index = torch.arange(count)
    return (torch.stack((index // width, index % width), 1) + 0.5) / width


def _stage(layer: nn.Module, channels: int, depth: int) -> nn.Sequential:
    refinements = (LeakyRefinement(channels, SLOPE) for _ in range(depth))
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE), *refinements)


def _refined_by(refined: Sequence[str]) -> list[TensorAxis]:
    """The tensors of refinements by which the units of their layer are made as well."""
    return [TensorAxis(f"{each}.{part}", 0) for each in refined for part in ("weight", "bias")]
