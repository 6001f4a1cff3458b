"""Ways through the records of a segment, as through a graph.

The records are the edges, and checkpoints are the nodes: a key leads to its batch from nothing, a
delta or a skip delta from its base and, in reversible segments, back again. A tracked delta leads
on alone, and alone from where trackers have been led to: a checkpoint reached by a plain delta, or
by one tracked delta after another from there. A node therefore tells whether that is so.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from itertools import count
from typing import NamedTuple

from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.storage import segments
from checkpoints_index.storage.segments import Record

RECORD_COST_BYTES = 50_000  # Decoding one more record costs as much as so many bytes of payload.
NOTHING = -1  # the batch that keys start from


class Node(NamedTuple):
    """Where an edge sets out from, or arrives.

    Attributes:
        batch: a checkpoint, or NOTHING.
        is_tracked: whether trackers were led there, so that a tracked delta leads on from it.
    """

    batch: int
    is_tracked: bool = False


class Edge(NamedTuple):
    """One record on the path to a checkpoint.

    Attributes:
        record: the record.
        sign: 1 where it leads from its base to its batch, -1 where it is undone.
    """

    record: Record
    sign: int

    @property
    def source(self) -> int:
        """The batch that it leads from, or NOTHING."""
        if self.record.kind == segments.KEY:
            return NOTHING
        return self.record.base if self.sign > 0 else self.record.batch

    @property
    def target(self) -> int:
        """The batch that it leads to."""
        return self.record.batch if self.sign > 0 else self.record.base

    @property
    def leads_trackers(self) -> bool:
        """Whether the trackers of its target are known behind it."""
        return self.sign > 0 and self.record.kind in (segments.DELTA, segments.TRACKED_DELTA)

    def starts_at(self, node: Node) -> bool:
        """Whether it can be taken from a node of its source."""
        return node.is_tracked or self.record.kind != segments.TRACKED_DELTA


def find_single_edge(
    decoded: Node, record: Record, last: Record, layout: TensorLayout
) -> Edge | None:
    """The edge from what is decoded to the checkpoint after it, or before; None without one.

    Args:
        decoded: the node that was arrived at last.
        record: that of the checkpoint that is wanted.
        last: that of the checkpoint that is decoded.
        layout: that of the segment of both.
    """
    for edge in (Edge(record, 1), Edge(last, -1)):
        has_direction = edge.sign > 0 or can_be_undone(edge.record, layout)
        leads_there = (edge.source, edge.target) == (decoded.batch, record.batch)
        usable = edge.record.kind != segments.KEY and edge.starts_at(decoded)
        if has_direction and usable and leads_there:
            return edge
    return None


def find_path(
    records: Iterable[Record], starts: Iterable[Node], batch: int, layout: TensorLayout
) -> list[Edge] | None:
    """The edges that lead to a checkpoint with the fewest bytes (Dijkstra 1959).

    Args:
        records: those of a segment that are whole.
        starts: what is decoded already.
        batch: the checkpoint.
        layout: that of the segment.

    Returns:
        The edges in the order in which they are decoded; None where none lead there.
    """
    edges = _collect_edges(records, layout)
    order = count()
    queue: list[tuple[int, int, Node, Edge | None, Node | None]] = [
        (0, next(order), start, None, None) for start in (Node(NOTHING), *starts)
    ]
    arrived: dict[Node, tuple[Edge | None, Node | None]] = {}
    while queue:
        cost, _, node, edge, came_from = heapq.heappop(queue)
        if node in arrived:
            continue
        arrived[node] = edge, came_from
        if node.batch == batch:
            return _trace(arrived, node)
        for onward in edges[node.batch]:
            if not onward.starts_at(node):
                continue
            target = Node(onward.target, layout.tracks and onward.leads_trackers)
            further = cost + onward.record.payload_bytes + RECORD_COST_BYTES
            heapq.heappush(queue, (further, next(order), target, onward, node))
    return None


def can_be_undone(record: Record, layout: TensorLayout) -> bool:
    """Whether a record leads back to its base as well."""
    return layout.reversible and record.kind in (segments.DELTA, segments.SKIP_DELTA)


def _collect_edges(records: Iterable[Record], layout: TensorLayout) -> defaultdict[int, list[Edge]]:
    """All edges by the batch that they lead from."""
    edges: defaultdict[int, list[Edge]] = defaultdict(list)
    for record in records:
        signs = (1, -1) if can_be_undone(record, layout) else (1,)
        for edge in (Edge(record, sign) for sign in signs):
            edges[edge.source].append(edge)
    return edges


def _trace(arrived: dict[Node, tuple[Edge | None, Node | None]], node: Node) -> list[Edge]:
    """The edges that led to a node, in the order in which they are decoded."""
    edges: list[Edge] = []
    before: Node | None = node
    while before is not None:
        edge, before = arrived[before]
        if edge is not None:
            edges.append(edge)
    return edges[::-1]
