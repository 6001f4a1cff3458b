"""Blocks of a staged payload unpacked by plain tensor operations, on any device, many at a time.

What the kernels do block by block on the CPU (`packing.py`) is done here for all blocks of a form:
digits are looked up in a table, gaps are summed up and lead to an indexed add, and bits are cut out
of words at the running sums of their lengths. Nothing here makes the CPU wait for the device.

Two steps lead from a base to what was packed: `predict` says where integers are expected, and
`unpack_moves` how far from there they went. They are added by whoever holds the integers.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from checkpoints_index.codec import kernels
from checkpoints_index.codec.kernels.gaps import LONG_GAP
from checkpoints_index.codec.packing import NIBBLES, PREDICTED, SPLIT, TRITS, ExponentField
from checkpoints_index.codec.staging import Gapped, Rows, Span, StagedKind

_WORD = 0xFFFFFFFF


def predict(
    staged: StagedKind, buffer: Tensor, base: Tensor, before: Tensor, expected: Tensor
) -> None:
    """Where integers are expected after a base, as `kernels.extrapolate` predicts them.

    Args:
        staged: what is about to be unpacked.
        buffer: uint8 [bytes], the payload's.
        base: integers [N] on the device.
        before: those of the checkpoint before it.
        expected: integers [N] in other memory, written; where nothing is predicted, those of the
            base.
    """
    expected.copy_(base)
    for rows in staged.rows:
        if rows.form == PREDICTED:
            own, earlier = (_take(rows, buffer, items).long() for items in (base, before))
            _put(rows, buffer, expected, own + (((own - earlier) * rows.detail) >> 3))


def unpack_moves(
    staged: StagedKind,
    buffer: Tensor,
    expected: Tensor,
    exponent: ExponentField | None,
    moves: Tensor,
) -> Tensor | None:
    """How far integers went from where they were expected.

    Args:
        staged: what a payload holds of them.
        buffer: uint8 [bytes], the payload's, on the device.
        expected: integers [N], those of the base where nothing is predicted.
        exponent: as `BlockUnpacker.unpack` takes it.
        moves: integers [N] of the same type, written.

    Returns:
        None where the stager has counted all bits. Where only `expected` tells lengths, whether
        they are those that a packer writes, on the device: bool []. If not, the moves mean nothing.
    """
    moves.zero_()
    sound = None
    for rows in staged.rows:
        if rows.form in (TRITS, NIBBLES):
            found = _look_up_digits(rows, buffer, moves.dtype)
        elif rows.form == SPLIT:
            found = _join_split(rows, buffer, moves.dtype)
        else:
            found, fits = _cut_bits(rows, buffer, _take(rows, buffer, expected), exponent or (0, 0))
            if exponent != (0, 0):
                sound = fits if sound is None else sound & fits
        _put(rows, buffer, moves, found)
    for gapped in staged.gapped:
        _add_at_gaps(gapped, buffer, moves)
    return sound


def _look_up_digits(rows: Rows, buffer: Tensor, dtype: torch.dtype) -> Tensor:
    """The digits of `TRITS` and `NIBBLES`: integers [height, size]."""
    tables = _digits(rows.form, dtype, buffer.device)
    packed = buffer[rows.main].view(rows.height, -1)
    index, width = packed.int().view(-1), packed.shape[1]
    found = torch.empty(rows.height, rows.size, dtype=dtype, device=buffer.device)
    for k, table in enumerate(tables):
        plane = found[:, k * width : (k + 1) * width]  # Planes beyond a small block are empty.
        plane.copy_(table.index_select(0, index).view(packed.shape)[:, : plane.shape[1]])
    return found


@lru_cache(maxsize=16)
def _digits(form: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What each byte of digits stands for: integers [digits of a byte, 256].

    They are those that the kernels compute, also of bytes that a packer does not write.
    """
    count = kernels.TRITS if form == TRITS else 2
    packed, digits = np.arange(256, dtype=np.uint8), np.zeros(256 * count, np.int16)
    add = kernels.add_trits if form == TRITS else kernels.add_nibbles
    add(packed, np.int16(1), digits)
    return torch.from_numpy(digits.reshape(count, 256)).to(device, dtype)


def _join_split(rows: Rows, buffer: Tensor, dtype: torch.dtype) -> Tensor:
    """The items of `SPLIT`: integers [height, size]."""
    high = buffer[rows.main].view(torch.int8).view(rows.height, rows.size)
    found = high.to(dtype) << rows.detail
    for p, span in enumerate(rows.low):
        low = buffer[span].view(rows.height, -1)
        if rows.detail == 4:
            low = torch.cat((low & 15, low >> 4), 1)[:, : rows.size]
        found += low.to(dtype) << (8 * p)
    return found


