"""How far each convolution of a chain enlarges: its stride and padding, and the picture's size."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from checkpoints_index.errors import CheckpointError, UnusableFileError
from checkpoints_index.importing.layers import PlacedLayer
from checkpoints_index.importing.refusals import MissingStridesError

_PLACE = re.compile("[0-9]{1,9}")  # Of a module in a Sequential, as its name says it.

CONVOLUTIONS = ("Conv2d", "ConvTranspose2d")
GREY_PX = 28  # The handwritten digits of MNIST: what grey generators make more often than 32 px.
COMMON_PX = (GREY_PX, 48, 64, 96, 192, 224, 32, 16, 128, 256, 384, 512, 768, 1024)
MAX_OPEN = 10  # Above so many convolutions, not all of their strides are tried.


@dataclass(frozen=True)
class Sizing:
    """What a convolution does to the size of a grid.

    Args:
        kernel: width of its kernel.
        transposed: whether it is a transposed one.
        upsample: factor of an Upsample in front of it, 1 for none.
        stride, padding, output_padding: as `torch.nn` takes them.
    """

    kernel: int
    transposed: bool
    upsample: int = 1
    stride: int = 1
    padding: int = 0
    output_padding: int = 0

    @property
    def options(self) -> dict[str, int]:
        """What the layer is constructed with."""
        if not self.transposed:
            return {"padding": self.padding}
        out = {"output_padding": self.output_padding} if self.stride > 1 else {}
        return {"stride": self.stride, "padding": self.padding, **out}

    def enlarge(self, size: int) -> int:
        """The width of the grid that it makes of one of this width."""
        if not self.transposed:
            return self.upsample * size + 2 * self.padding - self.kernel + 1
        reach = self.kernel - 2 * self.padding + self.output_padding
        return (size - 1) * self.stride + reach


@dataclass(frozen=True)
class Geometry:
    """The sizes of all grids of a chain.

    Args:
        sizings: of each convolution behind the first grid, by the name of its layer.
        image_size: width of the picture in px; 0 where it is none of convolutions.
        others: other widths that the same kernels can make.
    """

    sizings: dict[str, Sizing]
    image_size: int
    others: tuple[int, ...] = ()


def choose_geometry(
    steps: Sequence[PlacedLayer],
    strides: Sequence[int] | None,
    image_size: int | None,
    norm: str | None = None,
) -> Geometry:
    """How each convolution behind the first grid enlarges, as positions, kernels and sizes show.

    The usual is taken: transposed convolutions keep or double the size. Where that makes no common
    size of a picture, or a person names another, what the kernels can do besides is tried:
    no output padding behind an odd kernel (4 -> 7), or no padding at all.

    Args:
        steps: the layers, from the latent point to the picture.
        strides: what a person said, 1 or 2 for each of these convolutions; None for nothing.
        image_size: width of a picture in px that a person said; None for nothing.
        norm: the normalisation without weights that a person said; None for nothing.

    Raises:
        MissingStridesError: nothing shows it.
        UnusableFileError: a convolution makes the grid smaller.
        CheckpointError: no geometry makes that size, or the strides are not one for each.
    """
    pairs = [(before, step) for before, step in pairwise(steps) if step.kind in CONVOLUTIONS]
    names = [step.layer.name for _, step in pairs]
    if not pairs:
        return Geometry({}, 0)
    found: dict[int, list[Sizing]] = {}
    factors = _read_factors(pairs, steps, strides, _is_normed(pairs, norm))
    for sizings in _possible(pairs, factors):
        found.setdefault(_measure(pairs, sizings, steps), sizings)
    is_said, channels = strides is not None, steps[-1].given.width
    chosen = _choose_size(list(found), image_size, channels, is_said)
    if chosen is None:
        for sizings in _without_padding(pairs):
            found.setdefault(_measure(pairs, sizings, steps), sizings)
        chosen = _choose_size(list(found), image_size, channels, is_said)
    if chosen is None and image_size is not None:
        sizes = ", ".join(f"{size}" for size in sorted(found) if size > 1)
        raise CheckpointError(
            f"No strides of {', '.join(names)} make pictures of {image_size} px; "
            f"they can make {sizes or 'none'}."
        )
    if chosen is None:
        raise MissingStridesError(names, _try_strides(pairs, steps))
    others = tuple(size for size in found if size != chosen and size in COMMON_PX)
    return Geometry(dict(zip(names, found[chosen], strict=True)), chosen, others)


def folds(before: PlacedLayer, step: PlacedLayer) -> bool:
    """Whether a vector becomes a grid between two layers."""
    return not before.given.is_grid and step.kind in (*CONVOLUTIONS, "BatchNorm2d")


def free_positions(before: PlacedLayer, step: PlacedLayer) -> int | None:
    """The number of modules without weights, but for an Unflatten, between two in a Sequential."""
    (parent, _, a), (other_parent, _, b) = (s.layer.name.rpartition(".") for s in (before, step))
    if parent != other_parent or not (_PLACE.fullmatch(a) and _PLACE.fullmatch(b)):
        return None
    free = int(b) - int(a) - 1
    return max(0, free - 1) if folds(before, step) else free


Pair = tuple[PlacedLayer, PlacedLayer]


def _is_normed(pairs: Sequence[Pair], norm: str | None) -> bool:
    """Whether a normalisation without weights stands behind each convolution.

    Where nobody says it, convolutions without a bias show it, if there is room for one beside an
    activation and an Upsample somewhere.
    """
    if norm is not None:
        return norm != "none"
    behind = [(before, step) for before, step in pairs if before.kind in CONVOLUTIONS]
    has_bias = any("bias" in before.layer.shapes for before, _ in behind)
    has_room = any(free_positions(*each) == 3 for each in behind if each[1].kind == "Conv2d")
    return has_room and not has_bias


def _possible(pairs: Sequence[Pair], factors: Sequence[int]) -> Iterator[list[Sizing]]:
    """Sizings of all convolutions that enlarge by these factors; the usual ones first."""
    yield [_usual_sizing(step, f) for (_, step), f in zip(pairs, factors, strict=True)]
    transposed = [step for _, step in pairs if step.kind == "ConvTranspose2d"]
    if len(transposed) < len(pairs) or len(pairs) > MAX_OPEN:
        return
    # An odd kernel of stride 2 may go without the pixel that output_padding adds: 4 -> 7.
    kernels = [step.layer.weight[-1] for _, step in pairs]
    open_ones = [f == 2 and k % 2 == 1 for k, f in zip(kernels, factors, strict=True)]
    for shorter in product(*[(False, True) if is_open else (False,) for is_open in open_ones]):
        yield [
            _usual_sizing(step, f, output_padding=not short)
            for (_, step), f, short in zip(pairs, factors, shorter, strict=True)
        ]


def _without_padding(pairs: Sequence[Pair]) -> Iterator[list[Sizing]]:
    """Transposed convolutions of any strides without padding, as some courses write them."""
    kernels = [step.layer.weight[-1] for _, step in pairs if step.kind == "ConvTranspose2d"]
    if len(kernels) == len(pairs) <= MAX_OPEN:
        for strides in product((1, 2), repeat=len(pairs)):
            yield [Sizing(k, True, 1, s) for k, s in zip(kernels, strides, strict=True)]


def _choose_size(
    sizes: Sequence[int], wanted: int | None, channels: int, is_said: bool
) -> int | None:
    """The size that is wanted, usual or common; None where there is none."""
    if wanted is not None:
        return wanted if wanted in sizes else None
    usual = sizes[0]
    if is_said:
        return usual
    if channels == 1 and usual == 32 and GREY_PX in sizes[1:]:
        return GREY_PX
    if usual & (usual - 1) == 0 or usual in COMMON_PX:
        return usual
    return next((size for size in COMMON_PX if size in sizes), None)


def _measure(pairs: Sequence[Pair], sizings: Sequence[Sizing], steps: Sequence[PlacedLayer]) -> int:
    """The width of the picture that some sizings make."""
    first = steps[0]
    size = first.layer.weight[-1] if first.kind in CONVOLUTIONS else 1
    by_name = {step.layer.name: s for (_, step), s in zip(pairs, sizings, strict=True)}
    for before, step in pairwise(steps):
        if folds(before, step):
            size = math.isqrt(before.given.width // step.taken)
        if step.layer.name in by_name:
            size = by_name[step.layer.name].enlarge(size)
    return size


def _read_factors(
    pairs: Sequence[Pair],
    steps: Sequence[PlacedLayer],
    strides: Sequence[int] | None,
    is_normed: bool,
) -> list[int]:
    """How much each convolution enlarges where it does the usual, 1 or 2.

    Raises:
        MissingStridesError: nothing shows it.
        CheckpointError: the strides are not one for each.
    """
    names = [step.layer.name for _, step in pairs]
    if strides is not None:
        if len(strides) != len(names):
            raise CheckpointError(
                f"strides has {len(strides)} numbers, and there are {len(names)} convolutions "
                f"behind the first grid: {', '.join(names)}."
            )
        return list(strides)
    factors = [_shown_factor(before, step, steps, is_normed) for before, step in pairs]
    if factors[-1] is None and None not in factors[:-1]:
        factors[-1] = 1  # The colours are convolved at the size of the picture.
    if None in factors:
        raise MissingStridesError(names, _try_strides(pairs, steps))
    return [factor or 1 for factor in factors]


def _try_strides(pairs: Sequence[Pair], steps: Sequence[PlacedLayer]) -> dict[int, list[int]]:
    """Strides by the common size of a picture that they make; the colours at full size first."""
    if len(pairs) > MAX_OPEN:
        return {}
    found: dict[int, list[int]] = {}
    for strides in sorted(product((2, 1), repeat=len(pairs)), key=lambda each: each[-1]):
        try:
            sizings = [_usual_sizing(step, f) for (_, step), f in zip(pairs, strides, strict=True)]
        except UnusableFileError:
            continue  # A kernel can do no such thing.
        size = _measure(pairs, sizings, steps)
        if size in COMMON_PX:
            found.setdefault(size, list(strides))
    return found


def _shown_factor(
    before: PlacedLayer, step: PlacedLayer, steps: Sequence[PlacedLayer], is_normed: bool
) -> int | None:
    """How much a convolution enlarges, 1 or 2, where its kernel or its position shows it."""
    kernel = step.layer.weight[-1]
    if step.kind == "ConvTranspose2d":
        others = {s.layer.weight[-1] % 2 for s in steps[:-1] if s.kind == "ConvTranspose2d"}
        at_full_size = step is steps[-1] and kernel % 2 == 1 and 0 in others
        return 1 if kernel == 1 or at_full_size else 2
    if kernel % 2 == 0:
        raise UnusableFileError(f"'{step.layer.name}' convolves {kernel} x {kernel}, which shrinks")
    free = free_positions(before, step)
    if free is not None:
        # Behind a dense layer and its norm, a single module is the well-known example's Upsample.
        behind_stem = before.layer.is_norm and before is steps[1] and steps[0].kind == "Linear"
        unsized = 2 if is_normed and before.kind in CONVOLUTIONS else 1
        return 2 if free > unsized or (free == 1 and behind_stem) else 1
    if kernel == 1:
        return 1
    position = step.layer.name.rpartition(".")[2]
    return 2 if _PLACE.fullmatch(position) and int(position) > 0 else None


def _usual_sizing(step: PlacedLayer, factor: int, output_padding: bool = True) -> Sizing:
    """A convolution that keeps the size of a grid (1) or doubles it (2).

    Raises:
        UnusableFileError: its kernel can do no such thing.
    """
    kernel = step.layer.weight[-1]
    odd = kernel % 2
    if step.kind == "Conv2d":
        return Sizing(kernel, False, factor, padding=kernel // 2)
    if kernel == 1 if factor == 2 else not odd:
        does = "doubles" if factor == 2 else "keeps the size"
        raise UnusableFileError(f"'{step.layer.name}' has a kernel of {kernel}, none that {does}")
    if factor == 1:
        return Sizing(kernel, True, padding=kernel // 2)
    added = odd if output_padding else 0
    return Sizing(kernel, True, stride=2, padding=(kernel - 1) // 2, output_padding=added)
