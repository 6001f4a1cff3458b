"""What there is to tell of a run to those who do not have it: for cards and galleries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

from checkpoints_index import GeneratorSpec
from checkpoints_index.storage.catalogue import open_catalogue
from studio.datasets.prepared import Manifest
from studio.films.stills.run_curves import CURVES, RunCurve, metric_values
from studio.publishing.escaping import without_places
from studio.runs.attribution import dataset_of
from studio.runs.config import TrainingConfig
from studio.runs.events import Event, list_events
from studio.runs.lineage.parentage import (
    Parentage,
    iterate_ancestors,
    list_children,
    read_parentage,
)
from studio.runs.metrics import read_metrics
from studio.runs.storage_report import StorageReport, describe_error_bound, report_storage
from studio.training.recipes import RECIPES
from studio.workspace.database import open_database
from studio.workspace.paths import Workspace
from studio.workspace.records.quantities import format_duration

MAX_EVENTS = 200
MAX_ANCESTORS = 32
# Metrics that say how good pictures are, of those that training writes down.
SCORES = (
    *("swd", "diversity", "psnr", "psnr_bicubic", "ssim", "ssim_bicubic"),
    *("held_out_lower", "average_lower", "held_out_upper", "average_upper", "letters_known"),
)
COLOURS = ("#2f6a83", "#8a5a14", "#a44c35", "#4d6b3c")  # Of curves in one panel.
# Settings that say nothing to others, or that nobody else should be told.
PRIVATE = ("alarm_command", "alarm_webhook", "dataset", "negatives", "parent")


@dataclass(frozen=True)
class MeasuredScore:
    """How good the pictures of a checkpoint were found to be.

    Attributes:
        metric: such as `swd`.
        count: pictures on either side; None where the training measured it.
    """

    metric: str
    batch: int
    value: float
    count: int | None = None


@dataclass(frozen=True)
class RunFacts:
    """A run as it is told to others.

    Attributes:
        spec: its generator.
        config: how it was trained; None where it was imported.
        manifest: of its dataset; None where that is not known.
        storage: its checkpoints and how faithful they are.
        events: what happened to it, oldest first, at most MAX_EVENTS of them.
        metrics: a mapping for each batch.
        scores: of its newest measurements, each metric at the batch that it was measured at.
        ancestors: the runs that it began from, as RUN@BATCH, its parent first.
        children: the runs that began from it, as (run, batch).
    """

    run: str
    spec: GeneratorSpec
    config: TrainingConfig | None
    manifest: Manifest | None
    storage: StorageReport
    events: tuple[Event, ...]
    metrics: tuple[Mapping[str, Any], ...]
    scores: tuple[MeasuredScore, ...]
    ancestors: tuple[str, ...]
    children: tuple[tuple[str, int], ...]

    @classmethod
    def of_run(cls, workspace: Workspace, run: str) -> RunFacts:
        """All that is told of a run.

        Raises:
            CheckpointError: no such run.
            StudioError: its settings are damaged.
        """
        catalogue = open_catalogue(workspace.runs, run)
        metrics = read_metrics(workspace.metrics(run))
        dataset, parents = dataset_of(workspace, run), read_parentage(workspace)
        return cls(
            run=run,
            spec=catalogue.spec,
            config=_config_of(workspace, run),
            manifest=dataset.manifest if dataset is not None else None,
            storage=report_storage(workspace, catalogue, metrics),
            events=tuple(_public_events(workspace, run)),
            metrics=tuple(metrics),
            scores=(*_trained_scores(metrics), *_measured_scores(workspace, run)),
            ancestors=tuple(islice(_ancestors(parents, run), MAX_ANCESTORS)),
            children=tuple(_children(parents, run)),
        )

    @property
    def attribution(self) -> str:
        """The notice that has to stand beside its pictures; may be empty."""
        return self.manifest.attribution if self.manifest is not None else ""

    @property
    def alarms(self) -> tuple[Event, ...]:
        """Those of its events that are alarms."""
        return tuple(event for event in self.events if event.kind == "alarm")

    @property
    def curves(self) -> tuple[RunCurve, ...]:
        """The curves that tell most of it: those of its recipe, then the usual ones."""
        recipe = RECIPES.get(self.config.recipe) if self.config is not None else None
        own = recipe.curves.values() if recipe is not None else ()
        return (
            *(
                RunCurve(
                    f"{group.title}, {group.unit}" if group.unit else group.title,
                    tuple(
                        (*one, colour) for one, colour in zip(group.series, COLOURS, strict=False)
                    ),
                )
                for group in own
            ),
            *CURVES,
        )

    @property
    def seconds(self) -> float:
        """How long its batches took, all together."""
        return sum(float(entry.get("seconds", 0) or 0) for entry in self.metrics)

    @property
    def pictures_seen(self) -> int | None:
        """How many pictures it has learnt from, each as often as it was seen; None if imported."""
        if self.config is None or not self.storage.batches:
            return None
        return self.storage.batches[-1] * self.config.batch_size

    def tell_faithfulness(self) -> str:
        """How its stored weights differ from those that were trained, in a sentence."""
        if self.storage.error_bound is None:
            return "The weights are those that were trained, bit for bit."
        said = describe_error_bound(self.storage.error_bound)
        return (
            "The weights were stored rounded, by steps that were chosen so that pictures do not "
            f"visibly change: {said}."
        )

    def tell_settings(self) -> list[tuple[str, str]]:
        """Its settings that are not the defaults, each with its value; none where imported."""
        if self.config is None:
            return []
        defaults = asdict(TrainingConfig())
        chosen = {n: v for n, v in asdict(self.config).items() if n not in PRIVATE}
        always = ("recipe", "generator", "batches", "batch_size", "loss", "seed")
        return [
            (name, _write(value))
            for name, value in chosen.items()
            if name in always or value != defaults[name]
        ]

    def tell_numbers(self) -> list[tuple[str, str]]:
        """(what it is, value) of what tells most of a run."""
        batches = self.storage.batches
        told = [("Checkpoints", f"{len(batches):,}")]
        if batches:
            told.append(("Batches", f"{batches[0]:,} to {batches[-1]:,}"))
        if self.pictures_seen:
            told.append(("Pictures seen", f"{self.pictures_seen:,}"))
        if self.seconds:
            told.append(("Training", format_duration(self.seconds, "words")))
        return told


def _config_of(workspace: Workspace, run: str) -> TrainingConfig | None:
    path = workspace.run_config(run)
    return TrainingConfig.read(path) if path.exists() else None


def _public_events(workspace: Workspace, run: str) -> Iterator[Event]:
    """Events from the oldest on, but for what they say of this machine and of who is told."""
    for event in reversed(list_events(workspace, run, MAX_EVENTS)):
        if not any(name in event.text for name in PRIVATE if name.startswith("alarm_")):
            yield replace(event, text=without_places(event.text))


def _trained_scores(metrics: Sequence[Mapping[str, Any]]) -> Iterator[MeasuredScore]:
    """The newest values that were measured while the run trained."""
    for name in SCORES:
        values = metric_values(metrics, name)
        if len(values):
            yield MeasuredScore(name, int(values[-1, 0]), float(values[-1, 1]))


def _measured_scores(workspace: Workspace, run: str) -> Iterator[MeasuredScore]:
    """What `studio score` found, the newest of each metric and batch."""
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT result FROM jobs WHERE run = ? AND action = 'score' AND status = 'done' "
            "AND result IS NOT NULL ORDER BY id",
            (run,),
        ).fetchall()
    found: dict[tuple[str, int], MeasuredScore] = {}
    for row in rows:
        result = json.loads(row["result"])
        for metric, value in result["values"].items():
            batch, count = int(result["batch"]), int(result["count"])
            found[str(metric), batch] = MeasuredScore(str(metric), batch, float(value), count)
    yield from found.values()


def _ancestors(parents: dict[str, Parentage | None], run: str) -> Iterator[str]:
    """The runs that a run began from, as far as they are known here; the last may be gone."""
    for descendant in (run, *iterate_ancestors(parents, run)):
        begun = parents.get(descendant)
        if begun is not None:
            yield f"{begun.parent}@{begun.batch}"


def _children(parents: dict[str, Parentage | None], run: str) -> Iterator[tuple[str, int]]:
    for child in list_children(parents, run):
        begun = parents[child]
        assert begun is not None
        yield child, begun.batch


def _write(value: Any) -> str:
    """A setting in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_write(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_write, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
