"""Finding and decoding the checkpoints of one run.

The records of a segment are the edges of a graph whose nodes are batches: a key leads to its batch
from nothing, a delta or a skip delta from its base and, in reversible segments, back again. The
checkpoint that was decoded last is one more node to start from. The reader takes the path with the
fewest bytes; where a record turns out to be damaged it takes another path, so that most damage
costs no checkpoint at all.
"""

from __future__ import annotations

import heapq
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from checkpoints_index.codec import integers, payloads
from checkpoints_index.codec.integers import IntegerArrays, TensorLayout
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.errors import DamagedCheckpointError, UnknownBatchError
from checkpoints_index.storage import segments
from checkpoints_index.storage.catalogue import Catalogue
from checkpoints_index.storage.segments import Record

MAX_THREADS = 8
RECORD_COST_BYTES = 50_000  # Decoding one more record costs as much as so many bytes of payload.
GROUP_BYTES = 64 << 20  # So many bytes of payloads are held at a time.
CACHE_BYTES = 256 << 20  # Checkpoints that a path passed are kept up to this size ...
MAX_CACHED = 8  # ... and this number.
NOTHING = -1  # the node that keys start from


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


class ReadStep(NamedTuple):
    """A payload that leads from one checkpoint to another.

    Attributes:
        record: its record.
        payload: what lies in the record, held against its checksum.
        sign: 1 where it leads from its base to its batch, -1 where it is undone.
        from_nothing: whether its base are zeros.
    """

    record: Record
    payload: bytes
    sign: int
    from_nothing: bool


class DecodedIntegers(NamedTuple):
    """The integers of a checkpoint, and what the next difference may be predicted from.

    Attributes:
        arrays: its integers.
        before: those of the checkpoint before it on the way there; None where none is predicted.
    """

    arrays: IntegerArrays
    before: IntegerArrays | None

    def copy(self) -> DecodedIntegers:
        """The same in memory of its own."""
        before = integers.copy_arrays(self.before) if self.before else None
        return DecodedIntegers(integers.copy_arrays(self.arrays), before)


