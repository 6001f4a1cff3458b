"""Atlases over training: how neighbourhoods form, as maps, as numbers and as a film."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from studio.actions.action import Action, Result, Table
from studio.actions.declared.atlas_actions import SECTION
from studio.actions.declared.film_actions import KEPT, FilmAction, RenderResult
from studio.actions.declared.film_actions import SECTION as FILMS
from studio.actions.declared.specimen_actions import say_differences
from studio.films.options.growth_options import GrowthFilm
from studio.workspace.claims import Claim
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.declarations import Commas
from studio.workspace.records.record import DeclaredRecord, device_option, option, run_name

if TYPE_CHECKING:
    from studio.atlases.growth_drawing import DrawnGrowth, GrowthRequest

PlainSpace = Literal["pictures", "activations", "z", "w"]


class MapRow(DeclaredRecord):
    """One map: how far points moved to it, and how far it and its neighbourhoods hold."""

    batch: int
    moved: float
    faithful: float
    kept: float
    stable: float | None
    stable_since: int | None
    placed: int


class GrowthResult(Result):
    """An atlas over training; `shifted` is how far what was there before was moved."""

    run: str
    space: str
    count: int
    seed: int
    neighbours: int
    batches: tuple[int, ...]
    moved: float
    maps: tuple[MapRow, ...]
    new_maps: int
    new_points: int
    shifted: float
    folder: Path
    path: Path
    stability: Path

    @classmethod
    def of(cls, drawn: DrawnGrowth) -> GrowthResult:
        """The result that tells an atlas that was just drawn."""
        from studio.atlases.growth_files import STABILITY, STRIP

        atlas = drawn.atlas
        moved = [each.moved for each in atlas.maps[1:]]
        names = MapRow.model_fields
        return cls(
            run=atlas.run,
            space=atlas.space,
            count=len(atlas.labels),
            seed=atlas.seed,
            neighbours=atlas.neighbours,
            batches=tuple(atlas.batches),
            moved=round(sum(moved) / max(1, len(moved)), 4),
            maps=tuple(MapRow(**{n: getattr(each, n) for n in names}) for each in atlas.maps),
            new_maps=drawn.new_maps,
            new_points=drawn.new_points,
            shifted=drawn.shifted,
            folder=atlas.folder,
            path=atlas.folder / STRIP,
            stability=atlas.folder / STABILITY,
        )

    def tell(self) -> Iterator[str | Table]:
        """Where it lies, how far points move, and a row for each map."""
        yield (
            f"{len(self.maps):,} maps of {self.count:,} cities of run '{self.run}' by "
            f"{self.space}: {self.path}"
        )
        yield (
            f"From map to map a city moves by {self.moved:.2f} of the map's radius; "
            f"maps that have nothing to do with each other are 1.25 apart."
        )
        yield f"How stable neighbourhoods are, above the loss: {self.stability}"
        yield Table(
            ["batch", "moved", "faithful", "neighbours kept", "as at the checkpoint before"],
            [
                (
                    row.batch,
                    f"{row.moved:.2f}",
                    f"{row.faithful:.2f}",
                    f"{row.kept:.0%}",
                    None if row.stable is None else f"{row.stable:.0%}",
                )
                for row in self.maps
            ],
        )

    def remarks(self) -> Iterator[str]:
        """What became of a map that was there."""
        if self.new_maps < len(self.maps) or self.new_points < self.count:
            yield (
                f"{self.new_maps:,} maps and {self.new_points:,} cities are new. What was there "
                f"was moved by {self.shifted:g}."
            )


class AtlasGrowth(Action):
    """Draw maps of the same cities at many batches.

    Each map begins where the one before ended, so that cities move as their neighbourhoods form.
    Drawn again after the run has grown, it goes on: what is on the maps stays where it is.
    """

    command = "atlas-growth"
    section = SECTION
    kept = "Its finished maps are kept and are not drawn again."

    run: str = run_name()
    batches: str = option(
        "",
        "A range, FROM:TO, in which maps are chosen, or a list, 1,50,200, each of which has one; "
        "all by default.",
        example="all, or 0:19000",
    )
    maps: int = option(
        32, "How many maps, chosen so that as much changes from each to the next.", ge=2, le=1000
    )
    count: int | None = option(
        None, "How many cities are drawn for it; 500 at first.", ge=10, le=20_000, example="500"
    )
    points: Commas = option(
        (), "Further cities: labels, seed:N or exported JPEGs, with commas between.", risk="path"
    )
    space: PlainSpace = option("activations", "What is compared.")
    seed: int = option(0, "The same seed draws the same maps.", ge=0, le=2**32 - 1)
    anew: bool = option(False, "Draw all maps again, rather than go on with those that are there.")
    device: str | None = device_option()

    def check(self, workspace: Workspace) -> None:
        """Refuse what `studio.atlases.growth_drawing.check_growth` refuses."""
        from studio.atlases.growth_drawing import check_growth
        from studio.workspace.devices import require_device

        check_growth(workspace, self._request())
        require_device(self.device)

    def perform(self, workspace: Workspace, reporter: Reporter) -> GrowthResult:
        """Draw what lacks."""
        from studio.atlases.growth_drawing import grow_atlas
        from studio.atlases.growth_pictures import draw_growth_pictures

        say_differences(workspace, self.run, self.points, reporter)
        drawn = grow_atlas(workspace, self._request(), reporter, self.device)
        draw_growth_pictures(workspace, drawn.atlas)
        return GrowthResult.of(drawn)

    def resumed(self) -> AtlasGrowth:
        """What was begun anew is gone on with."""
        return self.model_copy(update={"anew": False})

    def _request(self) -> GrowthRequest:
        from studio.atlases.growth_drawing import GrowthRequest

        return GrowthRequest(
            run=self.run,
            space=self.space,
            count=self.count,
            further=self.points,
            batches=self.batches,
            maps=self.maps,
            seed=self.seed,
            anew=self.anew,
        )


class SinceRow(DeclaredRecord):
    """A neighbour, and the batch from which on it was one on every map."""

    label: str
    since: int


class ShareRow(DeclaredRecord):
    """The share of all neighbours at the last map that are so since a batch or longer."""

    batch: int
    share: float


class NearSinceResult(Result):
    """Since when neighbours are neighbours: those of one city, or of all."""

    run: str
    space: str
    batch: int
    point: str | None
    neighbours: tuple[SinceRow, ...]
    shares: tuple[ShareRow, ...]

    def tell(self) -> Iterator[str | Table]:
        """A table of neighbours, or of shares."""
        if self.point is not None:
            yield f"Neighbours of {self.point} by {self.space} at batch {self.batch:,}:"
            yield Table(["city", "since batch"], [(n.label, n.since) for n in self.neighbours])
            return
        yield f"Of all neighbours by {self.space} at batch {self.batch:,}:"
        yield Table(
            ["are so since batch", "or longer"], [(s.batch, f"{s.share:.0%}") for s in self.shares]
        )


class NearSince(Action):
    """Say since when neighbours are neighbours.

    Read off the maps of `studio atlas-growth`: the first map from which on two cities that are
    neighbours in the end are so on every map.
    """

    command = "near-since"
    section = SECTION
    is_job = False

    run: str = run_name()
    point: str | None = option(
        None, "A city on the maps, by its label; all by default.", argument=True, metavar="LABEL"
    )
    space: PlainSpace | None = option(None, "Which of the run's atlases; the newest by default.")

    def claims(self) -> list[Claim]:
        """The atlas keeps its name meanwhile."""
        return [Claim("run", self.run)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> NearSinceResult:
        """Read it off the maps."""
        from studio.atlases.growth_files import find_growth
        from studio.atlases.growth_neighbours import neighbours_since, shares_since

        atlas = find_growth(workspace, self.run, self.space)
        found = [] if self.point is None else neighbours_since(atlas, self.point)
        shares = shares_since(atlas)
        return NearSinceResult(
            run=self.run,
            space=atlas.space,
            batch=atlas.batches[-1],
            point=self.point,
            neighbours=tuple(SinceRow(**vars(each)) for each in found),
            shares=tuple(
                ShareRow(batch=batch, share=share)
                for batch, share in zip(atlas.batches, shares, strict=True)
            ),
        )


class RenderGrowth(FilmAction, GrowthFilm):
    """Film an atlas over training.

    Cities move on the map as their neighbourhoods form, each as it looks at the batch of the frame.
    """

    command = "render atlas-growth"
    section = FILMS
    kept = KEPT

    def check(self, workspace: Workspace) -> None:
        """Refuse what `studio.films.growth.check_growth_film` refuses."""
        from studio.films.growth import check_growth_film

        check_growth_film(workspace, self)

    def render(self, workspace: Workspace, reporter: Reporter) -> RenderResult:
        """Render it."""
        from studio.films.growth import film_growth

        began = time.monotonic()
        with reporter.task("Rendering frames") as on_progress:
            video = film_growth(workspace, self, on_progress, reporter.say)
        return RenderResult.of([video], began)


ACTIONS = (AtlasGrowth, NearSince, RenderGrowth)
