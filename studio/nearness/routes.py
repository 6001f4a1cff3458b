"""Routes between two cities: the shortest over the graph of neighbours, beside the direct ways."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from checkpoints_index import GeneratorSpec
from latent.interpolation import lerp, slerp
from latent.nearness.distances import METRICS
from latent.nearness.features import Space
from latent.nearness.path_length import measure_paths, measure_steps
from latent.nearness.ways import find_way
from latent.points import LatentPoint
from studio.nearness.candidates import describe_ways, draw_seeds, open_run
from studio.nearness.spaces import name_unit, plain_spaces
from studio.specimens.points import points_of, resolve_points
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

EDGE_STEPS = 8  # Parts of an edge while the way is searched.
FINAL_STEPS = 128  # Parts of each whole way, whose lengths are told.
GRAPH, GREAT_CIRCLE, STRAIGHT = "graph", "great circle", "straight line"
BLENDS = {GRAPH: slerp, GREAT_CIRCLE: slerp, STRAIGHT: lerp}  # How a way goes from stop to stop.


@dataclass(frozen=True)
class Route:
    """The shortest way found between two points, and the ways it was compared with.

    Attributes:
        space, metric, unit: what its length is measured in.
        kind: GRAPH where it leads over other points, else which direct way is the shortest.
        ways: the labels on each way, from the start to the end. GRAPH is the shortest way that
            leads over other points, and is missing where the graph has none.
        lengths: of each way, in each space and metric: (space, metric) -> way -> length.
        searched: points of the graph.
        measured: edges of it that had to be measured.
    """

    batch: int
    space: str
    metric: str
    unit: str
    kind: str
    ways: dict[str, list[str]]
    lengths: dict[tuple[str, str], dict[str, float]]
    searched: int
    measured: int

    @property
    def stops(self) -> list[str]:
        """The labels on the shortest way."""
        return self.ways[self.kind]

    @property
    def own_lengths(self) -> dict[str, float]:
        """The length of each way in the space and metric that were asked for."""
        return self.lengths[self.space, self.metric]

    @property
    def length(self) -> float:
        """The length of the shortest, which no other way's is below."""
        return self.own_lengths[self.kind]


def find_route(
    workspace: Workspace,
    run: str,
    ends: tuple[str, str],
    space: Space,
    metric: str = "euclidean",
    at_batch: int | None = None,
    *,
    drawn: int = 500,
    k: int = 10,
    device: str | None = None,
) -> Route:
    """Find the way on which the features travel least, at one checkpoint.

    The graph joins the run's specimens and drawn points to their nearest neighbours; along an edge
    the latent point goes on a great circle. The length of a way is how far the features travel on
    it. The straight line and the great circle are ways too, so none of them is shorter. All ways
    stay in the distribution that the generator was trained with; see `describe_ways`.

    Args:
        ends: two points, as `resolve_points` takes them.
        metric: `euclidean`, or `cosine` for the angles in radians that the features turn by.
        drawn: how many points `seed:0` and so on the graph has beside the specimens.
        k: neighbours that each point is joined to.

    Raises:
        StudioError: unknown points, or the same one twice.
        CheckpointError: unknown run or batch.
        LatentError: unknown space or metric, or too many neighbours.
    """
    checkpoints, batch = open_run(workspace, run, at_batch)
    found = resolve_points(workspace, run, ends)
    if len(found) != 2 or torch.equal(found[0].z, found[1].z):
        raise StudioError("A route leads from one point to another: name two that differ.")
    others = draw_seeds(drawn, checkpoints.spec) if drawn else []
    points = _gather(found, [*points_of(workspace, run), *others])
    z = checkpoints.spec.unshape_z(torch.stack([point.z for point in points]))
    with borrow_device(workspace, device, f"a route in {run}") as chosen:
        G = checkpoints.generator(batch, chosen)
        describe = describe_ways(G, checkpoints.spec, space)
        way = find_way(describe(z), 0, 1, k, metric, _edge_measure(describe, z, metric))
        direct = {GREAT_CIRCLE: [0, 1], STRAIGHT: [0, 1]}
        rows = direct if way is None else {GRAPH: way.stops, **direct}
        tracks = {name: _follow(z[stops], BLENDS[name]) for name, stops in rows.items()}
        lengths = _measure_ways(G, checkpoints.spec, tracks, space)
    own = lengths[space.title, metric]
    return Route(
        batch=batch,
        space=space.title,
        metric=metric,
        unit=name_unit(space.name, metric) if metric == "euclidean" else "radians",
        kind=min(own, key=lambda name: (own[name], name == GRAPH)),
        ways={name: [points[row].label for row in stops] for name, stops in rows.items()},
        lengths=lengths,
        searched=len(points),
        measured=0 if way is None else way.measured,
    )


def _gather(ends: Sequence[LatentPoint], others: Sequence[LatentPoint]) -> list[LatentPoint]:
    """The ends, then the others, each place once."""
    seen = {point.z.numpy().tobytes(): point for point in (*ends, *others)}
    first = [point.z.numpy().tobytes() for point in ends]
    return [*ends, *(point for key, point in seen.items() if key not in first)]


def _edge_measure(
    describe: Callable[[Tensor], np.ndarray], z: Tensor, metric: str
) -> Callable[[Sequence[tuple[int, int]]], np.ndarray]:
    def measure(edges: Sequence[tuple[int, int]]) -> np.ndarray:
        return measure_paths(describe, [(z[i], z[j]) for i, j in edges], metric, EDGE_STEPS)

    return measure


def _follow(stops: Tensor, blend: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
    """A way through stops in about FINAL_STEPS parts, float32 [num_points, z_dim]."""
    each = -(-FINAL_STEPS // (len(stops) - 1))
    t = torch.linspace(0, 1, each + 1)
    parts = [blend(a, b, t)[:-1] for a, b in itertools.pairwise(stops)]
    return torch.cat([*parts, stops[-1][None]])


def _measure_ways(
    G: nn.Module, spec: GeneratorSpec, tracks: dict[str, Tensor], space: Space
) -> dict[tuple[str, str], dict[str, float]]:
    """How far the features of every space travel on each way."""
    spaces = [space, *(Space(name) for name in plain_spaces(G) if name != space.title)]
    lengths: dict[tuple[str, str], dict[str, float]] = {}
    for each in spaces:
        describe = describe_ways(G, spec, each)
        described = {name: describe(z) for name, z in tracks.items()}
        for metric in METRICS:
            lengths[each.title, metric] = {
                name: float(measure_steps(features, metric).sum())
                for name, features in described.items()
            }
    return lengths
