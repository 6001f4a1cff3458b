"""Draws batches of real pictures from prepared pixels, two ahead of the training step."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from torch import Tensor

from studio.training.data.drawn_ahead import DrawnAhead
from studio.training.machine.processes import Processes
from studio.workspace.errors import StudioError


class Batches(DrawnAhead["BatchDraw", "GatheredPictures", Tensor]):
    """Draws batches without end: float32 [N, 3, S, S] in -1..1 on the device, channels last.

    Args:
        pixels: uint8 [count, S', S', 3], S' >= S, memory-mapped or not. Where S' > S, each batch
            has random crops.
        image_size: S.
        batch_size: N, over all processes.
        seed: seeds the draws.
        random_flips: mirror half of the pictures, left to right.
        device: the device that the batches go to.
        processes: all of them draw the same batch, and each gathers its own shard of it.
        among: int64 [n], the positions of the pictures that may be drawn; None for all.

    Raises:
        StudioError: the pixels are smaller than image_size or fewer than a batch, or a batch cannot
            be split equally.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        image_size: int,
        batch_size: int,
        seed: int,
        random_flips: bool,
        device: torch.device,
        processes: Processes | None = None,
        among: np.ndarray | None = None,
    ) -> None:
        self._among = np.arange(len(pixels)) if among is None else among
        check_pixels(pixels, image_size, batch_size, len(self._among))
        self.pixels = np.asarray(pixels)  # A plain view: slicing a memmap costs more than the copy.
        self.image_size, self.batch_size = image_size, batch_size
        self.random_flips, self.device = random_flips, device
        everything = torch.arange(batch_size)
        self._shard = (processes.shard(everything) if processes else everything).numpy()
        super().__init__(seed)
        self._copies = torch.cuda.Stream(device) if device.type == "cuda" else None

    def _draw(self) -> BatchDraw:
        N, room = self.batch_size, self.pixels.shape[1] - self.image_size
        pictures = self._among[self._rng.integers(len(self._among), size=N)]
        mirrored = self._rng.random(N) < 0.5
        corners = self._rng.integers(room + 1, size=(N, 2)) if room else np.zeros((N, 2), int)
        return BatchDraw(pictures[self._shard], mirrored[self._shard], corners[self._shard])

    def _gather(self, draw: BatchDraw) -> GatheredPictures:
        """Read the pictures of a batch, in the order in which they lie on the disk.

        To a GPU they are sent as they are. For a CPU they are mirrored and scaled here, in one pass
        over them: the four passes of torch would take the cores for three times as long.
        """
        S, on_gpu = self.image_size, self._copies is not None
        with torch.cuda.device(self.device) if on_gpu else nullcontext():
            shape = (len(draw.pictures), S, S, 3)
            host = torch.empty(shape, dtype=torch.uint8, pin_memory=on_gpu)
        rows = host.numpy()
        for n in np.argsort(draw.pictures):
            top, left = draw.corners[n]
            rows[n] = self.pixels[draw.pictures[n], top : top + S, left : left + S]
        mirrored = torch.from_numpy(draw.mirrored & self.random_flips)
        if self._copies is None:
            ready = torch.empty(shape)
            mirror_and_scale(rows, mirrored.numpy(), LEVELS.numpy(), ready.numpy())
            return GatheredPictures(ready, mirrored, None)
        with torch.cuda.stream(self._copies):
            pictures = host.to(self.device, non_blocking=True)
            return GatheredPictures(pictures, mirrored.to(self.device), self._copies.record_event())

    def _finish(self, gathered: GatheredPictures) -> Tensor:
        """A gathered batch as float32 [N, 3, S, S] in -1..1, on the device."""
        pictures, mirrored, copied = gathered
        if copied is not None:
            current = torch.cuda.current_stream(self.device)
            current.wait_event(copied)
            pictures.record_stream(current)  # Otherwise the next copy could reuse its memory.
            mirrored.record_stream(current)
            if self.random_flips:
                pictures = torch.where(mirrored.view(-1, 1, 1, 1), pictures.flip(2), pictures)
            pictures = scale(pictures)
        return pictures.permute(0, 3, 1, 2)


class BatchDraw(NamedTuple):
    """The random choices of a batch, for one process.

    Attributes:
        pictures: int64 [N], positions in the dataset.
        mirrored: bool [N], the pictures to mirror.
        corners: int64 [N, 2], top and left of each crop in px.
    """

    pictures: np.ndarray
    mirrored: np.ndarray
    corners: np.ndarray


class GatheredPictures(NamedTuple):
    """Pictures of a batch that is on its way to the device.

    Attributes:
        pictures: [N, S, S, 3]; with `copied` uint8 as on the disk, without it finished float32.
        mirrored: bool [N], the pictures to mirror.
        copied: the event that they have arrived on a GPU; None on a CPU.
    """

    pictures: Tensor
    mirrored: Tensor
    copied: torch.cuda.Event | None


def scale(levels: Tensor) -> Tensor:
    """Levels 0..255 of any dtype [...] -> float32 [...] in -1..1."""
    return levels.float().div_(127.5).sub_(1)


LEVELS = scale(torch.arange(256))  # The float of each level: float32 [256].


@njit(nogil=True, cache=True)
def mirror_and_scale(pictures, mirrored, levels, ready):  # type: ignore[no-untyped-def]
    """Mirror some pictures left to right and scale all of them, in one pass.

    Args:
        pictures: uint8 [N, S, S, 3].
        mirrored: bool [N], the pictures to mirror.
        levels: float32 [256], the float of each level.
        ready: float32 [N, S, S, 3], where the result is written.
    """
    last = pictures.shape[2] - 1
    for n in range(len(pictures)):
        for y in range(pictures.shape[1]):
            for x in range(last + 1):
                source = last - x if mirrored[n] else x
                for colour in range(3):
                    ready[n, y, x, colour] = levels[pictures[n, y, source, colour]]


def check_pixels(pixels: np.ndarray, image_size: int, batch_size: int, count: int) -> None:
    """Refuse pixels that are no pictures, smaller than image_size, or fewer than a batch.

    Args:
        pixels: should be uint8 [pictures, height, width, 3].
        count: how many of them may be drawn.

    Raises:
        StudioError: the text says what the dataset holds, and what was expected.
    """
    is_rgb = pixels.dtype == np.uint8 and pixels.ndim == 4 and pixels.shape[-1] == 3
    is_square = is_rgb and pixels.shape[1] == pixels.shape[2]
    if not is_square or pixels.shape[1] < image_size:
        raise StudioError(
            f"The dataset holds {pixels.dtype} {list(pixels.shape)}, but this run trains on "
            f"uint8 [count, {image_size}, {image_size}, 3] or larger. Prepare the dataset with "
            f"--image-size {image_size}, or set image_size."
        )
    if count < batch_size:
        raise StudioError(
            f"The dataset holds {count:,} pictures, fewer than one batch of {batch_size:,}. "
            f"Add pictures to it, or set batch_size to {count:,} or less."
        )
