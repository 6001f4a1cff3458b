"""Checkpoints of a run: what is kept, whether it is whole, and what may go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from studio.actions.action import Action, Done, Result, Table
from studio.workspace.claims import EXCLUSIVE, READ, Claim
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.quantities import format_bytes
from studio.workspace.record import InvalidValueError, Share, SizeBytes, option, run_name

if TYPE_CHECKING:
    from checkpoints_index.upkeep.verification import Finding
    from studio.upkeep.thinning import ThinRequest

SECTION = "Checkpoints"
LOST, WEAKENED = 1, 3  # These are the exit statuses of `verify`; 2 is wrong usage.
MAX_GAPS = 8


def read_batches(given: Any) -> Any:
    """Batches as words, from words, numbers, or a single one of them."""
    many = given if isinstance(given, list | tuple) else [given]
    return tuple(str(each) if isinstance(each, int) else each for each in many)


BatchWords = Annotated[tuple[str, ...], BeforeValidator(read_batches)]


class StorageResult(Result):
    """What is kept of a run."""

    report: dict[str, Any]
    missing: str
    forecast: str | None

    def document(self) -> Any:
        """The report as JSON."""
        return self.report

    def tell(self) -> Iterator[str | Table]:
        """A table of facts."""
        report, first = self.report, self.report["first_batch"]
        rows: list[tuple[str, Any]] = [
            ("checkpoints", report["checkpoints"]),
            ("batches", None if first is None else f"{first:,} to {report['last_batch']:,}"),
            ("missing", self.missing or "none"),
            ("on disk", format_bytes(report["size_bytes"])),
            ("a checkpoint", _bytes_or_none(report["bytes_per_checkpoint"])),
            ("as plain tensors", _bytes_or_none(report["plain_bytes_per_checkpoint"])),
            ("times smaller", report["ratio"] and f"{report['ratio']:.1f}"),
            ("storage", report["storage"]),
            ("error bound", report["promise"]),
            ("pinned", ", ".join(f"{batch:,}" for batch in report["pinned"]) or "none"),
        ]
        if self.forecast is not None:
            rows.append(("forecast", self.forecast))
        yield Table([report["run"], ""], rows)


class Checkpoints(Action):
    """Show what is kept of a run.

    How much, how small, how faithful, and when the disk is full.
    """

    command = "checkpoints"
    section = SECTION
    is_job = False

    run: str = run_name()

    def perform(self, workspace: Workspace, reporter: Reporter) -> StorageResult:
        """Look at its catalogue."""
        from checkpoints_index.storage.catalogue import open_catalogue
        from studio.runs.forecast import describe_growth
        from studio.runs.metrics import read_metrics
        from studio.runs.storage_report import describe_gaps, report_storage

        catalogue = open_catalogue(workspace.runs, self.run)
        report = report_storage(workspace, catalogue, read_metrics(workspace.metrics(self.run)))
        return StorageResult(
            report=report.to_json(),
            missing=describe_gaps(report.missing, MAX_GAPS),
            forecast=describe_growth(report.forecast) if report.forecast else None,
        )


class Damage(Result):
    """What is wrong with one checkpoint; `readable` says whether it can be read all the same."""

    batch: int | None
    file: str
    reason: str
    readable: bool


class VerifyResult(Result):
    """Whether the checkpoints of a run are whole."""

    run: str
    ok: bool
    checked: int
    damaged: tuple[Damage, ...]
    error_bound: str

    @property
    def exit_status(self) -> int:
        """0 all are whole; 1 some cannot be read back; 3 all can, though something is damaged."""
        lost = any(not damage.readable for damage in self.damaged)
        return LOST if lost else WEAKENED if self.damaged else 0

    def document(self) -> Any:
        """All but the run; the error bound stands under the key that programs know it by."""
        document = self.model_dump(mode="json", exclude={"run", "error_bound"})
        return {**document, "promise": self.error_bound}

    def tell(self) -> Iterator[str | Table]:
        """How many were read, and each that is damaged."""
        damaged = f"{len(self.damaged):,} damaged"
        yield f"{self.checked:,} checkpoints of run '{self.run}' read back, {damaged}."
        yield f"Error bound: {self.error_bound}."
        for damage in self.damaged:
            still = "it can be read another way" if damage.readable else "it cannot be read back"
            yield f"  {damage.batch} in {damage.file}: {damage.reason}; {still}"


class Verify(Action):
    """Read checkpoints back and name the damaged.

    Exit status: 0 all are whole; 1 some cannot be read back; 3 something is damaged, but every
    checkpoint can still be read another way.
    """

    command = "verify"
    section = SECTION

    run: str = run_name()
    deep: bool = option(False, "Decode every checkpoint, rather than only read it.")
    subset: Share | None = option(None, "Look at a share of the checkpoints, such as 5%.")

    def perform(self, workspace: Workspace, reporter: Reporter) -> VerifyResult:
        """Read them."""
        from checkpoints_index import CheckpointIndex
        from checkpoints_index.upkeep.verification import count_chosen
        from studio.runs.storage_report import describe_error_bound

        opened, damaged = CheckpointIndex(workspace.runs)[self.run], list[Damage]()
        seen, share = 0, self.subset or 1.0
        total = count_chosen(len(opened.batches), share)
        with reporter.task("Verifying checkpoints") as on_progress:
            for seen, found in enumerate(opened.verify(self.deep, share), 1):
                damaged += _damage(found)
                on_progress(min(seen, total), total)
        return VerifyResult(
            run=self.run,
            ok=not damaged,
            checked=min(seen, total),
            damaged=tuple(damaged),
            error_bound=describe_error_bound(opened.error_bound),
        )


class ThinResult(Result):
    """What thinning did, or would do."""

    run: str
    checkpoints: int
    dropped: int
    size_bytes: int
    size_bytes_before: int
    dry_run: bool

    def tell(self) -> Iterator[str | Table]:
        """A sentence."""
        would, now = ("would go", "leaving about") if self.dry_run else ("are gone", "leaving")
        yield (
            f"{self.dropped:,} of {self.checkpoints + self.dropped:,} checkpoints of run "
            f"'{self.run}' {would}, {now} {format_bytes(self.size_bytes)} of "
            f"{format_bytes(self.size_bytes_before)}."
        )


class Thin(Action):
    """Let checkpoints go that nobody refers to.

    The others stay as they are, bit for bit. The first and the last one, pinned ones, and those
    that specimens were seen at always stay.
    """

    command = "thin"
    section = SECTION

    run: str = run_name()
    budget: SizeBytes | None = option(None, "Thin to a size, such as 200GB.")
    every: int | None = option(None, "Keep one checkpoint in so many batches.", ge=2)
    start: int | None = option(None, "With --every: thin from this batch on.", flag="--from", ge=0)
    end: int | None = option(None, "With --every: thin up to this batch.", flag="--to", ge=0)
    keep_pinned: bool = option(False, "Keep nothing but what somebody refers to.")
    dry_run: bool = option(False, "Say what would go; change nothing.")

    @property
    def request(self) -> ThinRequest:
        """What is asked of the run's upkeep."""
        from studio.upkeep.thinning import ThinRequest

        return ThinRequest(self.budget, self.every, self.start, self.end, self.keep_pinned)

    def claims(self) -> Sequence[Claim]:
        """Nobody may be reading what goes."""
        return [Claim("run", self.run, READ if self.dry_run else EXCLUSIVE)]

    def check(self, workspace: Workspace) -> None:
        """Refuse none or several ways of thinning, and a range without --every."""
        if sum((self.budget is not None, self.every is not None, self.keep_pinned)) != 1:
            raise InvalidValueError("Give one of {budget}, {every} and {keep_pinned}.")
        if self.every is None and (self.start is not None or self.end is not None):
            raise InvalidValueError("{start} and {end} go with {every}.")

    def perform(self, workspace: Workspace, reporter: Reporter) -> ThinResult:
        """Thin the run, or plan it."""
        from studio.upkeep.thinning import plan_thinning, thin_run

        if self.dry_run:
            plan = plan_thinning(workspace, self.run, self.request)
        else:
            with reporter.task("Thinning") as on_progress:
                plan = thin_run(workspace, self.run, self.request, on_progress)
        return ThinResult(**plan.to_json(), dry_run=self.dry_run)


