"""Training runs side by side: their settings, what was changed in them, and how far they came."""

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

RECENT_BATCHES = 100  # whose mean is a run's latest value of a metric
FIGURES = ("d_real", "d_fake", "g", "swd", "diversity", "pictures_per_s")


@dataclass(frozen=True)
class Setting:
    """One setting of all runs.

    Attributes:
        values: one a run, as it began.
        changes: one list a run: (batch from which on, value).
        differs: whether the runs did not have the same all along.
    """

    name: str
    values: tuple[Any, ...]
    changes: tuple[tuple[tuple[int, Any], ...], ...]
    differs: bool

    def text(self, index: int) -> str:
        """Such as `0.0002, 1e-05 from batch 7,000` for one of the runs."""
        later = (f"{value} from batch {batch:,}" for batch, value in self.changes[index])
        return ", ".join([_text(self.values[index]), *later])


@dataclass(frozen=True)
class Progress:
    """How far a run came, how long it took, and its metrics lately: their means, where known."""

    name: str
    status: str
    batch: int
    seconds: float
    figures: dict[str, float]


@dataclass(frozen=True)
class Comparison:
    runs: list[Progress]
    settings: list[Setting]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare_runs(workspace: Workspace, names: Sequence[str]) -> Comparison:
    """Runs side by side; settings in the order in which a configuration has them.

    Raises:
        StudioError: fewer than two runs, one that is named twice, unknown, or was not trained here.
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


def compare_settings(workspace: Workspace, names: Sequence[str]) -> list[Setting]:
    """Every setting of some runs, with what was changed while they trained."""
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
) -> Progress:
    """How far a run came.

    Args:
        metrics: of all its batches.
    """
    summary = summarise_run(workspace, name)
    seconds = sum(float(entry.get("seconds", 0)) for entry in metrics)
    figures = {figure: mean for figure in FIGURES if (mean := _recent(metrics, figure)) is not None}
    return Progress(name, summary.status, summary.last_batch or 0, seconds, figures)


def _recent(metrics: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The mean over the last batches; the last value of what is measured now and then."""
    recent = _finite(metrics[-RECENT_BATCHES:], name) or _finite(metrics, name)[-1:]
    return math.fsum(recent) / len(recent) if recent else None


def _finite(metrics: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [value for m in metrics if math.isfinite(value := float(m.get(name, math.nan)))]


def _changes_of(workspace: Workspace, run: str) -> dict[str, list[tuple[int, Any]]]:
    """(batch from which on, value) of each setting that was changed, in order."""
    taken: dict[str, list[tuple[int, Any]]] = {}
    for change in list_changes(workspace, run):
        if change.batch is not None and change.name not in REQUESTS:
            taken.setdefault(change.name, []).append((change.batch, change.value))
    return taken


def _compare(
    name: str, values: tuple[Any, ...], changes: tuple[tuple[tuple[int, Any], ...], ...]
) -> Setting:
    courses = list(zip(values, changes, strict=True))
    return Setting(name, values, changes, any(course != courses[0] for course in courses))


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={option}" for name, option in value.items()) or "–"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value) if value != "" else "–"
