"""What the fixed points' pictures say from one look to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAMPLE_PX = 64  # pictures are looked at through every n-th pixel of about so many,
SAMPLE_POINTS = 16  # and no more than so many of them, which bounds a look at 16 pictures of 64 px
SMALL_PX = 16


@dataclass(frozen=True, eq=False)
class Observation:
    """One look at the fixed points' pictures.

    Attributes:
        change: rms of 255 against the pictures before; None at the first look.
        diversity: rms of 255 between the small pictures of two points, the mean over all pairs;
            None where there is one point.
        small: float32 [P, 16, 16, 3] in 0..255, the pictures averaged down.
    """

    change: float | None
    diversity: float | None
    small: np.ndarray


class Observer:
    """Compares each look with the one before."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def look(self, frames: np.ndarray) -> Observation:
        """Take in the pictures of the fixed points.

        Args:
            frames: uint8 [P, S, S, 3], S at least 16.
        """
        sample = thin_out(frames).astype(np.float32)
        before, self._before = self._before, sample
        small = shrink(sample, SMALL_PX)
        if before is None or before.shape != sample.shape:
            return Observation(None, spread(small), small)
        return Observation(rms(sample - before), spread(small), small)


def thin_out(frames: np.ndarray) -> np.ndarray:
    """Every n-th point and pixel; the rms over these stands for that over all."""
    points = -(-len(frames) // SAMPLE_POINTS)
    pixels = max(1, frames.shape[1] // SAMPLE_PX)
    return frames[::points, ::pixels, ::pixels]


def shrink(pictures: np.ndarray, size_px: int) -> np.ndarray:
    """Average square pictures [P, S, S, 3] down to [P, size_px, size_px, 3].

    What is left over when size_px does not divide S is cut off at the right and the bottom.
    """
    block = pictures.shape[1] // size_px
    cut = pictures[:, : block * size_px, : block * size_px]
    rows = np.add.reduce([cut[:, offset::block] for offset in range(block)])
    return np.add.reduce([rows[:, :, offset::block] for offset in range(block)]) / block**2


def spread(small: np.ndarray) -> float | None:
    """The mean over all pairs of pictures of their rms difference."""
    if len(small) < 2:
        return None
    one, other = np.triu_indices(len(small), 1)
    differences = (small[one] - small[other]).reshape(len(one), -1)
    return float(np.sqrt((differences**2).mean(1)).mean())


def rms(differences: np.ndarray) -> float:
    return float(np.sqrt(np.vdot(differences, differences) / differences.size))
