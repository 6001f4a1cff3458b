"""What a change of networks does: to their size, their speed, and their pictures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from renderers.files import make_folder
from renderers.frames.frame_renderer import FrameRenderer
from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import cross_sheet

LEVELS = 255 / 2  # Pictures are in -1..1.
TIMED_S = 1.0  # Each network is timed for about so long.
SHEET_PX = 128  # Pictures of the sheet are enlarged to at least this size.
DIFFERENCE_GAIN = 8  # The differences in the sheet are so many times what they are.


@dataclass(frozen=True)
class NetworkSize:
    """A network at a glance.

    Attributes:
        weights: how many numbers it has.
        size_bytes: what they take as they are.
        pictures_per_s: how many it draws in a second on the device.
    """

    weights: int
    size_bytes: int
    pictures_per_s: float


@dataclass(frozen=True)
class PictureChange:
    """How pictures of two networks differ at the same points, in levels of 255."""

    largest: float
    rms: float
    pictures: int


@torch.no_grad()
def compare_pictures(
    before: nn.Module, after: nn.Module, inputs: Sequence[Tensor]
) -> PictureChange:
    """How far the pictures of two networks are apart, not rounded; both in eval mode.

    Args:
        inputs: batches of latent points, float [N, z_dim].
    """
    largest = squares = 0.0
    values = pictures = 0
    for batch in inputs:
        apart = (before(batch) - after(batch)).double() * LEVELS
        largest = max(largest, float(apart.abs().max()))
        squares += float(apart.square().sum())
        values, pictures = values + apart.numel(), pictures + len(apart)
    return PictureChange(largest, (squares / values) ** 0.5, pictures)


def measure_size(network: nn.Module, pictures_per_s: float) -> NetworkSize:
    """How large a network is; buffers count as weights do."""
    tensors = network.state_dict().values()
    count, size_bytes = sum(t.numel() for t in tensors), sum(t.nbytes for t in tensors)
    return NetworkSize(count, size_bytes, pictures_per_s)


def time_pictures(
    networks: Sequence[nn.Module], batch: Tensor, timed_s: float = TIMED_S
) -> list[float]:
    """Pictures a second of some networks, taken in turns, so that other work slows all of them.

    Args:
        batch: the points of one pass, float [N, z_dim].
        timed_s: for how long each is timed.
    """
    best = [float("inf")] * len(networks)
    for network in networks:
        _time_pass(network, batch)
    deadline = time.monotonic() + timed_s * len(networks)
    while time.monotonic() < deadline or float("inf") in best:
        for number, network in enumerate(networks):
            best[number] = min(best[number], _time_pass(network, batch))
    return [len(batch) / seconds for seconds in best]


@torch.inference_mode()
def _time_pass(network: nn.Module, batch: Tensor) -> float:
    began = time.perf_counter()
    float(network(batch).mean())  # On a GPU, the number is there when the pass is done.
    return time.perf_counter() - began


def draw_before_and_after(
    before: nn.Module, after: nn.Module, points: Tensor, labels: Sequence[str], path: Path
) -> None:
    """A sheet of three rows: pictures before, after, and how far they differ, made stronger.

    Args:
        points: float [N, z_dim].
        labels: one a point.
    """
    old, new = (FrameRenderer().render(G, points) for G in (before, after))
    apart = np.abs(old.astype(np.int16) - new.astype(np.int16)) * DIFFERENCE_GAIN
    rows = np.stack([old, new, apart.clip(0, 255).astype(np.uint8)])
    names = ["before", "after", f"{DIFFERENCE_GAIN} x apart"]
    make_folder(path.parent)
    save_picture(cross_sheet(rows, names, labels, max(1, SHEET_PX // old.shape[1])), path)
