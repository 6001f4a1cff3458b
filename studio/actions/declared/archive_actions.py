"""Archives: a chosen few checkpoints of a run, kept as a run of their own or as one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from studio.actions.action import Action, Result, Table
from studio.actions.declared.checkpoint_actions import SECTION
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.declarations import Commas
from studio.workspace.records.quantities import format_bytes
from studio.workspace.records.record import InvalidValueError, option, run_name


class ArchiveResult(Result):
    """What was archived or brought back."""

    run: str
    checkpoints: int
    size_bytes: int
    path: Path | None = None

    def tell(self) -> Iterator[str | Table]:
        """A line."""
        where = f"as run '{self.run}'" if self.path is None else f"of run '{self.run}', {self.path}"
        yield f"{self.checkpoints:,} checkpoints {where}: {format_bytes(self.size_bytes)}."


class Archive(Action):
    """Archive a chosen few checkpoints.

    They become one file, or a run of their own.

    The weights stay bit for bit what the run gives; settings and latent points go with them, so
    that films, sheets and specimens can be made of the archive. The run stays as it is.
    """

    command = "archive"
    section = SECTION

    run: str = run_name()
    batches: Commas = option(
        (), "Batches such as 100,200, or ranges FROM:TO:STEP; those that are pinned by default."
    )
    out: Path | None = option(None, "FILE.zip; in the workspace's exports by default.")
    as_run: str | None = option(
        None, "Make a run of this name, and no file.", flag="--run", metavar="NAME"
    )
    overwrite: bool = option(False, "Replace the file if it is there.")

    def check(self, workspace: Workspace) -> None:
        """Refuse a file and a run at once, a name or a file that is taken, and no batches."""
        from renderers.destinations import require_destination
        from studio.upkeep.archives import SUFFIXES, check_name

        if self.out is not None and self.as_run is not None:
            raise InvalidValueError("Give one of {out} and {as_run}.")
        if self.as_run is not None:
            check_name(workspace, self.as_run)
        batches = self.choose(workspace)
        if self.as_run is None:
            require_destination(self.path(workspace, batches), SUFFIXES, self.overwrite)

    def perform(self, workspace: Workspace, reporter: Reporter) -> ArchiveResult:
        """Read the checkpoints, and write them."""
        from checkpoints_index import CheckpointIndex
        from studio.upkeep.archives import archive_as_file, archive_as_run

        batches = self.choose(workspace)
        with reporter.task("Archiving checkpoints") as on_progress:
            if self.as_run is not None:
                archive_as_run(workspace, self.run, batches, self.as_run, on_progress)
                size_bytes = CheckpointIndex(workspace.runs)[self.as_run].size_bytes
                return ArchiveResult(
                    run=self.as_run, checkpoints=len(batches), size_bytes=size_bytes
                )
            path = self.path(workspace, batches)
            archive_as_file(workspace, self.run, batches, path, on_progress)
        return ArchiveResult(
            run=self.run,
            checkpoints=len(batches),
            size_bytes=path.stat().st_size,
            path=path,
        )

    def choose(self, workspace: Workspace) -> list[int]:
        """The batches that are archived.

        Raises:
            StudioError: none is chosen, or one has no checkpoint.
        """
        from checkpoints_index.storage.catalogue import open_catalogue
        from studio.runs.pins import choose_some, list_pins, refuse_missing

        kept = open_catalogue(workspace.runs, self.run).batches
        if not self.batches and not (pins := list_pins(workspace, self.run)):
            raise StudioError(
                f"No batch of run '{self.run}' is pinned. Say which to archive: --batches 100,200"
            )
        chosen = choose_some(kept, self.batches, self.run) if self.batches else pins
        refuse_missing(kept, chosen, self.run)
        return chosen

    def path(self, workspace: Workspace, batches: list[int]) -> Path:
        """Where the file is written."""
        return self.out or workspace.exported_archive(self.run, batches)


class Restore(Action):
    """Make a run of an archive."""

    command = "restore"
    section = SECTION
    makes_run = True
    makes_workspace = True

    file: Path = option(help="The archive, FILE.zip.", argument=True, metavar="FILE")
    run: str | None = option(
        None, "Name of the run; that of the archived one by default.", metavar="NAME"
    )
    generator: str | None = option(
        None, "package.module:Class, where the archive is of such a one and you trust it."
    )

    def check(self, workspace: Workspace) -> None:
        """Refuse a file that is no archive, and a name that is taken."""
        from studio.upkeep.archives import check_name, is_archive

        if not is_archive(self.file):
            raise StudioError(
                f"'{self.file}' is no archive of a run. Write one: studio archive RUN --out FILE"
            )
        if self.run is not None:
            check_name(workspace, self.run)

    def perform(self, workspace: Workspace, reporter: Reporter) -> ArchiveResult:
        """Read the archive, and write the run."""
        from checkpoints_index import CheckpointIndex
        from studio.upkeep.archives import restore_archive

        with reporter.task("Restoring checkpoints") as on_progress:
            run = restore_archive(workspace, self.file, self.run, self.generator, on_progress)
        made = CheckpointIndex(workspace.runs)[run]
        return ArchiveResult(run=run, checkpoints=len(made.batches), size_bytes=made.size_bytes)


ACTIONS = (Archive, Restore)
