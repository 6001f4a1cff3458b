"""Imports: checkpoints that a person already has become a run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator

from checkpoints_index.storage.catalogue import list_runs
from studio.actions.action import Action, Result, Table
from studio.actions.declared.checkpoint_actions import SECTION
from studio.workspace.claims import EXCLUSIVE, WRITE, Claim
from studio.workspace.errors import StudioError
from studio.workspace.names import hub_repository
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.quantities import format_bytes
from studio.workspace.records.record import new_run_name, option
from studio.workspace.trust import Named

if TYPE_CHECKING:
    from checkpoints_index.importing.plan import ImportPlan
    from checkpoints_index.importing.refusals import SkippedFile
    from studio.upkeep.imports import ImportRequest

MAX_ROWS = 40  # So many files of a plan are listed; of more, the first and the last ones.


class ImportResult(Result):
    """What was imported, or would be."""

    run: str
    generator: str
    recognised: str
    remarks_on_files: tuple[str, ...]
    first_batch: int | None
    last_batch: int | None
    skipped: tuple[dict[str, str], ...]
    left_out: tuple[str, ...]
    files: tuple[tuple[int, Path], ...] = ()
    folder: Path
    imported: int | None = None
    checkpoints: int | None = None
    size_bytes: int | None = None
    sheet: Path | None = None
    candidates: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    goes_on: bool = False
    there: int = 0

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
            first_batch=plan.files[0].batch if plan.files else None,
            last_batch=plan.files[-1].batch if plan.files else None,
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
        document |= {"changes": list(self.changes)} if self.changes else {}
        if self.is_done:
            return document | {"imported": self.imported, "checkpoints": self.checkpoints}
        candidates = {"sheet": str(self.sheet) if self.sheet else None, "options": self.candidates}
        files = [{"batch": b, "path": str(path)} for b, path in self.files]
        return document | {"files": files, "there": self.there, "candidates": candidates}

    def tell(self) -> Iterator[str | Table]:
        """What was recognised, assumed, left out, and imported."""
        yield f"Generator: {self.recognised}."
        yield from (f"  {remark}" for remark in self.remarks_on_files)
        yield from (f"  Left out: {line}." for line in self.left_out)
        yield from self.changes
        if self.is_done:
            yield (
                f"Run '{self.run}': {self.imported:,} checkpoints imported, "
                f"{self.checkpoints:,} in all, in {format_bytes(self.size_bytes or 0)}."
            )
            return
        if self.goes_on:
            yield f"Run '{self.run}' has {self.there:,} of these checkpoints already."
        if self.files or not self.goes_on:
            yield Table(["batch", "file"], self._rows())
        count, where = f"{len(self.files):,}", "into" if self.goes_on else "as"
        yield f"{count} checkpoints would be imported {where} run '{self.run}'."
        if self.sheet is None:
            yield "Nothing was written."
            return
        yield f"What shapes do not show is drawn side by side in {self.sheet}; nothing else was "
        yield "written. If the first row is not right, which one is? Give its option:"
        yield from (f"  {words}" for words in self.candidates)

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

    Files of weights become a run, in the order of the numbers in their names. hub:USER/NAME is a
    model of the Hugging Face Hub: one that studio publish sent comes back bit for bit.
    """

    command = "import"
    section = SECTION
    makes_run = True
    makes_workspace = True

    folder: Path = option(
        help="Folder of .pt, .pth, .ckpt, .safetensors, .keras or .h5 files, or hub:USER/NAME.",
        argument=True,
        risk="hub",
    )
    run: str = new_run_name()
    generator: str | None = option(
        None,
        "package.module:Class, or dcgan, skyline, shufflemixer; recognised by default.",
        risk="class",
    )
    options: Annotated[dict[str, Any], BeforeValidator(read_options)] = option(
        {}, "NAME=VALUE for the generator; may be repeated.", flag="--option", metavar="NAME=VALUE"
    )
    pattern: str | None = option(None, r"Which number is the batch, such as 'step_(\d+)'.")
    z_distribution: Literal["normal", "uniform", "sphere"] | None = option(
        None, "How latent points are distributed; told by batch norm, else normal."
    )
    storage: str | None = option(None, "visual (what can be seen, far smaller) or exact.")
    replace: bool = option(
        False, "Import all again in the place of the run, such as with another option."
    )
    dry_run: bool = option(False, "Say what would be imported; import nothing.")
    sheet: Path | None = option(
        None,
        "FILE.png for the dry run's pictures of what shapes leave open; in exports by default.",
    )

    @property
    def request(self) -> ImportRequest:
        """What is asked of the import."""
        from studio.upkeep.imports import ImportRequest

        return ImportRequest(
            self.folder, self.generator, self.options, self.pattern, self.z_distribution
        )

    def brings(self, workspace: Workspace) -> Iterator[Named]:
        """Its class, and the page of the Hub that it calls."""
        from studio.publishing.hub_addresses import hub_address

        yield from super().brings(workspace)
        repository = hub_repository(self.folder)
        if repository is not None:
            yield Named("folder", "address", hub_address(repository))

    def claims(self) -> Sequence[Claim]:
        """One imports into a run, and has it alone to replace it; what only looks needs nothing."""
        mode = EXCLUSIVE if self.replace else WRITE
        return [] if self.dry_run else [Claim("run", self.run, mode)]

    def check(self, workspace: Workspace) -> None:
        """Refuse a name that cannot be a run's, a folder that is not there, and an archive."""
        from studio.upkeep.archives import is_archive

        workspace.run(self.run)
        if self._replaces(workspace):
            from checkpoints_index import CheckpointIndex
            from checkpoints_index.importing.transfer import require_begun

            require_begun(CheckpointIndex(workspace.runs), self.run)
        self._check_sheet()
        if hub_repository(self.folder) is not None:
            return
        if not self.folder.exists():
            raise StudioError(f"There is no '{self.folder}'. Name the folder of checkpoints.")
        if self.folder.is_file() and is_archive(self.folder):
            raise StudioError(
                f"'{self.folder}' is an archive of a run. Bring it back: "
                f"studio restore {self.folder} --run {self.run}"
            )

    def _replaces(self, workspace: Workspace) -> bool:
        """Whether it takes the place of a run; where there is none, it is an import like others."""
        return self.replace and self.run in list_runs(workspace.runs)

    def _check_sheet(self) -> None:
        """Refuse a sheet without a dry run, and one that cannot be written."""
        from renderers.destinations import require_free, require_place

        if self.sheet is None:
            return
        if not self.dry_run:
            raise StudioError("A sheet of candidates belongs to --dry-run. Add it.")
        if self.sheet.suffix.lower() not in (".png", ".jpg", ".jpeg"):
            raise StudioError(f"'{self.sheet.name}' is no FILE.png or FILE.jpg. Call the sheet so.")
        require_place(self.sheet)
        require_free(self.sheet, overwrite=False)

    def _plan(
        self,
        workspace: Workspace,
        reporter: Reporter,
        request: ImportRequest,
        storage: str | None,
    ) -> ImportResult:
        """Plan the import, and draw what shapes leave open."""
        from studio.exploration.sheets import sheet_place
        from studio.upkeep.import_candidates import draw_candidates, find_candidates
        from studio.upkeep.imports import describe_replacement, inspect_files, plan_addition

        goes_on = not self.replace and self.run in list_runs(workspace.runs)
        if goes_on:
            plan, there = plan_addition(workspace, self.run, request, storage, reporter)
            return self._tell_plan(plan, goes_on=True, there=there)
        plan, _ = inspect_files(request, reporter)
        candidates, sheet = find_candidates(plan, request), None
        if len(candidates) > 1:
            sheet = self.sheet or sheet_place(workspace, self.run, "candidates", self)
            with reporter.task("Drawing what it may be") as on_progress:
                draw_candidates(candidates, sheet, on_progress)
        options = tuple(candidate.option for candidate in candidates[1:])
        facts: dict[str, Any] = {"sheet": sheet, "candidates": options}
        if self._replaces(workspace):
            batches = [file.batch for file in plan.files]
            facts["changes"] = describe_replacement(workspace, self.run, plan.spec, batches)
        return self._tell_plan(plan, **facts)

    def _tell_plan(self, plan: ImportPlan, **facts: Any) -> ImportResult:
        files = tuple((file.batch, file.path) for file in plan.files)
        return ImportResult.of(self.run, plan, plan.skipped, files=files, **facts)

    def perform(self, workspace: Workspace, reporter: Reporter) -> ImportResult:
        """Import the files, or plan it."""
        repository = hub_repository(self.folder)
        if repository is None:
            return self._carry_out(workspace, reporter, self.request, self.storage)
        from studio.publishing.hub_imports import fetching_model

        with fetching_model(workspace, repository, self.request, reporter) as model:
            storage = self.storage or model.storage
            done = self._carry_out(workspace, reporter, model.request, storage)
            if done.imported:
                model.record(workspace, self.run)
            return done

    def _carry_out(
        self,
        workspace: Workspace,
        reporter: Reporter,
        request: ImportRequest,
        storage: str | None,
    ) -> ImportResult:
        """Import files that lie here, or plan it."""
        from studio.runs.status import summarise_run
        from studio.upkeep.imports import import_run, replace_run

        if self.dry_run:
            return self._plan(workspace, reporter, request, storage)
        carry_out = replace_run if self._replaces(workspace) else import_run
        done = carry_out(workspace, self.run, request, storage, reporter)
        summary = summarise_run(workspace, self.run)
        return ImportResult.of(
            self.run,
            done.plan,
            done.skipped,
            changes=done.changes,
            imported=done.appended,
            checkpoints=summary.checkpoints,
            size_bytes=summary.size_bytes,
        )


