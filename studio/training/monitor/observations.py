"""Compares the fixed points' pictures with each other and with those of the batch before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# At most so many pictures, and every n-th pixel such that about so many remain on a side, are
# compared. This bounds an observation at the cost of 16 pictures of 64 px.
SAMPLE_POINTS, SAMPLE_PX = 16, 64
SMALL_PX = 16


@dataclass(frozen=True, eq=False)
class Observation:
    """What was measured on the fixed points' pictures of one batch.

    Attributes:
        change: RMS of 255 against the pictures before; None for the first ones.
        diversity: RMS of 255 between the small pictures of two points, the mean over all pairs;
            None where there is one point.
        small: float32 [P, 16, 16, 3] in 0..255, the pictures averaged down.
    """

    change: float | None
    diversity: float | None
    small: np.ndarray


class Observer:
    """Compares the pictures of each batch with those before."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def observe(self, frames: np.ndarray) -> Observation:
        """Take in the pictures of a batch.

        Args:
            frames: uint8 [P, S, S, 3], S at least 16.
        """
        sample = thin_out(frames).astype(np.float32)
        before, self._before = self._before, sample
        small = shrink(sample, SMALL_PX)
        if before is None or before.shape != sample.shape:
            return Observation(None, mean_difference(small), small)
        return Observation(rms(sample - before), mean_difference(small), small)


def thin_out(frames: np.ndarray) -> np.ndarray:
    """Every n-th point and pixel of frames [P, S, S, 3], whose RMS is about that of all."""
    points = -(-len(frames) // SAMPLE_POINTS)
    pixels = max(1, frames.shape[1] // SAMPLE_PX)
    return frames[::points, ::pixels, ::pixels]


def shrink(pictures: np.ndarray, size_px: int) -> np.ndarray:
    """Average square pictures [P, S, S, 3] down to float [P, size_px, size_px, 3].

    Where size_px does not divide S, the rest is cut off at the right and the bottom.
    """
    block = pictures.shape[1] // size_px
    cut = pictures[:, : block * size_px, : block * size_px]
    rows = np.add.reduce([cut[:, offset::block] for offset in range(block)])
    sums = np.add.reduce([rows[:, :, offset::block] for offset in range(block)])
    means: np.ndarray = sums / block**2
    return means


def mean_difference(small: np.ndarray) -> float | None:
    """The RMS difference of two pictures, the mean over all pairs; None for a single picture.

    Args:
        small: float [P, S, S, 3].
    """
    if len(small) < 2:
        return None
    one, other = np.triu_indices(len(small), 1)
    differences = (small[one] - small[other]).reshape(len(one), -1)
    return float(np.sqrt((differences**2).mean(1)).mean())


def rms(differences: np.ndarray) -> float:
    """The root mean square over all values of an array [...]."""
    return float(np.sqrt(np.vdot(differences, differences) / differences.size))
