"""Finding and decoding the checkpoints of one run.

The records of a segment are the edges of a graph: a key leads to its batch from nothing, a
difference or a hop from its base, and, in reversible segments, back again. What was decoded last
is one more place to set out from. The reader takes the way with the fewest bytes; where a record
turns out to be damaged it takes another way round, so that most damage costs no checkpoint at all.
"""

from __future__ import annotations

import heapq
import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from checkpoints_index.codec import integers, payloads
from checkpoints_index.codec.integers import Lanes, TensorLayout
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.errors import CheckpointError, DamagedCheckpointError
from checkpoints_index.storage import segments
from checkpoints_index.storage.catalogue import Catalogue
from checkpoints_index.storage.segments import Record

MOST_THREADS = 8
RECORD_COST_BYTES = 50_000  # what walking one more record costs beside its bytes
WALK_BYTES = 64 << 20  # of payloads that are held at a time
PASSED_BYTES = 256 << 20  # of checkpoints that are kept because they were passed on the way
MOST_PASSED = 8
NOTHING = -1  # the place that keys set out from


class Edge(NamedTuple):
    """One record on the way to a checkpoint, walked forwards (1) or back (-1)."""

    record: Record
    sign: int

    @property
    def source(self) -> int:
        if self.record.kind == segments.KEY:
            return NOTHING
        return self.record.base if self.sign > 0 else self.record.batch

    @property
    def target(self) -> int:
        return self.record.batch if self.sign > 0 else self.record.base


