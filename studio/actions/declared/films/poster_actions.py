"""The poster of a run as an action."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from studio.actions.action import Action, Result, Table
from studio.films.options.film_options import film_points
from studio.workspace.claims import Claim
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.declarations import Commas
from studio.workspace.records.record import device_option, option, run_name

SECTION = "Films"


class RunPosterResult(Result):
    """Where the poster lies, and what it shows."""

    path: Path
    labels: tuple[str, ...]
    batches: tuple[int, ...]

    def tell(self) -> Iterator[str | Table]:
        """A line."""
        yield f"{self.path}: {len(self.labels)} cities at {len(self.batches)} batches"


class RenderPoster(Action):
    """Draw a run on one sheet of A3.

    It shows how up to nine cities grew (the fixed points where none is named), the newest atlas,
    curves and numbers, as PNG, JPEG, PDF or SVG.
    """

    command = "render poster"
    section = SECTION

    run: str = run_name()
    points: Commas = film_points()
    out: Path | None = option(
        None, "FILE.png, .jpg, .pdf or .svg; a place in the workspace by default.", metavar="FILE"
    )
    overwrite: bool = option(False, "Replace the file in --out if it is there.")
    device: str | None = device_option()

    def claims(self) -> Sequence[Claim]:
        """The run keeps its name and its checkpoints meanwhile."""
        return [Claim("run", self.run)]

    def check(self, workspace: Workspace) -> None:
        """Refuse unknown points, and a file that is there or cannot be written."""
        from checkpoints_index import CheckpointIndex
        from renderers.destinations import require_destination
        from renderers.pictures.paper import SUFFIXES
        from studio.films.stills.run_posters import choose_points, choose_stages
        from studio.workspace.devices import require_device

        checkpoints = CheckpointIndex(workspace.runs)[self.run]
        choose_points(workspace, checkpoints, self.points)
        choose_stages(checkpoints.batches)
        require_device(self.device)
        if self.out is not None:
            require_destination(self.out, SUFFIXES, self.overwrite)

    def perform(self, workspace: Workspace, reporter: Reporter) -> RunPosterResult:
        """Draw it."""
        from studio.exploration.sheets import sheet_place
        from studio.films.stills.run_posters import draw_run_poster

        path = self.out or sheet_place(workspace, self.run, "poster", self)
        with reporter.task("Drawing the poster") as on_progress:
            drawn = draw_run_poster(
                workspace, self.run, path, self.points, self.device, on_progress
            )
        return RunPosterResult(path=drawn.path, labels=drawn.labels, batches=drawn.batches)


ACTIONS = (RenderPoster,)
