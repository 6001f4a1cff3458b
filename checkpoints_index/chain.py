"""The records of one segment, each made by its difference to the checkpoint before."""

from __future__ import annotations

from checkpoints_index import integers, payloads, segments
from checkpoints_index.integers import Lanes, Layout
from checkpoints_index.packing import BlockPacker
from checkpoints_index.segments import Draft

KEY_INTERVAL = 32  # exact: records from one key to the next
HOP_INTERVAL = 64  # visual: records from one hop to the next


class Chain:
    """Turns the checkpoints of one segment, in order, into records.

    The integers of each are written to `spare`, which `draft` then puts in the place of `newest`.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.length = 0  # checkpoints drafted so far
        self.newest: tuple[int, Lanes] | None = None
        self.spare = layout.empty_lanes()
        self._hop: tuple[int, Lanes] | None = None
        self._packer = BlockPacker()

    def draft(self, batch: int) -> list[Draft]:
        """The records of the checkpoint whose integers are in `spare`."""
        lanes, reversible = self.spare, self.layout.reversible
        check = integers.checksum(lanes)
        due = self.length % (HOP_INTERVAL if reversible else KEY_INTERVAL) == 0
        if self.newest is None or (due and not reversible):
            drafts = [Draft(segments.KEY, batch, batch, self._pack(lanes, None), check)]
        else:
            base, before = self.newest
            drafts = [Draft(segments.DIFFERENCE, batch, base, self._pack(lanes, before), check)]
        if due and reversible:
            if self._hop is not None:
                base, before = self._hop
                drafts.append(Draft(segments.HOP, batch, base, self._pack(lanes, before), check))
            self._hop = batch, {lane: items.copy() for lane, items in lanes.items()}
        self.spare = self.newest[1] if self.newest else self.layout.empty_lanes()
        self.newest = batch, lanes
        self.length += 1
        return drafts

    def _pack(self, lanes: Lanes, base: Lanes | None) -> bytes:
        return payloads.pack(self.layout, lanes, base, self._packer)
