"""Atlases: maps on which like cities lie near, and how far they may be believed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from studio.actions.action import Action, Result, Table
from studio.actions.declared.run_actions import batch_or_last
from studio.actions.declared.specimen_actions import (
    Space,
    SpecimenList,
    point_labels,
    say_differences,
    space_option,
)
from studio.workspace.claims import Claim
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import DeclaredRecord, device_option, option, run_name

if TYPE_CHECKING:
    from studio.atlases.atlas_files import AtlasCluster, DrawnAtlas

SECTION = "Cities"


class TraitRow(DeclaredRecord):
    """What the cities of a cluster share: in words, and by how many standard deviations."""

    trait: str
    words: str
    effect: float
    inside: float
    outside: float


class ClusterRow(DeclaredRecord):
    """Cities that lie together on a map, the one in their middle, and what they share."""

    count: int
    representative: str
    kept: float
    by_chance: float
    shared: tuple[TraitRow, ...]

    @classmethod
    def of(cls, cluster: AtlasCluster) -> ClusterRow:
        """The row of a cluster that was just found."""
        shared = tuple(TraitRow(**vars(trait)) for trait in cluster.shared or ())
        return cls(**{**vars(cluster), "shared": shared})


class AtlasResult(Result):
    """A drawn atlas, and how far it may be believed."""

    run: str
    batch: int
    space: str
    count: int
    around: str | None
    faithful: float
    trustworthiness: float
    continuity: float
    measured: int
    structure: bool
    structure_p: float
    structure_effect: float
    nearness: float
    dimension: float
    reference_dimension: float
    repeatable: float
    variance_kept: float
    verdict: str
    clusters: tuple[ClusterRow, ...]
    cell_px: int
    path: Path

    @classmethod
    def of(cls, atlas: DrawnAtlas) -> AtlasResult:
        """The result that tells an atlas that was just drawn."""
        assert atlas.trust is not None, "an atlas of today has its trust"
        own = {name: getattr(atlas, name) for name in ("run", "batch", "space", "count", "around")}
        rows = [ClusterRow.of(cluster) for cluster in atlas.clusters]
        return cls(
            **own,
            **vars(atlas.trust),
            clusters=tuple(rows),
            cell_px=atlas.cell_px,
            path=atlas.path,
        )

    def tell(self) -> Iterator[str | Table]:
        """Where it lies, how far it may be believed, and its clusters."""
        place = f"at batch {self.batch}: {self.path}"
        shown = f"around {self.around} " if self.around else ""
        yield f"Atlas of {self.count:,} cities {shown}of run '{self.run}' {place}"
        yield self.verdict
        if self.measured < self.count:
            yield f"How faithful it is was measured at {self.measured:,} of the cities."
        if self.clusters:
            yield Table(
                ["cities", "in their middle", "nearest in it", "by chance", "what they share"],
                [
                    (
                        *(c.count, c.representative, f"{c.kept:.0%}", f"{c.by_chance:.0%}"),
                        _tell_shared(c.shared),
                    )
                    for c in self.clusters
                ],
            )


def _tell_shared(shared: Sequence[TraitRow]) -> str:
    """What a cluster shares against all other cities, in words with the size of each effect."""
    told = (
        f"{each.words} ({each.effect:.1f} times as often)"
        if each.trait.startswith("tag:")
        else f"{each.words} ({each.effect:+.1f} sd)"
        for each in shared
    )
    return ", ".join(told) or "nothing beyond chance"


class Atlas(Action):
    """Draw a map on which like cities lie near.

    It says how far the map may be believed: how faithfully it keeps who is near whom, whether the
    space has any structure, and how far maps of other seeds agree.
    """

    command = "atlas"
    section = SECTION

    run: str = run_name()
    batch: int | None = batch_or_last()
    count: int = option(1000, "How many cities.")
    space: Space = space_option()
    around: str | None = option(
        None,
        "Draw the neighbourhood of this city: a label, seed:N or an exported JPEG.",
        metavar="POINT",
        risk="path",
    )
    radius: float = option(
        0.6, "How far from it the farthest cities are; at 1 it is forgotten.", gt=0, le=1
    )
    seed: int = option(0, "The same seed draws the same map.", ge=0, le=2**32 - 1)
    device: str | None = device_option()

    def check(self, workspace: Workspace) -> None:
        """Refuse an unknown run, a count out of range, and a device that is not there."""
        from checkpoints_index.storage.catalogue import open_catalogue
        from studio.atlases.atlas_drawing import check_count
        from studio.workspace.devices import require_device

        open_catalogue(workspace.runs, self.run)
        check_count(self.count)
        require_device(self.device)

    def perform(self, workspace: Workspace, reporter: Reporter) -> AtlasResult:
        """Draw it."""
        from studio.atlases.atlas_drawing import make_atlas, make_neighbourhood

        asked = (workspace, self.run, self.batch, self.count, reporter, self.space)
        if self.around is None:
            return AtlasResult.of(make_atlas(*asked, self.seed, self.device))
        say_differences(workspace, self.run, [self.around], reporter)
        city = (self.around, self.radius, self.seed, self.device)
        return AtlasResult.of(make_neighbourhood(*asked, *city))


def atlas_fields() -> tuple[Any, Any, Any]:
    """The fields that choose an atlas which was drawn: batch, space and city in the middle."""
    return (
        option(None, "The atlas of this checkpoint; by default the newest.", ge=0),
        option(None, "What it was drawn by; any by default."),
        option(None, "The atlas around this city.", metavar="LABEL"),
    )


class PosterResult(Result):
    """A poster that was written."""

    path: Path
    width: int
    height: int
    count: int

    def tell(self) -> Iterator[str | Table]:
        """Where it lies."""
        yield f"{self.path}: {self.count:,} cities, {self.width:,} x {self.height:,} px"


class Poster(Action):
    """Make a poster of an atlas, PNG or SVG.

    The ground is transparent; below stand the run, the batch and how far the map may be believed.
    """

    command = "poster"
    section = SECTION
    is_job = False

    run: str = run_name()
    batch: int | None = atlas_fields()[0]
    space: Space | None = atlas_fields()[1]
    around: str | None = atlas_fields()[2]
    arrange: Literal["grid", "map"] = option(
        "grid", "Each city in a cell of its own, or where it belongs on the map."
    )
    labels: Literal["none", "clusters", "starred"] = option(
        "none", "Whose labels are written: of the middle of each cluster, or of starred specimens."
    )
    caption: bool = option(True, "Lines below that say what it shows.")
    width: int = option(4000, "Width of the poster.", unit="px")
    out: Path | None = option(None, "A .png or .svg; beside the atlas by default.", metavar="FILE")

    def claims(self) -> Sequence[Claim]:
        """The atlas keeps its name meanwhile."""
        return [Claim("run", self.run)]

    def check(self, workspace: Workspace) -> None:
        """Refuse an atlas that was not drawn, and a file that cannot be."""
        from renderers.destinations import require_place
        from studio.atlases.posters import check_poster

        path = self._path(self._atlas(workspace))
        check_poster(path, self.width)
        require_place(path)

    def perform(self, workspace: Workspace, reporter: Reporter) -> PosterResult:
        """Draw it."""
        from studio.atlases.posters import draw_poster
        from studio.specimens.specimens import list_specimens

        atlas = self._atlas(workspace)
        marked: list[str] = []
        if self.labels == "clusters":
            marked = [cluster.representative for cluster in atlas.clusters]
        elif self.labels == "starred":
            marked = [s.label for s in list_specimens(workspace, self.run) if s.starred]
        lines = _caption(workspace, atlas) if self.caption else []
        path = self._path(atlas)
        layout = draw_poster(atlas, path, self.width, self.arrange, marked, lines)
        return PosterResult(path=path, width=layout.width, height=layout.height, count=atlas.count)

    def _atlas(self, workspace: Workspace) -> DrawnAtlas:
        from studio.atlases.atlas_files import find_atlas

        return find_atlas(workspace, self.run, self.batch, self.space, self.around)

    def _path(self, atlas: DrawnAtlas) -> Path:
        return self.out or atlas.path.with_name("poster.png")


def _caption(workspace: Workspace, atlas: DrawnAtlas) -> list[str]:
    from studio.runs.attribution import attribution_of

    around = f" around {atlas.around}" if atlas.around else ""
    lines = [
        f"{atlas.run} · batch {atlas.batch:,} · {atlas.count:,} cities{around} by {atlas.space}",
        *([atlas.trust.verdict] if atlas.trust else []),
        attribution_of(workspace, atlas.run),
    ]
    return [part for line in lines for part in textwrap.wrap(line, 110)]


class LocatedRow(DeclaredRecord):
    """Where a city lies on an atlas, and which of it is nearest."""

    label: str
    x: float
    y: float
    nearest: str
    distance: float


class LocateResult(Result):
    """The places of some cities on an atlas."""

    run: str
    batch: int
    space: str
    path: Path
    cities: tuple[LocatedRow, ...]

    def tell(self) -> Iterator[str | Table]:
        """A table of them."""
        yield f"On the atlas of batch {self.batch:,} by {self.space}, {self.path}:"
        yield Table(
            ["city", "x", "y", "nearest on it", "distance"],
            [
                (c.label, f"{c.x:.3f}", f"{c.y:.3f}", c.nearest, f"{c.distance:.4f}")
                for c in self.cities
            ],
        )


class Locate(Action):
    """Find where cities lie on an atlas that is there.

    Each is placed among those that it is like; nothing on the atlas moves.
    """

    command = "locate"
    section = SECTION
    is_job = False

    run: str = run_name()
    points: tuple[str, ...] = point_labels()
    batch: int | None = atlas_fields()[0]
    space: Space | None = atlas_fields()[1]
    around: str | None = atlas_fields()[2]
    device: str | None = device_option()

    def claims(self) -> Sequence[Claim]:
        """The checkpoint has to stay meanwhile."""
        return [Claim("run", self.run)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> LocateResult:
        """Place them."""
        from studio.atlases.atlas_files import find_atlas
        from studio.atlases.locating import locate_cities

        atlas = find_atlas(workspace, self.run, self.batch, self.space, self.around)
        say_differences(workspace, self.run, self.points, reporter)
        found = locate_cities(workspace, atlas, self.points, self.device)
        return LocateResult(
            run=self.run,
            batch=atlas.batch,
            space=atlas.space,
            path=atlas.path,
            cities=tuple(LocatedRow(**vars(city)) for city in found),
        )


class SpecimensSpread(Action):
    """Export and star cities from all over an atlas.

    Each is the farthest from those before it on the map. Pictures that are there already stay.
    """

    command = "specimens spread"
    section = SECTION

    run: str = run_name()
    batch: int | None = atlas_fields()[0]
    space: Space | None = atlas_fields()[1]
    count: int = option(6, "How many.", ge=1, le=1000)
    device: str | None = device_option()

    def writes_elsewhere(self) -> bool:
        """Stars and pictures are kept in the workspace."""
        return False

    def check(self, workspace: Workspace) -> None:
        """Refuse an unknown run, and one without an atlas."""
        from checkpoints_index.storage.catalogue import open_catalogue
        from studio.atlases.atlas_files import find_atlas

        open_catalogue(workspace.runs, self.run)
        find_atlas(workspace, self.run, self.batch, self.space)

    def perform(self, workspace: Workspace, reporter: Reporter) -> SpecimenList:
        """Choose them, write what is missing, and star them."""
        from studio.atlases.atlas_files import find_atlas
        from studio.specimens.exports import export_specimens
        from studio.specimens.marking import star_specimens
        from studio.specimens.specimen_pages import read_specimens
        from studio.specimens.specimens import picture_path

        atlas = find_atlas(workspace, self.run, self.batch, self.space)
        chosen = atlas.far_apart(self.count)
        missing = [c for c in chosen if not picture_path(workspace, self.run, c).exists()]
        if missing:
            with reporter.task("Exporting") as on_progress:
                asked = (self.run, missing, None, self.device)
                export_specimens(workspace, *asked, on_progress)
        star_specimens(workspace, self.run, chosen, starred=True)
        return SpecimenList.of(s for s, _ in read_specimens(workspace, self.run, chosen))


ACTIONS = (Atlas, Poster, Locate, SpecimensSpread)
