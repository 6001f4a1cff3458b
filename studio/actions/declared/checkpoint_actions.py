"""Checkpoints of a run: what is kept, whether it is whole, and what may go."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from studio.actions.action import Action, Done, Result, Table
from studio.actions.declared.run_actions import run_name
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.quantities import format_bytes
from studio.workspace.record import InvalidValueError, Share, SizeBytes, option

if TYPE_CHECKING:
    from checkpoints_index.importing.plan import ImportPlan
    from checkpoints_index.importing.refusals import SkippedFile
    from checkpoints_index.upkeep.verification import Finding
    from studio.upkeep.imports import ImportRequest
    from studio.upkeep.thinning import ThinRequest

SECTION = "Checkpoints"
LOST, WEAKENED = 1, 3  # These are the exit statuses of `verify`; 2 is wrong usage.
MAX_GAPS, MAX_ROWS = 8, 40


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


class Pin(Action):
    """Keep a checkpoint, whatever else is thinned."""

    command = "pin"
    section = SECTION
    is_job = False

    run: str = run_name()
    batch: int = option(help="A batch that has a checkpoint.", argument=True, metavar="BATCH")
    remove: bool = option(False, "Take the pin away.")

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Pin it, or take the pin away."""
        from studio.runs.pins import pin_batch, unpin_batch

        change = unpin_batch if self.remove else pin_batch
        change(workspace, self.run, self.batch)
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


class ImportResult(Result):
    """What was imported, or would be."""

    run: str
    generator: str
    recognised: str
    remarks_on_files: tuple[str, ...]
    first_batch: int
    last_batch: int
    skipped: tuple[dict[str, str], ...]
    left_out: tuple[str, ...]
    files: tuple[tuple[int, Path], ...] = ()
    folder: Path
    imported: int | None = None
    checkpoints: int | None = None
    size_bytes: int | None = None

    @classmethod
    def of(
        cls, run: str, plan: ImportPlan, skipped: Sequence[SkippedFile], **done: Any
    ) -> ImportResult:
        """The result of a plan, carried out or not."""
        from checkpoints_index.importing.plan import describe_spec
        from checkpoints_index.importing.refusals import group_skipped
        from studio.workspace.advice import explain

        return cls(
            run=run,
            generator=plan.spec.architecture,
            recognised=describe_spec(plan.spec),
            remarks_on_files=tuple(explain(remark) for remark in plan.remarks),
            first_batch=plan.files[0].batch,
            last_batch=plan.files[-1].batch,
            skipped=tuple({"path": str(f.path), "reason": explain(f.error)} for f in skipped),
            left_out=tuple(group_skipped(skipped, plan.folder, explain)),
            folder=plan.folder,
            **done,
        )

    @property
    def is_done(self) -> bool:
        """Whether anything was written."""
        return self.imported is not None

    def document(self) -> Any:
        """What was recognised and left out; the files of a plan, or what was imported."""
        keys = ("run", "generator", "recognised", "first_batch", "last_batch", "skipped")
        document = self.model_dump(mode="json", include=set(keys))
        document["remarks"] = list(self.remarks_on_files)
        if self.is_done:
            return document | {"imported": self.imported, "checkpoints": self.checkpoints}
        return document | {"files": [{"batch": b, "path": str(path)} for b, path in self.files]}

    def tell(self) -> Iterator[str | Table]:
        """What was recognised, assumed, left out, and imported."""
        yield f"Generator: {self.recognised}."
        yield from (f"  {remark}" for remark in self.remarks_on_files)
        yield from (f"  Left out: {line}." for line in self.left_out)
        if self.is_done:
            yield (
                f"Run '{self.run}': {self.imported:,} checkpoints imported, "
                f"{self.checkpoints:,} in all, in {format_bytes(self.size_bytes or 0)}."
            )
            return
        yield Table(["batch", "file"], self._rows())
        count = f"{len(self.files):,}"
        yield f"{count} checkpoints would be imported as run '{self.run}'. Nothing was written."

    def _rows(self) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = [(b, path.relative_to(self.folder)) for b, path in self.files]
        if len(rows) <= MAX_ROWS:
            return rows
        half = MAX_ROWS // 2
        return [*rows[:half], ("...", f"{len(rows) - 2 * half:,} more"), *rows[-half:]]


def read_options(given: Any) -> Any:
    """Options of a generator from NAME=VALUE, as Python writes values; a bare word is a text.

    Raises:
        StudioError: one is not of that form.
    """
    if isinstance(given, dict):
        return given
    values: dict[str, Any] = {}
    for written in given:
        name, equals, text = written.partition("=")
        if not equals or not name.strip().isidentifier():
            raise StudioError(f"'{written}' is no option of a generator. Use NAME=VALUE.")
        try:
            values[name.strip()] = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError):
            values[name.strip()] = text.strip()
    return values


class Import(Action):
    """Import checkpoints that you already have.

    Files of weights become a run, in the order of the numbers in their names.
    """

    command = "import"
    section = SECTION
    makes_run = True

    folder: Path = option(
        help="Folder of .pt, .pth, .ckpt, .safetensors, .keras or .h5 files.", argument=True
    )
    run: str = option(help="Name of the new run.", metavar="NAME")
    generator: str | None = option(
        None, "package.module:Class, or dcgan, skyline; recognised by default."
    )
    options: Annotated[dict[str, Any], BeforeValidator(read_options)] = option(
        {}, "NAME=VALUE for the generator; may be repeated.", flag="--option", metavar="NAME=VALUE"
    )
    pattern: str | None = option(None, r"Which number is the batch, such as 'step_(\d+)'.")
    storage: str | None = option(None, "visual (what can be seen, far smaller) or exact.")
    dry_run: bool = option(False, "Say what would be imported; write nothing.")

    @property
    def request(self) -> ImportRequest:
        """What is asked of the import."""
        from studio.upkeep.imports import ImportRequest

        return ImportRequest(self.folder, self.generator, self.options, self.pattern)

    def check(self, workspace: Workspace) -> None:
        """Refuse a name that cannot be a run's, and a folder that is not there."""
        workspace.run(self.run)
        if not self.folder.exists():
            raise StudioError(f"There is no '{self.folder}'. Name the folder of checkpoints.")

    def perform(self, workspace: Workspace, reporter: Reporter) -> ImportResult:
        """Import the files, or plan it."""
        from studio.runs.status import summarise_run
        from studio.upkeep.imports import import_run, inspect_files

        if self.dry_run:
            plan, _ = inspect_files(self.request, reporter)
            files = tuple((file.batch, file.path) for file in plan.files)
            return ImportResult.of(self.run, plan, plan.skipped, files=files)
        done = import_run(workspace, self.run, self.request, self.storage, reporter)
        summary = summarise_run(workspace, self.run)
        return ImportResult.of(
            self.run,
            done.plan,
            done.skipped,
            imported=done.appended,
            checkpoints=summary.checkpoints,
            size_bytes=summary.size_bytes,
        )


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


ACTIONS = (Checkpoints, Verify, Thin, Pin, ExportCheckpoint, Reindex, Import)
