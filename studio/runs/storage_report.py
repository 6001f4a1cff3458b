"""Reports the storage of a run: checkpoints, gaps, bytes, error bound, pins, forecast."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from checkpoints_index.errors import name_some
from checkpoints_index.storage.catalogue import Catalogue
from checkpoints_index.storage.error_bound import ErrorBound
from studio.runs.config import TrainingConfig
from studio.runs.forecast import Forecast, forecast_growth
from studio.runs.pins import list_pins
from studio.runs.status import run_status
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class StorageReport:
    """The stored checkpoints of one run.

    Attributes:
        batches: the batches that have a checkpoint, ascending.
        missing: half-open ranges of batches without one.
        plain_bytes: bytes of one checkpoint as plain tensors; None where there is none yet.
        storage: exact or visual.
        error_bound: how far pictures may differ; None for exact storage.
        pinned: batches that are never thinned out.
        forecast: how the run will grow; None unless it is training.
    """

    run: str
    batches: list[int]
    missing: list[tuple[int, int]]
    size_bytes: int
    plain_bytes: int | None
    storage: str
    error_bound: ErrorBound | None
    pinned: list[int]
    forecast: Forecast | None

    @property
    def bytes_per_checkpoint(self) -> float | None:
        """Mean bytes of a checkpoint; None where there is none yet."""
        return self.size_bytes / len(self.batches) if self.batches else None

    @property
    def ratio(self) -> float | None:
        """How many times smaller a checkpoint is than plain tensors; None where there is none."""
        each = self.bytes_per_checkpoint
        return self.plain_bytes / each if self.plain_bytes and each else None

    def to_json(self) -> dict[str, Any]:
        """The report as `studio checkpoints --json` prints it."""
        each = self.bytes_per_checkpoint
        return {
            "run": self.run,
            "checkpoints": len(self.batches),
            "first_batch": self.batches[0] if self.batches else None,
            "last_batch": self.batches[-1] if self.batches else None,
            "missing": [list(gap) for gap in self.missing],
            "size_bytes": self.size_bytes,
            "bytes_per_checkpoint": None if each is None else round(each),
            "plain_bytes_per_checkpoint": self.plain_bytes,
            "ratio": None if self.ratio is None else round(self.ratio, 2),
            "storage": self.storage,
            "promise": describe_error_bound(self.error_bound),
            "pinned": self.pinned,
            "forecast": self.forecast.to_json() if self.forecast else None,
        }


def report_storage(
    workspace: Workspace, catalogue: Catalogue, metrics: Sequence[dict[str, Any]]
) -> StorageReport:
    """Report the storage of a run. Neither weights are read nor torch is imported.

    Args:
        metrics: the numbers of its batches, from which the pace is known.
    """
    return StorageReport(
        catalogue.run,
        list(catalogue.batches),
        catalogue.missing,
        catalogue.size_bytes,
        count_plain_bytes(catalogue),
        catalogue.storage,
        catalogue.error_bound,
        list_pins(workspace, catalogue.run),
        forecast_training(workspace, catalogue, metrics),
    )


def forecast_training(
    workspace: Workspace, catalogue: Catalogue, metrics: Sequence[dict[str, Any]]
) -> Forecast | None:
    """The forecast of a run that is training now; None for other runs."""
    config = workspace.run_config(catalogue.run)
    if run_status(workspace, catalogue) != "training" or not config.exists():
        return None
    return forecast_growth(catalogue, metrics, TrainingConfig.read(config).batches)


def count_plain_bytes(catalogue: Catalogue) -> int | None:
    """Bytes of one checkpoint as plain tensors; None where there is none yet."""
    described = [segment for segment in catalogue.descriptions.values() if segment is not None]
    if not described:
        return None
    return sum(
        int(math.prod(tensor["shape"])) * _item_bytes(tensor["dtype"])
        for tensor in described[-1]["tensors"]
    )


def describe_error_bound(bound: ErrorBound | None) -> str:
    """The error bound in words; None stands for exact storage."""
    if bound is None:
        return "every bit"
    return (
        f"pictures differ by at most {bound.largest} of 255 and {bound.rms:.2f} rms "
        f"on {bound.pictures} calibration points"
    )


def describe_gaps(missing: list[tuple[int, int]], limit: int) -> str:
    """Half-open ranges in words, at most `limit` of them by name.

    Example:
        >>> describe_gaps([(3, 4), (5, 10)], 4)
        '3, 5 to 9'
    """
    named = [f"{a:,}" if b == a + 1 else f"{a:,} to {b - 1:,}" for a, b in missing]
    return name_some(named, limit)


def _item_bytes(dtype: str) -> int:
    """Bytes of an element: dtype names such as bfloat16 end in the bits; bool is one byte."""
    bits = re.search(r"\d+", dtype)
    return int(bits[0]) // 8 if bits else 1
