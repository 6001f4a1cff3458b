"""The records of one segment, each made by its difference to the checkpoint before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from checkpoints_index.codec import integers, payloads
from checkpoints_index.codec.integers import IntegerArrays, TensorLayout
from checkpoints_index.codec.packing import BlockPacker
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.codec.tracking import DOUBTED_AGE, TrackingPacker, pays_off
from checkpoints_index.storage import segments
from checkpoints_index.storage.segments import PendingRecord

KEY_INTERVAL = 32  # Exact storage: a key comes every so many checkpoints.
SKIP_INTERVAL = 48  # Visual storage: a skip delta comes every so many checkpoints.


class SparedArrays:
    """Integers of a checkpoint that are needed again later.

    Args:
        arrays: the integers, which do not change any more.
    """

    def __init__(self, arrays: IntegerArrays) -> None:
        self._arrays = arrays

    def load(self) -> IntegerArrays:
        """The integers."""
        return self._arrays


class RecordChain:
    """Turns the checkpoints of one segment, in order, into records.

    The integers of each are written to `spare`; `encode_spare` then makes them the newest.

    Args:
        layout: that of the segment.
        pool: threads that share the blocks of a checkpoint.
        tracks_pay: whether trackers are likely to pay, where the layout tracks.

    Attributes:
        length: number of checkpoints that were encoded.
        size_bytes: payload bytes of their records.
        key_bytes: payload bytes of the keys among them.
        newest: the checkpoint that was encoded last: its batch, and its integers.
        spare: arrays of the layout, for the integers of the next checkpoint.
        tracks_pay: whether they did of late.
    """

    def __init__(
        self, layout: TensorLayout, pool: ThreadPool = SERIAL, tracks_pay: bool = True
    ) -> None:
        self.layout = layout
        self.length = 0
        self.size_bytes, self.key_bytes = 0, 0
        self.newest: tuple[int, IntegerArrays] | None = None
        self.spare = layout.new_arrays()
        self._before_newest: IntegerArrays | None = None  # kept where the layout predicts
        self._trackers, self.tracks_pay = payloads.new_trackers(layout) or [], tracks_pay
        self._skip_base: tuple[int, SparedArrays] | None = None
        self._pool, self._packers = pool, [BlockPacker() for _ in range(pool.size)]

    @property
    def is_key_due(self) -> bool:
        """Whether the next checkpoint depends on none before it, and could begin a segment."""
        return self.length == 0 or (not self.layout.reversible and self.length % KEY_INTERVAL == 0)

    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Write the integers of the next checkpoint to `spare`.

        Args:
            weights: a state dict that the layout fits, on the CPU.

        Raises:
            OverflowError: a weight is not finite, or too large for its tensor's step.
        """
        self.layout.to_integers(weights, self.spare)

    def encode_spare(self, batch: int) -> list[PendingRecord]:
        """The records of the checkpoint whose integers are in `spare`.

        Args:
            batch: its batch, above that of the checkpoint before.

        Returns:
            A key or a delta, tracked or not, and perhaps a skip delta.
        """
        if self.newest is None or self.is_key_due:
            kind, base, arrays = segments.KEY, batch, self.spare
            payload = self._pack(arrays, None)
            self.key_bytes += len(payload)
        else:
            base = self.newest[0]
            payload, arrays = self._pack_delta(self.newest[1])
            goes_on = any(tracker and tracker.goes_on for tracker in self._trackers)
            kind = segments.TRACKED_DELTA if goes_on else segments.DELTA
            self._doubt_tracks()
        check = integers.checksum(arrays)
        records = [PendingRecord(kind, batch, base, payload, check).with_parity()]
        del payload  # The record has a longer copy.
        if self.layout.reversible and self.length % SKIP_INTERVAL == 0:
            self._forget_tracks()
            if self._skip_base is not None:
                base, before = self._skip_base
                payload = self._pack(arrays, before.load())
                record = PendingRecord(segments.SKIP_DELTA, batch, base, payload, check)
                records.append(record.with_parity())
            self._skip_base = batch, self._put_aside(arrays)
        self._advance(batch, arrays)
        self.length += 1
        self.size_bytes += sum(len(record.payload) for record in records)
        return records

    def _pack_delta(self, before: IntegerArrays) -> tuple[bytes, IntegerArrays]:
        """The payload that leads from the newest checkpoint to the next, and its integers."""
        payload = self._pack(self.spare, before, self._known_before(), self._trackers)
        return payload, self.spare

    def _put_aside(self, arrays: IntegerArrays) -> SparedArrays:
        """Keep integers up to the next skip delta."""
        return SparedArrays(integers.copy_arrays(arrays))

    def _advance(self, batch: int, arrays: IntegerArrays) -> None:
        """Make these arrays the newest; the oldest ones that are no longer needed are spare."""
        oldest = self.newest[1] if self.newest else None
        if self.layout.predicts:
            oldest, self._before_newest = self._before_newest, oldest
        self.spare = oldest or self.layout.new_arrays()
        self.newest = batch, arrays

    def _forget_tracks(self) -> None:
        """Expect nothing from here on, as a reader does that enters by a key or a skip delta."""
        if self.length > 0:
            self.tracks_pay = pays_off(self._trackers)
        for tracker in filter(None, self._trackers):
            tracker.begin_anew(self.tracks_pay)

    def _doubt_tracks(self) -> None:
        """Leave trackers that do not pay up to the next entry."""
        is_old = self.length % SKIP_INTERVAL >= DOUBTED_AGE
        if self.tracks_pay and is_old and not pays_off(self._trackers):
            self.tracks_pay = False
            for tracker in filter(None, self._trackers):
                tracker.give_up()

    def _known_before(self) -> IntegerArrays | None:
        """The checkpoint before the newest, where a reader that began at the last key has it."""
        return self._before_newest if self.length % KEY_INTERVAL > 1 else None

    def _pack(
        self,
        arrays: IntegerArrays,
        base: IntegerArrays | None,
        before: IntegerArrays | None = None,
        trackers: Sequence[TrackingPacker | None] | None = None,
    ) -> bytes:
        return payloads.pack(self.layout, arrays, base, self._packers, self._pool, before, trackers)
