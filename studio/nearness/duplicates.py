"""Near-duplicates among the specimens of a run, in stacks with the best of each on top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latent.nearness.distances import measure_pairs
from latent.nearness.features import Space
from latent.nearness.stacks import find_stacks, measure_median
from studio.nearness.candidates import describe_points, open_run, specimens_of
from studio.nearness.searches import SPECIMENS, Found, Neighbours
from studio.specimens.specimens import Specimen, list_specimens
from studio.workspace.devices import borrow_device
from studio.workspace.paths import Workspace

SHARE = 0.1  # Of the median distance: two cities that are nearer are duplicates unless told.
SHOWN = 12  # So many pictures of a stack are drawn.


@dataclass(frozen=True)
class Duplicates:
    """Stacks of specimens that are nearly alike.

    Attributes:
        within: the largest distance of a specimen to the next one of its stack.
        median: the median distance between two specimens.
        count: how many specimens were compared.
        stacks: for each stack the specimen on top, and the others by their distance to it.
        pictures: of these, SHOWN of a stack at most.
    """

    within: float
    median: float
    count: int
    stacks: list[Found]
    pictures: Neighbours


def find_duplicates(
    workspace: Workspace,
    run: str,
    space: Space,
    metric: str = "euclidean",
    within: float | None = None,
    at_batch: int | None = None,
    *,
    with_pictures: bool = False,
    device: str | None = None,
) -> Duplicates:
    """Compare the specimens of a run with each other at one checkpoint.

    On top of a stack lies the specimen with a star, else the best rated one, else one with a name,
    else that of the first label.

    Args:
        metric: one of `latent.nearness.distances.METRICS`.
        within: the largest distance; by default SHARE of the median distance.
        at_batch: the last checkpoint by default.
        with_pictures: whether the pictures are drawn.
        device: see `borrow_device`.

    Raises:
        StudioError: there are no specimens.
        CheckpointError: unknown run or batch.
        LatentError: unknown metric, or a negative distance.
    """
    checkpoints, batch = open_run(workspace, run, at_batch)
    points = specimens_of(workspace, run)
    known = {specimen.label: specimen for specimen in list_specimens(workspace, run)}
    with borrow_device(workspace, device, f"duplicates in {run}") as chosen:
        G = checkpoints.generator(batch, chosen)
        described = describe_points(G, points, space)
        features, labels = described.features, described.labels
        median = measure_median(features, metric)
        limit = SHARE * median if within is None else within
        stacks, pictures = [], []
        for rows in find_stacks(features, limit, metric):
            top = min(rows.tolist(), key=lambda row: _rank(known.get(labels[row]), row))
            others = rows[rows != top]
            far = measure_pairs(features[others], features[top][None], metric)
            order = np.lexsort((others, far))
            near = [(labels[others[i]], float(far[i])) for i in order]
            stacks.append(Found(labels[top], near))
            if with_pictures:
                shown = [top, *others[order].tolist()][:SHOWN]
                pictures.append(list(described.draw(shown)))
    shown_stacks = [Found(stack.point, stack.neighbours[: SHOWN - 1]) for stack in stacks]
    drawn = Neighbours(batch, space.title, metric, SPECIMENS, 1.0, shown_stacks, pictures)
    return Duplicates(limit, median, len(points), stacks, drawn)


def _rank(specimen: Specimen | None, row: int) -> tuple[bool, int, bool, int]:
    """What lies on top sorts first."""
    if specimen is None:
        return True, 0, True, row
    return not specimen.starred, -specimen.rating, not specimen.name, row
