"""CRC-32C (Castagnoli), as TensorFlow checks its files, over many bytes at a time.

A CRC without its initial value is linear: the CRC of A followed by B is that of A, carried past
len(B) zero bytes, xor that of B. So the bytes are cut into rows, the rows advance together, and
neighbours are joined until one is left.
"""

from __future__ import annotations

import numpy as np

POLYNOMIAL = 0x82F63B78
ROW_BYTES = 512
MASK_DELTA = 0xA282EAD8


def crc32c(content: bytes | memoryview) -> int:
    """The checksum of some bytes.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    size = len(content)
    if size < 4:
        crc = 0xFFFFFFFF
        for byte in bytes(content):
            crc = int(TABLE[(crc ^ byte) & 0xFF]) ^ crc >> 8
        return crc ^ 0xFFFFFFFF
    rows = 1 << max(0, (size // ROW_BYTES).bit_length() - 1)
    length = -(-size // rows)
    padded = np.zeros(rows * length, np.uint8)  # Zeros in front change nothing.
    padded[rows * length - size :] = np.frombuffer(content, np.uint8)
    padded[rows * length - size :][:4] ^= 0xFF  # The initial value.
    crcs = np.zeros(rows, np.uint32)
    for column in padded.reshape(rows, length).T:
        crcs = TABLE[(crcs ^ column) & 0xFF] ^ crcs >> np.uint32(8)
    step = _carry_past(length)
    while len(crcs) > 1:
        crcs = _apply(step, crcs[::2]) ^ crcs[1::2]
        step = _apply(step, step)
    return int(crcs[0]) ^ 0xFFFFFFFF


def masked_crc32c(content: bytes | memoryview) -> int:
    """The checksum as it stands in files: rotated by 15 bits, and a number added."""
    crc = crc32c(content)
    return ((crc >> 15 | crc << 17) + MASK_DELTA) & 0xFFFFFFFF


def _make_table() -> np.ndarray:
    """uint32 [256]: what each byte becomes."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(POLYNOMIAL), table >> 1)
    return table.astype(np.uint32)


TABLE = _make_table()


def _carry_past(zero_bytes: int) -> np.ndarray:
    """uint32 [32]: what each bit of a CRC becomes behind so many zero bytes."""
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    carried, square = bits, TABLE[bits & 0xFF] ^ bits >> np.uint32(8)
    while zero_bytes:
        if zero_bytes & 1:
            carried = _apply(square, carried)
        square = _apply(square, square)
        zero_bytes >>= 1
    return carried


def _apply(matrix: np.ndarray, crcs: np.ndarray) -> np.ndarray:
    """A linear map of bits, uint32 [32], on many CRCs, uint32 [N]."""
    result = np.zeros_like(crcs)
    for bit in range(32):
        result ^= np.where(crcs >> np.uint32(bit) & 1, matrix[bit], np.uint32(0))
    return result
