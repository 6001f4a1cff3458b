"""Specimens: cities worth keeping, and which are near each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from studio.actions.action import Action, Done, Result, Table
from studio.actions.declared.run_actions import batch_or_last
from studio.workspace.claims import Claim
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.record import DeclaredRecord, device_option, option, run_name

if TYPE_CHECKING:
    from studio.specimens.specimens import Specimen

SECTION = "Cities"
SHOWN = 12  # So many labels are written out.
Space = Literal["pictures", "activations", "z"]


def point_labels() -> Any:
    """The field of some specimens, as words of a command."""
    return option(
        help="Labels such as 16500.28, seed:123, or exported JPEGs.",
        argument=True,
        metavar="LABEL",
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
            ["", "label", "origin", "picture"],
            [("★" if s.starred else "", s.label, s.origin, s.path) for s in self.specimens],
            "No specimens yet. Draw some: studio specimens sample RUN --batch BATCH --count 64",
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

    def check(self, workspace: Workspace) -> None:
        """Refuse a device that is not there, and a folder that cannot be written to."""
        _check_export(self.out, self.device)

    def perform(self, workspace: Workspace, reporter: Reporter) -> SpecimenList:
        """Draw them."""
        from studio.specimens.specimens import sample_specimens

        with reporter.task("Drawing specimens") as on_progress:
            asked = (self.run, self.batch, self.count)
            return SpecimenList.of(
                sample_specimens(workspace, *asked, on_progress, self.out, self.device)
            )


class SpecimensExport(Action):
    """Write specimens as JPEGs.

    Each knows which run, batch and latent point it shows, so that it finds its own way back.
    """

    command = "specimens export"
    section = SECTION
    is_job = False

    run: str = run_name()
    labels: tuple[str, ...] = point_labels()
    out: Path | None = option(None, "Folder for the JPEGs; the workspace's by default.")
    at_batch: int | None = option(
        None, "See them at this checkpoint; else at that of the label.", ge=0
    )
    device: str | None = device_option()

    def claims(self) -> Sequence[Claim]:
        """The checkpoints have to stay until the pictures are written."""
        return [Claim("run", self.run)]

    def check(self, workspace: Workspace) -> None:
        """Refuse a device that is not there, and a folder that cannot be written to."""
        _check_export(self.out, self.device)

    def perform(self, workspace: Workspace, reporter: Reporter) -> SpecimenList:
        """Write them."""
        from studio.specimens.specimens import export_specimens

        say_differences(workspace, self.run, self.labels, reporter)
        return SpecimenList.of(
            export_specimens(workspace, self.run, self.labels, self.out, self.at_batch, self.device)
        )


class SpecimensList(Action):
    """List the specimens of a run, starred ones first."""

    command = "specimens list"
    section = SECTION
    is_job = False

    run: str = run_name()

    def perform(self, workspace: Workspace, reporter: Reporter) -> SpecimenList:
        """Read them."""
        from studio.specimens.specimens import list_specimens

        return SpecimenList.of(list_specimens(workspace, self.run))


class ImportedPoints(Result):
    """Points that were brought in."""

    run: str
    labels: tuple[str, ...]

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
        return ImportedPoints(run=self.run, labels=tuple(point.label for point in points))


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
        from studio.specimens.specimens import star_specimen

        for label in self.labels:
            star_specimen(workspace, self.run, label, starred=not self.undo)
        return Done()


class Neighbour(DeclaredRecord):
    """A specimen and how far it is."""

    label: str
    distance: float


class NearResult(Result):
    """The specimens nearest to a point, nearest first, and how nearness was measured."""

    point: str
    batch: int
    space: str
    metric: str
    neighbours: tuple[Neighbour, ...]

    def tell(self) -> Iterator[str | Table]:
        """A table of them."""
        yield f"Nearest to {self.point} at batch {self.batch}, {self.metric} in {self.space}:"
        rows = [(near.label, f"{near.distance:.4f}") for near in self.neighbours]
        yield Table(["specimen", "distance"], rows)


class Near(Action):
    """Find the specimens nearest to a point."""

    command = "near"
    section = SECTION
    is_job = False

    run: str = run_name()
    point: str = option(
        help="A label, seed:N or an exported JPEG.",
        argument=True,
        metavar="POINT",
        risk="path",
    )
    k: int = option(10, "How many neighbours.", short="-k", flag="--count", ge=1)
    space: Space = space_option()
    metric: Literal["euclidean", "cosine"] = option("euclidean", "How distance is measured.")
    at_batch: int | None = option(
        None, "Compare at this checkpoint; else at that of the label.", ge=0
    )
    device: str | None = device_option()

    def claims(self) -> Sequence[Claim]:
        """The checkpoints have to stay meanwhile."""
        return [Claim("run", self.run)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> NearResult:
        """Compare it with every other specimen of the run."""
        from studio.specimens.nearness import find_near_specimens

        say_differences(workspace, self.run, [self.point], reporter)
        found = find_near_specimens(
            workspace,
            self.run,
            self.point,
            self.k,
            self.space,
            self.metric,
            self.at_batch,
            device=self.device,
        )
        near = tuple(Neighbour(label=label, distance=far) for label, far in found.neighbours)
        return NearResult(**{**asdict(found), "neighbours": near})


class AtlasResult(Result):
    """A drawn atlas, and how many of each city's neighbours are near it on the map."""

    run: str
    batch: int
    space: str
    count: int
    neighbours_kept: float
    neighbours_by_chance: float
    cell_px: int
    path: Path

    def tell(self) -> Iterator[str | Table]:
        """Where it lies, and how far it may be believed."""
        place = f"at batch {self.batch}: {self.path}"
        yield f"Atlas of {self.count:,} cities of run '{self.run}' {place}"
        yield (
            f"{self.neighbours_kept:.0%} of each city's nearest neighbours are near it on the map "
            f"(by chance: {self.neighbours_by_chance:.1%})."
        )


class Atlas(Action):
    """Draw a map on which like cities lie near."""

    command = "atlas"
    section = SECTION

    run: str = run_name()
    batch: int | None = batch_or_last()
    count: int = option(1000, "How many cities.")
    space: Space = space_option()
    seed: int = option(0, "The same seed draws the same map.")
    device: str | None = device_option()

    def check(self, workspace: Workspace) -> None:
        """Refuse an unknown run, a count out of range, and a device that is not there."""
        from checkpoints_index.storage.catalogue import open_catalogue
        from studio.specimens.atlases import check_count
        from studio.workspace.devices import require_device

        open_catalogue(workspace.runs, self.run)
        check_count(self.count)
        require_device(self.device)

    def perform(self, workspace: Workspace, reporter: Reporter) -> AtlasResult:
        """Draw it."""
        from studio.specimens.atlases import make_atlas

        atlas = make_atlas(
            workspace,
            self.run,
            self.batch,
            self.count,
            reporter,
            self.space,
            self.seed,
            self.device,
        )
        return AtlasResult(**{name: getattr(atlas, name) for name in AtlasResult.model_fields})


ACTIONS = (
    *(SpecimensSample, SpecimensExport, SpecimensImport, SpecimensList, SpecimensStar),
    *(Near, Atlas),
)
