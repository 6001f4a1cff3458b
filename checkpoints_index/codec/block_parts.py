"""The blocks of a layout as numbers, and where in a payload the parts of each block lie."""

from __future__ import annotations

import numpy as np

from checkpoints_index.codec import kernels
from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.packing import (
    BLOCK_ITEMS,
    GAPS,
    MAGNITUDES,
    NIBBLES,
    PREDICTED,
    SPLIT,
    TRITS,
    ZERO,
    Integers,
)
from checkpoints_index.codec.payloads import find_blocks
from checkpoints_index.codec.tracking import BEGUN, HEAD_BYTES, MISSES, MOVES, TRACKED

# Slots of the parts of a block: its digits, high bytes or lengths; planes of low bits; gaps, long
# gaps, signs, which go further, and by how much; and the words of bits, which are not compressed.
MAIN, LOW, DISTANCES = 0, 1, 1 + kernels.LOW_PLANES
LONG, SIGNS, FURTHER, REACHES, WORDS = range(DISTANCES + 1, DISTANCES + 6)
SLOTS = WORDS + 1
UNTRACKED = -1  # the way of a block without a tracker
WITH_LENGTHS = (MAGNITUDES, PREDICTED)
_GAPPED = (GAPS, TRITS, NIBBLES)


class LaidBlocks:
    """The blocks of a layout, as numbers: int64 [blocks] each.

    Args:
        layout: the layout.

    Attributes:
        kinds: the kinds of integers of the layout.
        kind: which of these a block has.
        itemsize, start, size: bytes of an integer, the first of its integers, and how many.
        stretch, row: the first block of the stretch that it lies in, and its number there.
    """

    def __init__(self, layout: TensorLayout) -> None:
        blocks = layout.blocks
        self.kinds = list(layout.array_sizes)
        position = {kind: number for number, kind in enumerate(self.kinds)}
        self.kind = np.array([position[kind] for kind, _ in blocks], np.int64)
        self.itemsize = np.array([kind.itemsize for kind, _ in blocks], np.int64)
        self.start = np.array([part.start for _, part in blocks], np.int64)
        self.size = np.array([part.stop - part.start for _, part in blocks], np.int64)
        ends = self.start + self.size
        follows = np.zeros(len(blocks), bool)
        follows[1:] = (self.start[1:] == ends[:-1]) & (self.kind[1:] == self.kind[:-1])
        follows[1:] &= (self.size[1:] == BLOCK_ITEMS) & (self.size[:-1] == BLOCK_ITEMS)
        numbers = np.arange(len(blocks))
        self.stretch = np.maximum.accumulate(np.where(follows, 0, numbers))
        self.row = numbers - self.stretch


