"""What is near what: neighbours, spaces that agree or not, distances, routes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from studio.actions.action import Action, Result, Table
from studio.actions.declared.run_actions import batch_or_last
from studio.actions.declared.specimen_actions import point_labels, say_differences
from studio.nearness.space_options import SpaceOptions, metric_option
from studio.workspace.claims import Claim
from studio.workspace.names import MAX_SHOWN
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import DeclaredRecord, device_option, option, run_name

if TYPE_CHECKING:
    from studio.nearness.searches import Found, Neighbours

SECTION = "Cities"
PATH_HELP = "How distance is measured; path is how far the features travel from one to the other."
MANY = 0.8  # A nearest neighbour that is no nearer than this says little.


def picture_option() -> Any:
    """The field of the picture that is drawn of a result."""
    return option(None, "Draw it as a picture: FILE.png.", metavar="FILE")


def require_picture(path: Path | None) -> None:
    """Refuse a picture that cannot be written, before anything is computed."""
    from renderers.destinations import require_place

    if path is not None:
        require_place(path)


class Nearest(Action, SpaceOptions):
    """An action that compares cities of one run, whose checkpoints have to stay meanwhile."""

    section = SECTION
    is_job = False

    run: str = run_name()
    at_batch: int | None = batch_or_last()
    picture: Path | None = picture_option()
    device: str | None = device_option()

    def claims(self) -> Sequence[Claim]:
        """The checkpoints have to stay meanwhile."""
        return [Claim("run", self.run)]

    def check(self, workspace: Workspace) -> None:
        """Refuse a device that is not there, and a picture that cannot be written."""
        from studio.workspace.devices import require_device

        require_device(self.device)
        require_picture(self.picture)


class Neighbour(DeclaredRecord):
    """A city and how far it is."""

    label: str
    distance: float


class NeighbourList(DeclaredRecord):
    """What is nearest to one of several points."""

    point: str
    neighbours: tuple[Neighbour, ...]

    @classmethod
    def of(cls, found: Found) -> NeighbourList:
        """The record of a list that was found."""
        near = (Neighbour(label=label, distance=far) for label, far in found.neighbours)
        return cls(point=found.point, neighbours=tuple(near))


class NearResult(Result):
    """What is nearest to a point, nearest first, and how nearness was measured.

    Attributes:
        more: the same for further points.
        concentration: the nearest over the median distance; near 1, "nearest" says little.
    """

    point: str
    batch: int
    space: str
    metric: str
    among: str
    concentration: float
    neighbours: tuple[Neighbour, ...]
    more: tuple[NeighbourList, ...] = ()
    picture: Path | None = None

    @classmethod
    def of(cls, found: Neighbours, picture: Path | None) -> NearResult:
        """The result of a search."""
        first, *more = [NeighbourList.of(each) for each in found.found]
        return cls(
            point=first.point,
            batch=found.batch,
            space=found.space,
            metric=found.metric,
            among=found.among,
            concentration=round(found.concentration, 4),
            neighbours=first.neighbours,
            more=tuple(more),
            picture=picture,
        )

    def tell(self) -> Iterator[str | Table]:
        """A table for each point."""
        for point, near in [
            (self.point, self.neighbours),
            *((m.point, m.neighbours) for m in self.more),
        ]:
            yield (
                f"Nearest to {point} at batch {self.batch} among {self.among}, "
                f"{self.metric} in {self.space}:"
            )
            yield Table(["city", "distance"], [(n.label, f"{n.distance:.4f}") for n in near])

    def remarks(self) -> Iterator[str]:
        """How much the word nearest means here."""
        little = " All are nearly as far: nearest says little here." * (self.concentration > MANY)
        yield f"The nearest is at {self.concentration:.0%} of the median distance.{little}"


class Near(Nearest):
    """Find what is nearest to a point.

    It is looked for among the specimens, drawn points, training pictures, or another run's
    specimens.
    """

    command = "near"

    point: str = option(
        help="A label, seed:N, a picture of any kind, or training:17 for that training picture.",
        argument=True,
        metavar="POINT",
        risk="path",
    )
    k: int = option(10, "How many neighbours.", short="-k", flag="--count", ge=1)
    also: tuple[str, ...] = option(
        (), "A further point to search from.", repeated=True, metavar="POINT", risk="path"
    )
    between: str | None = option(
        None, "Find what lies between the point and this one.", metavar="POINT", risk="path"
    )
    metric: Literal["euclidean", "cosine", "path"] = metric_option(PATH_HELP)
    among: Literal["specimens", "drawn", "training"] = option(
        "specimens", "What is searched; training: the pictures that the run was trained on."
    )
    drawn: int = option(1000, "How many points are drawn: seed:0, seed:1 and so on.", ge=1)
    shown: int = option(
        0, "Compare with so many cities that are drawn there, too.", ge=0, le=MAX_SHOWN
    )
    other_run: str | None = option(
        None, "Search the specimens of this run, as its last checkpoint shows them.", metavar="RUN"
    )
    at_batch: int | None = option(
        None, "Compare at this checkpoint; else at that of the label.", ge=0
    )

    def pictured(self, workspace: Workspace) -> Near:
        """The same, drawn as a picture that has its place in the workspace."""
        from studio.exploration.sheets import sheet_place

        place = self.picture or sheet_place(workspace, self.run, "near", self)
        return self.model_copy(update={"picture": place})

    def perform(self, workspace: Workspace, reporter: Reporter) -> NearResult:
        """Compare it with all that is searched."""
        from studio.nearness.pictures import draw_neighbours
        from studio.nearness.queries import is_plain_picture
        from studio.nearness.searches import find_near

        points = [self.point, *([self.between] if self.between else self.also)]
        exported = [point for point in points if not is_plain_picture(point)]
        say_differences(workspace, self.run, exported, reporter)
        found = find_near(
            *(workspace, self.run, points, self.k, self.chosen_space(), self.metric),
            at_batch=self.at_batch,
            among=self.among,
            drawn=self.drawn,
            shown=self.shown,
            other_run=self.other_run,
            between=self.between is not None,
            with_pictures=self.picture is not None,
            device=self.device,
        )
        if self.picture is not None:
            draw_neighbours(workspace, self.run, found, self.picture)
        return NearResult.of(found, self.picture)


class SpacePair(DeclaredRecord):
    """How many neighbours two spaces share."""

    spaces: tuple[str, str]
    shared: float
    corrected: float


class SpaceAtBatch(DeclaredRecord):
    """How many neighbours at a batch are still neighbours at the last."""

    space: str
    batch: int
    shared: float
    corrected: float


class SpacesResult(Result):
    """How far spaces agree on what is near, at a batch and over training.

    Attributes:
        by_chance: the share of neighbours that unrelated spaces have in common.
        concentration: of each space, the nearest over the median distance.
    """

    run: str
    batch: int
    count: int
    k: int
    metric: str
    by_chance: float
    concentration: dict[str, float]
    agreement: tuple[SpacePair, ...]
    training: tuple[SpaceAtBatch, ...]
    picture: Path | None = None

    def tell(self) -> Iterator[str | Table]:
        """Two tables."""
        yield (
            f"Of the {self.k} nearest of {self.count:,} points at batch {self.batch:,}, so many "
            f"are common to two spaces (by chance: {self.by_chance:.1%}):"
        )
        yield Table(
            ["spaces", "common", "corrected for chance"],
            [
                (" and ".join(pair.spaces), f"{pair.shared:.1%}", f"{pair.corrected:.2f}")
                for pair in self.agreement
            ],
        )
        yield f"Neighbours at earlier batches that are neighbours at batch {self.batch:,}:"
        batches = sorted({row.batch for row in self.training})
        shares = {(row.space, row.batch): f"{row.shared:.0%}" for row in self.training}
        yield Table(
            ["space", *[f"{batch:,}" for batch in batches]],
            [[space, *[shares[space, b] for b in batches]] for space in self.concentration],
        )
        yield Table(
            ["space", "nearest / median distance"],
            [(space, f"{ratio:.2f}") for space, ratio in self.concentration.items()],
        )


class Spaces(Nearest):
    """Compare the spaces of a run.

    How many neighbours are common to two of them, and since when neighbours are neighbours.
    """

    command = "spaces"

    count: int = option(400, "How many drawn points are compared.")
    k: int = option(15, "How many neighbours.", short="-k", flag="--neighbours", ge=1)
    metric: Literal["euclidean", "cosine"] = metric_option()
    batches: int = option(8, "How many batches of the training are looked at.", ge=1)

    def perform(self, workspace: Workspace, reporter: Reporter) -> SpacesResult:
        """Compare them."""
        from studio.nearness.agreements import compare_spaces, draw_agreements

        report = compare_spaces(
            *(workspace, self.run, reporter),
            batch=self.at_batch,
            count=self.count,
            k=self.k,
            metric=self.metric,
            also=self.chosen_space(),
            num_batches=self.batches,
            device=self.device,
        )
        if self.picture is not None:
            draw_agreements(report, self.picture)
        names = report.spaces
        return SpacesResult(
            run=self.run,
            batch=report.batch,
            count=report.count,
            k=report.k,
            metric=report.metric,
            by_chance=round(report.agreement[0][0].by_chance, 4),
            concentration={
                name: round(ratio, 4)
                for name, ratio in zip(names, report.concentration, strict=True)
            },
            agreement=tuple(
                SpacePair(
                    spaces=(names[i], names[j]),
                    shared=round(report.agreement[i][j].shared, 4),
                    corrected=round(report.agreement[i][j].corrected, 4),
                )
                for i in range(len(names))
                for j in range(i + 1, len(names))
            ),
            training=tuple(
                SpaceAtBatch(
                    space=name,
                    batch=batch,
                    shared=round(each.shared, 4),
                    corrected=round(each.corrected, 4),
                )
                for name, row in zip(names, report.training, strict=True)
                for batch, each in zip(report.batches, row, strict=True)
            ),
            picture=self.picture,
        )


class DistancesResult(Result):
    """How far some cities are from each other."""

    batch: int
    space: str
    metric: str
    unit: str
    labels: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]
    picture: Path | None = None

    def tell(self) -> Iterator[str | Table]:
        """The mileage chart."""
        yield f"Distances at batch {self.batch:,}, {self.metric} in {self.space} ({self.unit}):"
        yield Table(
            ["", *self.labels],
            [
                [label, *[f"{far:.4g}" if i != j else "" for j, far in enumerate(row)]]
                for i, (label, row) in enumerate(zip(self.labels, self.matrix, strict=True))
            ],
        )


class Distances(Nearest):
    """Show how far cities are from each other.

    The mileage chart of an atlas, of the cities that are named.
    """

    command = "distances"

    labels: tuple[str, ...] = point_labels()
    metric: Literal["euclidean", "cosine", "path"] = metric_option(PATH_HELP)

    def perform(self, workspace: Workspace, reporter: Reporter) -> DistancesResult:
        """Measure them."""
        from renderers.pictures.picture_file import save_picture
        from studio.nearness.distance_tables import draw_distances, measure_distances

        say_differences(workspace, self.run, self.labels, reporter)
        table = measure_distances(
            *(workspace, self.run, self.labels, self.chosen_space(), self.metric),
            *(self.at_batch, self.device),
        )
        if self.picture is not None:
            save_picture(draw_distances(workspace, self.run, table), self.picture)
        return DistancesResult(
            batch=table.batch,
            space=table.space,
            metric=table.metric,
            unit=table.unit,
            labels=tuple(table.labels),
            matrix=tuple(map(tuple, table.matrix.tolist())),
            picture=self.picture,
        )


ACTIONS = (Near, Spaces, Distances)
