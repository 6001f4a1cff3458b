"""Points of a run made of other points: sums, and grids between four corners, drawn as sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from checkpoints_index import CheckpointIndex, CheckpointRun
from checkpoints_index.generators.spec import SPHERE, GeneratorSpec
from latent.mixing.corners import blend_corners
from latent.mixing.expression import Term, parse_expression
from latent.mixing.mixtures import mix, truncate
from latent.points import LatentPoint
from renderers.pictures.montage import Montage, render_montage, render_rows
from studio.exploration.mixing_options import CornersOptions, MixtureOptions, SheetOfPoints
from studio.exploration.sheets import sheet_place
from studio.runs.attribution import attribution_of
from studio.runs.selection import choose_batches, last_batch
from studio.specimens.own_points import keep_own_points
from studio.specimens.point_files import ForeignPoint
from studio.specimens.points import resolve_point
from studio.specimens.supports import describe_outside
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter, Say, ignore_line


@dataclass(frozen=True, eq=False)
class Mixture:
    """A sum of points of a run.

    Attributes:
        terms: what was added: each share, and the point with its label.
        z: the result, float32 [z_dim].
    """

    checkpoints: CheckpointRun
    batch: int
    terms: list[tuple[float, LatentPoint]]
    z: Tensor


@dataclass(frozen=True, eq=False)
class DrawnMixture:
    """A sum of points, the label under which it is kept, and the sheet that shows it."""

    mixture: Mixture
    label: str | None
    path: Path


@dataclass(frozen=True)
class DrawnCorners:
    """A grid between four points of a run."""

    batch: int
    corners: list[str]
    sheet: Montage


def make_mixture(workspace: Workspace, asked: MixtureOptions, say: Say = ignore_line) -> Mixture:
    """Add points of a run up.

    Points of a uniform distribution, or on a sphere, are added as the points of N(0, I) that they
    are shaped from, so that the result is one of their distribution as well.

    Raises:
        StudioError: or an error of the libraries: unknown run, batch or point, an expression that
            cannot be read, or of which nothing is left.
    """
    checkpoints, batch = open_asked(workspace, asked)
    written = parse_expression(asked.expression)
    points = _resolve(workspace, checkpoints, [term.point for term in written], say)
    terms = _merge(written, points)
    z = torch.stack([point.z for _, point in terms])
    weights = torch.tensor([weight for weight, _ in terms])
    return Mixture(checkpoints, batch, terms, _mix(checkpoints.spec, z, weights, asked))


def draw_mixture(workspace: Workspace, asked: MixtureOptions, reporter: Reporter) -> DrawnMixture:
    """Add points up, draw the terms and the result as a sheet, and keep the result if asked to.

    Raises:
        StudioError: or an error of the libraries, as `make_mixture`.
    """
    mixture = make_mixture(workspace, asked, reporter.say)
    label = keep_result(workspace, asked.run, mixture.z, mixture.batch) if asked.keep else None
    captions = [str(Term(weight, point.label)) for weight, point in mixture.terms]
    captions[0] = captions[0].removeprefix("+ ")
    shown = [LatentPoint(c, p.z) for c, (_, p) in zip(captions, mixture.terms, strict=True)]
    shown.append(LatentPoint(f"= {label or 'result'}", mixture.z))
    path = draw_result(workspace, asked, "mix", mixture.checkpoints, mixture.batch, shown, reporter)
    return DrawnMixture(mixture, label, path)


def draw_result(
    workspace: Workspace,
    asked: SheetOfPoints,
    kind: str,
    checkpoints: CheckpointRun,
    batch: int,
    shown: Sequence[LatentPoint],
    reporter: Reporter,
) -> Path:
    """Draw points and what was made of them, side by side; where the sheet lies.

    Args:
        kind: see `sheet_place`.
        shown: their labels are the captions.
    """
    with (
        borrow_device(workspace, asked.device, f"{kind} in {asked.run}") as device,
        reporter.task("Drawing points") as on_progress,
    ):
        sheet = render_montage(
            checkpoints,
            shown,
            [batch],
            asked.out or sheet_place(workspace, asked.run, kind, asked),
            title=f"{asked.run} · batch {batch:,}",
            footer=attribution_of(workspace, asked.run),
            device=device,
            on_progress=on_progress,
        )
    return sheet.path


def check_corners(
    workspace: Workspace, asked: CornersOptions, say: Say = ignore_line
) -> tuple[CheckpointRun, int, list[LatentPoint]]:
    """Refuse a grid that cannot be drawn; the open run, the batch, and the four corners.

    Raises:
        StudioError: or an error of the libraries: unknown run, batch or point, or not four points.
    """
    checkpoints, batch = open_asked(workspace, asked)
    corners = _resolve(workspace, checkpoints, asked.corners, say)
    if len({point.label for point in corners}) != 4 or len(corners) != 4:
        raise StudioError(
            f"A grid has four corners, each another point; {len(asked.corners)} were named: "
            f"{', '.join(point.label for point in corners)}."
        )
    return checkpoints, batch, corners


def draw_corners(workspace: Workspace, asked: CornersOptions, reporter: Reporter) -> DrawnCorners:
    """Draw a grid between four points as a sheet.

    Raises:
        StudioError: or an error of the libraries, as `check_corners`.
    """
    checkpoints, batch, corners = check_corners(workspace, asked, reporter.say)
    rows = asked.rows or asked.columns
    grid = blend(checkpoints.spec, corners, rows, asked.columns, asked.truncate)
    names = [point.label for point in corners]
    sides = [f"{n / (rows - 1):.0%}" for n in range(rows)]
    sides[0], sides[-1] = f"{names[0]} - {names[1]}", f"{names[2]} - {names[3]}"
    with (
        borrow_device(workspace, asked.device, f"mixing in {asked.run}") as device,
        reporter.task("Drawing the grid") as on_progress,
    ):
        sheet = render_rows(
            checkpoints.generator(batch, device),
            dict(zip(sides, grid, strict=True)),
            [f"{n / (asked.columns - 1):.0%}" for n in range(asked.columns)],
            asked.out or sheet_place(workspace, asked.run, "corners", asked),
            title=f"{asked.run} · batch {batch:,}",
            footer=attribution_of(workspace, asked.run),
            on_progress=on_progress,
        )
    return DrawnCorners(batch, names, sheet)


def open_asked(workspace: Workspace, asked: SheetOfPoints) -> tuple[CheckpointRun, int]:
    """The run, and the batch that is meant.

    Raises:
        StudioError: or an error of the libraries: unknown run or batch, or points on a sphere
            that are to be truncated.
    """
    checkpoints = CheckpointIndex(workspace.runs)[asked.run]
    kept = checkpoints.batches
    batch = last_batch(kept, asked.run) if asked.batch is None else asked.batch
    choose_batches(kept, str(batch), asked.run)
    if asked.truncate != 1 and checkpoints.spec.z_distribution == SPHERE:
        raise StudioError(
            f"The points of run '{asked.run}' lie on a sphere, where none is nearer to the middle: "
            "leave out --truncate."
        )
    return checkpoints, batch


def _resolve(
    workspace: Workspace, checkpoints: CheckpointRun, texts: Sequence[str], say: Say
) -> list[LatentPoint]:
    """The points that texts name; says which of them the generator was never trained on."""
    spec = checkpoints.spec
    points = [resolve_point(workspace, checkpoints.name, text, spec.z_dim) for text in texts]
    for remark in describe_outside(checkpoints, points):
        say(remark)
    return points


def _merge(
    written: Sequence[Term], points: Sequence[LatentPoint]
) -> list[tuple[float, LatentPoint]]:
    """Each point once, with the sum of its shares; a point that takes itself away is left out."""
    found = {point.label: point for point in points}
    shares = dict.fromkeys(found, 0.0)
    for term, point in zip(written, points, strict=True):
        shares[point.label] += term.weight
    terms = [(share, found[label]) for label, share in shares.items() if share]
    if not terms:
        raise StudioError("Nothing is left of this sum: its points take each other away.")
    return terms


def _mix(spec: GeneratorSpec, z: Tensor, weights: Tensor, asked: MixtureOptions) -> Tensor:
    typical = asked.length == "typical"
    is_itself = len(z) == 1 and weights[0] > 0 and (typical or weights[0] == 1)
    is_itself = is_itself and spec.holds_z(z)
    mixed = z[0] if is_itself else spec.shape_z(mix(spec.unshape_z(z), weights, typical=typical))
    return truncate(mixed, asked.truncate)


def blend(
    spec: GeneratorSpec, corners: Sequence[LatentPoint], rows: int, columns: int, psi: float = 1.0
) -> Tensor:
    """A grid between four points, float32 [rows, columns, z_dim], in the generator's distribution.

    Args:
        corners: top left, top right, bottom left, bottom right.
        psi: the share of its length that each point keeps.
    """
    normal = [spec.unshape_z(point.z) for point in corners]
    grid = spec.shape_z(blend_corners(normal, rows, columns))
    places = ((0, 0), (0, -1), (-1, 0), (-1, -1))
    for (row, column), point in zip(places, corners, strict=True):
        grid[row, column] = point.z
    return truncate(grid, psi)


def keep_result(workspace: Workspace, run: str, z: Tensor, batch: int) -> str:
    """The label of a new point, float32 [z_dim], which is one of the run from now on."""
    found = [ForeignPoint(None, z.numpy())]
    return keep_own_points(workspace, run, found, batch)[0].label
