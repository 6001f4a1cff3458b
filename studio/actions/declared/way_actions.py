"""Copies of training pictures, and near-duplicates among specimens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from studio.actions.action import Result, Table
from studio.actions.declared.nearness_actions import Nearest, Neighbour, require_picture
from studio.actions.declared.specimen_actions import SHOWN
from studio.nearness.space_options import metric_option
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import DeclaredRecord, option


class CopyRow(DeclaredRecord):
    """A city and the training picture that is nearest to it."""

    point: str
    picture: str
    distance: float
    ratio: float
    copied: bool
    latitude: float | None
    longitude: float | None
    map_error: float | None
    held_out: str | None = None
    held_out_distance: float | None = None


class MemorisedResult(Result):
    """Whether cities are copies of training pictures, the most alike first.

    Attributes:
        copied: how many are.
        pictures: how many different training pictures are the nearest.
        held_out: what pictures that training never saw say of it, in a sentence; "" for none.
        nearer_to_training: how many are nearer to a training picture than to any held-out one;
            None where none was held out.
        nearer_by_chance: how many would be if nothing were learned by heart.
    """

    run: str
    batch: int
    space: str
    metric: str
    dataset: str
    count: int
    copied: int
    pictures: int
    nearest: tuple[CopyRow, ...]
    picture: Path | None = None
    map: Path | None = None
    held_out: str = ""
    nearer_to_training: int | None = None
    nearer_by_chance: float | None = None

    def tell(self) -> Iterator[str | Table]:
        """The verdict, and a table."""
        yield (
            f"{self.copied} of {self.count:,} are copies: less than a third as far from a picture "
            f"of '{self.dataset}' as that is from any other. {self.pictures:,} different pictures "
            f"are the nearest ones ({self.metric} in {self.space}, batch {self.batch:,})."
        )
        if self.held_out:
            yield self.held_out
        yield Table(
            ["city", "nearest", "distance", "ratio", "", "latitude, longitude"],
            [
                (
                    *(row.point, row.picture, f"{row.distance:.4f}", f"{row.ratio:.2f}"),
                    "copy" if row.copied else "",
                    "" if row.latitude is None else f"{row.latitude:.6f}, {row.longitude:.6f}",
                )
                for row in self.nearest
            ],
        )


class Memorised(Nearest):
    """Check whether cities copy training pictures.

    For each it finds the nearest training picture and, where the pictures were cut from a city
    map, its place there.
    """

    command = "memorised"

    points: tuple[str, ...] = option(
        (),
        "Labels, seed:N, or pictures of any kind; drawn points by default.",
        argument=True,
        metavar="POINT",
        risk="path",
    )
    count: int = option(64, "How many points are drawn where none is named.", ge=1)
    dataset: str | None = option(None, "Compare with this dataset; the run's own by default.")
    metric: Literal["euclidean", "cosine"] = metric_option()
    held_out: float | None = option(
        None,
        "Pictures that training never saw, as the setting says it; by default those of the run.",
        ge=0,
    )
    on_map: bool = option(False, "Look for each picture on the whole map.")
    map: Path | None = option(None, "Draw the map with their places: FILE.png.", metavar="FILE")

    def check(self, workspace: Workspace) -> None:
        """Refuse what `Nearest` refuses, and a map that cannot be written."""
        super().check(workspace)
        require_picture(self.map)

    def perform(self, workspace: Workspace, reporter: Reporter) -> MemorisedResult:
        """Compare them."""
        from studio.nearness.memorising import draw_copies, draw_on_map, find_copies

        found = find_copies(
            *(workspace, self.run, self.points, self.chosen_space(), self.metric, self.at_batch),
            count=self.count,
            dataset=self.dataset,
            on_map=self.on_map,
            held_out=self.held_out,
            device=self.device,
        )
        if self.picture is not None:
            draw_copies(self.run, found, self.picture)
        if self.map is not None:
            draw_on_map(found, self.map)
        rows = []
        for each in sorted(found.likenesses, key=lambda likeness: likeness.ratio):
            at: tuple[float | None, float | None] = (None, None)
            if found.places is not None and each.window is not None:
                at = found.places.locate(each.window.top, each.window.left)
            rows.append(
                CopyRow(
                    point=each.point,
                    picture=f"{found.dataset}:{each.number}",
                    distance=each.distance,
                    ratio=each.ratio,
                    copied=each.is_copy,
                    latitude=at[0],
                    longitude=at[1],
                    map_error=each.map_error,
                    held_out=None if each.held_out is None else f"{found.dataset}:{each.held_out}",
                    held_out_distance=each.held_out_distance,
                )
            )
        return MemorisedResult(
            run=self.run,
            batch=found.batch,
            space=found.space,
            metric=self.metric,
            dataset=found.dataset,
            count=len(rows),
            copied=sum(row.copied for row in rows),
            pictures=len({row.picture for row in rows}),
            nearest=tuple(rows),
            picture=self.picture,
            map=self.map,
            held_out=found.tell_held_out(),
            nearer_to_training=found.nearer_to_training if found.held_out else None,
            nearer_by_chance=round(found.nearer_by_chance, 2) if found.held_out else None,
        )


class DuplicateStack(DeclaredRecord):
    """Cities that are nearly alike: the one on top, and the others by their distance to it."""

    point: str
    duplicates: tuple[Neighbour, ...]


class DuplicatesResult(Result):
    """Near-duplicates among the specimens of a run, in stacks.

    Attributes:
        count: how many specimens were compared.
        median: the median distance between two of them.
        within: the largest distance of a specimen to the next of its stack.
    """

    run: str
    batch: int
    space: str
    metric: str
    count: int
    median: float
    within: float
    stacks: tuple[DuplicateStack, ...]
    picture: Path | None = None

    def tell(self) -> Iterator[str | Table]:
        """A row for each stack."""
        yield (
            f"Of {self.count:,} specimens of run '{self.run}' at batch {self.batch:,}, those "
            f"within {self.within:.4g} of each other, {self.metric} in {self.space} (two "
            f"specimens are {self.median:.4g} apart at the median):"
        )
        rows = [
            (
                stack.point,
                len(stack.duplicates) + 1,
                ", ".join(f"{d.label} ({d.distance:.3g})" for d in stack.duplicates[:SHOWN])
                + ", ..." * (len(stack.duplicates) > SHOWN),
            )
            for stack in self.stacks
        ]
        yield Table(["on top", "cities", "beneath (distance)"], rows, "No two are that near.")


class SpecimensDuplicates(Nearest):
    """Find near-duplicates among specimens, in stacks.

    On top lies the one with a star, else the best rated, else one with a name, else the first.
    """

    command = "specimens duplicates"

    within: float | None = option(
        None, "How far apart at most; a tenth of the median distance by default.", ge=0
    )
    metric: Literal["euclidean", "cosine"] = metric_option()

    def perform(self, workspace: Workspace, reporter: Reporter) -> DuplicatesResult:
        """Compare them."""
        from studio.nearness.duplicates import find_duplicates
        from studio.nearness.pictures import draw_neighbours

        found = find_duplicates(
            *(workspace, self.run, self.chosen_space(), self.metric, self.within, self.at_batch),
            with_pictures=self.picture is not None,
            device=self.device,
        )
        drawn = self.picture if found.stacks else None
        if drawn is not None:
            draw_neighbours(workspace, self.run, found.pictures, drawn)
        stacks = (
            DuplicateStack(
                point=stack.point,
                duplicates=tuple(
                    Neighbour(label=label, distance=far) for label, far in stack.neighbours
                ),
            )
            for stack in found.stacks
        )
        return DuplicatesResult(
            run=self.run,
            batch=found.pictures.batch,
            space=found.pictures.space,
            metric=self.metric,
            count=found.count,
            median=found.median,
            within=found.within,
            stacks=tuple(stacks),
            picture=drawn,
        )


ACTIONS = (Memorised, SpecimensDuplicates)
