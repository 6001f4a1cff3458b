"""How far the spaces of a run agree on what is near, and how that came to be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from latent.nearness.agreement import Agreement, list_neighbours, measure_agreement
from latent.nearness.distances import measure_concentration, measure_pairs
from latent.nearness.features import Space, compute_features
from renderers.pictures.picture_file import save_picture
from renderers.pictures.tables import draw_table
from renderers.plan.pacing import spread
from studio.nearness.candidates import draw_seeds, open_run
from studio.nearness.spaces import plain_spaces
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter

MIN_POINTS, MAX_POINTS = 20, 20_000
QUERIES = 100  # Concentration is told for so many of the points.


@dataclass(frozen=True)
class SpacesReport:
    """How far spaces agree, and how neighbours at earlier batches agree with the last ones.

    Attributes:
        spaces: their titles.
        agreement: for each two spaces, [spaces][spaces].
        concentration: of each space, the nearest over the median distance.
        batches: checkpoints along training; the last is the one that is looked at.
        training: agreement of each batch with the last, [spaces][batches].
    """

    run: str
    batch: int
    count: int
    k: int
    metric: str
    spaces: list[str]
    agreement: list[list[Agreement]]
    concentration: list[float]
    batches: list[int]
    training: list[list[Agreement]]


def compare_spaces(
    workspace: Workspace,
    run: str,
    reporter: Reporter,
    *,
    batch: int | None = None,
    count: int = 400,
    k: int = 15,
    metric: str = "euclidean",
    also: Space | None = None,
    num_batches: int = 8,
    device: str | None = None,
) -> SpacesReport:
    """Compare the neighbours of `seed:0` to `seed:COUNT - 1` in all spaces of a generator.

    Args:
        batch: the checkpoint; the last one by default.
        also: a further space, such as one layer or what a network sees.
        num_batches: checkpoints up to this one whose neighbours are compared with its own.

    Raises:
        StudioError: a number is out of range, or the run has no checkpoints.
        CheckpointError: unknown run or batch.
        LatentError: too many neighbours, or a space that the generator does not have.
    """
    if not MIN_POINTS <= count <= MAX_POINTS:
        raise StudioError(f"{count} points are out of range: use {MIN_POINTS} to {MAX_POINTS:,}.")
    checkpoints, batch = open_run(workspace, run, batch)
    z = torch.stack([point.z for point in draw_seeds(count, checkpoints.spec)])
    kept = [number for number in checkpoints.batches if number <= batch]
    batches = [kept[i] for i in sorted(set(spread(len(kept), min(num_batches, len(kept)))))]
    batches = sorted({*batches, batch})
    with borrow_device(workspace, device, f"spaces of {run}") as chosen:
        G = checkpoints.generator(batch, chosen)
        spaces = [Space(name) for name in plain_spaces(G)]
        spaces += [also] if also is not None and also not in spaces else []
        near, concentration = [], []
        for space in spaces:
            features = compute_features(G, z, space).numpy()
            near.append(list_neighbours(features, k, metric))
            nearest = measure_pairs(features, features[near[-1][:, 0]], metric)[:QUERIES]
            some = features[:QUERIES]
            concentration.append(measure_concentration(nearest, features, some, metric))
        training: list[list[Agreement]] = [[] for _ in spaces]
        with reporter.task("Looking at batches") as on_progress:
            for done, (_, G) in enumerate(checkpoints.stream(batches, device=chosen)):
                for i, space in enumerate(spaces):
                    then = list_neighbours(compute_features(G, z, space).numpy(), k, metric)
                    training[i].append(measure_agreement(then, near[i]))
                on_progress(done + 1, len(batches))
    table = [[measure_agreement(a, b) for b in near] for a in near]
    titles = [space.title for space in spaces]
    return SpacesReport(
        run, batch, count, k, metric, titles, table, concentration, batches, training
    )


def draw_agreements(report: SpacesReport, path: Path) -> None:
    """Draw both tables, one above the other.

    Raises:
        RenderError: the file cannot be written.
    """
    shares = [[each.shared for each in row] for row in report.agreement]
    then = [[each.shared for each in row] for row in report.training]
    chance = report.agreement[0][0].by_chance
    footer = (
        f"Share of the {report.k} nearest of {report.count:,} that are common; "
        f"{chance:.1%} are by chance."
    )
    upper = draw_table(
        np.array(shares),
        report.spaces,
        report.spaces,
        written="{:.1%}",
        title=f"{report.run} · spaces at batch {report.batch:,}",
    )
    lower = draw_table(
        np.array(then),
        report.spaces,
        [f"{batch:,}" for batch in report.batches],
        written="{:.1%}",
        title=f"and at earlier batches with those at {report.batch:,}",
        footer=footer,
    )
    save_picture(stack_pictures(upper, lower), path)


def stack_pictures(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """One picture above another, uint8 [H, W, 3]; the narrower is widened."""
    width = max(upper.shape[1], lower.shape[1])
    wide = [
        np.concatenate(
            [part, np.broadcast_to(part[:1, :1], (len(part), width - part.shape[1], 3))], axis=1
        )
        for part in (upper, lower)
    ]
    return np.concatenate(wide)