class CheckpointReader:
    """Decodes checkpoints; to a neighbour of the one decoded last it is one small difference.

    Args:
        catalogue: that of the run.
        threads: blocks that are decoded at a time where every bit is kept; as many as there are
            cores, up to 8, if None.
    """

    def __init__(self, catalogue: Catalogue, threads: int | None = None) -> None:
        self._run, self._catalogue = catalogue.run, catalogue
        self._layouts: dict[tuple[Path, str], TensorLayout] = {}
        self._damaged: set[Record] = set()
        self._segment_layout: TensorLayout | None = None  # the layout of what is decoded
        self._decoded: tuple[Record, DecodedIntegers] | None = None
        self._passed: dict[int, DecodedIntegers] = {}  # a cache of the same segment, if one-way
        self._pool = ThreadPool(min(MAX_THREADS, threads or os.cpu_count() or 1), "decode")

    def weights(self, batch: int) -> dict[str, Tensor]:
        """The state dict at a batch, on the CPU.

        Raises:
            UnknownBatchError: there is no checkpoint of that batch.
            DamagedCheckpointError: it cannot be read back as it was written.
        """
        layout, arrays = self.integers(batch)
        return layout.to_weights(arrays)

    def integers(self, batch: int) -> tuple[TensorLayout, IntegerArrays]:
        """The layout and the integers at a batch, which the next call changes in place.

        Raises:
            UnknownBatchError: there is no checkpoint of that batch.
            DamagedCheckpointError: it cannot be read back as it was written.
        """
        record = self.find(batch)
        try:
            return self.layout(record), self._decode(record)
        except (DamagedCheckpointError, FileNotFoundError):
            self._catalogue.refresh()  # Thinning may have replaced it meanwhile.
            if self._catalogue.records.get(batch) == record:
                raise
        record = self.find(batch)
        return self.layout(record), self._decode(record)

    def hand_over(self, batch: int) -> tuple[TensorLayout, DecodedIntegers]:
        """The layout and the integers at a batch, in memory of their own.

        Raises:
            UnknownBatchError: there is no checkpoint of that batch.
            DamagedCheckpointError: it cannot be read back as it was written.
        """
        layout, _ = self.integers(batch)
        assert self._decoded is not None
        return layout, self._decoded[1].copy()

    def read_steps(self, held: Record, record: Record, most: int) -> list[ReadStep] | None:
        """What leads to a checkpoint from one that somebody else holds decoded, or from a key.

        What was decoded here is forgotten, since whoever holds the other one goes on from there.

        Args:
            held: the record of the checkpoint that is held.
            record: that of the wanted one.
            most: so many steps are worth while.

        Returns:
            The steps in their order; None where that is no way there, or too long a one.

        Raises:
            DamagedCheckpointError: the header of its segment is damaged, or all ways there.
            FileNotFoundError: its segment has been replaced.
        """
        layout = self.layout(record)
        if layout is not self.layout(held):
            return None
        while True:
            edges = self._find_path(record, layout, held, ())
            if len(edges) > most:
                return None
            contents = [segments.read_payload(edge.record) for edge in edges]
            lost = {e.record for e, content in zip(edges, contents, strict=True) if content is None}
            if not lost:
                break
            self._damaged |= lost
        self._decoded = None
        self._passed.clear()
        return [
            ReadStep(edge.record, content, edge.sign, edge.source == NOTHING)
            for edge, content in zip(edges, contents, strict=True)
            if content is not None
        ]

    def avoid(self, record: Record) -> None:
        """Go round a record from now on, since no packer made what lies in it."""
        self._damaged.add(record)

    def find(self, batch: int) -> Record:
        """The record of a batch.

        Raises:
            UnknownBatchError: there is none; the error names the neighbours.
        """
        record = self._catalogue.records.get(batch)
        if record is None:
            raise UnknownBatchError(self._run, batch, list(self._catalogue.batches))
        return record

    def layout(self, record: Record) -> TensorLayout:
        """How the segment of a record holds its weights.

        Raises:
            DamagedCheckpointError: its header has changed, or is that of another run.
        """
        description = self._catalogue.descriptions.get(record.path)
        if description is None:
            raise self._damage(record, "the header of its segment has changed")
        key = record.path, str(description.get("id"))
        if key not in self._layouts:
            difference = self._catalogue.find_difference(record.path)
            if difference is not None:
                raise self._damage(record, difference)
            try:
                self._layouts[key] = TensorLayout.from_json(description)
            except ValueError as error:
                reason = f"the header of its segment was not written here: {error}"
                raise self._damage(record, reason) from error
        return self._layouts[key]

    def require_fit(self, batch: int, own: Mapping[str, Tensor]) -> None:
        """Refuse a checkpoint of which a module cannot take every tensor.

        Args:
            batch: the checkpoint.
            own: the module's state dict.

        Raises:
            DamagedCheckpointError: it has other tensors, or of other shapes.
        """
        record = self.find(batch)
        held = {entry.name: tuple(entry.shape) for entry in self.layout(record).entries}
        wanted = {name: tuple(tensor.shape) for name, tensor in own.items()}
        if held != wanted:
            name = next(n for n in [*held, *wanted] if held.get(n) != wanted.get(n))
            reason = f"its tensors are not those of the run's generator, such as '{name[:40]}'"
            raise self._damage(record, reason)

    def close(self) -> None:
        """End the threads."""
        self._pool.close()

    def _decode(self, record: Record) -> IntegerArrays:
        """The integers of a record's checkpoint, held against their checksum."""
        layout = self.layout(record)
        if self._segment_layout is not layout:
            self._segment_layout, self._decoded = layout, None
            self._passed.clear()
        if self._decoded is not None and self._decoded[0] == record:
            return self._decoded[1].arrays
        found = None
        while found is None:
            held = self._decoded[0] if self._decoded else None
            edges = self._find_path(record, layout, held, self._passed)
            found = self._decode_path(record, edges, layout)
        if integers.checksum(found.arrays) != record.integers_xxh3:
            raise self._damage(record, "what was decoded is not what was stored")
        self._decoded = record, found
        return found.arrays

    def _find_path(
        self, record: Record, layout: TensorLayout, held: Record | None, passed: Iterable[int]
    ) -> list[Edge]:
        """The edges that lead to a record, from what is held or from nothing (Dijkstra 1959).

        Args:
            held: the record of a checkpoint that is there, decoded.
            passed: the batches of others.
        """
        single = self._find_single_edge(held, record, layout)
        if single is not None:
            return [single]
        edges = self._collect_edges(record.path, layout)
        starts = [NOTHING, *passed] + ([held.batch] if held else [])
        order = count()
        queue: list[tuple[int, int, int, Edge | None]] = [(0, next(order), s, None) for s in starts]
        arrived: dict[int, Edge | None] = {}
        while queue:
            cost, _, node, edge = heapq.heappop(queue)
            if node in arrived:
                continue
            arrived[node] = edge
            if node == record.batch:
                return _trace(arrived, node)
            for onward in edges[node]:
                further = cost + onward.record.payload_bytes + RECORD_COST_BYTES
                heapq.heappush(queue, (further, next(order), onward.target, onward))
        raise self._damage(record, self._describe_loss(record))

    def _find_single_edge(
        self, held: Record | None, record: Record, layout: TensorLayout
    ) -> Edge | None:
        """The edge from what is held to the checkpoint after it, or before."""
        if held is None:
            return None
        for edge in (Edge(record, 1), Edge(held, -1)):
            has_direction = edge.sign > 0 or layout.reversible
            usable = edge.record.kind != segments.KEY and edge.record not in self._damaged
            leads_there = (edge.source, edge.target) == (held.batch, record.batch)
            if has_direction and usable and leads_there:
                return edge
        return None

    def _collect_edges(self, path: Path, layout: TensorLayout) -> defaultdict[int, list[Edge]]:
        """All edges of a segment by the batch that they lead from, without damaged records."""
        edges: defaultdict[int, list[Edge]] = defaultdict(list)
        for record in self._catalogue.records_in(path):
            if record in self._damaged:
                continue
            edges[Edge(record, 1).source].append(Edge(record, 1))
            if layout.reversible and record.kind != segments.KEY:
                edges[Edge(record, -1).source].append(Edge(record, -1))
        return edges

    def _decode_path(
        self, record: Record, edges: list[Edge], layout: TensorLayout
    ) -> DecodedIntegers | None:
        """The integers of a record, along edges that lead there; None where one is damaged."""
        found = self._start_from(edges[0].source if edges else record.batch, layout)
        # Lattices are so quick that several threads would mostly wait for the interpreter's lock.
        pool = SERIAL if layout.reversible else self._pool
        node_bytes = layout.size_bytes * (2 if layout.predicts else 1)
        room = 0 if layout.reversible else min(MAX_CACHED, CACHE_BYTES // node_bytes)
        cached = min(room, len(edges) - 1) if len(edges) > 2 else 0  # nodes near the end
        at_once, one_by_one = edges[: len(edges) - cached], edges[len(edges) - cached :]
        groups = [*_group(at_once), *([edge] for edge in one_by_one)]
        for group in groups:
            chain = []
            for edge in group:
                payload = segments.read_payload(edge.record)
                if payload is None:
                    self._damaged.add(edge.record)
                    return None
                chain.append((payload, edge.sign))
            try:
                payloads.unpack(layout, chain, found.arrays, pool, found.before)
            except ValueError:  # Checksums were right, yet no packer made one of them.
                self._damaged.update(edge.record for edge in group)
                return None
            if cached and group is not groups[-1]:
                self._cache(group[-1].target, found, room)
        return found

    def _start_from(self, node: int, layout: TensorLayout) -> DecodedIntegers:
        """The integers of a known node, free to be changed."""
        decoded, self._decoded = self._decoded, None
        if decoded is not None and decoded[0].batch == node:
            return decoded[1]
        if node in self._passed:
            return self._passed[node].copy()
        return DecodedIntegers(layout.new_arrays(), layout.new_arrays_before())

    def _cache(self, node: int, found: DecodedIntegers, room: int) -> None:
        """Keep the integers of a node that is passed, since the next path may lead back to it."""
        self._passed[node] = found.copy()
        while len(self._passed) > room:
            del self._passed[next(iter(self._passed))]

    def _damage(self, record: Record, reason: str) -> DamagedCheckpointError:
        return DamagedCheckpointError(self._run, record.batch, record.path, reason)

    def _describe_loss(self, record: Record) -> str:
        if record in self._damaged:
            return "its bytes have changed, and no other way leads there"
        lost = sorted(r.batch for r in self._damaged if r.path == record.path)
        names = ", ".join(map(str, lost)) or "its base"
        return f"the bytes of checkpoint {names}, which it needs, have changed"


def _trace(arrived: dict[int, Edge | None], node: int) -> list[Edge]:
    """The edges that led to a node, in the order in which they are decoded."""
    edges: list[Edge] = []
    while (edge := arrived[node]) is not None:
        edges.append(edge)
        node = edge.source
    return edges[::-1]


def _group(edges: list[Edge]) -> Iterator[list[Edge]]:
    """Consecutive edges whose payloads may be held at a time."""
    group: list[Edge] = []
    for edge in edges:
        held = sum(other.record.payload_bytes for other in group)
        if group and held + edge.record.payload_bytes > GROUP_BYTES:
            yield group
            group = []
        group.append(edge)
    if group:
        yield group
