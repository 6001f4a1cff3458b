"""A payload on its way to a device: what zstandard gave back, laid out so that tensors unpack it.

The CPU finds the parts of all blocks, decompresses them one behind the other into one buffer, and
looks whether they lead to integers of their blocks. Blocks of one form stand together, and hence so
do their parts of one sort, so that a device (`unpacking.py`) works on many blocks at a time. The
buffer ends in the numbers that it needs for that, and crosses the bus as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import zstandard

from checkpoints_index.codec import kernels
from checkpoints_index.codec.block_parts import (
    DISTANCES,
    FURTHER,
    LONG,
    LOW,
    MAIN,
    REACHES,
    SIGNS,
    SLOTS,
    UNTRACKED,
    WITH_LENGTHS,
    WORDS,
    FoundParts,
    LaidBlocks,
)
from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.packing import (
    GAPS,
    MAGNITUDES,
    NIBBLES,
    PREDICTED,
    SPLIT,
    TRITS,
    Integers,
)
from checkpoints_index.codec.tensor_entry import IntegerKind
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.codec.tracking import MISSES, MOVES

MAX_ROWS = {TRITS: 128, NIBBLES: 128, SPLIT: 64, MAGNITUDES: 32, PREDICTED: 32}
MAX_TRACKED = 32  # Blocks whose trackers are led on at a time.
MAX_GAPPED = 256  # Blocks whose gaps are followed at a time; they take 40 bytes for each gap.
ALIGNMENT = 8  # Each section of the buffer begins at a multiple of so many bytes.

Span = slice  # a part of the buffer, in bytes
NewBuffer = Callable[[int], Integers]  # bytes -> uint8 [bytes], for one payload


class Rows(NamedTuple):
    """Blocks of one form and one size within one stretch of the integers.

    Attributes:
        form: their form.
        detail: of `SPLIT` the low bits, of `PREDICTED` the eighths, else 0.
        stretch: integers that begin with the first block of a stretch and end with the last one
            of these; there the blocks follow on each other.
        size: integers of a block.
        height: how many blocks these are.
        first: where they follow on each other as well, the number of the first one; else None.
        numbers: int64 [height], which blocks of the stretch they are, ascending.
        main: the packed digits, high bytes or lengths in bits of each.
        low: planes of low bits (`SPLIT`), of all blocks each.
        words: bits of all blocks (`MAGNITUDES`, `PREDICTED`).
        word_counts: int64 [height], how many words each block has.
    """

    form: int
    detail: int
    stretch: slice
    size: int
    height: int
    first: int | None
    numbers: Span
    main: Span
    low: tuple[Span, ...]
    words: Span
    word_counts: Span


class Gapped(NamedTuple):
    """Gaps of several blocks, those of one behind those of another in each part.

    Attributes:
        gaps, long_gaps, signs, further, magnitudes: their parts, as `add_at_gaps` takes them, long
            gaps and magnitudes as planes.
        blocks: int64 [4, B], of each block its first integer, and how many gaps, long gaps and
            magnitudes it has.
    """

    gaps: Span
    long_gaps: Span
    signs: Span
    further: Span
    magnitudes: Span
    blocks: Span


class TrackedRows(NamedTuple):
    """Blocks of one size that lie behind each other, of which some have trackers.

    Attributes:
        stretch: their integers.
        size: integers of a block.
        height: how many blocks they are.
        table: int64 [3, height], the way of each, or UNTRACKED, and its gains.
    """

    stretch: slice
    size: int
    height: int
    table: Span


class StagedKind(NamedTuple):
    """What a payload holds of one kind of integers.

    Attributes:
        rows, gapped: blocks of it; those that did not move are not among them.
        tracked: all blocks, where there are trackers; none where there is no tracker.
    """

    rows: list[Rows]
    gapped: list[Gapped]
    tracked: list[TrackedRows]


class StagedPayload(NamedTuple):
    """A payload, ready for a device.

    Attributes:
        buffer: uint8 [bytes].
        kinds: what lies where in it.
        leads_trackers: bool [blocks], whether the state of each block's trackers is known behind
            it.
    """

    buffer: Integers
    kinds: dict[IntegerKind, StagedKind]
    leads_trackers: Integers


class BufferPlan:
    """Where in the buffer of a payload its parts go, and what a device must know of them.

    Args:
        layout, laid: the layout, and its blocks.
        parts: those of the payload.

    Attributes:
        to: int64 [B, slots], the byte of the buffer at which each part begins.
        kinds: what lies where.
        size_bytes: of the buffer.
    """

    def __init__(self, laid: LaidBlocks, parts: FoundParts) -> None:
        self._laid, self._parts = laid, parts
        self._tables: list[tuple[int, Integers]] = []
        kinds = laid.kind[parts.order]
        edges = np.searchsorted(kinds, np.arange(len(laid.kinds) + 1))
        self._ranges = dict(zip(laid.kinds, pairwise(edges.tolist()), strict=True))
        self.to, self.size_bytes = np.zeros_like(parts.plain), 0
        for begin, end in self._ranges.values():
            for slot in range(SLOTS):
                lengths = parts.plain[begin:end, slot]
                ends = self.size_bytes + np.cumsum(lengths)
                self.to[begin:end, slot] = ends - lengths
                self._extend(int(lengths.sum()))
        self.kinds = {
            kind: StagedKind(
                self._list_rows(*own), self._list_gapped(*own), self._list_tracked(kind)
            )
            for kind, own in self._ranges.items()
        }

    def write_tables(self, buffer: Integers) -> None:
        """Write the numbers that a device needs behind the parts."""
        for at, table in self._tables:
            buffer[at : at + table.nbytes].view(np.int64)[:] = table.reshape(-1)

    def _list_rows(self, begin: int, end: int) -> list[Rows]:
        parts, laid = self._parts, self._laid
        own = np.arange(begin, end)[parts.form[begin:end] > GAPS]
        if not own.size:
            return []
        order = parts.order[own]
        facts = np.stack((parts.form[own], parts.detail[own], laid.stretch[order]))
        borders = np.flatnonzero((np.diff(facts) != 0).any(0)) + 1
        found = []
        for group in np.split(own, borders):
            most = MAX_ROWS[int(parts.form[group[0]])]
            found += [self._describe_rows(group[i : i + most]) for i in range(0, len(group), most)]
        return found

    def _describe_rows(self, own: Integers) -> Rows:
        parts, laid, order = self._parts, self._laid, self._parts.order[own]
        form, detail, numbers = int(parts.form[own[0]]), int(parts.detail[own[0]]), laid.row[order]
        start, size = int(laid.start[laid.stretch[order[0]]]), int(laid.size[order[0]])
        planes = (1 if detail == 4 else detail // 8) if form == SPLIT else 0
        follow = int(numbers[-1] - numbers[0]) + 1 == len(numbers)
        return Rows(
            form=form,
            detail=detail,
            stretch=slice(start, start + (int(numbers[-1]) + 1) * size),
            size=size,
            height=len(own),
            first=int(numbers[0]) if follow else None,
            numbers=self._add_table(numbers),
            main=self._span(own, MAIN),
            low=tuple(self._span(own, LOW + p) for p in range(planes)),
            words=self._span(own, WORDS),
            word_counts=self._add_table(parts.plain[own, WORDS] // 4),
        )

    def _list_gapped(self, begin: int, end: int) -> list[Gapped]:
        own = np.arange(begin, end)[self._parts.plain[begin:end, DISTANCES] > 0]
        chunks = (own[i : i + MAX_GAPPED] for i in range(0, len(own), MAX_GAPPED))
        return [self._describe_gapped(chunk) for chunk in chunks]

    def _describe_gapped(self, own: Integers) -> Gapped:
        order, plain = self._parts.order[own], self._parts.plain[own]
        start, itemsize = self._laid.start[order], self._laid.itemsize[order]
        counts = plain[:, DISTANCES], plain[:, LONG] // 4, plain[:, REACHES] // itemsize
        return Gapped(
            gaps=self._span(own, DISTANCES),
            long_gaps=self._span(own, LONG),
            signs=self._span(own, SIGNS),
            further=self._span(own, FURTHER),
            magnitudes=self._span(own, REACHES),
            blocks=self._add_table(np.stack((start, *counts))),
        )

    def _list_tracked(self, kind: IntegerKind) -> list[TrackedRows]:
        laid, trackers = self._laid, self._parts.trackers
        own = np.flatnonzero(laid.kind == laid.kinds.index(kind))
        if (trackers[0, own] == UNTRACKED).all():
            return []
        borders = np.flatnonzero(np.diff(laid.stretch[own])) + 1
        found = []
        for group in np.split(own, borders):
            for i in range(0, len(group), MAX_TRACKED):
                rows = group[i : i + MAX_TRACKED]
                start, size = int(laid.start[rows[0]]), int(laid.size[rows[0]])
                stretch = slice(start, start + size * len(rows))
                table = self._add_table(trackers[:, rows])
                found.append(TrackedRows(stretch, size, len(rows), table))
        return found

    def _span(self, own: Integers, slot: int) -> Span:
        """Where the parts of blocks lie; between them there are only blocks without such a part."""
        last = own[-1]
        return slice(
            int(self.to[own[0], slot]), int(self.to[last, slot] + self._parts.plain[last, slot])
        )

    def _add_table(self, table: Integers) -> Span:
        at = self.size_bytes
        self._tables.append((at, table))
        self._extend(table.nbytes)
        return slice(at, at + table.nbytes)

    def _extend(self, size_bytes: int) -> None:
        self.size_bytes += -(-size_bytes // ALIGNMENT) * ALIGNMENT


class PayloadStager:
    """Turns payloads of one layout into what a device unpacks.

    Args:
        layout: that of all of them.
        pool: threads that share the decompression, which lets others run meanwhile.
    """

    def __init__(self, layout: TensorLayout, pool: ThreadPool = SERIAL) -> None:
        self._layout, self._pool, self._laid = layout, pool, LaidBlocks(layout)
        fields = [kind.exponent_field(layout.reversible) for kind in self._laid.kinds]
        # Whether the lengths of a block are its own, rather than the sum with the base's exponents.
        self._has_plain_lengths = np.array([f == (0, 0) for f in fields])[self._laid.kind]

    def stage(
        self,
        payload: bytes | memoryview,
        new_buffer: NewBuffer,
        sign: int = 1,
        known: Integers | None = None,
    ) -> StagedPayload:
        """Decompress a payload into one buffer.

        Args:
            payload: what `payloads.pack` gave.
            new_buffer: gives memory for it, perhaps used before.
            sign: 1; or -1 to go from what was packed to its base, which no tracker leads to.
            known: bool [blocks], whether the state of each block's trackers is known before it;
                None for none.

        Raises:
            ValueError: no packer made these bytes, or they do not lead on from there.
        """
        parts = FoundParts(self._layout, self._laid, payload)
        ways = parts.trackers[0]
        goes_on = np.isin(ways, (MISSES, MOVES))
        may_go_on = known if known is not None and sign > 0 else np.zeros_like(goes_on)
        if (goes_on & ~may_go_on).any():
            raise ValueError("a block of trackers that do not lead here")
        leads_trackers = (ways != UNTRACKED) & (sign > 0)
        plan = BufferPlan(self._laid, parts)
        buffer = new_buffer(plan.size_bytes)
        works = [range(i, parts.form.size, self._pool.size) for i in range(self._pool.size)]

        def stage_some(blocks: range) -> None:
            own = np.arange(blocks.start, blocks.stop, blocks.step)
            _decompress(payload, parts, plan.to, own, buffer)
            self._refuse_what_leads_outside(parts, plan.to, own, buffer)

        self._pool.map(stage_some, works)
        plan.write_tables(buffer)
        return StagedPayload(buffer, plan.kinds, leads_trackers)

    def _refuse_what_leads_outside(
        self, parts: FoundParts, to: Integers, own: Integers, buffer: Integers
    ) -> None:
        """Follow the gaps of blocks, and count the bits of those whose lengths are known here."""
        blocks, plain, places = parts.order[own], parts.plain[own], to[own]
        size, itemsize = self._laid.size[blocks], self._laid.itemsize[blocks]
        gaps, fars = slice(DISTANCES, WORDS), plain[:, REACHES] // itemsize
        if not kernels.lead_inside(buffer, places[:, gaps], plain[:, gaps], fars, size):
            raise ValueError("a block whose gaps lead outside")
        known = np.isin(parts.form[own], WITH_LENGTHS) & self._has_plain_lengths[blocks]
        words = (plain[:, WORDS] // 4)[known]
        begins = places[known, MAIN]
        if not kernels.fill_words(buffer, begins, size[known], words, 8 * itemsize[known]):
            raise ValueError("a block of another size")


def _decompress(
    payload: bytes | memoryview, parts: FoundParts, to: Integers, own: Integers, buffer: Integers
) -> None:
    """Decompress the parts of some blocks to where they go, and copy their words there."""
    source, target, zstd = memoryview(payload), buffer.data, zstandard.ZstdDecompressor()
    numbers = (parts.places, parts.compressed, parts.plain, to)
    blocks, slots = np.nonzero(parts.plain[own])
    chosen = np.column_stack((slots, *(each[own[blocks], slots] for each in numbers)))
    try:
        for slot, place, compressed, plain, begin in chosen.tolist():
            content: Any = source[place : place + compressed]
            if slot != WORDS:
                # Nothing is allocated before its size is known to be one that a packer makes.
                if zstandard.frame_content_size(content) != plain:
                    raise ValueError("a block of another size")
                content = zstd.decompress(content)
            target[begin : begin + plain] = content
    except zstandard.ZstdError as error:
        raise ValueError(f"a block that is damaged: {error}") from error
