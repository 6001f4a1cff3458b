"""Finding and decoding the checkpoints of one run.

The records of a segment are the edges of a graph (`paths`). The checkpoint that was decoded last is
one more node to start from. The reader takes the path with the fewest bytes; where a record turns
out to be damaged it takes another path, so that most damage costs no checkpoint at all.

What cannot be undone is walked backwards by going there from a key or a skip delta once, and by
keeping what is passed on the way.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from torch import Tensor

from checkpoints_index.codec import integers, payloads
from checkpoints_index.codec.integers import IntegerArrays, TensorLayout
from checkpoints_index.codec.record_chain import SKIP_INTERVAL
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.errors import DamagedCheckpointError, UnknownBatchError
from checkpoints_index.reading.held import DecodedIntegers, HeldCheckpoint, ReadStep
from checkpoints_index.reading.paths import NOTHING, Edge, Node, find_path, find_single_edge
from checkpoints_index.storage import segments
from checkpoints_index.storage.catalogue import Catalogue
from checkpoints_index.storage.payload_room import PayloadRoom
from checkpoints_index.storage.segments import Record

MAX_THREADS = 8
GROUP_BYTES = 64 << 20  # So many bytes of payloads are held at a time.
CACHE_BYTES = 256 << 20  # Checkpoints that a path passed are kept up to this size ...
MAX_CACHED = 8  # ... and this number, where every bit is kept.


class _UnsoundGroupError(Exception):
    """No packer made one of several payloads that were unpacked together."""


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
        self._room = PayloadRoom()
        self._segment_layout: TensorLayout | None = None  # the layout of what is decoded
        self._decoded: tuple[Record, DecodedIntegers] | None = None
        self._is_tracked = False  # whether trackers were led to what is decoded
        self._last_batch = 0  # what was asked for last
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

    def hand_over(self, batch: int) -> tuple[TensorLayout, HeldCheckpoint, DecodedIntegers]:
        """The layout, and the integers at a batch with their trackers, in memory of their own.

        Raises:
            UnknownBatchError: there is no checkpoint of that batch.
            DamagedCheckpointError: it cannot be read back as it was written.
        """
        layout, _ = self.integers(batch)
        held = self._held_here()
        assert self._decoded is not None
        assert held is not None
        found = self._decoded[1]
        states = found.states and [state and state.copy() for state in found.states]
        return layout, held, found.copy()._replace(states=states)

    def read_steps(self, held: HeldCheckpoint, record: Record, most: int) -> list[ReadStep] | None:
        """What leads to a checkpoint from one that somebody else holds decoded, or from a key.

        What was decoded here is forgotten, since whoever holds the other one goes on from there.

        Args:
            held: the checkpoint that is held.
            record: that of the wanted one.
            most: so many steps are worth while.

        Returns:
            The steps in their order; None where that is no way there, or too long a one.

        Raises:
            DamagedCheckpointError: the header of its segment is damaged, or all ways there.
            FileNotFoundError: its segment has been replaced.
        """
        layout = self.layout(record)
        if layout is not self.layout(held.record):
            return None
        while True:
            edges = self._find_path(record, layout, held, ())
            if len(edges) > most:
                return None
            self._room.empty()
            contents = [segments.read_payload(edge.record, self._room) for edge in edges]
            lost = {e.record for e, content in zip(edges, contents, strict=True) if content is None}
            if not lost:
                break
            self._damaged |= lost
        self._decoded = None
        self._passed.clear()
        return [
            ReadStep(edge.record, content, edge.sign, edge.source == NOTHING, edge.leads_trackers)
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
        room, found, singly = self._choose_room(record.batch, layout), None, False
        while found is None:
            edges = self._find_path(record, layout, self._held_here(), self._passed)
            try:
                found = self._decode_path(record, edges, layout, room, singly)
            except _UnsoundGroupError:
                singly = True
        if integers.checksum(found.arrays) != record.integers_xxh3:
            raise self._damage(record, "what was decoded is not what was stored")
        self._decoded = record, found
        return found.arrays

    def _choose_room(self, batch: int, layout: TensorLayout) -> int:
        """How many checkpoints are kept of those that are passed on the way to one."""
        last, self._last_batch = self._last_batch, batch
        if layout.tracks:
            batches = self._catalogue.batches
            back = bisect_left(batches, last) - bisect_left(batches, batch)
            walks_back = 0 < back <= SKIP_INTERVAL
            return CACHE_BYTES // layout.integers_bytes if walks_back else 0
        if layout.reversible:
            return 0
        node_bytes = layout.size_bytes * (2 if layout.predicts else 1)
        return min(MAX_CACHED, CACHE_BYTES // node_bytes)

    def _held_here(self) -> HeldCheckpoint | None:
        if self._decoded is None:
            return None
        return HeldCheckpoint(self._decoded[0], self._is_tracked)

    def _find_path(
        self,
        record: Record,
        layout: TensorLayout,
        held: HeldCheckpoint | None,
        passed: Collection[int],
    ) -> list[Edge]:
        """The edges that lead to a record, from what is held or from nothing.

        Args:
            held: a checkpoint that is there, decoded.
            passed: the batches of others.
        """
        if record.batch in passed:
            return []
        starts = [Node(batch) for batch in passed]
        if held is not None:
            node = Node(held.record.batch, held.is_tracked)
            single = find_single_edge(node, record, held.record, layout)
            if single is not None and single.record not in self._damaged:
                return [single]
            starts.append(node)
        whole = [r for r in self._catalogue.records_in(record.path) if r not in self._damaged]
        path = find_path(whole, starts, record.batch, layout)
        if path is None:
            raise self._damage(record, self._describe_loss(record))
        return path

    def _decode_path(
        self, record: Record, edges: list[Edge], layout: TensorLayout, room: int, singly: bool
    ) -> DecodedIntegers | None:
        """The integers of a record, along edges that lead there; None where one is damaged.

        Args:
            room: see `_choose_room`.
            singly: hold what each edge leads to against its checksum.

        Raises:
            _UnsoundGroupError: one of several is, and only singly it can be told which.
        """
        found = self._start_from(edges[0].source if edges else record.batch, layout)
        # Lattices are so quick that several threads would mostly wait for the interpreter's lock.
        pool = SERIAL if layout.reversible else self._pool
        cached = min(room, len(edges) - 1) if len(edges) > 2 else 0  # nodes near the end
        at_once, one_by_one = edges[: len(edges) - cached], edges[len(edges) - cached :]
        groups = [*_group(at_once), *([edge] for edge in one_by_one)]
        if layout.tracks:  # Their states are large: a block at a time, they stay in the cache.
            groups = list(_group(edges))
        if singly:
            groups = [[edge] for edge in edges]
        kept = {edge.target for edge in edges[-1 - cached : -1]} if layout.tracks else set()
        if kept:
            self._passed.clear()  # Never twice the room is taken.
        for group in groups:
            self._room.empty()
            chain = []
            for edge in group:
                payload = segments.read_payload(edge.record, self._room)
                if payload is None:
                    self._damaged.add(edge.record)
                    return None
                chain.append((payload, edge.sign))
            try:
                copies = {
                    n: layout.new_arrays() for n, edge in enumerate(group) if edge.target in kept
                }
                payloads.unpack(
                    layout, chain, found.arrays, pool, found.before, found.states, copies
                )
            except ValueError:  # Checksums were right, yet no packer made one of them.
                if len(group) > 1:
                    raise _UnsoundGroupError from None
                self._damaged.add(group[0].record)
                return None
            if singly and not self._is_sound(group[0], found):
                self._damaged.add(group[0].record)
                return None
            self._is_tracked = layout.tracks and group[-1].leads_trackers
            for n, arrays in copies.items():
                node = found._replace(arrays=arrays, states=payloads.new_states(layout))
                self._cache(group[n].target, node, room)
            if cached and not layout.tracks and group is not groups[-1]:
                self._cache(group[-1].target, found.copy(), room)
        return found

    def _is_sound(self, edge: Edge, found: DecodedIntegers) -> bool:
        """Whether the integers behind an edge are those that were stored."""
        target = self._catalogue.records.get(edge.target)
        return target is None or integers.checksum(found.arrays) == target.integers_xxh3

    def _start_from(self, node: int, layout: TensorLayout) -> DecodedIntegers:
        """The integers of a known node, free to be changed."""
        decoded, self._decoded = self._decoded, None
        if decoded is not None and decoded[0].batch == node:
            return decoded[1]
        self._is_tracked = False
        if node in self._passed:
            return self._passed[node].copy()
        return DecodedIntegers.before_key(layout)

    def _cache(self, node: int, found: DecodedIntegers, room: int) -> None:
        """Keep the integers of a node that is passed, since the next path may lead back to it."""
        self._passed[node] = found
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
