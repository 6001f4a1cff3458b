"""Documents with their checksum: the one module that seals text and sees whether a seal is whole.

A seal is the xxh3 checksum of all that stands before it, in a form that the document's own format
allows, so that people and other programs go on reading it:

- a JSON object, or a line of them: its last key, `"xxh3": "0123456789abcdef"`;
- TOML, or other text with comments: a last line, `# xxh3 0123456789abcdef`;
- safetensors: `"xxh3": "0123456789abcdef"` in the metadata, over the file with zeros in its place.

Documents of older versions have no seal, and are read as before.
"""

from __future__ import annotations

import enum
import json
import mmap
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xxhash

KEY = "xxh3"
_JSON_SEAL = re.compile(rb'(?:,|(?<=\{))\s*"xxh3":\s*"([0-9a-f]{16})"\s*\}\s*\Z')
_COMMENT_SEAL = re.compile(rb"^# xxh3 ([0-9a-f]{16})\n\Z", re.MULTILINE)
# What is left of that line where one of its bytes has changed.
_CHANGED_COMMENT_SEAL = re.compile(rb"# xxh3|xxh3 [0-9a-f]{16}|# .{4} [0-9a-f]{16}\n\Z", re.DOTALL)


# What stands in the metadata of safetensors before the seal is known.
UNSEALED = "0" * 16
# Four letters and sixteen: a seal, or what is left of it where one of its bytes has changed.
_TENSORS_SEAL = re.compile(rb'"([^"]{4})":"([^"]{16})"', re.DOTALL)
_READ_BYTES = 1 << 24
_LENGTH_BYTES = 8  # A safetensors file begins with the length of its header.


class Seal(enum.Enum):
    """What became of a document's checksum."""

    WHOLE = "whole"
    BROKEN = "broken"
    ABSENT = "absent"


class BrokenSealError(ValueError):
    """A document is not what was written."""

    def __init__(self) -> None:
        super().__init__("its checksum differs")


def checksum(content: bytes) -> str:
    """The xxh3 of some bytes, 16 hexadecimal digits."""
    return xxhash.xxh3_64_hexdigest(content)


def seal_json(document: Mapping[str, Any], indent: int | None = None) -> bytes:
    """A JSON object with its seal.

    Args:
        document: of JSON's types; it has no key `xxh3`.
        indent: as `json.dumps` takes it.

    Example:
        >>> unseal_json(seal_json({"batch": 1}))
        ({'batch': 1}, <Seal.WHOLE: 'whole'>)
    """
    body = json.dumps({**document, KEY: ""}, indent=indent).encode()
    before, _, after = body.rpartition(b'""')
    start = before.rstrip().rpartition(b",")[0] or b"{"
    return before + b'"' + checksum(start).encode() + b'"' + after


def unseal_json(content: bytes) -> tuple[dict[str, Any], Seal]:
    """The object in some bytes, without its seal, and what became of that.

    Raises:
        ValueError: the bytes are no JSON object.
    """
    try:
        document = json.loads(content)
    except RecursionError as error:
        raise ValueError("its lists lie too deep in one another") from error
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    found = _JSON_SEAL.search(content)
    if found is None:
        return document, Seal.BROKEN if any(map(_is_nearly_ours, document)) else Seal.ABSENT
    document.pop(KEY, None)
    whole = checksum(content[: found.start()] or b"{").encode() == found[1]
    return document, Seal.WHOLE if whole else Seal.BROKEN


def _is_nearly_ours(key: str) -> bool:
    """Whether a key was that of a seal: no letter of it has changed, or one."""
    return len(key) == len(KEY) and sum(a != b for a, b in zip(key, KEY, strict=True)) <= 1


def read_sealed_json(content: bytes) -> dict[str, Any]:
    """The object in some bytes; one without a seal is believed.

    Raises:
        BrokenSealError: it has changed since it was written.
        ValueError: the bytes are no JSON object.
    """
    document, seal = unseal_json(content)
    if seal is Seal.BROKEN:
        raise BrokenSealError
    return document


def seal_lines(text: str) -> bytes:
    """Text with its seal in a last line, which is a comment.

    Args:
        text: ends in a line end.
    """
    content = text.encode()
    return content + f"# {KEY} {checksum(content)}\n".encode()


def check_lines(content: bytes) -> Seal:
    """What became of the seal of `seal_lines`.

    Example:
        >>> check_lines(seal_lines("a = 1\\n")), check_lines(b"a = 1\\n")
        (<Seal.WHOLE: 'whole'>, <Seal.ABSENT: 'absent'>)
    """
    found = _COMMENT_SEAL.search(content)
    if found is None:
        return Seal.BROKEN if _CHANGED_COMMENT_SEAL.search(content) else Seal.ABSENT
    whole = checksum(content[: found.start()]).encode() == found[1]
    return Seal.WHOLE if whole else Seal.BROKEN


def seal_tensors(content: bytes) -> bytes:
    """A safetensors file with its seal.

    Args:
        content: the file, with {KEY: UNSEALED} in its metadata.
    """
    found = _find_tensors_seal(content)
    assert found is not None, "its metadata has a place for the seal"
    start, end = found.span(2)
    return content[:start] + checksum(content).encode() + content[end:]


def check_tensors(path: Path) -> Seal:
    """What became of the seal of a safetensors file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is empty.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = _find_tensors_seal(content)
        if found is None:
            return Seal.ABSENT
        (start, end), digest = found.span(2), found[2]
        hashed = xxhash.xxh3_64(content[:start] + UNSEALED.encode())
        for place in range(end, len(content), _READ_BYTES):
            hashed.update(content[place : place + _READ_BYTES])
        whole = found[1] == KEY.encode() and hashed.hexdigest().encode() == digest
    return Seal.WHOLE if whole else Seal.BROKEN


def _find_tensors_seal(content: bytes | mmap.mmap) -> re.Match[bytes] | None:
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    end = min(len(content), _LENGTH_BYTES + length)
    found = _TENSORS_SEAL.finditer(content, _LENGTH_BYTES, end)
    return next((each for each in found if _is_nearly_ours(each[1].decode("latin-1"))), None)
