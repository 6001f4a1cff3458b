"""A city that is steered: moved along directions and single dimensions of latent space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from checkpoints_index import CheckpointRun, GeneratorSpec
from latent.directions.direction import Direction
from latent.errors import LatentError
from latent.mixing.mixtures import truncate
from latent.points import LatentPoint
from studio.exploration.direction_options import DirectionOptions, Method
from studio.exploration.directions import find_directions
from studio.exploration.mixtures import draw_result, keep_result, open_asked
from studio.exploration.steering_options import SteeringOptions, Step
from studio.specimens.points import resolve_point
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter

COUNT = 8  # So many directions of a method are looked for at least.


@dataclass(frozen=True, eq=False)
class Steered:
    """A city that was moved, and the sheet that shows it beside where it was.

    Attributes:
        z: where it is now, float32 [z_dim], in the generator's distribution.
        label: that of the new point; None where it is not kept.
    """

    batch: int
    city: LatentPoint
    z: Tensor
    label: str | None
    path: Path


def check_steering(
    workspace: Workspace, asked: SteeringOptions
) -> tuple[CheckpointRun, int, LatentPoint]:
    """Refuse what cannot be steered; the open run, the batch that is meant, and the city.

    Raises:
        StudioError: or an error of the libraries: unknown run, batch or city, a step that cannot
            be read, or a direction that there is not.
    """
    checkpoints, batch = open_asked(workspace, asked)
    require_steps(asked.steps(), checkpoints.spec)
    return (
        checkpoints,
        batch,
        resolve_point(workspace, asked.run, asked.point, checkpoints.spec.z_dim),
    )


def require_steps(steps: Sequence[Step], spec: GeneratorSpec) -> None:
    """Refuse directions that a generator cannot have.

    Raises:
        StudioError: a number is no dimension of its points.
    """
    for step in steps:
        if step.number >= spec.z_dim:
            raise StudioError(
                f"There is no {step.method}:{step.number}: these points have {spec.z_dim} numbers, "
                f"so the last direction is {step.method}:{spec.z_dim - 1}."
            )


def find_ways(
    workspace: Workspace,
    checkpoints: CheckpointRun,
    G: nn.Module,
    method: Method,
    count: int = COUNT,
) -> list[Direction]:
    """The first directions of a method at a checkpoint, among points of N(0, I).

    Raises:
        LatentError: a generator in which there are no such directions.
    """
    asked = DirectionOptions(run=checkpoints.name, method=method)
    found = find_directions(workspace, checkpoints, G, asked, count)
    return [way.direction for way in found]


def steer(
    spec: GeneratorSpec, z: Tensor, steps: Sequence[Step], ways: Sequence[Direction]
) -> Tensor:
    """Move a point along directions, in the distribution of the generator.

    Args:
        z: float32 [z_dim].
        ways: all directions of N(0, I) that the steps name, but single dimensions.

    Returns:
        float32 [z_dim]; z itself, bit for bit, where all strengths are 0.

    Raises:
        LatentError: a direction is missing.
    """
    if not any(step.strength for step in steps):
        return z
    found = {way.name: way.z for way in ways}
    normal = spec.unshape_z(z).clone()
    for method, number, strength in steps:
        if method == "z":
            normal[number] += strength
        elif (name := f"{method}:{number}") in found:
            normal += strength * found[name]
        else:
            raise LatentError(f"There is no direction {name}: there are {', '.join(found)}.")
    return spec.shape_z(normal)


def draw_steered(workspace: Workspace, asked: SteeringOptions, reporter: Reporter) -> Steered:
    """Steer a city, draw it beside where it was, and keep it if asked to.

    Raises:
        StudioError: or an error of the libraries, as `check_steering` and `steer`.
    """
    checkpoints, batch, city = check_steering(workspace, asked)
    steps = asked.steps()
    ways: list[Direction] = []
    with borrow_device(workspace, asked.device, f"directions in {asked.run}") as device:
        G = checkpoints.generator(batch, device)
        for method in ("pca", "sefa"):
            numbers = [step.number for step in steps if step.method == method]
            if numbers:
                count = max(COUNT, max(numbers) + 1)
                ways += find_ways(workspace, checkpoints, G, method, count)
    z = truncate(steer(checkpoints.spec, city.z, steps, ways), asked.truncate)
    label = keep_result(workspace, asked.run, z, batch) if asked.keep else None
    moved = LatentPoint(label or " ".join(map(str, steps)), z)
    path = draw_result(workspace, asked, "steer", checkpoints, batch, [city, moved], reporter)
    return Steered(batch, city, z, label, path)
