"""Directions in the latent space of a run: found, judged, and drawn as a sheet."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex, CheckpointRun
from latent.directions.closed_form import find_closed_form
from latent.directions.direction import Direction, along
from latent.directions.effects import compare_effects, measure_effects
from latent.directions.examples import learn_direction
from latent.directions.principal import enough_points, find_principal
from latent.nearness.features import compute_features
from latent.points import LatentPoint, draw_z, seeded_point
from renderers.pictures.montage import render_rows
from renderers.plan.pacing import spread
from studio.exploration.direction_options import DirectionOptions, DirectionsOptions
from studio.exploration.sheets import sheet_place
from studio.runs.attribution import attribution_of
from studio.runs.selection import choose_batches, last_batch
from studio.specimens.drawing_rules import shape_of
from studio.specimens.points import FIXED, points_of, resolve_point, resolve_points
from studio.specimens.supports import describe_outside
from studio.workspace.devices import borrow_device
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter

ANCHORS = 16  # Points from which the effect of a direction is measured.


@dataclass(frozen=True)
class FoundDirection:
    """A direction of a run, and what is known of it.

    Attributes:
        score: share of held-out examples that it tells right, 0..1; None where there are none.
        spread: the standard deviation of that share from fold to fold.
        chance, p: the score of shuffled examples, and how often these do as well.
        kept: (batch, cosine of its effect on pictures there with that at the checkpoint).
    """

    direction: Direction
    score: float | None = None
    spread: float | None = None
    chance: float | None = None
    p: float | None = None
    kept: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class DrawnDirections:
    """The directions of a run at a checkpoint, and the sheet that shows them."""

    run: str
    batch: int
    method: str
    point: str
    found: list[FoundDirection]
    path: Path


def check_directions(workspace: Workspace, asked: DirectionOptions) -> tuple[CheckpointRun, int]:
    """Refuse what cannot be looked for; the open run and the batch that is meant.

    Raises:
        StudioError: or an error of the libraries: unknown run, batch or city.
    """
    asked.require_examples()
    checkpoints = CheckpointIndex(workspace.runs)[asked.run]
    checkpoints.spec.require_drawn(asked.run)
    kept = checkpoints.batches
    batch = last_batch(kept, asked.run) if asked.batch is None else asked.batch
    choose_batches(kept, str(batch), asked.run)
    z_dim = checkpoints.spec.z_dim
    for named in (asked.having, asked.lacking):
        resolve_points(workspace, asked.run, named, z_dim)
    return checkpoints, batch


def find_directions(
    workspace: Workspace,
    checkpoints: CheckpointRun,
    G: nn.Module,
    asked: DirectionOptions,
    count: int,
) -> list[FoundDirection]:
    """Find directions with the generator of a checkpoint.

    They are directions among points of N(0, I), also where a generator was trained with another
    distribution: its points are shaped from those, so that none leaves it on the way.

    Args:
        count: how many; examples show one.

    Raises:
        StudioError: an unknown city.
        LatentError: too few examples, or a generator in which there are no such directions.
    """
    spec, z_dim = checkpoints.spec, checkpoints.spec.z_dim
    if asked.method == "examples":
        having, lacking = (
            spec.unshape_z(
                torch.stack([p.z for p in resolve_points(workspace, asked.run, named, z_dim)])
            )
            if named
            else torch.empty(0, z_dim)
            for named in (asked.having, asked.lacking)
        )
        learnt = learn_direction("examples", having, lacking)
        told = (learnt.score, learnt.spread, learnt.chance, learnt.p)
        return [FoundDirection(learnt.direction, *told)]
    count = min(count, z_dim)
    if asked.method == "sefa":
        return [FoundDirection(way) for way in find_closed_form(G, z_dim, count)]

    def describe(G: nn.Module, normal: Tensor) -> Tensor:
        return compute_features(G, spec.shape_z(normal), "activations")

    found = find_principal(G, draw_z(enough_points(z_dim), z_dim, 0), count, describe)
    return [FoundDirection(way) for way in found]


def draw_directions(
    workspace: Workspace,
    asked: DirectionsOptions,
    reporter: Reporter,
) -> DrawnDirections:
    """Find the directions of a run, compare them over training, and draw them as a sheet.

    Each row of the sheet is a direction, from one side of the city to the other.

    Raises:
        StudioError: or an error of the libraries, as `check_directions` and `find_directions`.
    """
    checkpoints, batch = check_directions(workspace, asked)
    spec = checkpoints.spec
    city = _city(workspace, asked, spec.z_dim)
    normal = spec.unshape_z(city.z)
    for remark in describe_outside(checkpoints, [city]):
        reporter.say(remark)
    strengths = torch.linspace(-asked.strength, asked.strength, asked.columns)
    with borrow_device(workspace, asked.device, f"directions in {asked.run}") as chosen:
        G = checkpoints.generator(batch, chosen)
        reporter.say(f"Looking for directions at batch {batch:,} ...")
        found = find_directions(workspace, checkpoints, G, asked, asked.count)
        found = _compared(checkpoints, found, batch, asked.compared, chosen, reporter)
        with reporter.task("Drawing directions") as on_progress:
            sheet = render_rows(
                checkpoints.generator(batch, chosen),
                {
                    _caption(way): spec.shape_z(along(normal, way.direction, strengths))
                    for way in found
                },
                [f"{strength:+.1f}" for strength in strengths.tolist()],
                asked.out or sheet_place(workspace, asked.run, "directions", asked),
                title=f"{asked.run} · {city.label} · batch {batch:,}",
                footer=attribution_of(workspace, asked.run),
                on_progress=on_progress,
            )
    return DrawnDirections(asked.run, batch, asked.method, city.label, found, sheet.path)


def _city(workspace: Workspace, asked: DirectionsOptions, z_dim: int) -> LatentPoint:
    """The city that goes along the directions."""
    if asked.point is not None:
        return resolve_point(workspace, asked.run, asked.point, z_dim)
    fixed = points_of(workspace, asked.run, FIXED)
    return fixed[0] if fixed else seeded_point(0, z_dim, shape_of(workspace, asked.run))


def _compared(
    checkpoints: CheckpointRun,
    found: list[FoundDirection],
    batch: int,
    others: int,
    device: str,
    reporter: Reporter,
) -> list[FoundDirection]:
    """The directions with the cosine of their effect at other batches."""
    rest = [other for other in checkpoints.batches if other != batch]
    chosen = [rest[place] for place in spread(len(rest), min(others, len(rest)))] if rest else []
    if not chosen or not others:
        return found
    ways = [way.direction for way in found]
    shape = checkpoints.spec.shape_z
    z = draw_z(ANCHORS, checkpoints.spec.z_dim, 1)
    reference = measure_effects(checkpoints.generator(batch, device), ways, z, shape)
    cosines: list[list[float]] = []
    with reporter.task("Comparing over training") as on_progress:
        for _, G in checkpoints.stream(chosen, device=device):
            cosines.append(compare_effects(measure_effects(G, ways, z, shape), reference).tolist())
            on_progress(len(cosines), len(chosen))
    of_each = zip(found, zip(*cosines, strict=True), strict=True)
    return [
        replace(way, kept=tuple((b, round(c, 4)) for b, c in zip(chosen, own, strict=True)))
        for way, own in of_each
    ]


def _caption(way: FoundDirection) -> str:
    direction = way.direction
    if way.score is not None:
        return f"{direction.name} {way.score:.0%}"
    return direction.name if direction.share is None else f"{direction.name} {direction.share:.1%}"
