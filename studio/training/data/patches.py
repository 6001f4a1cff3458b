"""Draws patches of pictures together with the same patches made small, from files of both."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from studio.training.data.batches import scale
from studio.training.data.drawn_ahead import DrawnAhead
from studio.training.machine.processes import Processes


class PatchPair(NamedTuple):
    """Patches of a batch.

    Attributes:
        small: float32 [N, 3, p, p] in -1..1.
        large: the same places, float32 [N, 3, p * factor, p * factor] in -1..1.
    """

    small: Tensor
    large: Tensor


class PatchDraw(NamedTuple):
    """The random choices of a batch, for one process.

    Attributes:
        pictures: int64 [N], positions in the dataset.
        corners: int64 [N, 2], top and left of each small patch in px.
        turns: int64 [N], quarter turns of each, 0..3.
        mirrored: bool [N], the patches to mirror.
    """

    pictures: np.ndarray
    corners: np.ndarray
    turns: np.ndarray
    mirrored: np.ndarray


class GatheredPatches(NamedTuple):
    """Patches that are on their way to the device, and the event that they have arrived."""

    small: Tensor
    large: Tensor
    copied: torch.cuda.Event | None


class Patches(DrawnAhead[PatchDraw, GatheredPatches, PatchPair]):
    """Draws pairs of patches without end; see `DrawnAhead`.

    Both files are memory-mapped, so of each picture only the rows of its patch are read.

    Args:
        large: uint8 [count, S, S, 3].
        small: the same pictures made small, uint8 [count, S // factor, S // factor, 3].
        factor: how many times.
        patch_px: width and height of the small patches.
        batch_size: N, over all processes.
        seed: seeds the draws.
        random_flips, random_turns: mirror half of the patches; turn them by quarters.
        processes: all of them draw the same batch, and each gathers its own shard of it.
        among: int64 [n], the positions of the pictures that may be drawn.
    """

    def __init__(
        self,
        large: np.ndarray,
        small: np.ndarray,
        factor: int,
        patch_px: int,
        batch_size: int,
        seed: int,
        random_flips: bool,
        random_turns: bool,
        processes: Processes,
        among: np.ndarray,
    ) -> None:
        super().__init__(seed)
        self._large, self._small = np.asarray(large), np.asarray(small)
        self._factor, self._patch_px, self._batch_size = factor, patch_px, batch_size
        self._random_flips, self._random_turns = random_flips, random_turns
        self._device, self._among = processes.device, among
        self._shard = processes.shard(torch.arange(batch_size)).numpy()
        on_gpu = self._device.type == "cuda"
        self._copies = torch.cuda.Stream(self._device) if on_gpu else None

    def _draw(self) -> PatchDraw:
        N, room = self._batch_size, self._small.shape[1] - self._patch_px
        drawn = PatchDraw(
            self._among[self._rng.integers(len(self._among), size=N)],
            self._rng.integers(room + 1, size=(N, 2)),
            self._rng.integers(4, size=N) * self._random_turns,
            (self._rng.random(N) < 0.5) & self._random_flips,
        )
        return PatchDraw(*(choices[self._shard] for choices in drawn))

    def _gather(self, draw: PatchDraw) -> GatheredPatches:
        """Read the patches of a batch, in the order in which they lie on the disk."""
        small = self._cut(self._small, draw, 1)
        large = self._cut(self._large, draw, self._factor)
        if self._copies is None:
            return GatheredPatches(scale(small), scale(large), None)
        with torch.cuda.stream(self._copies):
            sent = [patches.to(self._device, non_blocking=True) for patches in (small, large)]
            return GatheredPatches(sent[0], sent[1], self._copies.record_event())

    def _cut(self, pixels: np.ndarray, draw: PatchDraw, factor: int) -> Tensor:
        """The patches of one file, turned and mirrored: uint8 [N, s, s, 3]."""
        size, on_gpu = self._patch_px * factor, self._copies is not None
        with torch.cuda.device(self._device) if on_gpu else nullcontext():
            shape = (len(draw.pictures), size, size, 3)
            cut = torch.empty(shape, dtype=torch.uint8, pin_memory=on_gpu)
        rows = cut.numpy()
        for n in np.argsort(draw.pictures):
            top, left = draw.corners[n] * factor
            patch = pixels[draw.pictures[n], top : top + size, left : left + size]
            patch = np.rot90(patch, draw.turns[n])
            rows[n] = patch[:, ::-1] if draw.mirrored[n] else patch
        return cut

    def _finish(self, gathered: GatheredPatches) -> PatchPair:
        small, large, copied = gathered
        if copied is not None:
            current = torch.cuda.current_stream(self._device)
            current.wait_event(copied)
            for patches in (small, large):
                patches.record_stream(current)  # Otherwise the next copy could reuse its memory.
            small, large = scale(small), scale(large)
        return PatchPair(small.permute(0, 3, 1, 2), large.permute(0, 3, 1, 2))
