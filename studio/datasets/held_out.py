"""Pictures of a dataset that training never sees, chosen by what they show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xxhash

from studio.datasets.prepared import PreparedDataset
from studio.workspace.errors import StudioError

HASHED_ROWS = (1 / 4, 1 / 2, 3 / 4)  # Heights of the rows of pixels that tell pictures apart.


@dataclass(frozen=True, eq=False)
class SplitDataset:
    """A dataset, and which of its pictures are for training and which are held out.

    Attributes:
        dataset: the dataset.
        training: int64 [n], positions of the pictures that training draws, ascending.
        held_out: int64 [m], positions of those that it never sees, ascending; m may be 0.
    """

    dataset: PreparedDataset
    training: np.ndarray
    held_out: np.ndarray

    @property
    def pixels(self) -> np.ndarray:
        """All pictures, uint8 [n + m, S, S, 3], memory-mapped."""
        return self.dataset.pixels

    def spread(self, positions: np.ndarray, count: int) -> np.ndarray:
        """At most so many of some positions, int64, evenly from the first to the last."""
        count = min(count, len(positions))
        chosen: np.ndarray = positions[np.linspace(0, len(positions) - 1, count).astype(int)]
        return chosen


def split_dataset(dataset: PreparedDataset, held_out: float) -> SplitDataset:
    """Hold some pictures of a dataset out, the same ones whenever the dataset holds them.

    A picture's place is decided by a checksum of some of its rows, so that copies of one picture
    stand on the same side. A share leaves every picture where it was when others are added.

    Args:
        held_out: a share of the pictures below 1; a number of pictures from 1 on, which copies may
            exceed; 0 for none.

    Raises:
        StudioError: no picture would be left to train on, or none would be held out.
    """
    everything = np.arange(len(dataset))
    if held_out == 0:
        return SplitDataset(dataset, everything, everything[:0])
    digests = digest_pictures(dataset.pixels)
    if held_out < 1:
        is_out = digests < int(held_out * 2**64)
    else:
        wanted = min(int(held_out), len(digests))
        is_out = digests <= np.sort(digests)[wanted - 1]
    if is_out.all() or not is_out.any():
        raise StudioError(
            f"held_out {held_out:g} holds {int(is_out.sum()):,} of the {len(dataset):,} pictures "
            f"of dataset '{dataset.manifest.name}' out: at least one has to be held out, and one "
            "be left. Give a number of pictures, or a share such as 0.1."
        )
    return SplitDataset(dataset, everything[~is_out], everything[is_out])


def digest_pictures(pixels: np.ndarray) -> np.ndarray:
    """A checksum of each picture of uint8 [N, S, S, 3], evenly distributed: uint64 [N]."""
    rows = [int(height * pixels.shape[1]) for height in HASHED_ROWS]
    return np.array(
        [xxhash.xxh3_64_intdigest(np.ascontiguousarray(p[rows]).data) for p in pixels], np.uint64
    )
