"""What is most like given points: among specimens, drawn points, or training pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from checkpoints_index import GeneratorSpec
from latent.nearness.distances import measure_concentration, measure_pairs
from latent.nearness.features import Space, compute_features
from latent.nearness.neighbours import find_neighbours
from latent.nearness.path_length import measure_paths
from latent.nearness.path_neighbours import find_by_paths
from latent.points import LatentPoint
from studio.nearness.candidates import (
    Candidates,
    Describe,
    describe_dataset,
    describe_points,
    describe_ways,
    draw_seeds,
    open_run,
    open_training_pictures,
    specimens_of,
)
from studio.nearness.queries import describe_queries, read_queries
from studio.specimens.points import points_at
from studio.specimens.specimens import seen_at
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

SPECIMENS, DRAWN, TRAINING = "specimens", "drawn", "training"
PATH = "path"  # Measured along great circles.


@dataclass(frozen=True)
class Found:
    """What is nearest to one point: (label, distance), the nearest first."""

    point: str
    neighbours: list[tuple[str, float]]


@dataclass(frozen=True)
class Neighbours:
    """What is nearest to some points, and how nearness was measured.

    Attributes:
        batch: the checkpoint whose features were compared.
        space: the title of the space.
        metric: one of `latent.nearness.distances.METRICS`, or PATH.
        among: what was searched, in words.
        concentration: the nearest over the median distance; near 1, "nearest" means little. Where
            paths are measured, it is that of their ends.
        found: for each point.
        pictures: uint8 [H, W, 3] for each point: its own, then those of its neighbours.
    """

    batch: int
    space: str
    metric: str
    among: str
    concentration: float
    found: list[Found]
    pictures: list[list[np.ndarray]]


def find_near(
    workspace: Workspace,
    run: str,
    points: Sequence[str],
    k: int = 10,
    space: Space | str = "pictures",
    metric: str = "euclidean",
    at_batch: int | None = None,
    *,
    among: str = SPECIMENS,
    drawn: int = 1000,
    shown: int = 0,
    other_run: str | None = None,
    between: bool = False,
    with_pictures: bool = False,
    describe: Describe = compute_features,
    device: str | None = None,
) -> Neighbours:
    """Compare points with all that is searched, at one checkpoint.

    Args:
        points: as `read_queries` takes them: latent points, pictures, or training pictures.
        k: how many neighbours to find at most; a point is none of its own.
        metric: one of `latent.nearness.distances.METRICS`, or PATH for how far the features travel.
        at_batch: the checkpoint whose pictures are compared; by default the one in the label of the
            first point, and for points from before the first checkpoint the last one.
        among: SPECIMENS, DRAWN for `seed:0` and so on, or TRAINING for the pictures that the run
            was trained on.
        drawn: how many points are drawn.
        shown: search so many cities, `BATCH.0` and on, besides the specimens; they are drawn at the
            checkpoint and need not be kept.
        other_run: search the specimens of this run, as its own last checkpoint shows them.
        between: of two points, find what lies between them: the least way from one to the other
            over a third, which is the distance that is told.
        with_pictures: whether the pictures are drawn.
        describe: computes features; a caller may pass one that caches.
        device: see `borrow_device`.

    Raises:
        StudioError: unknown point, or nothing to compare it with.
        CheckpointError: unknown run or batch.
        LatentError: unknown space or metric.
    """
    space = Space(space) if isinstance(space, str) else space
    _require_together(metric, between, other_run, among)
    checkpoints, _ = open_run(workspace, run, at_batch)
    queries = read_queries(workspace, run, points, checkpoints.spec.image_size)
    if metric == PATH and not all(isinstance(query, LatentPoint) for query in queries):
        raise StudioError("A path leads from a latent point, and a picture is none: use euclidean.")
    if between and len(queries) != 2:
        raise StudioError(f"What lies between is asked of two points, not of {len(queries)}.")
    batch = seen_at(checkpoints, queries[0].label) if at_batch is None else at_batch
    with borrow_device(workspace, device, f"nearness in {run}") as chosen:
        G = checkpoints.generator(batch, chosen)
        asked = describe_queries(G, queries, space, describe)
        if other_run is not None:
            candidates = _other(workspace, other_run, space, chosen)
            said = f"specimens of {other_run}"
        elif among == TRAINING:
            trained = open_training_pictures(workspace, run)
            candidates = describe_dataset(trained, space)
            said = f"the {len(trained):,} pictures of '{trained.manifest.name}'"
        else:
            others, said = _choose(workspace, run, among, drawn, checkpoints.spec)
            if shown:
                seen = points_at(workspace, run, batch, range(shown), checkpoints.spec.z_dim)
                others = list({point.label: point for point in (*others, *seen)}.values())
                said += f" and {shown:,} cities that are drawn there"
            candidates = describe_points(G, others, space, describe)
        search = _Search(asked, candidates, k, metric, same_run=other_run is None)
        if metric == PATH:
            lists = search.by_paths(G, checkpoints.spec, space)
        else:
            lists = search.between() if between else search.each()
        pictures = _draw(asked, candidates, lists.numbers, between) if with_pictures else []
    straight = "euclidean" if metric == PATH else metric
    concentration = measure_concentration(
        lists.nearest, candidates.features, asked.features, straight
    )
    titles = [" and ".join(asked.labels)] if between else asked.labels
    found = [
        Found(title, [(candidates.labels[i], float(d)) for i, d in zip(row, far, strict=True)])
        for title, row, far in zip(titles, lists.numbers, lists.distances, strict=True)
    ]
    return Neighbours(batch, space.title, metric, said, concentration, found, pictures)


def _require_together(metric: str, between: bool, other_run: str | None, among: str) -> None:
    """Raise StudioError where a path is asked for and there can be none."""
    if metric == PATH and (between or other_run is not None or among == TRAINING):
        raise StudioError(
            "A path leads from one point of a generator to another. What lies between two, the "
            "specimens of another run and training pictures are measured straight: use euclidean "
            "or cosine."
        )


def _draw(
    asked: Candidates, candidates: Candidates, numbers: list[np.ndarray], between: bool
) -> list[list[np.ndarray]]:
    """The pictures of each row: what was asked for, then what was found."""
    return [
        [*asked.draw(range(2) if between else [i]), *candidates.draw(row.tolist())]
        for i, row in enumerate(numbers)
    ]


class _Lists(NamedTuple):
    """Numbers of what was found and how far it is, for each query; the distance of the nearest."""

    numbers: list[np.ndarray]
    distances: list[np.ndarray]
    nearest: np.ndarray


@dataclass(frozen=True)
class _Search:
    """What is searched from, and what is searched; where both are of one run, none finds itself."""

    asked: Candidates
    candidates: Candidates
    k: int
    metric: str
    same_run: bool

    def each(self) -> _Lists:
        """The nearest of each point."""
        features = self.candidates.features
        found = find_neighbours(features, self.asked.features, self.k + 1, self.metric)
        lists = [self._without(*each) for each in zip(self.asked.labels, *found, strict=True)]
        nearest = np.array([far[0] for _, far in lists])
        return _Lists([row for row, _ in lists], [far for _, far in lists], nearest)

    def by_paths(self, G: nn.Module, spec: GeneratorSpec, space: Space) -> _Lists:
        """The nearest of each point by the lengths of paths; the nearest one straight beside it."""
        assert self.asked.z is not None
        assert self.candidates.z is not None
        describe, starts = describe_ways(G, spec, space), spec.unshape_z(self.asked.z)
        ends, lists = spec.unshape_z(self.candidates.z), []
        for label, z, query in zip(self.asked.labels, starts, self.asked.features, strict=True):
            measure = _path_measure(describe, z, ends)
            found = find_by_paths(self.candidates.features, query, self.k + 1, measure)
            lists.append(self._without(label, *found))
        straight = _Search(self.asked, self.candidates, 1, "euclidean", self.same_run).each()
        return _Lists([row for row, _ in lists], [far for _, far in lists], straight.nearest)

    def between(self) -> _Lists:
        """One list for both: where the way from one to the other over a third is the shortest."""
        features, labels = self.candidates.features, self.candidates.labels
        parts = [measure_pairs(features, one[None], self.metric) for one in self.asked.features]
        ways = parts[0] + parts[1]
        others = [not self.same_run or label not in self.asked.labels for label in labels]
        numbers = np.flatnonzero(others)
        if not len(numbers):
            raise StudioError("There is nothing to lie between the two. Draw specimens.")
        best = numbers[np.lexsort((numbers, ways[numbers]))[: self.k]]
        return _Lists([best], [ways[best]], np.array([part[numbers].min() for part in parts]))

    def _without(
        self, label: str, row: np.ndarray, far: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The list without the point itself.

        Raises:
            StudioError: nothing is left.
        """
        kept = [not self.same_run or self.candidates.labels[i] != label for i in row]
        if not any(kept):
            raise StudioError(
                f"There is nothing else to compare {label} with. Draw specimens, or search among "
                "drawn points."
            )
        return row[kept][: self.k], far[kept][: self.k]


def _path_measure(
    describe: Callable[[Tensor], np.ndarray], start: Tensor, ends: Tensor
) -> Callable[[Sequence[int]], np.ndarray]:
    return lambda rows: measure_paths(describe, [(start, ends[i]) for i in rows])


def _choose(
    workspace: Workspace, run: str, among: str, drawn: int, spec: GeneratorSpec
) -> tuple[list[LatentPoint], str]:
    if among == DRAWN:
        return draw_seeds(drawn, spec), f"{drawn:,} drawn points"
    return specimens_of(workspace, run), SPECIMENS


def _other(workspace: Workspace, run: str, space: Space, device: str) -> Candidates:
    """The specimens of another run, as its last checkpoint shows them."""
    checkpoints, batch = open_run(workspace, run, None)
    G: nn.Module = checkpoints.generator(batch, device)
    return describe_points(G, specimens_of(workspace, run), space)
