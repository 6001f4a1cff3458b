"""Compares training runs: their settings, how far they came, and which went with which scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from checkpoints_index.storage.catalogue import list_runs
from studio.runs.attribution import dataset_of
from studio.runs.changes import REQUESTS, list_changes
from studio.runs.config import OPTION_TABLES, TrainingConfig
from studio.runs.metrics import read_metrics
from studio.runs.status import read_config, summarise_run
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

RECENT_BATCHES = 100  # A metric's latest value is the mean over so many batches.
# What differences in settings are held against.
SCORES = ("swd", "psnr", "ssim", "held_out_error", "letters_known", "diversity")
DECIBELS = ("psnr",)  # Scores whose differences are told as they are: a share of dB says nothing.
# Measured now and then, so that a mean over many batches would be of networks long gone.
MEASURED_NOW_AND_THEN = (
    *("swd", "swd_held_out", "psnr", "psnr_bicubic", "ssim"),
    *("held_out_error", "letters_known"),
)
FIGURES = (
    *("d_real", "d_fake", "g", "swd", "swd_held_out", "l1", "psnr", "psnr_bicubic"),
    *("ssim", "held_out_error", "letters_known", "diversity", "pictures_per_s"),
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
        figures: the metrics in FIGURES that are known: recent means, and of those that are
            measured now and then the last value.
        epochs: how often D has seen each real picture, on average; None where the dataset is gone.
        z_dim: the numbers in a latent point.
    """

    name: str
    status: str
    batch: int
    seconds: float
    figures: dict[str, float]
    epochs: float | None = None
    z_dim: int | None = None


@dataclass(frozen=True)
class SettingOutcome:
    """Which differences in settings went with which in scores, of two runs at one batch.

    Attributes:
        run, than: the run, and the one before it that has the most settings in common with it.
        settings: the settings that differ, each in words.
        batch: the last one that both have.
        scores: by name, that of `than` and that of `run`, measured last up to that batch.
    """

    run: str
    than: str
    settings: tuple[str, ...]
    batch: int
    scores: dict[str, tuple[float, float]]

    @property
    def words(self) -> str:
        """A sentence, such as `loss hinge, not wasserstein: swd 12 -> 10 (-17 %)`."""
        what = "; ".join(self.settings) or "the same settings"
        scores = ", ".join(
            f"{name} {before:.4g} -> {after:.4g}{_difference(name, before, after)}"
            for name, (before, after) in self.scores.items()
        )
        return f"{self.run} against {self.than}: {what}. {scores or 'No score of both'}."


@dataclass(frozen=True)
class Comparison:
    """Several runs side by side."""

    runs: list[RunProgress]
    settings: list[ComparedSetting]
    outcomes: list[SettingOutcome] = field(default_factory=list)

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
    metrics = {name: read_metrics(workspace.metrics(name)) for name in names}
    progress = [measure_progress(workspace, name, metrics[name]) for name in names]
    settings = compare_settings(workspace, names)
    return Comparison(progress, settings, weigh_settings(names, settings, metrics))


def match_runs(workspace: Workspace, words: Sequence[str]) -> list[str]:
    """The runs that words name; one that ends in * names all trained runs that begin so.

    Example:
        `["city", "sweep-*"]` may give `["city", "sweep-1", "sweep-2"]`.
    """
    found: dict[str, None] = {}
    for word in words:
        if not word.endswith("*"):
            found[word] = None
            continue
        known = [r for r in list_runs(workspace.runs) if workspace.run_config(r).exists()]
        found |= dict.fromkeys(run for run in known if run.startswith(word.removesuffix("*")))
    return [*found] if any(word.endswith("*") for word in words) else [*words]


def weigh_settings(
    names: Sequence[str],
    settings: Sequence[ComparedSetting],
    metrics: Mapping[str, Sequence[Mapping[str, Any]]],
) -> list[SettingOutcome]:
    """Hold the scores of each run against those of the run before it that is most like it.

    Args:
        settings: as `compare_settings` gives them, in the order of names.
        metrics: of each run, the numbers of all its batches.
    """
    outcomes = []
    for number in range(1, len(names)):
        different = {i: _differing(settings, number, i) for i in range(number)}
        other = min(different, key=lambda i: (len(different[i]), -i))
        both = names[other], names[number]
        batch = min(int(metrics[name][-1]["batch"]) if metrics[name] else 0 for name in both)
        scores = {}
        for score in SCORES:
            before, after = (_last_until(metrics[name], score, batch) for name in both)
            if before is not None and after is not None:
                scores[score] = before, after
        words = tuple(f"{s.name} {s.text(number)}, not {s.text(other)}" for s in different[other])
        outcomes.append(SettingOutcome(both[1], both[0], words, batch, scores))
    return outcomes


def _differing(settings: Sequence[ComparedSetting], one: int, other: int) -> list[ComparedSetting]:
    return [
        setting
        for setting in settings
        if setting.name != "parent"
        and (setting.values[one], setting.changes[one])
        != (setting.values[other], setting.changes[other])
    ]


def _last_until(metrics: Sequence[Mapping[str, Any]], name: str, batch: int) -> float | None:
    """The last value of a score that is measured now and then, up to a batch."""
    values = _finite([entry for entry in metrics if int(entry["batch"]) <= batch], name)
    return values[-1] if values else None


def compare_settings(workspace: Workspace, names: Sequence[str]) -> list[ComparedSetting]:
    """Every setting of some runs, with its changes while they trained.

    A table of options is not one setting but as many as it has options, so that what differs is
    told and no more.

    Raises:
        StudioError: a run is unknown, or was not trained here.
    """
    configs = [read_config(workspace, name) for name in names]
    changes = [_changes_of(workspace, name) for name in names]
    compared = []
    for name in TrainingConfig.names():
        values = tuple(getattr(config, name) for config in configs)
        if name in OPTION_TABLES:
            for option in dict.fromkeys(option for table in values for option in table):
                of_option = tuple(table.get(option, "") for table in values)
                compared.append(_compare(f"{name}.{option}", of_option, ((),) * len(names)))
        else:
            taken = tuple(tuple(of_run.get(name, ())) for of_run in changes)
            compared.append(_compare(name, values, taken))
    return compared


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
    batch, config = summary.last_batch or 0, read_config(workspace, name)
    dataset = dataset_of(workspace, name)
    epochs = None
    if dataset is not None:
        seen = batch * config.batch_size * config.d_updates / config.g_updates
        epochs = seen / dataset.manifest.pictures
    return RunProgress(name, summary.status, batch, seconds, figures, epochs, config.z_dim)


def _recent(metrics: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The mean over the last batches; for metrics measured now and then, the last value."""
    values = _finite(metrics[-RECENT_BATCHES:], name) or _finite(metrics, name)[-1:]
    recent = values[-1:] if name in MEASURED_NOW_AND_THEN else values
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


def _difference(name: str, before: float, after: float) -> str:
    if name in DECIBELS:
        return f" ({after - before:+.2f} dB)"
    return f" ({100 * (after - before) / before:+.0f} %)" if before > 0 else ""


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value) if value != "" else "–"
