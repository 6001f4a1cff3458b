"""One block of integers to bytes, as its difference to another, and back.

Most weights of most checkpoints do not leave their place on the lattice, or move by one. Each block
takes the cheapest of these forms:

- `ZERO`:       none moved;
- `GAPS`:       few moved: how far it is from one that moved to the next, and by how much each did;
- `TRITS`:      nearly all moved by -1, 0 or 1: five to a byte; what goes further, as gaps;
- `NIBBLES`:    nearly all moved by -7 to 7: two to a byte; what goes further, as gaps;
- `SPLIT`:      keys, and large moves: a high byte, and low bits as they are;
- `MAGNITUDES`: bits of floats that moved: lengths, and bits (`kernels.pack_magnitudes`);
- `PREDICTED`:  the same, of the difference to where a part of the last step would have led.

The bytes are then coded by the entropy stage of zstandard; there is next to nothing that repeats,
so its search for repetitions is turned down as far as it goes.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import zstandard

from checkpoints_index.codec import kernels

BLOCK_ITEMS = 1 << 17  # At 2 bytes an item, a block fills half of a usual second-level cache.
ZERO, GAPS, TRITS, NIBBLES, SPLIT, MAGNITUDES, PREDICTED = range(7)  # the forms of a block
SPARSE = 0.09  # Where a smaller part of the items moved, gaps are the smallest form.
FEW = 0.03  # At most this part of the items may go further than a digit holds.

Integers = np.ndarray[Any, Any]  # int8, int16, int32 or int64
ExponentField = tuple[int, int]  # shift and mask of the exponent in a float's bits; (0, 0): none
_PART = struct.Struct("<II")  # length of a part as it is, and compressed
_HEAD = struct.Struct("<B")
_LOW_BITS = {2: (4, 8), 4: (4, 8, 16, 24)}  # what `SPLIT` may set apart, by bytes an item
_REACH = {GAPS: 0, TRITS: 1, NIBBLES: 7}  # the largest move that a digit of a form holds
_EIGHTHS = (0, 4, 8)  # how much of the last step may be expected once more; 0: none
_SAMPLED = 8  # One item of so many tells which of them is the best.
_MAX_PART_BYTES = 8 * BLOCK_ITEMS
_NOTHING = np.empty(0, np.uint8)
_ENTROPY_ONLY = zstandard.ZstdCompressionParameters(
    strategy=zstandard.STRATEGY_FAST, window_log=17, hash_log=6, min_match=7, write_content_size=1
)


class BlockPacker:
    """Packs blocks, one at a time, in buffers of its own; a thread needs one for itself."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdCompressor(compression_params=_ENTROPY_ONLY)
        self._difference = np.empty(BLOCK_ITEMS, np.int64)
        self._zeros = np.zeros(BLOCK_ITEMS, np.int64)
        self._predicted = np.empty(BLOCK_ITEMS, np.int64)
        self._bytes = np.empty(BLOCK_ITEMS, np.uint8)
        self._words = np.empty(2 * BLOCK_ITEMS + 1, np.uint32)

    def pack(
        self,
        new: Integers,
        base: Integers | None,
        exponent: ExponentField | None,
        before: Integers | None = None,
    ) -> bytes:
        """The bytes that lead from `base` to `new`.

        Args:
            new: integers [N], 1 <= N <= BLOCK_ITEMS; of a lattice within `kernels.LATTICE_LIMIT`.
            base: integers [N] of the same type; None for a block that stands alone.
            exponent: as `IntegerKind.exponent_field` gives it; None for a lattice.
            before: integers [N] of the checkpoint before the base, where whoever unpacks has them
                as well; what is not a lattice is then predicted where that is shorter.
        """
        if base is None and new.itemsize in _LOW_BITS:
            return self._pack_split(new)
        if base is None:
            base = self._zeros.view(new.dtype)[: new.size]
        if exponent is not None:
            if not kernels.differ(new, base):
                return _HEAD.pack(ZERO)
            eighths = 0 if before is None else _choose_eighths(new, base, before)
            if not eighths:
                return _HEAD.pack(MAGNITUDES) + self._pack_magnitudes(new, base, exponent)
            predicted = self._predicted.view(new.dtype)[: new.size]
            kernels.extrapolate(base, before, eighths, predicted)
            head = _HEAD.pack(PREDICTED) + _HEAD.pack(eighths)
            return head + self._pack_magnitudes(new, predicted, exponent)
        difference = self._difference.view(new.dtype)[: new.size]
        moved = int(kernels.subtract(new, base, difference))
        if not moved:
            return _HEAD.pack(ZERO)
        if moved < SPARSE * new.size:
            return _HEAD.pack(GAPS) + self._pack_beyond(difference, 0, moved)
        for form, digits in ((TRITS, kernels.TRITS), (NIBBLES, 2)):
            further = _count_beyond(difference, _REACH[form])
            if further < FEW * new.size:
                packed = self._pack_digits(form, difference, digits)
                return packed + self._pack_beyond(difference, _REACH[form], further)
        return self._pack_split(difference)

    def _pack_digits(self, form: int, difference: Integers, digits: int) -> bytes:
        packed = self._bytes[: -(-difference.size // digits)]
        packed.fill(0)
        pack = kernels.pack_trits if form == TRITS else kernels.pack_nibbles
        pack(difference, packed)
        return _HEAD.pack(form) + self._compress(packed)

    def _pack_beyond(self, difference: Integers, reach: int, count: int) -> bytes:
        """What goes beyond a reach: gaps, signs, and how much further than one the few do.

        Args:
            count: how many of the items [N] do.
        """
        if not count:
            return self._compress(self._bytes[:0])
        gaps = np.empty(count, np.uint8)
        signs, further = np.zeros((2, -(-count // 8)), np.uint8)
        long_gaps, magnitudes = np.empty(count, np.uint32), np.empty(count, difference.dtype)
        reached = difference.dtype.type(reach)
        longs, fars = kernels.find_gaps(
            difference, reached, gaps, long_gaps, signs, further, magnitudes
        )
        parts = (
            gaps,
            _to_planes(long_gaps[:longs]),
            signs,
            further,
            _to_planes(magnitudes[:fars]),
        )
        return b"".join(map(self._compress, parts))

    def _pack_split(self, items: Integers) -> bytes:
        reach = max(int(items.max()), -1 - int(items.min()))
        low_bits = next(bits for bits in _LOW_BITS[items.itemsize] if reach >> bits < 128)
        high = self._bytes[: items.size]
        low = np.empty(_low_shape(items.size, low_bits), np.uint8)
        kernels.pack_split(items, low_bits, high, low)
        parts = [self._compress(high), *map(self._compress, low)]
        return b"".join((_HEAD.pack(SPLIT), _HEAD.pack(low_bits), *parts))

    def _pack_magnitudes(self, new: Integers, base: Integers, exponent: ExponentField) -> bytes:
        lengths = self._bytes[: new.size]
        count = kernels.pack_magnitudes(new, base, *exponent, lengths, self._words)
        return b"".join((self._compress(lengths), self._words[:count].data))

    def _compress(self, part: Integers) -> bytes:
        compressed = self._zstd.compress(part.data) if part.size else b""
        return _PART.pack(part.nbytes, len(compressed)) + compressed


class BlockUnpacker:
    """Undoes what a packer did, one block at a time; a thread needs one for itself."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdDecompressor()

    def unpack(
        self,
        block: memoryview,
        items: Integers,
        exponent: ExponentField | None,
        sign: int = 1,
        before: Integers | None = None,
    ) -> None:
        """Turn the items of the base into those that were packed, in place.

        Args:
            block: what `BlockPacker.pack` gave.
            items: integers [N] of the base; zeros for a block that stands alone. Changed.
            exponent: that with which it was packed.
            sign: 1; or -1 to go from what was packed to its base, which needs a lattice or an
                exponent of (0, 0).
            before: integers [N] of the checkpoint before the base, where blocks may be predicted.
                They become those of the base.

        Raises:
            ValueError: these bytes were not made by a packer. The items may have changed.
        """
        try:
            if before is not None:
                self._unpack_after(block, items, exponent, before)
            else:
                self._unpack(block, items, exponent, items.dtype.type(sign))
        except (struct.error, zstandard.ZstdError) as error:
            raise ValueError(f"a block that is damaged: {error}") from error

    def _unpack_after(
        self,
        block: memoryview,
        items: Integers,
        exponent: ExponentField | None,
        before: Integers,
    ) -> None:
        """Unpack a block that may be predicted from its base and the checkpoint before that."""
        (form,) = _HEAD.unpack_from(block)
        base = items.copy()
        if form == PREDICTED:
            (eighths,) = _HEAD.unpack_from(block, _HEAD.size)
            kernels.extrapolate(base, before, eighths, items)
            rest = block[2 * _HEAD.size :]
            self._unpack_magnitudes(rest, items, exponent or (0, 0), items.dtype.type(1))
        else:
            self._unpack(block, items, exponent, items.dtype.type(1))
        np.copyto(before, base)

    def _unpack(
        self,
        block: memoryview,
        items: Integers,
        exponent: ExponentField | None,
        direction: np.integer[Any],
    ) -> None:
        (form,) = _HEAD.unpack_from(block)
        at = _HEAD.size
        if form == ZERO:
            return
        if form == MAGNITUDES:
            self._unpack_magnitudes(block[at:], items, exponent or (0, 0), direction)
            return
        if form == SPLIT:
            self._unpack_split(block, at, items, direction)
            return
        if form not in _REACH:
            raise ValueError(f"a block of the unknown form {form}")
        if form != GAPS:
            packed, at = self._decompress(block, at)
            digits = kernels.TRITS if form == TRITS else 2
            if packed.size != -(-items.size // digits):
                raise ValueError("a block of another size")
            (kernels.add_trits if form == TRITS else kernels.add_nibbles)(packed, direction, items)
        self._unpack_beyond(block, at, items, direction)

    def _unpack_beyond(
        self, block: memoryview, at: int, items: Integers, direction: np.integer[Any]
    ) -> None:
        gaps, at = self._decompress(block, at)
        if not gaps.size:
            return
        long_gaps, at = self._decompress(block, at)
        signs, at = self._decompress(block, at)
        further, at = self._decompress(block, at)
        magnitudes, at = self._decompress(block, at)
        if signs.size != -(-gaps.size // 8) or further.size != signs.size:
            raise ValueError("a block of another size")
        if not kernels.add_at_gaps(
            gaps,
            _from_planes(long_gaps, np.dtype(np.uint32)),
            signs,
            further,
            _from_planes(magnitudes, items.dtype),
            direction,
            items,
        ):
            raise ValueError("a block whose gaps lead outside")

    def _unpack_split(
        self, block: memoryview, at: int, items: Integers, direction: np.integer[Any]
    ) -> None:
        (low_bits,) = _HEAD.unpack_from(block, at)
        high, at = self._decompress(block, at + _HEAD.size)
        planes, size = _low_shape(items.size, low_bits)
        low = np.empty((planes, size), np.uint8)
        for plane in low:
            part, at = self._decompress(block, at)
            if part.size != size:
                raise ValueError("a block of another size")
            plane[:] = part
        if high.size != items.size or low_bits not in _LOW_BITS[items.itemsize]:
            raise ValueError("a block of another size")
        kernels.add_split(high, low, low_bits, direction, items)

    def _unpack_magnitudes(
        self,
        block: memoryview,
        items: Integers,
        exponent: ExponentField,
        direction: np.integer[Any],
    ) -> None:
        lengths, at = self._decompress(block, 0)
        words = np.frombuffer(block[at:], np.uint32)
        target = items if direction > 0 else np.zeros_like(items)
        if lengths.size != items.size or not kernels.add_magnitudes(
            lengths, words, *exponent, target
        ):
            raise ValueError("a block of another size")
        if direction < 0:
            kernels.subtract(items, target, items)

    def _decompress(self, block: memoryview, at: int) -> tuple[Integers, int]:
        size_bytes, compressed_bytes = _PART.unpack_from(block, at)
        start = at + _PART.size
        if not size_bytes:
            return _NOTHING, start
        compressed = block[start : start + compressed_bytes]
        # Nothing is allocated before its size is known to be one that a packer makes.
        if size_bytes > _MAX_PART_BYTES or zstandard.frame_content_size(compressed) != size_bytes:
            raise ValueError("a block of another size")
        return np.frombuffer(self._zstd.decompress(compressed), np.uint8), start + compressed_bytes


def _choose_eighths(new: Integers, base: Integers, before: Integers) -> int:
    """How much of the last step is best expected once more: what leaves the shortest rest."""
    return min(_EIGHTHS, key=lambda part: kernels.count_bits(new, base, before, part, _SAMPLED))


def _count_beyond(items: Integers, reach: int) -> int:
    return int(kernels.count_beyond(items, items.dtype.type(reach)))


def _low_shape(count: int, low_bits: int) -> tuple[int, int]:
    return (1, -(-count // 2)) if low_bits == 4 else (low_bits // 8, count)


def _to_planes(items: Integers) -> Integers:
    """The bytes of integers, all first ones first, then the second: the zeros come together."""
    return np.ascontiguousarray(items.view(np.uint8).reshape(-1, items.itemsize).T).reshape(-1)


def _from_planes(planes: Integers, dtype: np.dtype[Any]) -> Integers:
    if not planes.size:
        return _NOTHING.view(dtype)
    if planes.size % dtype.itemsize:
        raise ValueError("a block of another size")
    return np.array(planes.reshape(dtype.itemsize, -1).T, order="C").reshape(-1).view(dtype)
