"""Checkpoints of a run: what is kept, whether it is whole, and what may go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from studio.actions.action import Action, Done, Result, Table
from studio.workspace.claims import EXCLUSIVE, READ, Claim
from studio.workspace.names import require_run_name
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.declarations import Share, SizeBytes
from studio.workspace.records.quantities import format_bytes
from studio.workspace.records.record import InvalidValueError, option, run_name

if TYPE_CHECKING:
    from checkpoints_index.upkeep.verification import Finding
    from studio.upkeep.run_verification import RunFinding
    from studio.upkeep.thinning import ThinRequest

SECTION = "Checkpoints"
LOST, WEAKENED = 1, 3  # These are the exit statuses of `verify`; 2 is wrong usage.
MAX_GAPS = 8


def read_batches(given: Any) -> Any:
    """Batches as words, from words, numbers, or a single one of them."""
    many = given if isinstance(given, list | tuple) else [given]
    return tuple(str(each) if isinstance(each, int) else each for each in many)


def run_or_nothing(name: str) -> str:
    """The name of a run, or an empty text where none is given."""
    return require_run_name(name) if name else name


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
    """What is wrong with a file; `readable` says whether every checkpoint can be read all the same.

    `kind` is "checkpoint", or "belonging" for the other files of a run.
    """

    batch: int | None
    file: str
    reason: str
    readable: bool
    run: str
    kind: str = "checkpoint"


class VerifyResult(Result):
    """Whether a run is whole: its checkpoints, and all that belongs to it; or all runs are.

    Of all runs, `runs` has the result of each, and `failed` a sentence for each that does not open.
    """

    run: str
    ok: bool
    checked: int
    damaged: tuple[Damage, ...]
    error_bound: str = ""
    runs: tuple[VerifyResult, ...] = ()
    failed: tuple[str, ...] = ()

    @classmethod
    def of_all(
        cls,
        runs: Sequence[VerifyResult],
        failed: Sequence[str],
        beside: Sequence[Damage],
    ) -> VerifyResult:
        """The results of several runs as one, with what is damaged that belongs to none of them."""
        damaged = [damage for each in runs for damage in each.damaged]
        return cls(
            run="",
            ok=not failed and not beside and all(each.ok for each in runs),
            checked=sum(each.checked for each in runs),
            damaged=(*damaged, *beside),
            runs=tuple(runs),
            failed=tuple(failed),
        )

    def with_damaged(self, more: Sequence[Damage]) -> VerifyResult:
        """The same result with more that is damaged."""
        damaged = (*self.damaged, *more)
        return self.model_copy(update={"ok": not damaged, "damaged": damaged})

    @property
    def exit_status(self) -> int:
        """0 all are whole; 1 some cannot be read back; 3 all can, though something is damaged."""
        lost = self.failed or any(not damage.readable for damage in self.damaged)
        return LOST if lost else WEAKENED if self.damaged else 0

    def document(self) -> Any:
        """All but the run; the error bound stands under the key that programs know it by."""
        if not self.run:
            document = self.model_dump(mode="json", include={"ok", "checked", "damaged", "failed"})
            return {**document, "runs": {each.run: each.document() for each in self.runs}}
        document = self.model_dump(mode="json", include={"ok", "checked", "damaged"})
        return {**document, "promise": self.error_bound}

    def tell(self) -> Iterator[str | Table]:
        """How many were read, and each that is damaged."""
        for each in self.runs or ([self] if self.run else []):
            damaged = f"{len(each.damaged):,} damaged"
            yield f"{each.checked:,} checkpoints of run '{each.run}' read back, {damaged}."
            yield f"Error bound: {each.error_bound}."
            for damage in each.damaged:
                yield _tell_damage(damage)
        if not self.run:
            yield from (_tell_damage(damage) for damage in self.damaged if not damage.run)
        yield from self.failed


class Verify(Action):
    """Read checkpoints back and name the damaged.

    Its training states, numbers, dataset, points, film, renders and exports are looked at as well,
    the rows of the database, and the lists of what is trusted.

    Exit status: 0 all are whole; 1 some cannot be read back; 3 something is damaged, but every
    checkpoint can still be read another way.
    """

    command = "verify"
    section = SECTION

    run: str = option(
        "", "Name of a run: studio runs", argument=True, metavar="RUN", check=run_or_nothing
    )
    every_run: bool = option(False, "Verify every run.", flag="--all")
    deep: bool = option(False, "Decode every checkpoint, rather than only read it.")
    subset: Share | None = option(None, "Look at a share of the checkpoints, such as 5%.")

    def writes_elsewhere(self) -> bool:
        """It only looks."""
        return True

    def check(self, workspace: Workspace) -> None:
        """Refuse a run beside --all, and neither."""
        if bool(self.run) == self.every_run:
            raise InvalidValueError("Give a run, or {every_run} for all of them.")

    def perform(self, workspace: Workspace, reporter: Reporter) -> VerifyResult:
        """Read them."""
        from checkpoints_index.storage.catalogue import list_runs
        from studio.upkeep.run_verification import find_lost_runs, verify_shared
        from studio.workspace.advice import explain
        from studio.workspace.errors import EXPECTED_ERRORS

        shared = [_belonging(found, self.run) for found in verify_shared(workspace)]
        if not self.every_run:
            return self._verify(workspace, self.run, reporter).with_damaged(shared)
        found, failed = list[VerifyResult](), find_lost_runs(workspace)
        for run in list_runs(workspace.runs):
            try:
                found.append(self._verify(workspace, run, reporter))
            except EXPECTED_ERRORS as error:
                failed.append(explain(error))
        return VerifyResult.of_all(found, failed, shared)

    def _verify(self, workspace: Workspace, run: str, reporter: Reporter) -> VerifyResult:
        from checkpoints_index import CheckpointIndex
        from checkpoints_index.upkeep.verification import count_chosen
        from studio.runs.storage_report import describe_error_bound
        from studio.upkeep.run_verification import verify_belongings

        opened, damaged = CheckpointIndex(workspace.runs)[run], list[Damage]()
        seen, share = 0, self.subset or 1.0
        total = count_chosen(len(opened.batches), share)
        with reporter.task("Verifying checkpoints") as on_progress:
            for seen, found in enumerate(opened.verify(self.deep, share), 1):
                damaged += _damage(found, run)
                on_progress(min(seen, total), total)
        damaged += [_belonging(found, run) for found in verify_belongings(workspace, run)]
        return VerifyResult(
            run=run,
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

    def writes_elsewhere(self) -> bool:
        """A dry run only looks."""
        return self.dry_run

    def claims(self) -> Sequence[Claim]:
        """Nobody may be reading what goes."""
        return [Claim("run", self.run, READ if self.dry_run else EXCLUSIVE)]

    def check(self, workspace: Workspace) -> None:
        """Refuse none or several ways of thinning, and a range without --every."""
        if sum((self.budget is not None, self.every is not None, self.keep_pinned)) != 1:
            raise InvalidValueError("Give one of {budget}, {every} and {keep_pinned}.")
        if self.every is None and (self.start is not None or self.end is not None):
            raise InvalidValueError("{start} and {end} go with {every}.")
        if self.start is not None and self.end is not None and self.start > self.end:
            raise InvalidValueError("{start} is behind {end}. Write the lower batch first.")

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

    def check(self, workspace: Workspace) -> None:
        """Refuse a batch that has no checkpoint, and a file that cannot be written.

        Raises:
            UnknownBatchError: there is no checkpoint of the batch.
            RenderError: the file cannot be written, or is there already.
        """
        from checkpoints_index.errors import UnknownBatchError
        from checkpoints_index.storage.catalogue import open_catalogue
        from checkpoints_index.upkeep.export import ENCODINGS
        from renderers.destinations import require_destination

        kept = open_catalogue(workspace.runs, self.run).batches
        if self.batch not in kept:
            raise UnknownBatchError(self.run, self.batch, kept)
        require_destination(self.path(workspace), tuple(ENCODINGS), self.overwrite)

    def perform(self, workspace: Workspace, reporter: Reporter) -> ExportedCheckpoint:
        """Write it."""
        from checkpoints_index import CheckpointIndex

        path = self.path(workspace)
        CheckpointIndex(workspace.runs)[self.run].export(self.batch, path, self.overwrite)
        return ExportedCheckpoint(
            run=self.run, batch=self.batch, path=path, size_bytes=path.stat().st_size
        )

    def path(self, workspace: Workspace) -> Path:
        """Where the file is written."""
        return self.out or workspace.exported_checkpoint(self.run, self.batch)


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


def _tell_damage(damage: Damage) -> str:
    if damage.kind != "checkpoint":
        return f"  {damage.file}: {damage.reason}"
    still = "it can be read another way" if damage.readable else "it cannot be read back"
    batch = "" if damage.batch is None else f"{damage.batch} in "
    return f"  {batch}{damage.file}: {damage.reason}; {still}"


def _damage(found: Finding, run: str) -> list[Damage]:
    """What is wrong with a checkpoint: nothing, or one thing."""
    if found.reason is None:
        return []
    return [
        Damage(
            batch=found.batch,
            file=found.path.name,
            reason=found.reason,
            readable=found.readable,
            run=run,
        )
    ]


def _belonging(found: RunFinding, run: str) -> Damage:
    """What is wrong with a file that is no segment."""
    return Damage(**found._asdict(), readable=True, kind="belonging", run=run)


def _bytes_or_none(size_bytes: float | None) -> str | None:
    return None if size_bytes is None else format_bytes(size_bytes)


ACTIONS = (Checkpoints, Verify, Thin, Pin, ExportCheckpoint, Reindex)
