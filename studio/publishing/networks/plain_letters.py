"""The networks of this model, in plain PyTorch: lower-case letters of upper-case ones, and back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FIELD_PX, LETTERS = 36, 26
NUMBERS = FIELD_PX**2  # A distance field has so many.
GRID_PX = FIELD_PX // 4  # Convolutions halve a field twice.
EDGE, FALLOFF = 220 / 255, 15 / 255  # A field on the edge of a letter, and its slope in 1/px.
SLOPE = 0.01  # Leaky ReLUs multiply what is below zero by this.
PAPER = (0.98, 0.97, 0.95)
INK, LOWER_INK, UPPER_INK = (0.13, 0.13, 0.15), (0.09, 0.30, 0.55), (0.66, 0.17, 0.13)


class PlainLetters(nn.Module):
    """Two networks, and the picture of what they make of a letter and of each other's letters.

    Args:
        image_size: width and height of pictures in px.
        body: "conv", "dense" or "sparse".
        lowercase, uppercase: of `make_lowercase` and of `make_uppercase`: "units" of each hidden
            layer, and how many refinements follow it, "deeper".
    """

    def __init__(
        self,
        image_size: int,
        body: str,
        lowercase: dict[str, list[int]],
        uppercase: dict[str, list[int]],
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.make_lowercase = build_letter_network(body, **lowercase)
        self.make_uppercase = build_letter_network(body, **uppercase)

    def forward(self, z: Tensor) -> Tensor:
        """Fields float [N, 1296] in -1..1 -> pictures float [N, 3, image_size, image_size].

        A picture has the letter in black, a lower-case letter of it in blue, and an upper-case one
        of that in red; below it the other way round. Under each letter is its field.
        """
        letter = (z + 1) / 2
        lower, upper = self.to_lowercase(letter), self.to_uppercase(letter)
        down = ((letter, INK), (lower, LOWER_INK), (self.to_uppercase(lower), UPPER_INK))
        up = ((letter, INK), (upper, UPPER_INK), (self.to_lowercase(upper), LOWER_INK))
        rows = [torch.cat([self.draw_cell(*cell) for cell in row], 3) for row in (down, up)]
        return torch.cat(rows, 2)

    def to_lowercase(self, fields: Tensor) -> Tensor:
        """Fields of letters, float [N, 1296] in 0..1 -> those of lower-case ones."""
        made: Tensor = self.make_lowercase(fields)
        return made[:, :NUMBERS].clamp(0, 1)

    def to_uppercase(self, fields: Tensor) -> Tensor:
        """Fields of letters, float [N, 1296] in 0..1 -> those of upper-case ones."""
        made: Tensor = self.make_uppercase(fields)
        return made[:, :NUMBERS].clamp(0, 1)

    def draw_cell(self, field: Tensor, ink: Sequence[float]) -> Tensor:
        """A letter with its field below it: float [N, 3, image_size / 2, image_size / 3]."""
        letter_px, field_px = self.image_size // 3, self.image_size // 6
        square = field.view(-1, 1, FIELD_PX, FIELD_PX)
        grey = F.interpolate(square, (field_px, field_px)).expand(-1, 3, -1, -1) * 2 - 1
        side = color_like(PAPER, grey).expand(len(grey), 3, field_px, (letter_px - field_px) // 2)
        below = torch.cat((side, grey, side), 3)
        return torch.cat((draw_letter(square, ink, letter_px), below), 2)


class PlainSparseLinear(nn.Module):
    """A linear layer whose units see a part of the layer below, which `mask` says.

    Args:
        inputs, units: numbers before and behind it.
    """

    mask: Tensor

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(units, inputs))
        self.bias = nn.Parameter(torch.zeros(units))
        self.register_buffer("mask", torch.zeros(units, inputs, dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        """float [N, inputs] -> float [N, units]."""
        return F.linear(x, self.weight * self.mask, self.bias)


class RefineUnits(nn.Linear):
    """A linear layer and a leaky ReLU, added to their input: float [N, units], twice."""

    def forward(self, x: Tensor) -> Tensor:
        """float [N, units] -> the same shape."""
        return x + F.leaky_relu(super().forward(x), SLOPE)


class RefineMaps(nn.Conv2d):
    """A convolution and a leaky ReLU, added to their input: float [N, channels, H, W], twice."""

    def forward(self, x: Tensor) -> Tensor:
        """float [N, channels, H, W] -> the same shape."""
        return x + F.leaky_relu(super().forward(x), SLOPE)


class DenseLetters(nn.Module):
    """Linear layers, one after another.

    Args:
        units, deeper: as in `PlainLetters`.
        linear: the class of its layers.
    """

    def __init__(self, units: list[int], deeper: list[int], linear: type[nn.Module]) -> None:
        super().__init__()
        sizes = [NUMBERS, *units]
        self.layers = nn.Sequential(
            *(
                stage(linear(before, after), *(RefineUnits(after, after) for _ in range(depth)))
                for (before, after), depth in zip(pairwise(sizes), deeper, strict=True)
            )
        )
        self.output = linear(sizes[-1], NUMBERS + LETTERS)

    def forward(self, fields: Tensor) -> Tensor:
        """float [N, 1296] -> float [N, 1322]: a field, then how sure it is of each letter."""
        return F.leaky_relu(self.output(self.layers(fields)), SLOPE)


class ConvLetters(nn.Module):
    """Convolutions to a grid of 9 x 9, a layer that sees all of it, and back.

    Args:
        units, deeper: as in `PlainLetters`.
    """

    def __init__(self, units: list[int], deeper: list[int]) -> None:
        super().__init__()
        half, quarter, code, grid, half_back = units

        def refine_maps(level: int) -> list[nn.Module]:
            return [
                RefineMaps(units[level], units[level], 3, padding=1) for _ in range(deeper[level])
            ]

        self.encoder = nn.Sequential(
            stage(nn.Conv2d(1, half, 4, stride=2, padding=1), *refine_maps(0)),
            stage(nn.Conv2d(half, quarter, 4, stride=2, padding=1), *refine_maps(1)),
        )
        self.code = stage(
            nn.Linear(quarter * GRID_PX**2, code),
            *(RefineUnits(code, code) for _ in range(deeper[2])),
        )
        self.grid = nn.Sequential(
            nn.Linear(code, grid * GRID_PX**2),
            nn.Unflatten(1, (grid, GRID_PX, GRID_PX)),
            nn.LeakyReLU(SLOPE),
            *refine_maps(3),
        )
        upwards = nn.ConvTranspose2d(grid, half_back, 4, stride=2, padding=1)
        self.decoder = nn.Sequential(stage(upwards, *refine_maps(4)))
        self.to_field = nn.ConvTranspose2d(half_back, 1, 4, stride=2, padding=1)
        self.to_letter = nn.Linear(code, LETTERS)

    def forward(self, fields: Tensor) -> Tensor:
        """float [N, 1296] -> float [N, 1322]: a field, then how sure it is of each letter."""
        code = self.code(self.encoder(fields.view(-1, 1, FIELD_PX, FIELD_PX)).flatten(1))
        field = self.to_field(self.decoder(self.grid(code))).flatten(1)
        return F.leaky_relu(torch.cat((field, self.to_letter(code)), 1), SLOPE)


def build_letter_network(body: str, units: list[int], deeper: list[int]) -> nn.Module:
    """One of the two networks: fields float [N, 1296] in 0..1 -> float [N, 1322]."""
    if body == "conv":
        return ConvLetters(units, deeper)
    return DenseLetters(units, deeper, PlainSparseLinear if body == "sparse" else nn.Linear)


def stage(layer: nn.Module, *refinements: nn.Module) -> nn.Sequential:
    """A layer, a leaky ReLU, and what refines it."""
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE), *refinements)


def draw_letter(field: Tensor, ink: Sequence[float], size: int) -> Tensor:
    """A letter in ink on paper: fields float [N, 1, 36, 36] -> float [N, 3, size, size]."""
    large = F.interpolate(field, (size, size), mode="bilinear")
    inside_px = (large - EDGE) / FALLOFF * (size / FIELD_PX)
    covered = (inside_px + 0.5).clamp(0, 1)
    paper = color_like(PAPER, field)
    return paper + covered * (color_like(ink, field) - paper)


def color_like(rgb: Sequence[float], like: Tensor) -> Tensor:
    """A colour of 0..1 as a picture of one px, float [1, 3, 1, 1] in -1..1."""
    return like.new_tensor(rgb).view(1, 3, 1, 1) * 2 - 1


def build_network(described: dict[str, Any]) -> nn.Module:
    """The networks without their weights, from "network" in config.json."""
    return PlainLetters(**described)