class FoundParts:
    """The parts of the blocks of one payload, sorted by kind, form and what belongs to the form.

    Args:
        layout, laid: the layout, and its blocks.
        payload: the payload.

    Attributes:
        order: int64 [B], the blocks in their order here.
        form, detail: int64 [B].
        trackers: int64 [3, B], the way of each block of the layout, UNTRACKED where it has none,
            and its gains.
        places, compressed, plain: int64 [B, slots], where parts lie in the payload, and their
            lengths there and unpacked; words are not compressed.

    Raises:
        ValueError: no packer made these bytes.
    """

    def __init__(self, layout: TensorLayout, laid: LaidBlocks, payload: bytes | memoryview) -> None:
        self.bytes = np.frombuffer(payload, np.uint8)
        bounds = find_blocks(payload, len(layout.blocks))
        if np.diff(bounds).min(initial=1) < 1:
            raise ValueError("a block of no bytes")
        begin, ends = bounds[:-1].copy(), bounds[1:]
        self.trackers = self._read_trackers(layout, laid, begin, ends)
        form = self.bytes[begin].astype(np.int64)
        detailed = (form == SPLIT) | (form == PREDICTED)
        if form.max(initial=0) > PREDICTED or ((ends - begin)[detailed] < 2).any():
            raise ValueError("a block of an unknown form")
        if (form == PREDICTED).any() and not layout.predicts:
            raise ValueError("a block that is predicted where nothing is")
        detail = np.zeros_like(form)
        detail[detailed] = self.bytes[begin[detailed] + 1]
        self.order = np.lexsort((np.arange(form.size), detail, form, laid.kind))
        self.form, self.detail = form[self.order], detail[self.order]
        self._walk((begin + 1 + detailed)[self.order], ends[self.order])
        self._refuse_other_sizes(laid)

    def _read_trackers(
        self, layout: TensorLayout, laid: LaidBlocks, begin: Integers, ends: Integers
    ) -> Integers:
        """The heads of tracked blocks; `begin` is led on to the blocks in them."""
        found = np.full((3, begin.size), UNTRACKED, np.int64)
        tracked = np.flatnonzero(self.bytes[begin] == TRACKED)
        if not tracked.size:
            return found
        is_lattice = np.array([kind.origin == "lattice" for kind in laid.kinds])[laid.kind]
        if not (layout.tracks and is_lattice[tracked].all()):
            raise ValueError("a block that is tracked where nothing is")
        if ((ends - begin)[tracked] <= HEAD_BYTES).any():
            raise ValueError("a block that is damaged: it ends within its head")
        for number, row in enumerate(found, 1):
            row[tracked] = self.bytes[begin[tracked] + number]
        if not np.isin(found[0, tracked], (BEGUN, MISSES, MOVES)).all():
            raise ValueError("a block that is tracked in an unknown way")
        begin[tracked] += HEAD_BYTES
        return found

    def _walk(self, begin: Integers, ends: Integers) -> None:
        """Find the parts between bytes of the payload, in order."""
        has_main = ((self.form != ZERO) & (self.form != GAPS)).astype(np.int64)
        planes = np.where(self.detail == 4, 1, self.detail // 8) * (self.form == SPLIT)
        gaps = np.isin(self.form, _GAPPED).astype(np.int64)
        found = np.zeros((3, self.form.size, kernels.SLOTS), np.int64)
        if not kernels.find_parts(self.bytes, begin, ends, has_main, planes, gaps, *found):
            raise ValueError("a block of another size")
        words = np.where(np.isin(self.form, WITH_LENGTHS), ends - begin, 0)
        self.places = np.column_stack((found[0], begin))
        self.compressed = np.column_stack((found[1], words))
        self.plain = np.column_stack((found[2], words))

    def _refuse_other_sizes(self, laid: LaidBlocks) -> None:
        """Hold the lengths of parts against those that a packer makes of blocks of such sizes."""
        size, itemsize = laid.size[self.order], laid.itemsize[self.order]
        form, detail, plain = self.form, self.detail, self.plain
        main = np.select(
            [form == TRITS, form == NIBBLES, form >= SPLIT],
            [-(-size // kernels.TRITS), -(-size // 2), size],
        )
        low = np.where(detail == 4, -(-size // 2), size) * (form == SPLIT)
        planes = np.where(detail == 4, 1, detail // 8)
        is_split = form == SPLIT
        known = (detail == 4) | ((detail % 8 == 0) & (detail > 0) & (detail < 8 * itemsize))
        bits = -(-plain[:, DISTANCES] // 8)
        is_lattice = np.array([kind.origin == "lattice" for kind in laid.kinds])
        fits = [
            plain[:, MAIN] == main,
            *(plain[:, LOW + p] == low * (p < planes) for p in range(kernels.LOW_PLANES)),
            known | ~is_split,
            np.isin(itemsize, (2, 4)) | ~is_split,
            is_lattice[laid.kind[self.order]] | ~np.isin(form, _GAPPED),
            plain[:, DISTANCES] <= size,
            plain[:, LONG] % 4 == 0,
            (plain[:, SIGNS] == bits) & (plain[:, FURTHER] == bits),
            plain[:, REACHES] % itemsize == 0,
            plain[:, LONG] <= 4 * plain[:, DISTANCES],
            plain[:, REACHES] <= itemsize * plain[:, DISTANCES],
            plain[:, WORDS] % 4 == 0,
        ]
        if not all(bool(each.all()) for each in fits):
            raise ValueError("a block of another size")
