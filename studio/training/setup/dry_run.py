"""A dry run: a few real steps of a training that keep nothing, and what they say of the whole."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from checkpoints_index.storage.trusted_classes import import_trusted
from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import arrange_grid, enlarge
from renderers.progress import OnProgress
from studio.runs.config import TrainingConfig
from studio.training.loop.rejections import Rejections
from studio.training.loop.session import TrainingData
from studio.training.loop.state import KEPT, tensors_of
from studio.training.machine.memory import keep_freed_memory
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes import Recipe, build_recipe, find_recipe
from studio.workspace.paths import Workspace

STEPS, STEPS_S = 24, 6.0  # It ends after so many batches, or so many seconds.
PATIENCE_S = 12.0  # A step that has not come to its end by then is given up.
WARM_UP = 2  # The first steps are slower: memory is taken, kernels are chosen.
SHEET_PICTURES, SHEET_PX = 24, 96  # Pictures on the sheet, and the pixels of each, at least.
SHEET_COLUMNS = 8


@dataclass(frozen=True)
class Measured:
    """What the steps said.

    Attributes:
        device: where they were made.
        steps: how many came to their end; 0 where one takes too long.
        batch_s: seconds that a batch takes, or at least takes where none came to its end.
        memory_bytes: the most memory that was taken: of the GPU, else of the process.
        device_bytes: the memory that there is.
        state_bytes: what the training states take that are kept.
        sheet: a picture of what the networks saw.
    """

    device: str
    steps: int
    batch_s: float
    memory_bytes: int
    device_bytes: int
    state_bytes: int
    sheet: Path


class _TooLongError(Exception):
    """A step takes longer than anybody wants to wait for it."""


def measure_training(
    workspace: Workspace, config: TrainingConfig, device: torch.device, on_progress: OnProgress
) -> Measured:
    """Make a few steps of a training; nothing is left of them but the sheet.

    Args:
        config: its batch is that of one process.

    Raises:
        StudioError: the networks cannot be built, memory runs out, or the dataset does not fit.
    """
    keep_freed_memory()
    import_trusted(workspace.runs, config.generator)
    config = replace(config, compile=False)
    processes = Processes.single(device)
    with closing(TrainingData(workspace, config, processes)) as data:
        pictures = find_recipe(config.recipe).pictures_of(next(data))
        sheet = draw_sheet(workspace, config, pictures)
        recipe = build_recipe(config, processes, data.negatives)
        times = _make_steps(recipe, data, processes, on_progress)
    memory, room = _memory(device)
    return Measured(
        device=str(device),
        steps=max(0, len(times) - 1),
        batch_s=typical(times, config.penalty_every),
        memory_bytes=memory,
        device_bytes=room,
        state_bytes=KEPT * sum(tensor.nbytes for _, tensor in tensors_of(recipe)),
        sheet=sheet,
    )


def typical(times: list[float], period: int = 1) -> float:
    """Seconds that a step takes, by the moments at which each began; the last is the end.

    Args:
        period: steps until one is like the first again: one of so many may take longer.

    Example:
        >>> typical([0.0, 3.0, 4.0, 5.0, 6.0]), typical([0.0, 3.0, 4.0]), typical([0.0])
        (1.0, 1.0, 12.0)
        >>> typical([0.0, 3.0, 4.0, 5.0, 8.0, 9.0, 12.0], period=2)
        2.0
    """
    took = [end - begin for begin, end in itertools.pairwise(times)]
    if not took:
        return PATIENCE_S
    warm = took[WARM_UP:] or took[-1:]
    period = min(period, len(warm))
    return statistics.median(
        statistics.fmean(warm[start : start + period]) for start in range(len(warm) - period + 1)
    )


def _make_steps(
    recipe: Recipe, data: TrainingData, processes: Processes, on_progress: OnProgress
) -> list[float]:
    """Make steps until there are enough; the moments between them, in seconds."""
    watch, began = Stopwatch(processes.device, recipe.phases), time.monotonic()
    watch.exact = True
    handles = [
        part.register_forward_pre_hook(_deadline(began + PATIENCE_S))
        for network in recipe.modules.values()
        for part in network.modules()
    ]
    times, rejections = [began], Rejections(recipe)
    try:
        for step in range(STEPS):
            on_progress(step, STEPS, "")
            rejections.remember()
            recipe.step(data, watch)
            if processes.device.type == "cuda":
                torch.cuda.synchronize(processes.device)
            times.append(time.monotonic())
            if times[-1] - began > STEPS_S:
                break
    except _TooLongError:
        pass
    finally:
        for handle in handles:
            handle.remove()
    on_progress(STEPS, STEPS, "")
    return times


def _deadline(moment: float) -> Callable[..., None]:
    """A hook that ends a step between two layers once a moment is over."""

    def end_in_time(module: Any, inputs: Any) -> None:
        if time.monotonic() > moment:
            raise _TooLongError

    return end_in_time


def _memory(device: torch.device) -> tuple[int, int]:
    """The most memory that was taken on a device, and how much there is, in bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device), torch.cuda.mem_get_info(device)[1]
    return psutil.Process().memory_info().rss, psutil.virtual_memory().total


def draw_sheet(workspace: Workspace, config: TrainingConfig, reals: torch.Tensor) -> Path:
    """Draw the first pictures of a batch as the networks see them; one file for each dataset.

    Args:
        reals: float [N, 3, S, S] in -1..1.
    """
    shown = (reals[:SHEET_PICTURES].float() + 1).mul(127.5).round().clamp(0, 255)
    pixels = shown.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()
    step = max(1, pixels.shape[1] // (2 * SHEET_PX))  # Large ones are made smaller.
    scale = max(1, SHEET_PX // pixels.shape[1])
    grid = arrange_grid(
        enlarge(np.ascontiguousarray(pixels[:, ::step, ::step]), scale), SHEET_COLUMNS, gap_px=4
    )
    return save_picture(grid, workspace.dry_run_sheet(config.dataset))
