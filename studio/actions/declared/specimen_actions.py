"""Specimens: cities worth keeping, and which are near each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator

from studio.actions.action import Action, Done, Result, Table
from studio.workspace.claims import Claim
from studio.workspace.names import MAX_RATING, named_run, require_note, require_tag
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.declarations import Commas
from studio.workspace.records.record import (
    DeclaredRecord,
    InvalidValueError,
    device_option,
    option,
    run_name,
)

if TYPE_CHECKING:
    from renderers.pictures.frame_layout import Size
    from studio.specimens.exports import ExportOptions
    from studio.specimens.specimens import Specimen

SECTION = "Cities"
SHOWN = 12  # So many labels are written out.
# Texts and numbers are alike: 500, or 100,500.
BatchChoice = Annotated[
    str, BeforeValidator(lambda value: str(value) if type(value) is int else value)
]
Space = Literal["pictures", "activations", "z", "w"]


def point_labels() -> Any:
    """The field of some specimens, as words of a command."""
    return option(
        help="Labels such as 16500.28, names of specimens, tag:river, seed:123, or exported "
        "pictures.",
        argument=True,
        metavar="LABEL",
        risk="path",
    )


def space_option() -> Any:
    """The field of the space in which nearness is measured."""
    return option("pictures", "What is compared.")


def say_differences(
    workspace: Workspace, run: str, points: Sequence[str], reporter: Reporter
) -> None:
    """Say what JPEGs among the points claim that is not so in the run."""
    from checkpoints_index import CheckpointIndex
    from studio.specimens.points import compare_passports

    for remark in compare_passports(CheckpointIndex(workspace.runs)[run], workspace, points):
        reporter.say(remark)


class SpecimenRow(DeclaredRecord):
    """A specimen, and where its picture lies if it was written."""

    label: str
    batch: int
    index: int
    origin: str
    starred: bool
    path: Path | None
    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    rating: int = 0
    created_at: float = 0.0
    at_batch: int | None = None


class SpecimenList(Result):
    """Specimens of a run."""

    specimens: tuple[SpecimenRow, ...]

    @classmethod
    def of(cls, specimens: Iterable[Specimen]) -> SpecimenList:
        """The result that lists them."""
        return cls(specimens=tuple(SpecimenRow(**asdict(specimen)) for specimen in specimens))

    def document(self) -> Any:
        """One object a specimen."""
        return [specimen.model_dump(mode="json") for specimen in self.specimens]

    def tell(self) -> Iterator[str | Table]:
        """A table of them."""
        yield Table(
            ["", "label", "name", "rating", "tags", "note", "origin", "picture"],
            [
                (
                    *(
                        "★" if s.starred else "",
                        s.label,
                        s.name,
                        f"{s.rating} of 5" * (s.rating > 0),
                    ),
                    *(", ".join(s.tags), s.note, s.origin, s.path),
                )
                for s in self.specimens
            ],
            "No such specimens. Draw some: studio specimens sample RUN --batch BATCH --count 64",
        )


def _check_export(out: Path | None, device: str | None) -> None:
    from renderers.destinations import require_folder
    from studio.workspace.devices import require_device

    require_device(device)
    if out is not None:
        require_folder(out)


class SpecimensSample(Action):
    """Draw new specimens and export their pictures."""

    command = "specimens sample"
    section = SECTION

    run: str = run_name()
    batch: int = option(help="The checkpoint to look at.", ge=0)
    count: int = option(64, "How many to draw.")
    out: Path | None = option(None, "Folder for the JPEGs; the workspace's by default.")
    device: str | None = device_option()

    def writes_elsewhere(self) -> bool:
        """The points themselves are kept in the workspace."""
        return False

    def check(self, workspace: Workspace) -> None:
        """Refuse a device that is not there, and a folder that cannot be written to."""
        _check_export(self.out, self.device)

    def perform(self, workspace: Workspace, reporter: Reporter) -> SpecimenList:
        """Draw them."""
        from studio.specimens.exports import sample_specimens

        with reporter.task("Drawing specimens") as on_progress:
            asked = (self.run, self.batch, self.count)
            return SpecimenList.of(
                sample_specimens(workspace, *asked, on_progress, self.out, self.device)
            )


class SpecimensExport(Action):
    """Write specimens as pictures, a sheet or a ZIP.

    Each picture knows which run, batch and latent point it shows, so that it finds its own way
    back. With --sheet or --zip and without --out, there are no single files.
    """

    command = "specimens export"
    section = SECTION
    is_job = False

    run: str = run_name()
    labels: tuple[str, ...] = point_labels()
    out: Path | None = option(None, "Folder for the pictures; the workspace's by default.")
    at_batch: BatchChoice = option(
        "",
        "See them at these checkpoints: 500, 100,500,1000 or FROM:TO:STEP; else at that of the "
        "label.",
        metavar="BATCHES",
    )
    format: Literal["jpg", "png", "webp"] = option("jpg", "Kind of the pictures.")
    size: str | None = option(
        None,
        "Such as 2048 or 1920x1080, into which they fit, or own; by default smaller ones become "
        "1024 px.",
    )
    scaling: Literal["lanczos", "nearest"] = option(
        "lanczos", "How they come to another size: smooth, or in squares."
    )
    upscale: str = option(
        "",
        "Enlarge the pictures by this run of super-resolution, as often as needed, before they "
        "come to their size.",
        metavar="RUN@BATCH",
    )
    quality: int = option(95, "Of JPEG and WebP; WebP of 100 is lossless.", ge=1, le=100)
    sheet: Path | None = option(None, "All on one sheet with labels: FILE.png.", metavar="FILE")
    paper: Literal["", "a4", "a3", "a2"] = option(
        "", "The sheet is to be printed on it, at 300 dpi; then FILE.pdf as well."
    )
    landscape: bool = option(False, "The paper lies on its side.")
    zip_path: Path | None = option(None, "All in one ZIP: FILE.zip.", flag="--zip", metavar="FILE")
    overwrite: bool = option(False, "Replace the files of --sheet and --zip if they are there.")
    device: str | None = device_option()

    def claims(self) -> Sequence[Claim]:
        """The checkpoints have to stay until the pictures are written."""
        runs = dict.fromkeys((self.run, named_run(self.upscale)))
        return [Claim("run", run) for run in runs if run]

    def writes_elsewhere(self) -> bool:
        """Exports of the run lie in the workspace."""
        return any((self.out, self.sheet, self.zip_path))

    def check(self, workspace: Workspace) -> None:
        """Refuse a device that is not there, a size that is none, and what cannot be written."""
        from renderers.destinations import require_destination
        from renderers.pictures import montage, paper
        from studio.runs.tools.upscalers import find_upscaler

        _check_export(self.out, self.device)
        self._options()
        if self.upscale:
            find_upscaler(workspace, self.upscale)
        if self.paper and self.sheet is None:
            raise InvalidValueError("{paper} says how a sheet is printed. Say where: {sheet} FILE.")
        suffixes = (paper if self.paper else montage).SUFFIXES
        for path, known in ((self.sheet, suffixes), (self.zip_path, (".zip",))):
            if path is not None:
                require_destination(path, known, self.overwrite)

    def _options(self) -> ExportOptions:
        from renderers.pictures.display_options import DisplayOptions, parse_size
        from studio.specimens.exports import OWN_SIZE, ExportOptions

        size: Size | str | None = self.size
        if size not in (None, OWN_SIZE):
            size = parse_size(str(size))
            DisplayOptions(size=size)  # Refuses one that is out of range.
        return ExportOptions(
            suffix=f".{self.format}",
            size=size,
            scaling=self.scaling,
            upscaler=self.upscale,
            quality=self.quality,
            at_batch=self.at_batch,
            sheet=self.sheet,
            paper=self.paper,
            landscape=self.landscape,
            zip_path=self.zip_path,
            out=self.out,
        )

    def perform(self, workspace: Workspace, reporter: Reporter) -> SpecimenList:
        """Write them."""
        from studio.specimens.exports import export_specimens

        say_differences(workspace, self.run, self.labels, reporter)
        with reporter.task("Exporting") as on_progress:
            asked = (self.run, self.labels, self._options(), self.device)
            return SpecimenList.of(export_specimens(workspace, *asked, on_progress))


class SpecimensList(Action):
    """List specimens: all, or those marked somehow.

    Starred ones come first unless --sort says otherwise.
    """

    command = "specimens list"
    section = SECTION
    is_job = False

    run: str = run_name()
    tag: Commas = option((), "Those that have all of these tags.")
    search: str = option(
        "",
        "Those with this text in label, name, note or tags; with commas between, all of several "
        "texts, tag:river and 'not tag:dry'.",
        metavar="TEXT",
    )
    batches: str = option(
        "", "Those first seen at these batches: FROM:TO, or one of them.", metavar="BATCHES"
    )
    starred: bool = option(False, "Those with a star.")
    rating: int = option(0, "Those rated so or better.", ge=0, le=MAX_RATING)
    origin: Literal["any", "fixed", "sampled", "imported"] = option(
        "any", "Drawn when the run was made, drawn later, or brought in from files."
    )
    sort: Literal["starred", "batch", "latest", "rating", "name", "created"] = option(
        "starred",
        "What comes first: stars, low or high batches, high ratings, A, or what was kept last.",
    )

    def perform(self, workspace: Workspace, reporter: Reporter) -> SpecimenList:
        """Read them."""
        from studio.specimens.specimen_search import SpecimenSearch, find_specimens

        wanted = SpecimenSearch(
            self.tag,
            self.search,
            self.starred,
            None if self.origin == "any" else self.origin,
            self.rating,
            self.sort,
            self.batches,
        )
        return SpecimenList.of(find_specimens(workspace, self.run, wanted))


class SpecimensMark(Action):
    """Tag, rate or annotate specimens.

    Wherever a point is asked for, tag:river then names all specimens with that tag.
    """

    command = "specimens mark"
    section = SECTION
    is_job = False

    run: str = run_name()
    labels: tuple[str, ...] = point_labels()
    tag: Commas = option((), "Tags that they get.", example="river,coast")
    untag: Commas = option((), "Tags that they lose.")
    note: str | None = option(None, 'Their note from now on; "" takes it away.', metavar="TEXT")
    rating: int | None = option(None, "1 to 5; 0 takes it away.", ge=0, le=MAX_RATING)

    def claims(self) -> Sequence[Claim]:
        """The run keeps its name meanwhile."""
        return [Claim("run", self.run)]

    def check(self, workspace: Workspace) -> None:
        """Refuse to mark with nothing, and with what is no tag or note."""
        for tag in (*self.tag, *self.untag):
            require_tag(tag)
        require_note(self.note or "")
        if not self.tag and not self.untag and self.note is None and self.rating is None:
            raise InvalidValueError("Say what is marked: {tag}, {untag}, {note} or {rating}.")

    def perform(self, workspace: Workspace, reporter: Reporter) -> SpecimenList:
        """Mark them."""
        from studio.specimens.marking import mark_specimens
        from studio.specimens.specimen_pages import read_specimens

        marks = (self.tag, self.untag, self.note, self.rating)
        labels = mark_specimens(workspace, self.run, self.labels, *marks)
        return SpecimenList.of(s for s, _ in read_specimens(workspace, self.run, labels))


class ImportedPoints(Result):
    """Points that were brought in."""

    run: str
    labels: tuple[str, ...]
    remarks_on_files: tuple[str, ...] = ()

    def tell(self) -> Iterator[str | Table]:
        """Their labels, and how to see them."""
        shown = ", ".join(self.labels[:SHOWN]) + (", ..." if len(self.labels) > SHOWN else "")
        yield f"{len(self.labels):,} points of run '{self.run}': {shown}"
        yield f"See one: studio specimens export {self.run} {self.labels[0]}"


class SpecimensImport(Action):
    """Bring in your own latent points from files.

    NumPy arrays, tables, JSON, text, and pickles of arrays; one or many points a file.
    """

    command = "specimens import"
    section = SECTION
    is_job = False

    run: str = run_name()
    files: tuple[Path, ...] = option(
        help="Files of .npy, .npz, .csv, .json, .pkl, .dat or text.",
        argument=True,
        metavar="FILE",
        risk="path",
    )
    label: str | None = option(
        None, "Label of the one point, such as 16500.28; else what the file or its name says."
    )
    batch: int | None = option(
        None,
        "Points without a label get the next free ones of this batch; the last by default.",
        ge=0,
    )

    def claims(self) -> Sequence[Claim]:
        """The run has to stay until the points are written beside it."""
        return [Claim("run", self.run)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> ImportedPoints:
        """Read them, and keep them."""
        from studio.specimens.own_points import import_points

        points, remarks = import_points(workspace, self.run, self.files, self.label, self.batch)
        for remark in remarks:
            reporter.say(remark)
        labels = tuple(point.label for point in points)
        return ImportedPoints(run=self.run, labels=labels, remarks_on_files=tuple(remarks))


class SpecimensStar(Action):
    """Mark specimens as worth keeping."""

    command = "specimens star"
    section = SECTION
    is_job = False

    run: str = run_name()
    labels: tuple[str, ...] = point_labels()
    undo: bool = option(False, "Take the star away.")

    def claims(self) -> Sequence[Claim]:
        """The run keeps its name meanwhile."""
        return [Claim("run", self.run)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> Done:
        """Mark them."""
        from studio.specimens.marking import star_specimens

        star_specimens(workspace, self.run, self.labels, starred=not self.undo)
        return Done()


ACTIONS = (
    *(SpecimensSample, SpecimensExport, SpecimensImport),
    *(SpecimensList, SpecimensStar, SpecimensMark),
)
