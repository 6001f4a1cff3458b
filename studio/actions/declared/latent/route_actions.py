"""Ways between two cities: the shortest over the graph of neighbours, beside the direct ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from studio.actions.action import Result, Table
from studio.actions.declared.film_actions import VideoRow
from studio.actions.declared.nearness_actions import Nearest
from studio.actions.declared.specimen_actions import say_differences
from studio.films.options.film_options import DEFAULT_SECONDS, MAX_SECONDS, Interpolation
from studio.nearness.space_options import metric_option
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import DeclaredRecord, option

if TYPE_CHECKING:
    from studio.nearness.routes import Route


class WayLength(DeclaredRecord):
    """The length of one way in one space and metric."""

    space: str
    metric: str
    way: str
    length: float


class RouteResult(Result):
    """The shortest way found between two cities, beside the direct ones.

    Attributes:
        kind: `graph` where it leads over other cities, else `great circle` or `straight line`.
        detour: whether it leads over other cities.
        over: the cities on the shortest way that leads over others, be it shorter than the direct
            ones or not; empty where there is none.
        graph_length: the length of that way.
        lengths: of each way in each space and metric.
        searched: how many cities the graph has.
        drawn_way: which way the picture and the film show.
    """

    batch: int
    space: str
    metric: str
    unit: str
    kind: str
    detour: bool
    stops: tuple[str | None, ...]
    length: float
    straight_length: float
    great_circle_length: float
    graph_length: float | None
    over: tuple[str, ...]
    lengths: tuple[WayLength, ...]
    searched: int
    drawn_way: str
    picture: Path | None = None
    videos: tuple[VideoRow, ...] = ()

    def tell(self) -> Iterator[str | Table]:
        """The stops, what a detour costs or saves, and a table of lengths."""
        way = "over other cities" if self.detour else f"along the {self.kind}"
        yield f"The shortest way at batch {self.batch:,}, {self.metric} in {self.space}, is {way}:"
        yield " -> ".join(stop or "?" for stop in self.stops)
        yield self._tell_detour()
        yield f"Lengths say how far the features travel; in {self.space}: {self.unit}."
        ways = list(dict.fromkeys(row.way for row in self.lengths))
        lengths = {(row.space, row.metric, row.way): f"{row.length:.4g}" for row in self.lengths}
        kinds = list(dict.fromkeys((row.space, row.metric) for row in self.lengths))
        yield Table(
            ["measured in", *ways],
            [[f"{kind[0]}, {kind[1]}", *[lengths[*kind, way] for way in ways]] for kind in kinds],
        )
        yield from (str(video.path) for video in self.videos)

    def _tell_detour(self) -> str:
        """How the shortest way over other cities compares with the direct ones."""
        if self.graph_length is None:
            return f"No way over other cities joins them: the graph of {self.searched:,} has gaps."
        line = _compare(self.graph_length, self.straight_length)
        circle = _compare(self.graph_length, self.great_circle_length)
        cities = "1 other city" if len(self.over) == 1 else f"{len(self.over)} other cities"
        return (
            f"The graph's way, over {cities}, is {line} than the straight line and {circle} than "
            f"the great circle, {self.metric} in {self.space}."
        )


def _compare(length: float, other: float) -> str:
    """How much longer or shorter a way is than another, in words."""
    share = length / other - 1 if other > 0 else 0.0
    return f"{abs(share):.1%} {'shorter' if share < 0 else 'longer'}"


class RouteAction(Nearest):
    """Find the shortest way between two cities.

    On it the picture changes least. The shortest over the graph of nearest neighbours is compared
    with the straight line and the great circle. With --out it is filmed, or the way in --along.
    """

    command = "route"
    is_job = True

    start: str = option(
        help="Where it begins: a label, seed:N or an exported JPEG.",
        argument=True,
        metavar="FROM",
        risk="path",
    )
    end: str = option(help="Where it ends.", argument=True, metavar="TO", risk="path")
    drawn: int = option(500, "How many drawn points the graph has beside the specimens.", ge=0)
    k: int = option(10, "Neighbours that each point is joined to.", flag="--neighbours", ge=1)
    metric: Literal["euclidean", "cosine"] = metric_option()
    along: Literal["shortest", "graph", "circle", "line"] = option(
        "shortest", "Which way is drawn and filmed: over other cities, or a direct one."
    )
    out: Path | None = option(None, "Film it: FILE.mp4.")
    seconds: float = option(DEFAULT_SECONDS, "Length of the film.", unit="s", gt=0, le=MAX_SECONDS)
    overwrite: bool = option(False, "Replace a film of that name.")

    def check(self, workspace: Workspace) -> None:
        """Refuse what `Nearest` refuses, and a film that cannot be made."""
        from studio.films.interpolation import check_interpolation

        super().check(workspace)
        if self.out is not None:
            check_interpolation(workspace, self._film((self.start, self.end), "slerp"))

    def perform(self, workspace: Workspace, reporter: Reporter) -> RouteResult:
        """Find it, and film it."""
        from renderers.progress import ignore_progress
        from studio.films.interpolation import film_interpolation
        from studio.films.sheet import draw_sheet
        from studio.nearness.routes import GRAPH, GREAT_CIRCLE, STRAIGHT, find_route

        ends = (self.start, self.end)
        say_differences(workspace, self.run, ends, reporter)
        reporter.say("Looking for the shortest way ...")
        route = find_route(
            *(workspace, self.run, ends, self.chosen_space(), self.metric, self.at_batch),
            drawn=self.drawn,
            k=self.k,
            device=self.device,
        )
        drawn = self._choose(route)
        points = (self.start, *route.ways[drawn][1:-1], self.end)
        if self.picture is not None:
            draw_sheet(workspace, self._sheet(points, route.batch), ignore_progress)
        videos = []
        if self.out is not None:
            with reporter.task("Rendering frames") as on_progress:
                kind = "linear" if drawn == STRAIGHT else "slerp"
                film = self._film(points, kind, route.batch)
                videos.append(film_interpolation(workspace, film, on_progress, reporter.say))
        own = route.own_lengths
        return RouteResult(
            batch=route.batch,
            space=route.space,
            metric=route.metric,
            unit=route.unit,
            kind=route.kind,
            detour=route.kind == GRAPH,
            stops=tuple(route.stops),
            length=route.length,
            straight_length=own[STRAIGHT],
            great_circle_length=own[GREAT_CIRCLE],
            graph_length=own.get(GRAPH),
            over=tuple(route.ways.get(GRAPH, [])[1:-1]),
            lengths=tuple(
                WayLength(space=space, metric=metric, way=way, length=length)
                for (space, metric), each in route.lengths.items()
                for way, length in each.items()
            ),
            searched=route.searched,
            drawn_way=drawn,
            picture=self.picture,
            videos=tuple(VideoRow(path=v.path, label=v.label, frames=v.frames) for v in videos),
        )

    def _choose(self, route: Route) -> str:
        """The way that is drawn and filmed."""
        from studio.nearness.routes import GRAPH, GREAT_CIRCLE, STRAIGHT

        names = {"graph": GRAPH, "circle": GREAT_CIRCLE, "line": STRAIGHT}
        chosen = names.get(self.along, route.kind)
        if chosen not in route.ways:
            raise StudioError(
                f"The graph of {route.searched:,} cities has no way over others from {self.start} "
                f"to {self.end}. Join each to more with --neighbours {2 * self.k}."
            )
        return chosen

    def _film(self, points: tuple[str, ...], kind: str, batch: int | None = None) -> Interpolation:
        at = self.at_batch if batch is None else batch
        given: dict[str, Any] = {"run": self.run, "points": points, "batch": at, "kind": kind}
        given |= {"seconds": self.seconds, "out": self.out, "overwrite": self.overwrite}
        return Interpolation.read(given)

    def _sheet(self, points: tuple[str, ...], batch: int) -> Any:
        from studio.films.options.film_options import SheetOptions

        given = {"run": self.run, "points": points, "batch": batch, "out": self.picture}
        return SheetOptions.read({**given, "overwrite": True})


ACTIONS = (RouteAction,)
