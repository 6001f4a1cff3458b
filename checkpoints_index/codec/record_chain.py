"""The records of one segment, each made by its difference to the checkpoint before."""

from __future__ import annotations

from checkpoints_index.codec import integers, payloads
from checkpoints_index.codec.integers import Lanes, TensorLayout
from checkpoints_index.codec.packing import BlockPacker
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.storage import segments
from checkpoints_index.storage.segments import PendingRecord

KEY_INTERVAL = 32  # exact: records from one key to the next
SKIP_INTERVAL = 48  # visual: records from one hop to the next


class Chain:
    """Turns the checkpoints of one segment, in order, into records.

    The integers of each are written to `spare`, which `draft` then puts in the place of `newest`.
    """

    def __init__(self, layout: TensorLayout, team: ThreadPool = SERIAL) -> None:
        self.layout = layout
        self.length = 0  # checkpoints drafted so far
        self.size_bytes, self.key_bytes = 0, 0  # of their records, of keys among them
        self.newest: tuple[int, Lanes] | None = None
        self.spare = layout.empty_lanes()
        self._hop: tuple[int, Lanes] | None = None
        self._team, self._packers = team, [BlockPacker() for _ in range(team.size)]

    @property
    def is_key_due(self) -> bool:
        """Whether the next checkpoint depends on none before it, and could begin a segment."""
        return self.length == 0 or (not self.layout.reversible and self.length % KEY_INTERVAL == 0)

    def draft(self, batch: int) -> list[PendingRecord]:
        """The records of the checkpoint whose integers are in `spare`."""
        lanes = self.spare
        check = integers.checksum(lanes)
        if self.newest is None or self.is_key_due:
            drafts = [PendingRecord(segments.KEY, batch, batch, self._pack(lanes, None), check)]
        else:
            base, before = self.newest
            drafts = [PendingRecord(segments.DELTA, batch, base, self._pack(lanes, before), check)]
        if self.layout.reversible and self.length % SKIP_INTERVAL == 0:
            if self._hop is not None:
                base, before = self._hop
                drafts.append(
                    PendingRecord(
                        segments.SKIP_DELTA, batch, base, self._pack(lanes, before), check
                    )
                )
            self._hop = batch, integers.copy_lanes(lanes)
        self.spare = self.newest[1] if self.newest else self.layout.empty_lanes()
        self.newest = batch, lanes
        self.length += 1
        self.size_bytes += sum(len(draft.payload) for draft in drafts)
        self.key_bytes += len(drafts[0].payload) if drafts[0].kind == segments.KEY else 0
        return drafts

    def _pack(self, lanes: Lanes, base: Lanes | None) -> bytes:
        return payloads.pack(self.layout, lanes, base, self._packers, self._team)
