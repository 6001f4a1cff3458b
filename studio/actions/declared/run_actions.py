"""Runs: what there is, how each stands, and what one asks of a run that trains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator

from studio.actions.action import Action, Done, Result, Table
from studio.runs.config import named_in
from studio.runs.settings import parse_settings
from studio.runs.status import RunSummary, summarise_run, summarise_runs
from studio.workspace.claims import Claim
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.declarations import Commas
from studio.workspace.records.quantities import format_bytes
from studio.workspace.records.record import device_option, option, run_name
from studio.workspace.trust import Named

if TYPE_CHECKING:
    from studio.runs.comparison import Comparison, RunProgress

SECTION = "Training"

Settings = Annotated[
    dict[str, Any],
    BeforeValidator(lambda given: given if isinstance(given, dict) else parse_settings(given)),
]


def batch_or_last() -> Any:
    """The field of a checkpoint, the last one by default."""
    return option(None, "The checkpoint; the last one by default.", ge=0)


class RunList(Result):
    """All runs at a glance."""

    runs: tuple[RunSummary, ...]

    def document(self) -> Any:
        """One object a run."""
        return [asdict(run) for run in self.runs]

    def tell(self) -> Iterator[str | Table]:
        """A table of them."""
        yield Table(
            ["run", "status", "checkpoints", "first", "last", "size", "storage"],
            [
                (s.name, s.status, *([None] * 5))
                if s.reason
                else (
                    *(s.name, s.status, s.checkpoints, s.first_batch, s.last_batch),
                    format_bytes(s.size_bytes),
                    s.storage,
                )
                for s in self.runs
            ],
            "No runs yet. Begin one: studio train DATASET --run NAME",
        )

    def remarks(self) -> Iterator[str]:
        """Why runs cannot be opened."""
        yield from (run.reason for run in self.runs if run.reason)


class Runs(Action):
    """List the runs."""

    command = "runs"
    section = SECTION
    is_job = False

    def perform(self, workspace: Workspace, reporter: Reporter) -> RunList:
        """Look at each run; neither weights nor torch are read."""
        return RunList(runs=tuple(summarise_runs(workspace)))


class Set(Action):
    """Change settings of a run.

    A run that trains takes them up with its next batch, another one when it goes on.
    """

    command = "set"
    section = SECTION
    is_job = False

    run: str = run_name()
    settings: Settings = option(
        help="Settings as NAME=VALUE, such as learning_rate=1e-5.",
        argument=True,
        metavar="NAME=VALUE",
    )

    def claims(self) -> Sequence[Claim]:
        """The run keeps its name meanwhile."""
        return [Claim("run", self.run)]

    def brings(self, workspace: Workspace) -> Iterator[Named]:
        """The settings."""
        yield from named_in(self.settings)

    def perform(self, workspace: Workspace, reporter: Reporter) -> SettingsChanged:
        """Ask for the values."""
        from studio.runs.changes import change_settings

        changed = change_settings(workspace, self.run, self.settings)
        return SettingsChanged(lines=tuple(changed))


class SettingsChanged(Result):
    """What was changed, a sentence for each setting."""

    lines: tuple[str, ...]

    def tell(self) -> Iterator[str | Table]:
        """The sentences."""
        yield from self.lines


class TrainingRequest(Action):
    """Something that is asked of a run which trains; the request has the name of its command.

    Attributes:
        told: the sentence that follows, with {run} for its name.
    """

    section = SECTION
    is_job = False
    told: ClassVar[str]

    run: str = run_name()

    def claims(self) -> Sequence[Claim]:
        """The run keeps its name meanwhile."""
        return [Claim("run", self.run)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Ask the run; it answers between two batches."""
        from studio.runs.changes import ask

        ask(workspace, self.run, self.command)
        return Done(said=self.told.format(run=self.run))


class Pause(TrainingRequest):
    """Let a run that trains wait."""

    command = "pause"
    told = "Run '{run}' pauses. Let it go on: studio continue {run}"


class Continue(TrainingRequest):
    """Let a paused run go on."""

    command = "continue"
    told = "Run '{run}' goes on."


class Save(TrainingRequest):
    """Save the training state now, for good.

    The run goes on; the state is taken after its current batch and is not replaced later.
    """

    command = "save"
    told = "Run '{run}' saves its training state. See when: studio events {run}"


class EventList(Result):
    """What happened to a run, the newest first."""

    run: str
    events: tuple[dict[str, Any], ...]

    def document(self) -> Any:
        """One object an event."""
        return list(self.events)

    def tell(self) -> Iterator[str | Table]:
        """A table of them."""
        rows = [(event["batch"], event["kind"], event["text"]) for event in self.events]
        yield Table(["batch", "what", ""], rows, f"Nothing has happened to run '{self.run}' yet.")


class Events(Action):
    """List what happened to a run.

    Changed settings, alarms, sessions that began and ended, states that were gone back to.
    """

    command = "events"
    section = SECTION
    is_job = False

    run: str = run_name()
    newest: int = option(100, "How many, the newest first.", ge=1)

    def perform(self, workspace: Workspace, reporter: Reporter) -> EventList:
        """Read the events."""
        from studio.runs.events import list_events

        summarise_run(workspace, self.run)
        found = list_events(workspace, self.run, self.newest)
        return EventList(run=self.run, events=tuple(asdict(event) for event in found))


