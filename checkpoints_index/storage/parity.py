"""The way back to a payload that was damaged in one place.

A payload is cut into chunks. Behind it stand a check of each chunk and the sum (xor) of all chunks,
so that a chunk whose check differs is what the sum lacks. With chunks of twice the square root of
the payload this takes least room: 0.15 % of 7 MB, 0.8 % of 270 kB, 5 % of 5 kB.
"""

from __future__ import annotations

import math
import struct

import xxhash

_CHECK_BYTES = 4
_MIN_CHUNK_BYTES = 64
_HASH = xxhash.xxh32_intdigest


def make_parity(payload: bytes) -> bytes:
    """The bytes that `restore` takes to repair a payload; their number follows from its length."""
    size = _chunk_bytes(len(payload))
    view = memoryview(payload)
    checks = [_HASH(view[start : start + size]) for start in range(0, len(payload), size)]
    return struct.pack(f"<{len(checks)}I", *checks) + _xor(payload, size)


def parity_bytes(payload_bytes: int) -> int:
    """How many bytes `make_parity` gives for a payload of so many bytes.

    Example:
        >>> parity_bytes(270_000), len(make_parity(bytes(5000)))
        (2080, 284)
    """
    size = _chunk_bytes(payload_bytes)
    return _CHECK_BYTES * -(-payload_bytes // size) + size


def payload_length(total_bytes: int) -> int:
    """The length of the payload in so many bytes of payload and parity; 0 where there is none."""
    low, high = 0, total_bytes
    while low < high:  # The sum of both grows with the payload.
        middle = (low + high + 1) // 2
        if middle + parity_bytes(middle) <= total_bytes:
            low = middle
        else:
            high = middle - 1
    return low


def restore(content: bytes, payload_bytes: int, check: int) -> bytes | None:
    """The payload and its parity as they were, where damage lies in one chunk or in the parity.

    Args:
        content: both, damaged.
        payload_bytes: length of the payload in it.
        check: xxh3 of both as they were.

    Returns:
        None where too much of them has changed.
    """
    payload, parity = content[:payload_bytes], content[payload_bytes:]
    size = _chunk_bytes(payload_bytes)
    candidates = [payload + make_parity(payload)]
    for start in _differing(payload, parity, size):
        chunk = memoryview(payload)[start : start + size]
        sums = (chunk, _xor(payload, size), parity[-size:])
        whole = bytes(a ^ b ^ c for a, b, c in zip(*sums, strict=False))
        mended = b"".join((payload[:start], whole, payload[start + size :]))
        candidates.append(mended + parity)
    return next((c for c in candidates if xxhash.xxh3_64_intdigest(c) == check), None)


def _differing(payload: bytes, parity: bytes, size: int) -> list[int]:
    """Where the one chunk begins whose check differs; nowhere if several do."""
    starts = range(0, len(payload), size)
    checks = struct.unpack_from(f"<{len(starts)}I", parity)
    view = memoryview(payload)
    pairs = zip(starts, checks, strict=True)
    found = [start for start, check in pairs if _HASH(view[start : start + size]) != check]
    return found if len(found) == 1 else []


def _chunk_bytes(payload_bytes: int) -> int:
    """The length of a chunk, a multiple of 8."""
    return 8 * -(-max(_MIN_CHUNK_BYTES, math.isqrt(_CHECK_BYTES * payload_bytes)) // 8)


def _xor(payload: bytes, size: int) -> bytes:
    """The sum of all chunks, of which the last one is filled up with zeros."""
    import numpy as np  # A listing of runs does without it.

    rows = len(payload) // size
    words = np.frombuffer(payload, "<u8", rows * size // 8).reshape(rows, size // 8)
    total = np.bitwise_xor.reduce(words, axis=0, initial=0).view(np.uint8).copy()
    rest = np.frombuffer(payload, np.uint8, offset=rows * size) if len(payload) % size else ()
    total[: len(rest)] ^= np.asarray(rest, np.uint8)
    return bytes(total)
