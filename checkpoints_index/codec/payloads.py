"""The payload of a record: all blocks of one checkpoint, packed, with a table of their lengths."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np

from checkpoints_index.codec.integers import Lanes, TensorLayout
from checkpoints_index.codec.packing import BlockPacker, BlockUnpacker
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool

Step = tuple[bytes, int]  # a payload, and its sign: 1 goes from the base to the packed, -1 back


def pack(
    layout: TensorLayout,
    new: Lanes,
    base: Lanes | None,
    packers: Sequence[BlockPacker],
    team: ThreadPool,
) -> bytes:
    """The integers of a checkpoint, as their difference to `base` where there is one.

    Args:
        packers: one for each of the team.
    """
    blocks = [b""] * len(layout.blocks)

    def pack_share(packer: BlockPacker, positions: range) -> None:
        for position in positions:
            lane, place = layout.blocks[position]
            before = base[lane][place] if base else None
            exponent = lane.exponent(layout.reversible)
            blocks[position] = packer.pack(new[lane][place], before, exponent)

    team.map(pack_share, packers, team.shares(len(blocks)))
    return np.array([len(block) for block in blocks], "<u4").tobytes() + b"".join(blocks)


def unpack(
    layout: TensorLayout, steps: Sequence[Step], lanes: Lanes, team: ThreadPool = SERIAL
) -> None:
    """Walk along payloads, in place: from the integers of the first base to those of the last.

    All steps of one block come before the next block, so that it stays in the cache.

    Args:
        lanes: integers of the base of the first payload; zeros where that is a key.

    Raises:
        ValueError: these bytes were not made by `pack` for this layout.
    """
    tables = [_find_blocks(payload, len(layout.blocks)) for payload, _ in steps]

    def walk_share(positions: range) -> None:
        unpacker = BlockUnpacker()
        for position in positions:
            lane, place = layout.blocks[position]
            items, exponent = lanes[lane][place], lane.exponent(layout.reversible)
            for table, (_, sign) in zip(tables, steps, strict=True):
                unpacker.unpack(table[position], items, exponent, sign)

    team.map(walk_share, team.shares(len(layout.blocks)))


def _find_blocks(payload: bytes, count: int) -> list[memoryview]:
    lengths = np.frombuffer(payload, "<u4", count).tolist() if len(payload) >= 4 * count else []
    ends = list(accumulate(lengths, initial=4 * count))
    if len(lengths) != count or ends[-1] != len(payload):
        raise ValueError("a payload of another layout")
    return [memoryview(payload)[start:end] for start, end in pairwise(ends)]
