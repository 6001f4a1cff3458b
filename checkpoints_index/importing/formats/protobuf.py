"""Messages of Protocol Buffers, as far as the files of TensorFlow use them."""

from __future__ import annotations

from checkpoints_index.errors import UnusableFileError

MAX_FIELDS = 100_000
Fields = dict[int, list[int | bytes]]


def read_varint(content: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends.

    Raises:
        UnusableFileError: it does not end.
    """
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            break
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise UnusableFileError("is damaged: a number in it does not end")


def read_message(content: bytes) -> Fields:
    """The values of a message by the numbers of their fields.

    Raises:
        UnusableFileError: it is cut off, or has a field of a kind that is not known.
    """
    fields: Fields = {}
    at = count = 0
    while at < len(content):
        key, at = read_varint(content, at)
        kind = key & 7
        value: int | bytes | None = None
        if kind == 0:
            value, at = read_varint(content, at)
        elif kind in (1, 2, 5):
            size = 8 if kind == 1 else 4
            if kind == 2:
                size, at = read_varint(content, at)
            value, at = content[at : at + size], at + size
        count += 1
        if value is None or at > len(content) or count > MAX_FIELDS:
            raise UnusableFileError("is damaged: a message in it is none")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def whole(fields: Fields, number: int) -> int:
    """The whole number of a field; 0 where it is left out."""
    value = fields.get(number, [0])[-1]
    return value if isinstance(value, int) else int.from_bytes(value, "little")


def raw(fields: Fields, number: int) -> list[bytes]:
    """The bytes of a repeated field."""
    return [value for value in fields.get(number, []) if isinstance(value, bytes)]
