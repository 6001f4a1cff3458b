"""The sliced Wasserstein distance of generated to real pictures, which needs no network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from studio.workspace.errors import StudioError

COARSEST_PX = 16
PATCH_PX = 7
PATCHES = 64  # Patches of one picture at one level of the pyramid.
MAX_PATCHES = 1 << 17  # Patches of all pictures at one level, which bounds memory at 150 MB.
DIRECTIONS = 128
CHUNK_PIXELS = 1 << 21  # Pixels of the pictures that are decomposed at once.
SCALE = 1000  # The paper's tables give distances times this.


class SlicedWasserstein:
    """The distance of pictures to a fixed set of real ones (Karras et al. 2018, section 5).

    Pictures are decomposed into a Laplacian pyramid. At each level patches of 7 x 7 pixels are
    drawn, normalised by the mean and deviation of each colour over all of them, and projected
    onto random directions; the distance is the mean absolute difference of sorted projections.
    The level of 16 px measures layout, the finest level noise and edges. The paper takes
    16,384 pictures, 128 patches of each and 512 directions; with fewer, two sets of real pictures
    are farther from each other, so only distances of equal counts can be compared.

    It draws from random generators of its own, with the same result each time.

    Args:
        reals: uint8 [N, S, S, 3], S at least 16.
        seed: seeds the choice of patches and directions.

    Raises:
        StudioError: fewer than two pictures, or too small ones.
    """

    def __init__(self, reals: np.ndarray, seed: int = 0) -> None:
        check_pictures(reals)
        self.seed, self.shape = seed, reals.shape
        self._reals = self._project(reals, stream=0)

    def __call__(self, fakes: np.ndarray) -> dict[int, float]:
        """Distances, times 1000, by level: {16: ..., 32: ..., S: ...}.

        Args:
            fakes: uint8 [N, S, S, 3], as many and as large as the real ones.

        Raises:
            StudioError: another shape.
        """
        if fakes.shape != self.shape:
            raise StudioError(
                f"Pictures {list(fakes.shape)} cannot be compared with real ones "
                f"{list(self.shape)}: take as many, of the same size."
            )
        projected = self._project(fakes, stream=1)
        return {
            level: SCALE * float(np.abs(projected[level] - reals).mean())
            for level, reals in self._reals.items()
        }

    def _project(self, pictures: np.ndarray, stream: int) -> dict[int, np.ndarray]:
        """Sorted projections of patches by level: float32 [DIRECTIONS, patches]."""
        patches = draw_patches(pictures, np.random.default_rng((self.seed, stream)))
        return {
            level: np.sort(directions(self.seed, level) @ normalise(drawn).T, axis=1)
            for level, drawn in patches.items()
        }


def sliced_wasserstein(real: np.ndarray, fake: np.ndarray, seed: int = 0) -> dict[int, float]:
    """The distance of two sets, uint8 [N, S, S, 3] each, by level; see `SlicedWasserstein`."""
    return SlicedWasserstein(real, seed)(fake)


def mean_distance(distances: dict[int, float]) -> float:
    """The mean over all levels, as in the paper's tables."""
    return sum(distances.values()) / len(distances)


def draw_patches(pictures: np.ndarray, rng: np.random.Generator) -> dict[int, Tensor]:
    """Patches from random places of every level: float32 [patches, 3, 49], by its size in px."""
    each = max(1, min(PATCHES, MAX_PATCHES // len(pictures)))
    chunk = max(1, CHUNK_PIXELS // (pictures.shape[1] * pictures.shape[2]))
    drawn: dict[int, list[Tensor]] = {}
    for start in range(0, len(pictures), chunk):
        pixels = torch.from_numpy(np.ascontiguousarray(pictures[start : start + chunk]))
        for level in laplacian_pyramid(pixels.permute(0, 3, 1, 2).float()):
            drawn.setdefault(level.shape[-1], []).append(cut_patches(level, each, rng))
    return {size_px: torch.cat(parts) for size_px, parts in drawn.items()}


def cut_patches(level: Tensor, each: int, rng: np.random.Generator) -> Tensor:
    """Cut `each` patches out of each picture [N, 3, S, S]: float32 [N * each, 3, 49]."""
    places = rng.integers(level.shape[-1] - PATCH_PX + 1, size=(2, len(level) * each))
    rows, columns = torch.from_numpy(places)
    picture = torch.arange(len(level)).repeat_interleave(each)
    windows = level.unfold(2, PATCH_PX, 1).unfold(3, PATCH_PX, 1)  # A view [N, 3, y, x, 7, 7].
    return windows[picture, :, rows, columns].flatten(2)


def laplacian_pyramid(pictures: Tensor) -> Iterator[Tensor]:
    """The detail that each size adds to the next smaller one, and the smallest (Burt 1983).

    The kernel is the triangle 1 3 3 1, which has a fast implementation; Burt and Adelson's is
    1 4 6 4 1.

    Args:
        pictures: float [N, 3, S, S].

    Yields:
        float [N, 3, s, s] for s = S, S/2, ... while s is even and half of it at least 16.
    """
    while pictures.shape[-1] % 2 == 0 and pictures.shape[-1] // 2 >= COARSEST_PX:
        smaller = F.interpolate(pictures, scale_factor=0.5, mode="bilinear", antialias=True)
        yield pictures - F.interpolate(smaller, scale_factor=2, mode="bilinear")
        pictures = smaller
    yield pictures


def normalise(patches: Tensor) -> np.ndarray:
    """Scale each colour to mean 0 and deviation 1 over all patches: [P, 3, 49] -> [P, 147]."""
    deviation, mean = torch.std_mean(patches, dim=(0, 2), keepdim=True)
    normal: np.ndarray = ((patches - mean) / (deviation + 1e-8)).flatten(1).numpy()
    return normal


def directions(seed: int, level: int) -> np.ndarray:
    """Unit vectors, evenly distributed: float32 [DIRECTIONS, 147]."""
    drawn = np.random.default_rng((seed, level, 2)).standard_normal((DIRECTIONS, 3 * PATCH_PX**2))
    unit: np.ndarray = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return unit.astype(np.float32)


def check_pictures(pictures: np.ndarray) -> None:
    """Refuse sets that no distance can be measured of.

    Args:
        pictures: uint8 [N, S, S, 3].

    Raises:
        StudioError: fewer than two pictures, or too small ones.
    """
    if len(pictures) < 2 or pictures.shape[1] < COARSEST_PX:
        raise StudioError(
            f"A distance between sets of pictures needs two of {COARSEST_PX} px or more, not "
            f"{list(pictures.shape)}. Take more, or larger ones."
        )