def _cut_bits(
    rows: Rows, buffer: Tensor, expected: Tensor, exponent: ExponentField
) -> tuple[Tensor, Tensor]:
    """The differences of `MAGNITUDES`, as `kernels.add_magnitudes` reads them.

    Args:
        expected: integers [height, size], to which they are the difference.

    Returns:
        int64 [height, size], and whether the words are as many as they need: bool [].
    """
    bits = 8 * expected.element_size()
    shift, mask = exponent
    exponents = ((expected ^ (expected >> (bits - 1))) >> shift) & mask
    lengths = (buffer[rows.main].view(expected.shape).long() - exponents.long()) & 0xFF
    ends, counts = lengths.cumsum(1), _table(buffer, rows.word_counts)
    fits = ((ends[:, -1] + 31) // 32 == counts).all() & (lengths.max() <= bits)
    if rows.words.start == rows.words.stop:
        return torch.zeros_like(lengths), fits
    lengths = torch.where(fits, lengths, 0)  # Nothing leads outside of the words then.
    begins = torch.where(fits, ends - lengths + 32 * (counts.cumsum(0) - counts)[:, None], 0)
    words = buffer[rows.words].view(torch.int32)
    found = _cut_word(words, begins, lengths.clamp(max=32))
    if bits > 32:
        found |= _cut_word(words, begins + 32, (lengths - 32).clamp(min=0)) << 32
    top = torch.where(lengths > 0, torch.ones_like(lengths) << (lengths - 1).clamp(min=0), 0)
    magnitudes = (found & (top - 1)) | top
    return torch.where((found & top) != 0, -magnitudes, magnitudes), fits


def _cut_word(words: Tensor, begins: Tensor, lengths: Tensor) -> Tensor:
    """Up to 32 bits from words, low bits first.

    Args:
        words: int32 [W].
        begins, lengths: int64 [height, size], the first bit of each, and how many.
    """
    last = words.numel() - 1
    low, high = (words[((begins >> 5) + after).clamp_(max=last)].long() & _WORD for after in (0, 1))
    return ((low | (high << 32)) >> (begins & 31)) & ((torch.ones_like(lengths) << lengths) - 1)


def _add_at_gaps(gapped: Gapped, buffer: Tensor, moves: Tensor) -> None:
    """Add what goes beyond digits, as `kernels.add_at_gaps` does, for several blocks at a time."""
    starts, counts, longs, fars = _table(buffer, gapped.blocks).view(4, -1)
    gaps = buffer[gapped.gaps].long()
    size, device = gaps.numel(), gaps.device
    if gapped.long_gaps.start < gapped.long_gaps.stop:
        gaps.masked_scatter_(gaps == LONG_GAP, _join_planes(buffer[gapped.long_gaps], longs, 4))
    block = torch.arange(len(counts), device=device).repeat_interleave(counts, output_size=size)
    ends, bytes_of_flags = counts.cumsum(0), (counts + 7) // 8
    positions = gaps.cumsum(0)
    before = torch.cat((positions.new_zeros(1), positions[ends[:-1] - 1]))
    positions += (starts - before)[block]
    # Each block begins a byte of flags; how far its flags lie behind the number of its first gap.
    behind = 8 * (bytes_of_flags.cumsum(0) - bytes_of_flags) - (ends - counts)
    flags = torch.arange(size, device=device) + behind[block]
    distances = torch.ones(size, dtype=moves.dtype, device=device)
    if gapped.magnitudes.start < gapped.magnitudes.stop:
        magnitudes = _join_planes(buffer[gapped.magnitudes], fars, moves.element_size())
        distances.masked_scatter_(
            _read_flags(buffer[gapped.further], flags), magnitudes.to(moves.dtype)
        )
    down = _read_flags(buffer[gapped.signs], flags)
    moves.index_add_(0, positions, torch.where(down, -distances, distances))


def _read_flags(packed: Tensor, numbers: Tensor) -> Tensor:
    """The flags of these numbers, bool [K], of bytes that hold eight each, the highest first."""
    return ((packed[numbers >> 3] >> (7 - (numbers & 7)).to(torch.uint8)) & 1) > 0


def _join_planes(planes: Tensor, counts: Tensor, itemsize: int) -> Tensor:
    """Integers of several blocks, of which each has its first bytes first, then its second ones.

    Args:
        planes: uint8 [itemsize * sum(counts)].
        counts: int64 [B], integers of each block.

    Returns:
        int64 [sum(counts)], not negative.
    """
    size = planes.numel() // itemsize
    numbers = torch.arange(size, device=planes.device)
    stride = counts.repeat_interleave(counts, output_size=size)
    starts = (counts.cumsum(0) - counts).repeat_interleave(counts, output_size=size)
    first = numbers + (itemsize - 1) * starts
    found = planes[first].long()
    for p in range(1, itemsize):
        found |= planes[first + p * stride].long() << (8 * p)
    return found


def _take(rows: Rows, buffer: Tensor, items: Tensor) -> Tensor:
    """The integers of these blocks: [height, size]."""
    stretch = items[rows.stretch].view(-1, rows.size)
    if rows.first is not None:
        return stretch[rows.first : rows.first + rows.height]
    return stretch.index_select(0, _table(buffer, rows.numbers))


def _put(rows: Rows, buffer: Tensor, items: Tensor, found: Tensor) -> None:
    """Write the integers [height, size] of these blocks."""
    stretch = items[rows.stretch].view(-1, rows.size)
    if rows.first is not None:
        stretch[rows.first : rows.first + rows.height].copy_(found)
    else:
        stretch.index_copy_(0, _table(buffer, rows.numbers), found.to(items.dtype))


def _table(buffer: Tensor, span: Span) -> Tensor:
    return buffer[span].view(torch.int64)