class CheckpointReader:
    """Decodes checkpoints; to a neighbour of the one decoded last it is one small difference."""

    def __init__(self, catalogue: Catalogue, threads: int | None = None) -> None:
        """
        Args:
            threads: blocks that are decoded at a time where every bit is kept; as many as there
                are cores, up to 8.
        """
        self._run, self._catalogue = catalogue.run, catalogue
        self._layouts: dict[tuple[Path, bytes], TensorLayout] = {}
        self._damaged: set[Record] = set()
        self._segment: TensorLayout | None = None  # of what is decoded
        self._here: tuple[Record, Lanes] | None = None
        self._passed: dict[int, Lanes] = {}  # beside it in a segment that leads one way only
        self._team = ThreadPool(min(MOST_THREADS, threads or os.cpu_count() or 1), "decode")

    def weights(self, batch: int) -> dict[str, Tensor]:
        """The state dict at a batch, on the CPU.

        Raises:
            CheckpointError: there is no checkpoint of that batch.
            DamagedCheckpointError: it cannot be read back as it was written.
        """
        layout, lanes = self.integers(batch)
        return layout.to_weights(lanes)

    def integers(self, batch: int) -> tuple[TensorLayout, Lanes]:
        """The layout and the integers at a batch, which the next call changes in place."""
        record = self.find(batch)
        try:
            return self.layout(record), self._decode(record)
        except (DamagedCheckpointError, FileNotFoundError):
            self._catalogue.refresh()  # it may have been replaced meanwhile, by thinning
            if self._catalogue.records.get(batch) == record:
                raise
        record = self.find(batch)
        return self.layout(record), self._decode(record)

    def find(self, batch: int) -> Record:
        """The record of a batch; an unknown one names its neighbours."""
        record = self._catalogue.records.get(batch)
        if record is None:
            raise CheckpointError(self._describe_missing(batch))
        return record

    def layout(self, record: Record) -> TensorLayout:
        """How the segment of a record holds its weights."""
        description = self._catalogue.descriptions.get(record.path)
        if description is None:
            raise self._damage(record, "the header of its segment has changed")
        key = record.path, description["id"]
        if key not in self._layouts:
            self._layouts[key] = TensorLayout.from_json(description)
        return self._layouts[key]

    def close(self) -> None:
        """End the threads."""
        self._team.close()

    def _decode(self, record: Record) -> Lanes:
        layout = self.layout(record)
        if self._segment is not layout:
            self._segment, self._here = layout, None
            self._passed.clear()
        if self._here is not None and self._here[0] == record:
            return self._here[1]
        lanes = None
        while lanes is None:
            lanes = self._walk(record, self._find_way(record, layout), layout)
        if integers.checksum(lanes) != record.integers_xxh3:
            raise self._damage(record, "what was decoded is not what was stored")
        self._here = record, lanes
        return lanes

    def _find_way(self, record: Record, layout: TensorLayout) -> list[Edge]:
        """The legs that lead to a record, from what is decoded or from nothing (Dijkstra 1959)."""
        here = self._here[0] if self._here else None
        short = self._find_short_way(here, record, layout)
        if short is not None:
            return [short]
        edges = self._collect_edges(record.path, layout)
        starts = [NOTHING, *self._passed] + ([here.batch] if here else [])
        order = count()
        queue: list[tuple[int, int, int, Edge | None]] = [(0, next(order), s, None) for s in starts]
        arrived: dict[int, Edge | None] = {}
        while queue:
            cost, _, place, leg = heapq.heappop(queue)
            if place in arrived:
                continue
            arrived[place] = leg
            if place == record.batch:
                return _trace(arrived, place)
            for onward in edges[place]:
                further = cost + onward.record.payload_bytes + RECORD_COST_BYTES
                heapq.heappush(queue, (further, next(order), onward.target, onward))
        raise self._damage(record, self._describe_loss(record))

    def _find_short_way(
        self, here: Record | None, record: Record, layout: TensorLayout
    ) -> Edge | None:
        """The one leg from what is decoded to the checkpoint after it, or before."""
        if here is None:
            return None
        for leg in (Edge(record, 1), Edge(here, -1)):
            walkable = leg.sign > 0 or layout.reversible
            known = leg.record.kind != segments.KEY and leg.record not in self._damaged
            if walkable and known and (leg.source, leg.target) == (here.batch, record.batch):
                return leg
        return None

    def _collect_edges(self, path: Path, layout: TensorLayout) -> defaultdict[int, list[Edge]]:
        edges: defaultdict[int, list[Edge]] = defaultdict(list)
        for record in self._catalogue.records_in(path):
            if record not in self._damaged:
                legs = [Edge(record, 1)]
                if layout.reversible and record.kind != segments.KEY:
                    legs.append(Edge(record, -1))
                for leg in legs:
                    edges[leg.source].append(leg)
        return edges

    def _walk(self, record: Record, legs: list[Edge], layout: TensorLayout) -> Lanes | None:
        """Take the integers along all legs to a record; None where one on the way is damaged."""
        lanes = self._set_out(legs[0].source if legs else record.batch, layout)
        # Lattices are so quick that several threads would mostly wait for the interpreter's lock.
        team = SERIAL if layout.reversible else self._team
        room = 0 if layout.reversible else min(MOST_PASSED, PASSED_BYTES // layout.size_bytes)
        slow = min(room, len(legs) - 1) if len(legs) > 2 else 0  # legs behind which to remember
        groups = [*_group(legs[: len(legs) - slow]), *([leg] for leg in legs[len(legs) - slow :])]
        for group in groups:
            steps = []
            for leg in group:
                payload = segments.read_payload(leg.record)
                if payload is None:
                    self._damaged.add(leg.record)
                    return None
                steps.append((payload, leg.sign))
            payloads.unpack(layout, steps, lanes, team)
            if slow and group is not groups[-1]:
                self._remember(group[-1].target, lanes, room)
        return lanes

    def _set_out(self, place: int, layout: TensorLayout) -> Lanes:
        """The integers of a known place, free to be changed."""
        here, self._here = self._here, None
        if here is not None and here[0].batch == place:
            return here[1]
        if place in self._passed:
            return integers.copy_lanes(self._passed[place])
        return layout.empty_lanes()

    def _remember(self, place: int, lanes: Lanes, room: int) -> None:
        """Keep the integers of a place that is passed, since the next step may lead back to it."""
        self._passed[place] = integers.copy_lanes(lanes)
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

    def _describe_missing(self, batch: int) -> str:
        batches = self._catalogue.batches
        if not batches:
            return f"Run '{self._run}' has no checkpoints yet. Train it, or choose another run."
        at = bisect_left(batches, batch)
        near: list[Any] = batches[max(0, at - 1) : at + 1]
        return (
            f"Run '{self._run}' has no checkpoint {batch}. It has {len(batches):,} from "
            f"{batches[0]} to {batches[-1]}; the nearest: {' and '.join(map(str, near))}."
        )


def _trace(arrived: dict[int, Edge | None], place: int) -> list[Edge]:
    """The legs that led to a place, in the order they are walked."""
    legs: list[Edge] = []
    while (leg := arrived[place]) is not None:
        legs.append(leg)
        place = leg.source
    return legs[::-1]


def _group(legs: list[Edge]) -> Iterator[list[Edge]]:
    """Consecutive legs whose payloads may be held at a time."""
    group: list[Edge] = []
    for leg in legs:
        held = sum(other.record.payload_bytes for other in group)
        if group and held + leg.record.payload_bytes > WALK_BYTES:
            yield group
            group = []
        group.append(leg)
    if group:
        yield group
