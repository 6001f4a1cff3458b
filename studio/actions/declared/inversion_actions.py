"""Pictures led back to their latent points, and films between them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from studio.actions.action import Action, Result, Table
from studio.actions.declared.film_actions import KEPT, FilmAction, RenderResult
from studio.actions.declared.specimen_actions import SECTION
from studio.exploration.inversion_options import InversionOptions
from studio.films.options.film_options import FilmBetween
from studio.workspace.claims import Claim
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter


class InversionResult(Result):
    """The latent point that was found for a picture, and how near its own picture is."""

    run: str
    batch: int
    picture: str
    z: tuple[float, ...]
    psnr_db: float
    label: str
    steps: int
    path: Path

    def tell(self) -> Iterator[str | Table]:
        """Its label, how near it is, and what can be done with it."""
        yield (
            f"{self.picture} is {self.label} at batch {self.batch:,}, {self.psnr_db:.1f} dB from "
            f"its picture after {self.steps} steps (25 dB is close, 50 dB the same)."
        )
        yield f"How it was found: {self.path}"
        yield f"Its life through training: studio render timelapse {self.run} --points {self.label}"


class Invert(Action, InversionOptions):
    """Find the latent point of a picture.

    The point is kept as one of the run, so that it can be filmed, compared and exported.
    """

    command = "invert"
    section = SECTION

    def writes_elsewhere(self) -> bool:
        """The point that is found is kept in the workspace."""
        return False

    def claims(self) -> Sequence[Claim]:
        """The checkpoints have to stay meanwhile."""
        return [Claim("run", self.run)]

    def check(self, workspace: Workspace) -> None:
        """Refuse a picture that cannot be read, and a file that cannot be written."""
        from renderers.destinations import require_destination
        from renderers.pictures.montage import SUFFIXES
        from studio.exploration.inversions import check_pictures
        from studio.workspace.devices import require_device

        check_pictures(workspace, self.run, [self.picture], self.batch, self.fit)
        require_device(self.device)
        if self.out is not None:
            require_destination(self.out, SUFFIXES, self.overwrite)

    def perform(self, workspace: Workspace, reporter: Reporter) -> InversionResult:
        """Look for it."""
        from studio.exploration.inversions import draw_inversion

        drawn = draw_inversion(workspace, self, reporter)
        found = drawn.inverted
        return InversionResult(
            run=drawn.run,
            batch=drawn.batch,
            picture=found.name,
            z=tuple(found.fit.z.tolist()),
            psnr_db=round(min(found.fit.psnr_db, 99.0), 2),
            label=found.label,
            steps=found.fit.steps,
            path=drawn.path,
        )


class RenderBetween(FilmAction, FilmBetween):
    """Film the way from picture to picture.

    The latent point of each is looked for first, and kept as a point of the run.
    """

    command = "render between"
    section = SECTION
    kept = KEPT

    def writes_elsewhere(self) -> bool:
        """The point that is found is kept in the workspace."""
        return False

    def check(self, workspace: Workspace) -> None:
        """Refuse what `studio.films.between.check_between` refuses."""
        from studio.films.between import check_between

        check_between(workspace, self)

    def render(self, workspace: Workspace, reporter: Reporter) -> RenderResult:
        """Look for the points, and render."""
        from studio.films.between import film_between

        began = time.monotonic()
        video, _ = film_between(workspace, self, reporter)
        return RenderResult.of([video], began)


ACTIONS = (Invert, RenderBetween)
