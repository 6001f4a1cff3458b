"""Compares training runs: their settings, the changes in them, and how far they came."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from studio.runs.changes import REQUESTS, list_changes
from studio.runs.config import TrainingConfig
from studio.runs.metrics import read_metrics
from studio.runs.status import read_config, summarise_run
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

RECENT_BATCHES = 100  # A metric's latest value is the mean over so many batches.
FIGURES = (
    *("d_real", "d_fake", "g", "swd", "swd_held_out", "l1", "psnr", "ssim"),
    *("diversity", "pictures_per_s"),
)


@dataclass(frozen=True)
class ComparedSetting:
    """One setting of several runs.

    Attributes:
        values: the value with which each run began.
        changes: for each run its changes: (first batch with the value, value).
        differs: whether the runs ever had different values.
    """

    name: str
    values: tuple[Any, ...]
    changes: tuple[tuple[tuple[int, Any], ...], ...]
    differs: bool

    def text(self, index: int) -> str:
        """The values of one run in words, such as `0.0002, 1e-05 from batch 7,000`."""
        later = (f"{value} from batch {batch:,}" for batch, value in self.changes[index])
        return ", ".join([_text(self.values[index]), *later])


@dataclass(frozen=True)
class RunProgress:
    """How far a run came.

    Attributes:
        batch: its last batch with a checkpoint.
        seconds: the time that its batches took.
        figures: recent means of the metrics in FIGURES, where they are known.
    """

    name: str
    status: str
    batch: int
    seconds: float
    figures: dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """Several runs side by side."""

    runs: list[RunProgress]
    settings: list[ComparedSetting]

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON can hold it."""
        return asdict(self)


def compare_runs(workspace: Workspace, names: Sequence[str]) -> Comparison:
    """Compare runs; the settings are in the order of `TrainingConfig`.

    Raises:
        StudioError: fewer than two runs, or one that is named twice, unknown, or not trained here.
    """
    if len(names) < 2 or len(set(names)) < len(names):
        raise StudioError(
            f"Two different runs or more can be compared, not: {', '.join(names) or 'none'}. "
            "List them: studio runs"
        )
    return Comparison(
        [
            measure_progress(workspace, name, read_metrics(workspace.metrics(name)))
            for name in names
        ],
        compare_settings(workspace, names),
    )


def compare_settings(workspace: Workspace, names: Sequence[str]) -> list[ComparedSetting]:
    """Every setting of some runs, with its changes while they trained.

    Raises:
        StudioError: a run is unknown, or was not trained here.
    """
    configs = [read_config(workspace, name) for name in names]
    changes = [_changes_of(workspace, name) for name in names]
    return [
        _compare(
            name,
            tuple(getattr(config, name) for config in configs),
            tuple(tuple(of_run.get(name, ())) for of_run in changes),
        )
        for name in TrainingConfig.names()
    ]


def measure_progress(
    workspace: Workspace, name: str, metrics: Sequence[Mapping[str, Any]]
) -> RunProgress:
    """How far a run came.

    Args:
        metrics: the numbers of all its batches.
    """
    summary = summarise_run(workspace, name)
    seconds = sum(float(entry.get("seconds", 0)) for entry in metrics)
    figures = {figure: mean for figure in FIGURES if (mean := _recent(metrics, figure)) is not None}
    return RunProgress(name, summary.status, summary.last_batch or 0, seconds, figures)


def _recent(metrics: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The mean over the last batches; for metrics measured now and then, the last value."""
    recent = _finite(metrics[-RECENT_BATCHES:], name) or _finite(metrics, name)[-1:]
    return math.fsum(recent) / len(recent) if recent else None


def _finite(metrics: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [value for m in metrics if math.isfinite(value := float(m.get(name, math.nan)))]


def _changes_of(workspace: Workspace, run: str) -> dict[str, list[tuple[int, Any]]]:
    """The changes of each setting that was changed: (first batch with the value, value)."""
    taken: dict[str, list[tuple[int, Any]]] = {}
    for change in list_changes(workspace, run):
        if change.batch is not None and change.name not in REQUESTS:
            taken.setdefault(change.name, []).append((change.batch, change.value))
    return taken


def _compare(
    name: str, values: tuple[Any, ...], changes: tuple[tuple[tuple[int, Any], ...], ...]
) -> ComparedSetting:
    courses = list(zip(values, changes, strict=True))
    return ComparedSetting(name, values, changes, any(course != courses[0] for course in courses))


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={option}" for name, option in value.items()) or "–"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value) if value != "" else "–"
