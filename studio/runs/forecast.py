"""Forecasts how large a run will become, and at which batch the disk will be full.

Before a run begins, the forecast comes from a model of bytes that was measured on a DCGAN-64 of
3.58 M parameters. Once there are checkpoints, their sizes and their pace give a better one.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkpoints_index.storage.catalogue import Catalogue
from checkpoints_index.storage.segments import RECORD_HEAD_BYTES, SKIP_DELTA
from studio.workspace.records.quantities import format_bytes, format_duration

if TYPE_CHECKING:
    from torch import Tensor

    from studio.runs.config import TrainingConfig

EXACT_BYTES = 2.26  # Bytes of a weight in exact storage; float32 has 4.
SMALL_TENSOR = 1024  # Tensors with fewer elements, and vectors, stay exact in visual storage.
# Bits of a weight of a large tensor in visual storage, keys included, at a learning rate of 2e-4
# and an RMS difference of pictures of 0.1; the powers say how other rates and qualities change it.
VISUAL_BITS = 0.655
AT_LEARNING_RATE, RATE_POWER = 2e-4, 0.62
AT_QUALITY, QUALITY_POWER = 0.1, 0.55
YOUNG_TIMES, YOUNG_BATCHES = 3, 500  # At batch b there are 1 + 3 / (1 + b / 500) times the bits.
# An average of weights moves as far as the weights would at a third of the learning rate.
AVERAGED = 1 / 3
# Trackers save so much of an average's bits for each bit of a weight, and no more than the last.
TRACKED_PER_BIT, MAX_TRACKED = 0.13, 0.4

TOLD_MEMORY = 500_000_000  # bytes that a training may lack where it keeps a large generator

RECENT_CHECKPOINTS = 256  # The size of the next checkpoints is the mean over so many.
RECENT_BATCHES = 100  # The pace is the mean over so many batches.


@dataclass(frozen=True)
class Forecast:
    """The bytes of all checkpoints up to a wanted batch, beside the free bytes of the disk.

    Attributes:
        bytes_per_batch: bytes of one checkpoint.
        reached: the last batch so far.
        wanted: the last batch of the run.
        free_bytes: the room on the disk.
        batches_per_s: the pace; None where it is unknown.
    """

    bytes_per_batch: float
    reached: int
    wanted: int
    free_bytes: int
    batches_per_s: float | None = None

    @property
    def to_come(self) -> int:
        """The number of batches that are to come."""
        return max(0, self.wanted - self.reached)

    @property
    def needed_bytes(self) -> float:
        """Bytes of the checkpoints that are to come."""
        return self.to_come * self.bytes_per_batch

    @property
    def fits(self) -> bool:
        """Whether there is room for all checkpoints that are to come."""
        return self.needed_bytes <= self.free_bytes

    @property
    def full_at(self) -> int:
        """The first batch whose checkpoint has no room."""
        return self.reached + 1 + int(self.free_bytes / max(self.bytes_per_batch, 1))

    @property
    def full_in_s(self) -> float | None:
        """Seconds until that batch at this pace; None where the pace is unknown."""
        if not self.batches_per_s:
            return None
        return (self.full_at - self.reached) / self.batches_per_s

    def to_json(self) -> dict[str, Any]:
        """The forecast as JSON can hold it."""
        return {
            "bytes_per_batch": round(self.bytes_per_batch),
            "free_bytes": self.free_bytes,
            "wanted_batches": self.wanted,
            "fits": self.fits,
            "full_at_batch": self.full_at,
            "full_in_s": None if self.full_in_s is None else round(self.full_in_s),
        }


def estimate_bytes(shapes: Sequence[Sequence[int]], config: TrainingConfig, storage: str) -> float:
    """About the bytes of one checkpoint, on average over the run.

    Args:
        shapes: the shapes of the generator's tensors.
        storage: exact or visual.
    """
    sizes = [(math.prod(shape), len(shape)) for shape in shapes]
    if storage == "exact":
        return EXACT_BYTES * sum(size for size, _ in sizes)
    large = sum(size for size, dims in sizes if size >= SMALL_TENSOR and dims >= 2)
    small = sum(size for size, _ in sizes) - large
    rate = config.learning_rate_g * (AVERAGED if config.ema else 1)
    bits = VISUAL_BITS * (rate / AT_LEARNING_RATE) ** RATE_POWER
    bits *= (AT_QUALITY / config.quality) ** QUALITY_POWER
    bits *= 1 + YOUNG_TIMES * math.log1p(config.batches / YOUNG_BATCHES) * (
        YOUNG_BATCHES / config.batches
    )
    if config.ema:
        bits *= 1 - min(MAX_TRACKED, TRACKED_PER_BIT * bits)
    return float(large * bits / 8 + small * EXACT_BYTES)


def forecast_launch(
    config: TrainingConfig, storage: str, folder: Path, first_batch: int = 0
) -> Forecast:
    """The forecast of a run that has not begun.

    Args:
        storage: exact or visual.
        folder: any folder on the disk of the run; it need not be there yet.
        first_batch: the batch that it goes on from, where it is a branch of another run.

    Raises:
        StudioError: there is no such generator.
    """
    shapes = [tuple(tensor.shape) for tensor in _weights(config).values()]
    each = estimate_bytes(shapes, config, storage)
    return Forecast(each, first_batch, config.batches, free_bytes(folder))


def describe_launch(
    config: TrainingConfig,
    storage: str,
    folder: Path,
    first_batch: int = 0,
    device: str = "cpu",
) -> tuple[str, str]:
    """The forecast of a run that has not begun, in words, and a warning where it will not fit.

    The warning is empty where it fits; see `forecast_launch`.

    Args:
        device: where it trains; on a CPU, keeping a large generator takes the most memory.
    """
    forecast = forecast_launch(config, storage, folder, first_batch)
    text = (
        f"By estimate {format_bytes(forecast.bytes_per_batch)} a batch: {forecast.to_come:,} "
        f"batches take {format_bytes(forecast.needed_bytes)} of the "
        f"{format_bytes(forecast.free_bytes)} that are free."
    )
    if storage == "exact":
        visual = forecast_launch(config, "visual", folder, first_batch)
        text += (
            f" Visual storage would take {format_bytes(visual.bytes_per_batch)} a batch, "
            f"{format_bytes(visual.needed_bytes)} in all."
        )
    return text + _tell_memory(config, storage, device), "" if forecast.fits else warn(forecast)


def memory_of_keeping(config: TrainingConfig, storage: str, device: str) -> int:
    """About the bytes of memory that keeping checkpoints takes at most beside the training.

    Args:
        storage: exact or visual.
        device: where it trains.

    Raises:
        StudioError: there is no such generator.
    """
    from checkpoints_index.writing.memory import estimate_memory

    return estimate_memory(config.generator_spec(), _weights(config), storage, device)


def _tell_memory(config: TrainingConfig, storage: str, device: str) -> str:
    """What keeping takes of the memory, where that is enough to be told."""
    needed = memory_of_keeping(config, storage, device)
    if needed < TOLD_MEMORY:
        return ""
    return f" Keeping them takes up to about {format_bytes(needed)} of memory beside the training."


def forecast_growth(
    catalogue: Catalogue, metrics: Sequence[dict[str, Any]], wanted: int
) -> Forecast | None:
    """The forecast of a run that is training; None before there are enough batches.

    Args:
        metrics: the numbers of the batches so far, `seconds` among them.
        wanted: the last batch of the run.
    """
    each = recent_bytes(catalogue)
    seconds = sum(entry.get("seconds", 0.0) for entry in metrics[-RECENT_BATCHES:])
    if each is None or not seconds:
        return None
    pace = len(metrics[-RECENT_BATCHES:]) / seconds
    free = free_bytes(catalogue.folder)
    return Forecast(each, catalogue.batches[-1], wanted, free, pace)


def describe_growth(forecast: Forecast) -> str:
    """The forecast of a run that is training, in a sentence."""
    if not forecast.fits and forecast.full_in_s is not None:
        return (
            f"At this pace the disk is full at batch {forecast.full_at:,}, "
            f"in about {format_duration(forecast.full_in_s, 'words')}."
        )
    return (
        f"Room for all {forecast.wanted:,} batches: {format_bytes(forecast.needed_bytes)} more, "
        f"of {format_bytes(forecast.free_bytes)} that are free."
    )


def warn(forecast: Forecast) -> str:
    """The sentence about a run that will not fit."""
    return (
        f"The disk will be full at batch {forecast.full_at:,} of {forecast.wanted:,}: make room "
        "before, or thin runs that are there (studio thin RUN --every 2)."
    )


def recent_bytes(catalogue: Catalogue) -> float | None:
    """Mean bytes of a checkpoint, keys included, over the newest segments; None without any."""
    size_bytes = count = 0
    for path in sorted(catalogue.descriptions, reverse=True):
        records = catalogue.records_in(path)
        size_bytes += sum(RECORD_HEAD_BYTES + record.payload_bytes for record in records)
        count += sum(record.kind != SKIP_DELTA for record in records)
        if count >= RECENT_CHECKPOINTS:
            break
    return size_bytes / count if count else None


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of a folder, which need not be there yet."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(there).free


def _weights(config: TrainingConfig) -> dict[str, Tensor]:
    """The generator's tensors, none of which is allocated."""
    import torch

    with torch.device("meta"):
        G = config.generator_spec().build()
    return dict(G.state_dict())
