"""What is kept of a run, how small, how faithful, and how much more there will be."""

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
    """The checkpoints of one run; numbers are None where there are none yet.

    `missing` are half-open ranges; `plain_bytes` is what one checkpoint takes as plain tensors;
    there is a `forecast` while the run is training.
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
        return self.size_bytes / len(self.batches) if self.batches else None

    @property
    def ratio(self) -> float | None:
        """How many times smaller than plain tensors."""
        each = self.bytes_per_checkpoint
        return self.plain_bytes / each if self.plain_bytes and each else None

    def to_json(self) -> dict[str, Any]:
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
    """Look at what is kept of a run. Reads neither weights nor torch.

    Args:
        metrics: of its batches, for the pace.
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
    """How a run will grow that is training now; None for others."""
    config = workspace.run_config(catalogue.run)
    if run_status(workspace, catalogue) != "training" or not config.exists():
        return None
    return forecast_growth(catalogue, metrics, TrainingConfig.read(config).batches)


def count_plain_bytes(catalogue: Catalogue) -> int | None:
    """What one checkpoint takes as plain tensors; None before there is one."""
    described = [segment for segment in catalogue.descriptions.values() if segment is not None]
    if not described:
        return None
    return sum(
        math.prod(tensor["shape"]) * _item_bytes(tensor["dtype"])
        for tensor in described[-1]["tensors"]
    )


def describe_error_bound(bound: ErrorBound | None) -> str:
    """How faithful what is read back is, in words."""
    if bound is None:
        return "every bit"
    return (
        f"pictures differ by at most {bound.largest} of 255 and {bound.rms:.2f} rms "
        f"on {bound.pictures} calibration points"
    )


def describe_gaps(missing: list[tuple[int, int]], most: int) -> str:
    """Half-open ranges as one reads them: 3, 5 to 9 and 12 more."""
    named = [f"{a:,}" if b == a + 1 else f"{a:,} to {b - 1:,}" for a, b in missing]
    return name_some(named, most)


def _item_bytes(dtype: str) -> int:
    """Of float32, bfloat16, int64, bool and the like: their names end in bits, or mean a byte."""
    bits = re.search(r"\d+", dtype)
    return int(bits[0]) // 8 if bits else 1
