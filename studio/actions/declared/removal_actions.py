"""Deleting and renaming: runs, datasets, films and specimens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from studio.actions.action import Action, Result, Table
from studio.workspace.claims import EXCLUSIVE, Claim
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.quantities import format_bytes
from studio.workspace.record import option, run_name

SECTION = "Tidying up"


def _name(what: str) -> Any:
    return option(help=f"Name of the {what}.", argument=True, metavar="NAME")


class Deleted(Result):
    """What is gone, or would go."""

    what: str
    name: str
    size_bytes: int
    dry_run: bool

    def tell(self) -> Iterator[str | Table]:
        """A sentence."""
        would = "would go" if self.dry_run else "is gone"
        yield f"{self.what} '{self.name}' {would}: {format_bytes(self.size_bytes)}."


class Delete(Action):
    """Something that is deleted for good, once that was said twice."""

    section = SECTION
    is_job = False

    dry_run: bool = option(False, "Say what would go; change nothing.")
    yes: bool = option(False, "Delete it; without this, a terminal asks, and scripts are refused.")

    def parts(self, workspace: Workspace) -> list[Path]:
        """The files and folders that go.

        Raises:
            StudioError: or an error of the libraries: there is no such thing.
        """
        raise AssertionError(f"{type(self).__name__} does not say what goes")

    def question(self, workspace: Workspace) -> str:
        """How much goes, unless it was confirmed."""
        from studio.upkeep.removal import size_of

        size = format_bytes(size_of(self.parts(workspace)))
        return "" if self.dry_run or self.yes else f"This deletes {size} for good."

    def confirmed(self) -> Delete:
        """It is deleted."""
        return self.model_copy(update={"yes": True})

    def check(self, workspace: Workspace) -> None:
        """Refuse what is not there, and what was not confirmed."""
        if question := self.question(workspace):
            raise StudioError(f"{question} If that is meant, say --yes.")


class DeleteRun(Delete):
    """Delete a run and all that belongs to it.

    Checkpoints, training states, films, specimens, exports and events go for good.
    """

    command = "delete run"
    run: str = run_name()

    def claims(self) -> Sequence[Claim]:
        """Nobody may be working on it."""
        return [Claim("run", self.run, EXCLUSIVE)]

    def parts(self, workspace: Workspace) -> list[Path]:
        """Its folder, its exports and its films."""
        from studio.upkeep.removal import parts_of_run

        return parts_of_run(workspace, self.run)

    def perform(self, workspace: Workspace, reporter: Reporter) -> Deleted:
        """Delete it, or say what would go."""
        from studio.upkeep.removal import delete_run, size_of

        size = size_of(self.parts(workspace))
        if not self.dry_run:
            delete_run(workspace, self.run)
        return Deleted(what="Run", name=self.run, size_bytes=size, dry_run=self.dry_run)


class DeleteDataset(Delete):
    """Delete a dataset.

    Runs that were trained on it stay, and cannot be gone on with.
    """

    command = "delete dataset"
    name: str = _name("dataset")

    def claims(self) -> Sequence[Claim]:
        """Nobody may be training on it."""
        return [Claim("dataset", self.name, EXCLUSIVE)]

    def parts(self, workspace: Workspace) -> list[Path]:
        """Its folder."""
        from studio.upkeep.removal import part_of_dataset

        return [part_of_dataset(workspace, self.name)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> Deleted:
        """Delete it, or say what would go."""
        return _delete_folder(workspace, self, "Dataset", self.name)


class DeleteFilm(Delete):
    """Delete a film, a sheet or an atlas."""

    command = "delete film"
    name: str = _name("film's folder in renders")

    def parts(self, workspace: Workspace) -> list[Path]:
        """Its folder."""
        from studio.upkeep.removal import part_of_film

        return [part_of_film(workspace, self.name)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> Deleted:
        """Delete it, or say what would go; a film that is being rendered stays."""
        from renderers.files import locked

        if self.dry_run:
            return _delete_folder(workspace, self, "Film", self.name)
        with locked(workspace.render(self.name)):
            return _delete_folder(workspace, self, "Film", self.name)


class DeleteSpecimens(Delete):
    """Delete specimens and their pictures.

    Their batches can be thinned afterwards.
    """

    command = "delete specimen"
    run: str = run_name()
    labels: tuple[str, ...] = option(help="Labels.", argument=True, metavar="LABEL")

    def claims(self) -> Sequence[Claim]:
        """The run has to stay meanwhile."""
        return [Claim("run", self.run)]

    def parts(self, workspace: Workspace) -> list[Path]:
        """Their pictures."""
        from studio.specimens.specimens import picture_path

        paths = [picture_path(workspace, self.run, label) for label in self.labels]
        return [path for path in paths if path.exists()]

    def perform(self, workspace: Workspace, reporter: Reporter) -> Deleted:
        """Delete them, or say what would go."""
        from studio.upkeep.removal import delete_specimens, size_of

        size, name = size_of(self.parts(workspace)), ", ".join(self.labels)
        if not self.dry_run:
            delete_specimens(workspace, self.run, self.labels)
        return Deleted(what="Specimen", name=name, size_bytes=size, dry_run=self.dry_run)


class Renamed(Result):
    """Something has another name."""

    old: str
    new: str

    def tell(self) -> Iterator[str | Table]:
        """A sentence."""
        yield f"'{self.old}' is now '{self.new}'."


def _claim_both(kind: Literal["run", "dataset"], old: str, new: str) -> list[Claim]:
    """Claims on both names of what is renamed; the same name twice is claimed once."""
    return [Claim(kind, name, EXCLUSIVE) for name in dict.fromkeys((old, new))]


class RenameRun(Action):
    """Rename a run and all that belongs to it."""

    command = "rename run"
    section = SECTION
    is_job = False
    run: str = run_name()
    new: str = _name("run from now on")

    def claims(self) -> Sequence[Claim]:
        """Nobody may be working under either name."""
        return _claim_both("run", self.run, self.new)

    def perform(self, workspace: Workspace, reporter: Reporter) -> Renamed:
        """Rename it."""
        from studio.upkeep.removal import rename_run

        rename_run(workspace, self.run, self.new)
        return Renamed(old=self.run, new=self.new)


class RenameDataset(Action):
    """Rename a dataset, in its runs as well."""

    command = "rename dataset"
    section = SECTION
    is_job = False
    name: str = _name("dataset")
    new: str = _name("dataset from now on")

    def claims(self) -> Sequence[Claim]:
        """Nobody may be training on it."""
        return _claim_both("dataset", self.name, self.new)

    def perform(self, workspace: Workspace, reporter: Reporter) -> Renamed:
        """Rename it."""
        from studio.upkeep.removal import rename_dataset

        rename_dataset(workspace, self.name, self.new)
        return Renamed(old=self.name, new=self.new)


def _delete_folder(workspace: Workspace, action: Delete, what: str, name: str) -> Deleted:
    from studio.upkeep.removal import delete_folder, size_of

    (folder,) = action.parts(workspace)
    size = size_of([folder])
    if not action.dry_run:
        delete_folder(workspace, folder)
    return Deleted(what=what, name=name, size_bytes=size, dry_run=action.dry_run)


ACTIONS = (DeleteRun, DeleteDataset, DeleteFilm, DeleteSpecimens, RenameRun, RenameDataset)