class CompareResult(Result):
    """Runs side by side."""

    comparison: dict[str, Any]
    progress: tuple[tuple[Any, ...], ...]
    figures: tuple[str, ...]
    settings: tuple[tuple[Any, ...], ...]
    marked: bool
    outcomes: tuple[str, ...] = ()
    varied: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, comparison: Comparison, every: bool, ranked: Sequence[RunProgress] = ()
    ) -> CompareResult:
        """The result of a comparison, with all settings or those that differ.

        Args:
            ranked: the runs with the best one first, where the table of runs begins with it, and
                has the settings that differ beside the scores.
        """
        figures = sorted({name for run in comparison.runs for name in run.figures})
        order = [run.name for run in comparison.runs]
        differing = [s for s in comparison.settings if s.differs and s.name != "parent"]
        varied = differing if ranked else []
        progress = [
            (
                *(run.name, *(setting.text(order.index(run.name)) for setting in varied)),
                *(run.status, run.batch),
                None if run.epochs is None else f"{run.epochs:.1f}",
                *(str(timedelta(seconds=round(run.seconds))), run.z_dim),
                *(f"{run.figures[name]:.4g}" if name in run.figures else None for name in figures),
            )
            for run in (ranked or comparison.runs)
        ]
        settings = [
            (
                *(["*" if setting.differs else ""] if every else []),
                *(setting.name, *(setting.text(i) for i in range(len(comparison.runs)))),
            )
            for setting in comparison.settings
            if every or setting.differs
        ]
        return cls(
            comparison=comparison.to_json(),
            progress=tuple(progress),
            figures=tuple(figures),
            varied=tuple(setting.name for setting in varied),
            settings=tuple(settings),
            marked=every,
            outcomes=tuple(outcome.words for outcome in comparison.outcomes),
        )

    def document(self) -> Any:
        """The runs with their figures, and their settings."""
        return self.comparison

    def tell(self) -> Iterator[str | Table]:
        """How far they came, and a table of settings."""
        yield Table(
            [
                "run",
                *self.varied,
                "status",
                "batch",
                "epochs",
                "trained for",
                "z_dim",
                *self.figures,
            ],
            self.progress,
        )
        names = [run["name"] for run in self.comparison["runs"]]
        yield Table(
            [*([""] if self.marked else []), "setting", *names],
            self.settings,
            "They were trained with the same settings.",
        )
        yield from self.outcomes


class Compare(Action):
    """Compare settings and progress of runs.

    Settings that differ are listed, what was changed in them while the runs trained, how far each
    run has come in batches and epochs, and which differences went with which in scores.
    """

    command = "compare"
    section = SECTION
    is_job = False

    runs: tuple[str, ...] = option(
        help="Two runs or more; 'city-*' names all that begin so.", argument=True, metavar="RUN"
    )
    all: bool = option(False, "Show settings that are the same everywhere, too.")
    best_first: bool = option(
        False, "Begin the table of runs with the best one, by the score of their recipe."
    )

    def perform(self, workspace: Workspace, reporter: Reporter) -> CompareResult:
        """Read their settings and metrics."""
        from studio.runs.comparison import compare_runs, match_runs

        comparison = compare_runs(workspace, match_runs(workspace, self.runs))
        if not self.best_first:
            return CompareResult.of(comparison, self.all)
        from studio.training.monitor.ranking import best_first

        ranked = best_first(workspace, comparison.runs)
        return CompareResult.of(comparison, self.all, ranked)


class ScoreResult(Result):
    """Distances of a checkpoint's pictures to the data, and shares that look like it."""

    run: str
    batch: int
    count: int
    values: dict[str, float]
    swd_levels: dict[int, float]
    unavailable: dict[str, str]

    @property
    def exit_status(self) -> int:
        """1 where a metric could not be had."""
        return int(bool(self.unavailable))

    def tell(self) -> Iterator[str | Table]:
        """A table of the distances."""
        if self.values:
            count = f"{self.count:,}"
            yield f"Run '{self.run}' at batch {self.batch:,}, {count} pictures against as many:"
            levels = [(f"swd at {px} px", f"{value:g}") for px, value in self.swd_levels.items()]
            rows = [(name, f"{value:g}") for name, value in self.values.items()]
            yield Table(["metric", "value"], [*rows, *levels])

    def remarks(self) -> Iterator[str]:
        """Why a metric could not be had."""
        yield from self.unavailable.values()


class Score(Action):
    """Measure how far pictures are from the data.

    Generated pictures of a checkpoint are compared with those it was trained on. Lower is better,
    but for precision and recall of edges.
    """

    command = "score"
    section = SECTION

    run: str = run_name()
    batch: int | None = batch_or_last()
    metric: Commas = option(("swd", "edges"), "swd, edges, fid or kid, with commas between.")
    count: int | None = option(
        None,
        "Pictures on either side, 2048 by default, or as many as the dataset has; compare scores "
        "of equal counts alone.",
    )
    device: str | None = device_option()

    def writes_elsewhere(self) -> bool:
        """It only looks."""
        return True

    def check(self, workspace: Workspace) -> None:
        """Refuse an unknown metric, and a device that is not there."""
        from studio.training.monitor.picture_scores import check_metrics
        from studio.workspace.devices import require_device

        check_metrics(self.metric)
        require_device(self.device)

    def perform(self, workspace: Workspace, reporter: Reporter) -> ScoreResult:
        """Draw pictures and measure."""
        from studio.training.monitor.picture_scores import score_checkpoint

        with reporter.task("Drawing pictures") as on_progress:
            asked = (self.run, self.batch, self.metric, self.count)
            score = score_checkpoint(workspace, *asked, on_progress, self.device)
        return ScoreResult(**asdict(score))


ACTIONS = (Runs, Set, Pause, Continue, Save, Events, Compare, Score)
