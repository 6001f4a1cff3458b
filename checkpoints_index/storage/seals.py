"""Documents with their checksum: the one module that seals text and sees whether a seal is whole.

A seal is the xxh3 checksum of all that stands before it, in a form that the document's own format
allows, so that people and other programs go on reading it:

- a JSON object, or a line of them: its last key, `"xxh3": "0123456789abcdef"`;
- TOML, or other text with comments: a last line, `# xxh3 0123456789abcdef`.

Documents of older versions have no seal, and are read as before.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from typing import Any

import xxhash

KEY = "xxh3"
_JSON_SEAL = re.compile(rb',\s*"xxh3":\s*"([0-9a-f]{16})"\s*\}\s*\Z')
_COMMENT_SEAL = re.compile(rb"^# xxh3 ([0-9a-f]{16})\n\Z", re.MULTILINE)


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
    document = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    found = _JSON_SEAL.search(content)
    if found is None:
        # A key that is nearly ours was ours.
        return document, Seal.BROKEN if KEY in document else Seal.ABSENT
    document.pop(KEY, None)
    whole = checksum(content[: found.start()] or b"{").encode() == found[1]
    return document, Seal.WHOLE if whole else Seal.BROKEN


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
        return Seal.ABSENT
    whole = checksum(content[: found.start()]).encode() == found[1]
    return Seal.WHOLE if whole else Seal.BROKEN


def strip_lines(content: bytes) -> bytes:
    """Text without the line of its seal."""
    return _COMMENT_SEAL.sub(b"", content)
