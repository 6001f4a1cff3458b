"""Enlarge 8-bit pictures by a network on one device or several, band by band."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import chain
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from renderers.errors import RenderError
from renderers.frames.concurrency import run_in_order
from renderers.frames.device_failures import is_out_of_memory
from renderers.frames.devices import exact_arithmetic
from renderers.progress import OnProgress, Rate, ignore_progress
from renderers.upscaling.tiles import EnlargingNetwork, Tile, cut_bands

# Width and height of tiles without what they only see. Larger ones compute less twice, and take
# more memory: about half a gigabyte on a CPU for the published networks of 64 channels.
CPU_TILE_PX, ACCELERATOR_TILE_PX, MIN_TILE_PX = 384, 1024, 32


def tile_px_on(devices: Sequence[str]) -> int:
    """The size of tiles that suits all of some devices."""
    return CPU_TILE_PX if "cpu" in devices else ACCELERATOR_TILE_PX


class Enlarger:
    """Enlarges pictures; tiles go to whichever device is free.

    Args:
        network: an `EnlargingNetwork` that is a module; each device has a copy of it.
        devices: one or more names; one that comes twice has two tiles at a time.
        tile_px: width and height of tiles at most; chosen by the devices if None.
    """

    def __init__(
        self, network: nn.Module, devices: Sequence[str] = ("cpu",), tile_px: int | None = None
    ) -> None:
        held: Any = network
        self.scale: int = held.scale
        self.reach: int = held.reach
        self.tile_px = tile_px or tile_px_on(devices)
        self._devices = tuple(devices)
        self._free: SimpleQueue[tuple[Any, str]] = SimpleQueue()
        for device in devices:
            self._free.put((lay_out_network(network).to(device), device))

    def count_tiles(self, picture: np.ndarray) -> int:
        """How many tiles a picture is cut into, uint8 [h, w, 3]."""
        return sum(map(len, self._cut(picture)))

    def enlarge(self, picture: np.ndarray, on_progress: OnProgress = ignore_progress) -> np.ndarray:
        """uint8 [h, w, 3] -> uint8 [h*scale, w*scale, 3]; see `bands`."""
        return np.concatenate(list(self.bands(picture, on_progress)))

    def enlarge_to(self, picture: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
        """Enlarge a picture as often as it takes to be no smaller than it is to be shown.

        Args:
            picture: uint8 [h, w, 3].
            width_px, height_px: the size at which it is shown.

        Returns:
            uint8 [h*scale^k, w*scale^k, 3]; the picture itself where it is large enough.
        """
        while picture.shape[1] < width_px or picture.shape[0] < height_px:
            picture = self.enlarge(picture)
        return picture

    def bands(
        self, picture: np.ndarray, on_progress: OnProgress = ignore_progress
    ) -> Iterator[np.ndarray]:
        """Enlarge a picture from its top to its bottom; the bands together are all of it.

        Args:
            picture: uint8 [h, w, 3]; it may lie in a file.
            on_progress: called with the number of tiles done and of all.

        Returns:
            uint8 [rows, w*scale, 3] for each band.

        Raises:
            RenderError: a device has no room even for a small tile.
        """
        bands = self._cut(picture)
        total, done, rate = sum(map(len, bands)), 0, Rate("tiles")
        tasks = (partial(self._enlarge, picture, tile) for tile in chain.from_iterable(bands))
        with exact_arithmetic(), closing(run_in_order(tasks, len(self._devices))) as enlarged:
            for band in bands:
                row = []
                for _ in band:
                    row.append(next(enlarged))
                    done += 1
                    rate.count(done)
                    on_progress(done, total, str(rate) if total > 1 else "")
                yield np.concatenate(row, axis=1)

    def _cut(self, picture: np.ndarray) -> list[list[Tile]]:
        return cut_bands(picture.shape[0], picture.shape[1], self.tile_px, self.reach)

    def _enlarge(self, picture: np.ndarray, tile: Tile) -> np.ndarray:
        """Enlarge a tile on the next device that is free."""
        network, device = self._free.get()
        try:
            return _enlarge_on(network, device, picture, tile)
        finally:
            self._free.put((network, device))


@torch.inference_mode()
def _enlarge_on(
    network: EnlargingNetwork, device: str, picture: np.ndarray, tile: Tile
) -> np.ndarray:
    """uint8 [rows*scale, columns*scale, 3] of a tile; one that finds no room is cut in four."""
    seen = np.array(picture[tile.rows.seen, tile.columns.seen])
    try:
        x = to_network(torch.from_numpy(seen)[None].to(device))
        enlarged = network.enlarge(x)
        scale = network.scale
        inner = enlarged[:, :, tile.rows.inner(scale), tile.columns.inner(scale)]
        return to_levels(inner)[0].cpu().numpy()
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    height, width, _ = picture.shape
    if min(tile.rows.end - tile.rows.first, tile.columns.end - tile.columns.first) < MIN_TILE_PX:
        raise RenderError(
            f"{device} has no room for a tile of {seen.shape[1]} x {seen.shape[0]} px. Take "
            "another device, or wait until other work on it is over."
        )
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    quarters = tile.quarters(height, width, network.reach)
    rows = ([_enlarge_on(network, device, picture, each) for each in row] for row in quarters)
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def lay_out_network(network: nn.Module) -> nn.Module:
    """A copy whose weights lie as the px of pictures do, which a CPU is a fifth faster with."""
    laid: Any = copy.deepcopy(network).eval()
    copied: nn.Module = laid.to(memory_format=torch.channels_last)
    return copied


def to_network(frames: Tensor) -> Tensor:
    """uint8 [N, h, w, 3] -> float32 [N, 3, h, w] in 0..1, on the same device."""
    return frames.permute(0, 3, 1, 2).float() / 255


def to_levels(enlarged: Tensor) -> Tensor:
    """float [N, 3, h, w], about in 0..1 -> uint8 [N, h, w, 3]; NaN is black."""
    levels = (enlarged.float() * 255).nan_to_num_(0).round_().clamp_(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
