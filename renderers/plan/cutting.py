"""Cut the frames of a film into parts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Part:
    """A stretch of frames that is rendered in one go.

    Args:
        first: its first frame, counted in the film.
        batches: the checkpoint of each of its frames.
        digest: SHA-256 of all that shows in the part, hexadecimal; equal digests mean equal
            frames, whatever the film is.
    """

    first: int
    batches: tuple[int, ...]
    digest: str


def cut_parts(batches: Sequence[int], borders: Iterable[int], longest: int) -> tuple[int, ...]:
    """The frames with which parts begin: at the last border within reach, else when one is full.

    Args:
        batches: the checkpoint of each frame; borders are ignored where they do not ascend.
        borders: batches at which reading may begin cheaply.
        longest: the most frames in a part, at least 1.

    Returns:
        Ascending positions, the first 0.

    Example:
        >>> cut_parts(range(10), [0, 3, 7], longest=4)
        (0, 3, 7)
        >>> cut_parts(range(10), [], longest=4)
        (0, 4, 8)
    """
    positions = [0]
    if ascends(batches):
        positions = sorted({0, *(bisect_left(batches, border) for border in borders)})
    cuts = [0]
    while len(batches) - cuts[-1] > longest:
        full = cuts[-1] + longest
        border = positions[bisect_right(positions, full) - 1]
        cuts.append(border if border > cuts[-1] else full)
    return tuple(cuts)


def count_part_frames(parts: Iterable[Part]) -> int:
    """The number of frames in parts."""
    return sum(len(part.batches) for part in parts)


def ascends(numbers: Sequence[int]) -> bool:
    """Whether no number is less than the one before."""
    return all(before <= after for before, after in pairwise(numbers))
