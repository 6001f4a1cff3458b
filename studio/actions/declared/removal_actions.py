"""Deleting and renaming: runs, datasets, films and specimens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from studio.actions.action import Action, Result, Table
from studio.workspace.claims import EXCLUSIVE, Claim
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.quantities import format_bytes
from studio.workspace.records.record import option, run_name

SECTION = "Tidying up"
SHOWN = 6  # So many files are named.


def _name(what: str) -> Any:
    return option(help=f"Name of the {what}.", argument=True, metavar="NAME")


def _film() -> Any:
    """The field of a film, a sheet or an atlas."""
    said = "Name of the film's folder in renders, or the one that you gave it."
    return option(help=said, argument=True, metavar="NAME")


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

    def loss(self, workspace: Workspace) -> str:
        """What will be lost, in a sentence.

        Raises:
            StudioError: or an error of the libraries: it cannot be deleted.
        """
        raise AssertionError(f"{type(self).__name__} does not say what is lost")

    def question(self, workspace: Workspace) -> str:
        """What goes, and how much, unless it was confirmed."""
        from studio.upkeep.removal import size_of

        size = format_bytes(size_of(self.parts(workspace)))
        if self.dry_run or self.yes:
            return ""
        return f"{self.loss(workspace)} This deletes {size} for good."

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

    def loss(self, workspace: Workspace) -> str:
        """How many checkpoints, films, specimens and pictures."""
        from studio.upkeep.removal import describe_run

        return f"Run '{self.run}' has {describe_run(workspace, self.run)}."

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

    def loss(self, workspace: Workspace) -> str:
        """How many pictures, and which runs need them."""
        from studio.upkeep.removal import describe_dataset, runs_of_dataset

        runs = ", ".join(runs_of_dataset(workspace, self.name))
        needed = f" Runs that cannot be gone on with without it: {runs}." if runs else ""
        return f"Dataset '{self.name}' has {describe_dataset(workspace, self.name)}.{needed}"

    def perform(self, workspace: Workspace, reporter: Reporter) -> Deleted:
        """Delete it, or say what would go."""
        return _delete_folder(workspace, self, "Dataset", self.name)


class DeleteFilm(Delete):
    """Delete a film, a sheet or an atlas."""

    command = "delete film"
    name: str = _film()

    def parts(self, workspace: Workspace) -> list[Path]:
        """Its folder."""
        from studio.upkeep.removal import part_of_film

        return [part_of_film(workspace, self.name)]

    def loss(self, workspace: Workspace) -> str:
        """How many files lie there, of all that were rendered together."""
        from studio.upkeep.film_names import given_name

        (folder,) = self.parts(workspace)
        files = [
            path.name
            for path in sorted(folder.iterdir())
            if path.suffix != ".json" and not path.name.startswith(".")
        ]
        shown = ", ".join(files[:SHOWN]) + (", ..." if len(files) > SHOWN else "")
        name, place = given_name(folder), f"'{folder.name}' in renders"
        called = f"'{name}' ({place})" if name else place
        return f"{called} has {shown or 'nothing finished'}."

    def perform(self, workspace: Workspace, reporter: Reporter) -> Deleted:
        """Delete it, or say what would go; a film that is being rendered stays."""
        from renderers.files import locked

        if self.dry_run:
            return _delete_folder(workspace, self, "Film", self.name)
        with locked(*self.parts(workspace)):
            return _delete_folder(workspace, self, "Film", self.name)


class DeleteSpecimens(Delete):
    """Delete specimens and their pictures.

    Their batches can be thinned afterwards.
    """

    command = "delete specimen"
    run: str = run_name()
    labels: tuple[str, ...] = option(
        help="Labels, or names that you gave.", argument=True, metavar="LABEL"
    )

    def claims(self) -> Sequence[Claim]:
        """The run has to stay meanwhile."""
        return [Claim("run", self.run)]

    def parts(self, workspace: Workspace) -> list[Path]:
        """Their pictures."""
        from studio.specimens.points import find_label
        from studio.upkeep.removal import pictures_of

        labels = [find_label(workspace, self.run, text) or text for text in self.labels]
        return pictures_of(workspace, self.run, labels)

    def loss(self, workspace: Workspace) -> str:
        """Which specimens; starred ones are named."""
        from studio.specimens.points import find_label
        from studio.specimens.specimen_pages import read_specimens

        labels = [find_label(workspace, self.run, text) or text for text in self.labels]
        kept = {s.label: s for s, _ in read_specimens(workspace, self.run, labels, False)}
        for label in labels:
            if label not in kept or kept[label].origin == "fixed":
                raise StudioError(
                    f"Run '{self.run}' has no specimen {label} that can be deleted; fixed points "
                    f"stay. List them: studio specimens list {self.run}"
                )
        starred = [label for label in labels if kept[label].starred]
        stars = f", of which {', '.join(starred)} starred" if starred else ""
        return f"Specimens of run '{self.run}': {', '.join(labels)}{stars}."

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


class RenameRun(Action):
    """Rename a run and all that belongs to it."""

    command = "rename run"
    section = SECTION
    is_job = False
    run: str = run_name()
    new: str = _name("run from now on")

    def claims(self) -> Sequence[Claim]:
        """Nobody may be working under either name."""
        return [Claim("run", name, EXCLUSIVE) for name in dict.fromkeys((self.run, self.new))]

    def perform(self, workspace: Workspace, reporter: Reporter) -> Renamed:
        """Rename it."""
        from studio.upkeep.renaming import rename_run

        rename_run(workspace, self.run, self.new)
        return Renamed(old=self.run, new=self.new)


class RenameDataset(Action):
    """Rename a dataset, in its runs as well."""

    command = "rename dataset"
    section = SECTION
    is_job = False
    name: str = _name("dataset")
    new: str = _name("dataset from now on")

    def perform(self, workspace: Workspace, reporter: Reporter) -> Renamed:
        """Rename it, unless somebody trains on it."""
        from studio.upkeep.renaming import rename_dataset

        rename_dataset(workspace, self.name, self.new)
        return Renamed(old=self.name, new=self.new)


class RenameFilm(Action):
    """Give a film, a sheet or an atlas a name of yours.

    It stands beside the name of its folder, which stays, since what is asked for again finds its
    film by it; the film is found by either.
    """

    command = "rename film"
    section = SECTION
    is_job = False
    name: str = _film()
    new: str = _name("film from now on")

    def perform(self, workspace: Workspace, reporter: Reporter) -> Renamed:
        """Name it."""
        from studio.upkeep.film_names import name_film

        return Renamed(old=name_film(workspace, self.name, self.new), new=self.new)


class RenameSpecimen(Action):
    """Give a specimen a name of yours.

    It stands beside the label, which says which point it is and is what exported pictures carry;
    the specimen is found by either.
    """

    command = "rename specimen"
    section = SECTION
    is_job = False
    run: str = run_name()
    label: str = option(help="Label, or the name that you gave.", argument=True, metavar="LABEL")
    new: str = _name("specimen from now on")

    def claims(self) -> Sequence[Claim]:
        """The run keeps its name meanwhile."""
        return [Claim("run", self.run)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> Renamed:
        """Name it."""
        from studio.specimens.marking import name_specimen

        return Renamed(old=name_specimen(workspace, self.run, self.label, self.new), new=self.new)


def _delete_folder(workspace: Workspace, action: Delete, what: str, name: str) -> Deleted:
    from studio.upkeep.removal import delete_folder, size_of

    (folder,) = action.parts(workspace)
    size = size_of([folder])
    if not action.dry_run:
        delete_folder(workspace, folder)
    return Deleted(what=what, name=name, size_bytes=size, dry_run=action.dry_run)


ACTIONS = (
    *(DeleteRun, DeleteDataset, DeleteFilm, DeleteSpecimens),
    *(RenameRun, RenameDataset, RenameFilm, RenameSpecimen),
)
