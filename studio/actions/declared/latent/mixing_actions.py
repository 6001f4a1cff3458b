"""Points that are made of others: added up, laid out between corners, and walks near one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from latent.mixing.expression import parse_expression
from studio.actions.action import Action, Result, Table
from studio.actions.declared.film_actions import KEPT, FilmAction, RenderResult
from studio.actions.declared.specimen_actions import SECTION, say_differences
from studio.exploration.mixing_options import CornersOptions, MixtureOptions, SheetOfPoints
from studio.films.options.film_options import WalkNear
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import DeclaredRecord


class TermRow(DeclaredRecord):
    """A point that was added, and its share."""

    weight: float
    label: str


class MixtureResult(Result):
    """A sum of points; `length` is that of z, `typical_length` that of points of the run."""

    run: str
    batch: int
    terms: tuple[TermRow, ...]
    label: str | None
    z: tuple[float, ...]
    length: float
    typical_length: float
    path: Path

    def tell(self) -> Iterator[str | Table]:
        """How long it is, its label, and where the sheet lies."""
        yield (
            f"The result is {self.length:.1f} long; points of run '{self.run}' are "
            f"{self.typical_length:.1f}."
        )
        if self.label is not None:
            yield f"It is {self.label} from now on: studio near {self.run} {self.label}"
        yield f"The points and the result: {self.path}"


def check_sheet(asked: SheetOfPoints) -> None:
    """Refuse a device that is not there, and a file that cannot be written."""
    from renderers.destinations import require_destination
    from renderers.pictures.montage import SUFFIXES
    from studio.workspace.devices import require_device

    require_device(asked.device)
    if asked.out is not None:
        require_destination(asked.out, SUFFIXES, asked.overwrite)


class Mix(Action, MixtureOptions):
    """Add latent points up.

    The points and their sum are drawn as a sheet. The sum is scaled to be as likely as any point,
    unless --length sum is given.
    """

    command = "mix"
    section = SECTION

    def writes_elsewhere(self) -> bool:
        """A result that is kept is kept in the workspace."""
        return super().writes_elsewhere() and not self.keep

    def check(self, workspace: Workspace) -> None:
        """Refuse what `make_mixture` refuses, and a file that cannot be written."""
        from studio.exploration.mixtures import make_mixture

        make_mixture(workspace, self)
        check_sheet(self)

    def perform(self, workspace: Workspace, reporter: Reporter) -> MixtureResult:
        """Add them up."""
        from studio.exploration.mixtures import draw_mixture

        named = [term.point for term in parse_expression(self.expression)]
        say_differences(workspace, self.run, named, reporter)
        drawn = draw_mixture(workspace, self, reporter)
        mixture = drawn.mixture
        return MixtureResult(
            run=self.run,
            batch=mixture.batch,
            terms=tuple(TermRow(weight=w, label=p.label) for w, p in mixture.terms),
            label=drawn.label,
            z=tuple(mixture.z.tolist()),
            length=round(float(mixture.z.norm()), 4),
            typical_length=round(mixture.checkpoints.spec.typical_length, 4),
            path=drawn.path,
        )


class CornersResult(Result):
    """A grid between four points, and where it lies."""

    run: str
    batch: int
    corners: tuple[str, ...]
    rows: int
    columns: int
    path: Path

    def tell(self) -> Iterator[str | Table]:
        """Where it lies, and how large it is."""
        corners = ", ".join(self.corners)
        yield f"{self.path}: {self.columns} x {self.rows} pictures between {corners}"


class Corners(Action, CornersOptions):
    """Draw a grid of cities between four of them.

    Rows and edges follow great circles; the first two points are the upper corners.
    """

    command = "corners"
    section = SECTION

    def check(self, workspace: Workspace) -> None:
        """Refuse what `check_corners` refuses, and a file that cannot be written."""
        from studio.exploration.mixtures import check_corners

        check_corners(workspace, self)
        check_sheet(self)

    def perform(self, workspace: Workspace, reporter: Reporter) -> CornersResult:
        """Draw it."""
        from studio.exploration.mixtures import draw_corners

        say_differences(workspace, self.run, self.corners, reporter)
        drawn = draw_corners(workspace, self, reporter)
        return CornersResult(
            run=self.run,
            batch=drawn.batch,
            corners=tuple(drawn.corners),
            rows=drawn.sheet.rows,
            columns=drawn.sheet.columns,
            path=drawn.sheet.path,
        )


class RenderWalk(FilmAction, WalkNear):
    """Stroll around a city.

    The latent point goes out of the city and back to it, never further than a radius, so that the
    film can be played round and round.
    """

    command = "render walk"
    section = SECTION
    kept = KEPT

    def check(self, workspace: Workspace) -> None:
        """Refuse what `studio.films.interpolation.check_walk` refuses."""
        from studio.films.interpolation import check_walk

        check_walk(workspace, self)

    def render(self, workspace: Workspace, reporter: Reporter) -> RenderResult:
        """Render it."""
        from studio.films.interpolation import film_walk

        began = time.monotonic()
        with reporter.task("Rendering frames") as on_progress:
            say_differences(workspace, self.run, [self.point], reporter)
            video = film_walk(workspace, self, on_progress, reporter.say)
        return RenderResult.of([video], began)


ACTIONS = (Mix, Corners, RenderWalk)