class TrustedList(Result):
    """What the owner of the workspace has named that runs code here or calls an address."""

    said: str = ""
    named: tuple[tuple[str, str, str], ...]

    def document(self) -> Any:
        """One object for each."""
        keys = ("kind", "value", "place")
        return [dict(zip(keys, named, strict=True)) for named in self.named]

    def tell(self) -> Iterator[str | Table]:
        """What was done, or a table of all."""
        if self.said:
            yield self.said
            return
        empty = "Nothing yet: no command, no address, and no class of another program."
        yield Table(["kind", "", "runs in, or lies at"], self.named, empty)


class Trust(Action):
    """Trust a class, a command or an address.

    What a run's folder or a file of settings names is used only once it was named by a command that
    trained, set or imported, or here. A class is imported from where it lies now, and a command is
    run in the current folder, from wherever the studio works later. With nothing named, all that is
    trusted is listed.
    """

    command = "trust"
    section = SECTION
    is_job = False
    is_remote = False

    generator: str | None = option(
        None, "The class, as package.module:Class.", argument=True, metavar="CLASS", risk="class"
    )
    alarm: str | None = option(
        None,
        "A command, as the setting alarm_command has it.",
        flag="--command",
        metavar="COMMAND",
        risk="command",
    )
    address: str | None = option(
        None, "An address, as the setting alarm_webhook has it.", risk="address"
    )
    undo: bool = option(False, "Trust it no longer.")

    def check(self, workspace: Workspace) -> None:
        """Refuse what names no class."""
        module, _, name = (self.generator or "a:b").partition(":")
        if not name.isidentifier() or not all(map(str.isidentifier, module.split("."))):
            raise StudioError(
                f"'{self.generator}' names no class. Write it as package.module:Class."
            )

    def brings(self, workspace: Workspace) -> Iterator[Named]:
        """What is trusted from now on; nothing where it is trusted no longer."""
        if not self.undo:
            yield from super().brings(workspace)

    def perform(self, workspace: Workspace, reporter: Reporter) -> TrustedList:
        """Take it off the list, or say what is on it: whoever asks for an action has named it."""
        from studio.workspace.trust import distrust, list_named

        named = list(super().brings(workspace))
        for each in named if self.undo else ():
            distrust(workspace, each.risk, each.value)
        done = "is not used any more" if self.undo else "may be used in this workspace"
        said = " ".join(f"The {each.risk} {each.value} {done}." for each in named)
        return TrustedList(said=said, named=tuple(list_named(workspace)))


ACTIONS = (Import, Trust)
