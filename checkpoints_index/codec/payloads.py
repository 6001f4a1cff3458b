"""The payload of a record: all blocks of one checkpoint, packed, with a table of their lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from torch import Tensor

from checkpoints_index.codec.integers import IntegerArrays, TensorLayout
from checkpoints_index.codec.packing import BLOCK_ITEMS, BlockPacker, BlockUnpacker, Integers
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.codec.tracking import TrackerState, TrackingPacker, TrackingUnpacker

# With 1 it leads from its base to what was packed, with -1 back.
SignedPayload = tuple[bytes | memoryview, int]
TrackerStates = list[TrackerState | None]  # that of each block of a layout


def pack(
    layout: TensorLayout,
    new: IntegerArrays,
    base: IntegerArrays | None,
    packers: Sequence[BlockPacker],
    pool: ThreadPool,
    before: IntegerArrays | None = None,
    trackers: Sequence[TrackingPacker | None] | None = None,
) -> bytes:
    """The integers of a checkpoint, as their difference to `base` where there is one.

    Args:
        layout: that of both.
        new, base: arrays of this layout.
        packers: one for each thread of the pool.
        pool: threads that share the blocks.
        before: those of the checkpoint before `base`, where the layout predicts and the reader has
            them as well.
        trackers: one for each block of a lattice, None for others, where the layout tracks and
            `base` is the checkpoint that they packed before.
    """
    blocks = [b""] * len(layout.blocks)

    def pack_some(packer: BlockPacker, positions: range) -> None:
        for position in positions:
            kind, part = layout.blocks[position]
            base_items = base[kind][part] if base else None
            items_before = before[kind][part] if before else None
            tracker = trackers[position] if trackers else None
            if tracker is not None and base_items is not None:
                blocks[position] = tracker.pack(packer, new[kind][part], base_items)
                continue
            exponent = kind.exponent_field(layout.reversible)
            blocks[position] = packer.pack(new[kind][part], base_items, exponent, items_before)

    pool.map(pack_some, packers, pool.split(len(blocks)))
    return _join(blocks)


def pack_in_place(
    layout: TensorLayout,
    flat: Mapping[str, Tensor],
    arrays: IntegerArrays,
    packers: Sequence[BlockPacker],
    pool: ThreadPool,
    trackers: Sequence[TrackingPacker | None] | None = None,
) -> bytes:
    """What `pack` gives for the integers of weights, of which one block a thread is made at a time.

    Args:
        layout: that of both; it does not predict.
        flat: the tensors of a state dict that fits it, each [number of weights], on the CPU.
        arrays: the integers of the base; they become those of the weights.
        packers, pool, trackers: as for `pack`.

    Raises:
        OverflowError: as `TensorLayout.require_fit` would; the arrays may have changed.
    """
    blocks = [b""] * len(layout.blocks)

    def pack_some(packer: BlockPacker, positions: range) -> None:
        made = np.empty(BLOCK_ITEMS, np.int64)
        for position in positions:
            kind, part = layout.blocks[position]
            base = arrays[kind][part]
            new = made.view(base.dtype)[: base.size]
            layout.block_to_integers(flat, position, new)
            tracker = trackers[position] if trackers else None
            if tracker is not None:
                blocks[position] = tracker.pack(packer, new, base)
            else:
                exponent = kind.exponent_field(layout.reversible)
                blocks[position] = packer.pack(new, base, exponent)
            base[:] = new

    pool.map(pack_some, packers, pool.split(len(blocks)))
    return _join(blocks)


def _join(blocks: Sequence[bytes]) -> bytes:
    """A payload of blocks, behind the table of their lengths."""
    lengths = np.array([len(block) for block in blocks], "<u4").tobytes()
    return b"".join((lengths, *blocks))


def unpack(
    layout: TensorLayout,
    chain: Sequence[SignedPayload],
    arrays: IntegerArrays,
    pool: ThreadPool = SERIAL,
    before: IntegerArrays | None = None,
    states: TrackerStates | None = None,
    copies: Mapping[int, IntegerArrays] | None = None,
) -> None:
    """Decode a chain of payloads in place: from the first base to what the last one leads to.

    All payloads are applied to one block before the next block, so that it stays in the cache.

    Args:
        layout: that of all of them.
        chain: each leads from what the one before led to.
        arrays: integers of the base of the first payload; zeros where that is a key. Changed.
        pool: threads that share the blocks.
        before: where the layout predicts, integers of the checkpoint before that base; anything
            where a key comes first. They become those of the last base. Then all signs are 1.
        states: where the layout tracks, those of the trackers at that base. They become those
            behind the last payload.
        copies: by its position in the chain, where the integers behind a payload are copied to.

    Raises:
        ValueError: these bytes were not made by `pack` for this layout.
    """
    tables = [_cut(payload, len(layout.blocks)) for payload, _ in chain]

    def unpack_some(positions: range) -> None:
        unpacker = BlockUnpacker()
        tracking = TrackingUnpacker(unpacker)
        for position in positions:
            kind, part = layout.blocks[position]
            items, exponent = arrays[kind][part], kind.exponent_field(layout.reversible)
            items_before = before[kind][part] if before else None
            for step, (table, (_, sign)) in enumerate(zip(tables, chain, strict=True)):
                if states is not None and kind.origin == "lattice":
                    state = states[position]
                    states[position] = tracking.unpack(table[position], items, sign, state)
                else:
                    unpacker.unpack(table[position], items, exponent, sign, items_before)
                if copies and step in copies:
                    np.copyto(copies[step][kind][part], items)

    pool.map(unpack_some, pool.split(len(layout.blocks)))


def new_trackers(layout: TensorLayout) -> list[TrackingPacker | None] | None:
    """What `pack` needs to track; None where a layout does not."""
    if not layout.tracks:
        return None
    return [
        TrackingPacker(part.stop - part.start) if kind.origin == "lattice" else None
        for kind, part in layout.blocks
    ]


def new_states(layout: TensorLayout) -> TrackerStates | None:
    """What `unpack` needs to track, where nothing is expected yet; None where a layout does not."""
    return [None] * len(layout.blocks) if layout.tracks else None


def find_blocks(payload: bytes | memoryview, count: int) -> Integers:
    """Where the blocks of a payload begin, and where the last one ends: int64 [count + 1].

    Raises:
        ValueError: these are not the bytes of so many blocks.
    """
    if len(payload) < 4 * count:
        raise ValueError("a payload of another layout")
    lengths = np.frombuffer(payload, "<u4", count)
    bounds = np.concatenate(([4 * count], 4 * count + np.cumsum(lengths, dtype=np.int64)))
    if bounds[-1] != len(payload):
        raise ValueError("a payload of another layout")
    return bounds


def _cut(payload: bytes | memoryview, count: int) -> list[memoryview]:
    """The blocks of a payload, cut out by its table of lengths."""
    bounds = find_blocks(payload, count).tolist()
    return [memoryview(payload)[start:end] for start, end in pairwise(bounds)]