def batch_words() -> Any:
    """The field of some batches, as words of a command."""
    return option(
        help="Batches that have a checkpoint, or ranges FROM:TO:STEP of them.",
        argument=True,
        metavar="BATCH",
    )


class Pin(Action):
    """Keep checkpoints, whatever else is thinned."""

    command = "pin"
    section = SECTION
    is_job = False

    run: str = run_name()
    batches: BatchWords = batch_words()
    remove: bool = option(False, "Take the pins away.")

    def claims(self) -> Sequence[Claim]:
        """A checkpoint that is being thinned away is not pinned."""
        return [Claim("run", self.run)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Pin them, or take their pins away."""
        from checkpoints_index.storage.catalogue import open_catalogue
        from studio.runs.pins import choose_some, list_pins, pin_batches, unpin_batches

        kept = open_catalogue(workspace.runs, self.run).batches
        there = list_pins(workspace, self.run) if self.remove else kept
        batches = choose_some(there, self.batches, self.run)
        change = unpin_batches if self.remove else pin_batches
        change(workspace, self.run, batches)
        return Done()


class ExportedCheckpoint(Result):
    """A checkpoint written as a file."""

    run: str
    batch: int
    path: Path
    size_bytes: int

    def tell(self) -> Iterator[str | Table]:
        """The file and its size."""
        yield f"{self.path} ({format_bytes(self.size_bytes)})"


class ExportCheckpoint(Action):
    """Write one checkpoint as plain tensors.

    The file is one that other programs read: .safetensors or .pt.
    """

    command = "export-checkpoint"
    section = SECTION

    run: str = run_name()
    batch: int = option(help="A batch that has a checkpoint.", argument=True, metavar="BATCH")
    out: Path | None = option(
        None, "FILE.safetensors or .pt; in the workspace's exports by default."
    )
    overwrite: bool = option(False, "Replace the file if it is there.")

    def perform(self, workspace: Workspace, reporter: Reporter) -> ExportedCheckpoint:
        """Write it."""
        from checkpoints_index import CheckpointIndex

        path = self.out or workspace.exported_checkpoint(self.run, self.batch)
        CheckpointIndex(workspace.runs)[self.run].export(self.batch, path, self.overwrite)
        return ExportedCheckpoint(
            run=self.run, batch=self.batch, path=path, size_bytes=path.stat().st_size
        )


class ReindexResult(Result):
    """What was found of each run."""

    runs: tuple[dict[str, Any], ...]

    def document(self) -> Any:
        """One object a run."""
        return list(self.runs)

    def tell(self) -> Iterator[str | Table]:
        """A table of the runs."""
        rows = [
            (run["run"], run["checkpoints"], run["damaged"], "; ".join(run["notes"]) or None)
            for run in self.runs
        ]
        yield Table(
            ["run", "checkpoints", "damaged", "notes"],
            rows,
            "No runs yet. Begin one: studio train DATASET --run NAME",
        )


class Reindex(Action):
    """Make runs and points known again.

    Whatever tells which runs, checkpoints and points there are is made anew, from the segments and
    the exported pictures.
    """

    command = "reindex"
    section = SECTION

    def perform(self, workspace: Workspace, reporter: Reporter) -> ReindexResult:
        """Look through the folders of all runs."""
        from studio.upkeep.reindexing import reindex_workspace

        with reporter.task("Reindexing") as on_progress:
            found = reindex_workspace(workspace, on_progress)
        return ReindexResult(runs=tuple(run._asdict() for run in found))


def _damage(found: Finding) -> list[Damage]:
    """What is wrong with a checkpoint: nothing, or one thing."""
    if found.reason is None:
        return []
    return [
        Damage(
            batch=found.batch,
            file=found.path.name,
            reason=found.reason,
            readable=found.readable,
        )
    ]


def _bytes_or_none(size_bytes: float | None) -> str | None:
    return None if size_bytes is None else format_bytes(size_bytes)


ACTIONS = (Checkpoints, Verify, Thin, Pin, ExportCheckpoint, Reindex)
