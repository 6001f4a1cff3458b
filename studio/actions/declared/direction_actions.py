"""Directions in latent space: found, judged, drawn, and filmed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from studio.actions.action import Action, Result, Table
from studio.actions.declared.film_actions import KEPT, FilmAction, RenderResult
from studio.actions.declared.specimen_actions import SECTION
from studio.exploration.direction_options import DirectionsOptions
from studio.films.options.film_options import DirectionFilm
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import DeclaredRecord


class EffectAt(DeclaredRecord):
    """How far a direction has its effect at another batch: the cosine of the two, -1..1."""

    batch: int
    cosine: float


class DirectionRow(DeclaredRecord):
    """A direction; `share` of the method's own measure, `score` of held-out examples."""

    name: str
    share: float | None
    score: float | None
    spread: float | None
    chance: float | None
    p: float | None
    kept: tuple[EffectAt, ...]
    z: tuple[float, ...]


class DirectionsResult(Result):
    """The directions of a run at a checkpoint, and a sheet that shows them."""

    run: str
    batch: int
    method: str
    space: str
    point: str
    directions: tuple[DirectionRow, ...]
    path: Path

    def tell(self) -> Iterator[str | Table]:
        """A table of them, and where the sheet lies."""
        yield f"Directions of run '{self.run}' at batch {self.batch:,}, by {self.space}:"
        batches = [effect.batch for effect in self.directions[0].kept]
        rows = [
            [row.name, _measure(row), *(f"{effect.cosine:.2f}" for effect in row.kept)]
            for row in self.directions
        ]
        yield Table(["direction", "measure", *(f"at {batch:,}" for batch in batches)], rows)
        if batches:
            yield "At other batches: the cosine of its effect on pictures there and here."
        yield f"Along {self.point}: {self.path}"


def _measure(row: DirectionRow) -> str:
    if row.score is not None:
        said = f"{row.score:.0%} ± {row.spread:.0%} of held-out examples right"
        return f"{said} (shuffled: {row.chance:.0%}, p {row.p})"
    return "" if row.share is None else f"{row.share:.1%}"


SPACES = {
    "pca": "the variance of activations",
    "sefa": "the first weights",
    "examples": "examples in z",
}


class Directions(Action, DirectionsOptions):
    """Find directions in which cities change.

    They are drawn as a sheet: a row each, the city in the middle, further out to either side.
    """

    command = "directions"
    section = SECTION

    def check(self, workspace: Workspace) -> None:
        """Refuse what cannot be looked for, and a file that cannot be written."""
        from renderers.destinations import require_destination
        from renderers.pictures.montage import SUFFIXES
        from studio.exploration.directions import check_directions
        from studio.workspace.devices import require_device

        check_directions(workspace, self)
        require_device(self.device)
        if self.out is not None:
            require_destination(self.out, SUFFIXES, self.overwrite)

    def perform(self, workspace: Workspace, reporter: Reporter) -> DirectionsResult:
        """Find, compare and draw them."""
        from studio.exploration.directions import draw_directions

        drawn = draw_directions(workspace, self, reporter)
        rows = [
            DirectionRow(
                name=way.direction.name,
                share=way.direction.share,
                score=way.score,
                spread=way.spread,
                chance=way.chance,
                p=way.p,
                kept=tuple(EffectAt(batch=batch, cosine=cosine) for batch, cosine in way.kept),
                z=tuple(way.direction.z.tolist()),
            )
            for way in drawn.found
        ]
        return DirectionsResult(
            run=drawn.run,
            batch=drawn.batch,
            method=drawn.method,
            space=SPACES[drawn.method],
            point=drawn.point,
            directions=tuple(rows),
            path=drawn.path,
        )


class RenderDirection(FilmAction, DirectionFilm):
    """Film cities as they go along a direction.

    Each goes to one side, through where it was to the other, and back.
    """

    command = "render direction"
    section = SECTION
    kept = KEPT

    def check(self, workspace: Workspace) -> None:
        """Refuse what `studio.films.direction.check_direction_film` refuses."""
        from studio.films.direction import check_direction_film

        check_direction_film(workspace, self)

    def render(self, workspace: Workspace, reporter: Reporter) -> RenderResult:
        """Render it."""
        from studio.films.direction import film_direction

        began = time.monotonic()
        with reporter.task("Rendering frames") as on_progress:
            videos = film_direction(workspace, self, on_progress, reporter.say)
        return RenderResult.of(videos, began)


ACTIONS = (Directions, RenderDirection)
