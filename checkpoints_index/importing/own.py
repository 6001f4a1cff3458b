"""Recognising the architectures of this package, with their options, by shapes alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from checkpoints_index.generators.dcgan import SIZES
from checkpoints_index.generators.shufflemixer import MAX_CHANNELS, MAX_KERNEL, SCALES
from checkpoints_index.generators.skyline import BLOCK_CHANNELS, GRID_CHANNELS
from checkpoints_index.generators.spec import GeneratorSpec

Shapes = Mapping[str, tuple[int, ...]]

# Channels of a DCGAN of width 1: at half the size of the picture, and at most.
DCGAN_CHANNELS, DCGAN_MAX_CHANNELS = 64, 512
SMALL_SIZE = 64  # Pictures that published ShuffleMixers were trained with are so wide, in px.


def recognise_own(
    weights: Mapping[str, Tensor], image_size: int | None = None
) -> GeneratorSpec | None:
    """The spec of a generator of this package that has exactly these tensors; None without one.

    Args:
        weights: the state dict.
        image_size: width of its pictures in px, if a person said it; only a ShuffleMixer, which
            enlarges pictures of any size, has to be told.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if "to_feat.weight" in shapes:
        guesses = _guess_shufflemixer(shapes, image_size)
    else:
        guess = _guess_dcgan if "stem.weight" in shapes else _guess_skyline
        guesses = (spec for spec in guess(shapes) if spec.image_size in SIZES)
    return next((spec for spec in guesses if shapes_of(spec) == shapes), None)


def shapes_of(spec: GeneratorSpec) -> dict[str, tuple[int, ...]]:
    """The shapes of a generator's tensors by name, without the memory for them."""
    return {name: tuple(tensor.shape) for name, tensor in spec.expected_weights().items()}


def _guess_dcgan(shapes: Shapes) -> Iterator[GeneratorSpec]:
    channels = [shapes["stem_norm.weight"][0]] if "stem_norm.weight" in shapes else []
    while (name := f"blocks.{len(channels) - 1}.1.weight") in shapes:
        channels += shapes[name]
    if not channels or "to_rgb.weight" not in shapes:
        return
    sizes: dict[str, Any] = {"z_dim": shapes["stem.weight"][-1]}
    kernels = {shapes.get("blocks.0.0.weight", shapes["to_rgb.weight"])[-1]}
    sizes["upsampling"] = "transposed" if 4 in kernels else "nearest"
    for full_resolution in (False, True):
        doublings = len(channels) - full_resolution
        smallest = DCGAN_CHANNELS // 2 if full_resolution else DCGAN_CHANNELS
        wanted = [smallest * 2**level for level in reversed(range(len(channels)))]
        options = {**sizes, "image_size": 4 * 2**doublings}
        options["full_resolution_block"] = full_resolution
        if "colors.palette" in shapes:
            options["palette"] = shapes["colors.palette"][1]
        for width in _guess_widths(channels, wanted):
            for max_channels in (DCGAN_MAX_CHANNELS, max(1, round(channels[0] / width)), wanted[0]):
                yield GeneratorSpec(
                    "dcgan", {**options, "width": width, "max_channels": max_channels}
                )


def _guess_skyline(shapes: Shapes) -> Iterator[GeneratorSpec]:
    names = [f"blocks.{i}.0.weight" for i in range(len(BLOCK_CHANNELS))]
    if "dense.weight" not in shapes or not all(name in shapes for name in names):
        return
    channels = [shapes[names[0]][0], *(shapes[name][1] for name in names)]
    dense = shapes["dense.weight"]
    grid = math.isqrt(dense[0] // max(1, channels[0]))
    for width in _guess_widths(channels, (GRID_CHANNELS, *BLOCK_CHANNELS)):
        options = {"z_dim": dense[-1], "image_size": 32 * grid, "width": width}
        yield GeneratorSpec("skyline", options)


def _guess_shufflemixer(shapes: Shapes, image_size: int | None) -> Iterator[GeneratorSpec]:
    """The scale is told by the upsampling: four times are two steps, two and three times one."""
    names = ("to_feat.weight", "blocks.0.net.0.spatial.weight", "upsapling.0.weight")
    if not all(len(shapes.get(name, ())) == 4 for name in names):
        return
    channels, kernel, enlarged = (
        shapes[name][axis] for name, axis in zip(names, (0, -1, 0), strict=True)
    )
    step = math.isqrt(enlarged // max(1, channels))
    scale = step**2 if "upsapling.3.weight" in shapes else step
    size = image_size or SMALL_SIZE * scale
    if scale not in SCALES or size % scale or channels > MAX_CHANNELS or kernel > MAX_KERNEL:
        return
    options = {"z_dim": 3 * (size // scale) ** 2, "image_size": size, "scale": scale}
    yield GeneratorSpec("shufflemixer", {**options, "channels": channels, "kernel": kernel})


def _guess_widths(channels: Sequence[int], wanted: Sequence[int]) -> Iterator[float]:
    """Factors that may have made these channels of the wanted ones by rounding, plain ones first.

    The last layers bind, since the first may have been capped: each longer tail narrows the
    interval that the factor lies in.
    """
    low, high = 0.0, math.inf
    for have, full in zip(reversed(channels), reversed(wanted), strict=True):
        low, high = max(low, (have - 0.5) / full), min(high, (have + 0.5) / full)
        if low > high:
            return
        yield have / full
        yield _plainest_between(low, high)


def _plainest_between(low: float, high: float) -> float:
    """The number between two with the fewest decimals: 1.2 rather than 1.200195."""
    middle = (low + high) / 2
    rounded = (round(middle, decimals) for decimals in range(1, 12))
    return next((number for number in rounded if low < number < high), middle)
