"""A look at points of a run: one checkpoint of it in one picture, at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studio.actions.action import Action
from studio.actions.declared.film_actions import SheetResult
from studio.actions.declared.run_actions import batch_or_last
from studio.films.options.film_options import SheetOptions
from studio.workspace.claims import Claim
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import device_option, option, run_name

SECTION = "Cities"
SHOWN_SEEDS = "seed:1-9"  # They show a run that has no fixed points.


class Look(Action):
    """Look at points of a run at one checkpoint.

    Without points it shows the fixed points of the run; of one that has none, some seeds.
    """

    command = "look"
    section = SECTION
    is_job = False

    run: str = run_name()
    points: tuple[str, ...] = option(
        (),
        "Labels, seed:N, or exported pictures; the run's fixed points by default.",
        argument=True,
        metavar="POINT",
        risk="path",
    )
    batch: int | None = batch_or_last()
    scale: int | None = option(
        None, "Enlarge pixels by this factor; readable by default.", ge=1, le=64
    )
    device: str | None = device_option()
    out: Path | None = option(None, "FILE.png or FILE.jpg; a place in the workspace by default.")
    overwrite: bool = option(False, "Replace the file in --out if it is there.")

    def claims(self) -> Sequence[Claim]:
        """The checkpoint has to stay meanwhile."""
        return [Claim("run", self.run)]

    def check(self, workspace: Workspace) -> None:
        """Refuse what a sheet refuses: unknown points, batches and devices."""
        from studio.films.sheet import check_sheet

        check_sheet(workspace, self._sheet(workspace))

    def perform(self, workspace: Workspace, reporter: Reporter) -> SheetResult:
        """Draw it."""
        from studio.films.sheet import draw_sheet

        sheet = self._sheet(workspace)
        with reporter.task("Rendering pictures") as on_progress:
            drawn = draw_sheet(workspace, sheet, on_progress, reporter.say)
        return SheetResult(path=drawn.path, rows=drawn.rows, columns=drawn.columns)

    def _sheet(self, workspace: Workspace) -> SheetOptions:
        """The sheet of one checkpoint that shows it."""
        from checkpoints_index import CheckpointIndex
        from studio.runs.selection import choose_batches
        from studio.specimens.points import points_or_fixed

        kept = CheckpointIndex(workspace.runs)[self.run].batches
        chosen = choose_batches(kept, "" if self.batch is None else str(self.batch), self.run)
        shown = self.points or points_or_fixed(workspace, self.run, [])
        return SheetOptions(
            run=self.run,
            points=self.points if shown else (SHOWN_SEEDS,),
            batch=chosen[-1],
            scale=self.scale,
            device=self.device,
            out=self.out,
            overwrite=self.overwrite,
        )


ACTIONS = (Look,)
