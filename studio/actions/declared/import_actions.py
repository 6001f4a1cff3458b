"""Imports: checkpoints that a person already has become a run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from studio.actions.action import Action, Done, Result, Table
from studio.actions.declared.checkpoint_actions import SECTION
from studio.workspace.claims import WRITE, Claim
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.quantities import format_bytes
from studio.workspace.record import new_run_name, option

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
    run: str = new_run_name()
    generator: str | None = option(
        None, "package.module:Class, or dcgan, skyline; recognised by default.", risk="class"
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

    def claims(self) -> Sequence[Claim]:
        """One imports into a run; what only looks needs nothing."""
        return [] if self.dry_run else [Claim("run", self.run, WRITE)]

    def check(self, workspace: Workspace) -> None:
        """Refuse a name that cannot be a run's, a folder that is not there, and an archive."""
        from studio.upkeep.archives import is_archive

        workspace.run(self.run)
        if not self.folder.exists():
            raise StudioError(f"There is no '{self.folder}'. Name the folder of checkpoints.")
        if self.folder.is_file() and is_archive(self.folder):
            raise StudioError(
                f"'{self.folder}' is an archive of a run. Bring it back: "
                f"studio restore {self.folder} --run {self.run}"
            )

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


class Trust(Action):
    """Let the code of a class of yours be run.

    A run whose folder came from somebody else may name a class of another program; its module is
    imported only once it is named here, or by the command that trained or imported a run.
    """

    command = "trust"
    section = SECTION
    is_job = False
    is_remote = False

    generator: str = option(
        help="The class, as package.module:Class.", argument=True, metavar="CLASS", risk="class"
    )

    def check(self, workspace: Workspace) -> None:
        """Refuse what names no class."""
        module, _, name = self.generator.partition(":")
        if not name.isidentifier() or not all(map(str.isidentifier, module.split("."))):
            raise StudioError(
                f"'{self.generator}' names no class. Write it as package.module:Class."
            )

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Put it on the list."""
        from checkpoints_index.storage.trusted_classes import trust_class

        trust_class(workspace.runs, self.generator)
        return Done(said=f"The class {self.generator} may be used in this workspace.")


ACTIONS = (Import, Trust)
