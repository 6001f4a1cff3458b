"""A city that is steered along directions and single dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from studio.actions.action import Action, Result, Table
from studio.actions.declared.latent.mixing_actions import check_sheet
from studio.actions.declared.specimen_actions import SECTION, say_differences
from studio.exploration.steering_options import SteeringOptions
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter


class SteeringResult(Result):
    """A city that was moved; `distance` says how far, in the numbers of z."""

    run: str
    batch: int
    point: str
    along: tuple[str, ...]
    label: str | None
    z: tuple[float, ...]
    distance: float
    path: Path

    def tell(self) -> Iterator[str | Table]:
        """How far it went, its label, and where the sheet lies."""
        yield f"{self.point} went {self.distance:.2f} along {', '.join(self.along)}."
        if self.label is not None:
            yield f"It is {self.label} from now on: studio near {self.run} {self.label}"
        yield f"Before and after: {self.path}"


class Steer(Action, SteeringOptions):
    """Move a city along directions or dimensions.

    It is drawn beside where it was. `studio directions` shows where the directions lead.
    """

    command = "steer"
    section = SECTION

    def writes_elsewhere(self) -> bool:
        """A result that is kept is kept in the workspace."""
        return super().writes_elsewhere() and not self.keep

    def check(self, workspace: Workspace) -> None:
        """Refuse what `check_steering` refuses, and a file that cannot be written."""
        from studio.exploration.steering import check_steering

        check_steering(workspace, self)
        check_sheet(self)

    def perform(self, workspace: Workspace, reporter: Reporter) -> SteeringResult:
        """Steer it."""
        from studio.exploration.steering import draw_steered

        say_differences(workspace, self.run, [self.point], reporter)
        drawn = draw_steered(workspace, self, reporter)
        return SteeringResult(
            run=self.run,
            batch=drawn.batch,
            point=drawn.city.label,
            along=tuple(map(str, self.steps())),
            label=drawn.label,
            z=tuple(drawn.z.tolist()),
            distance=round(float((drawn.z - drawn.city.z).norm()), 4),
            path=drawn.path,
        )


ACTIONS = (Steer,)
