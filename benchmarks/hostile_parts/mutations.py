"""Mutations that know nothing of a format but bytes, or JSON, or parts that follow one another."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**40, 2**63 - 1, 2**64 - 1)
DEPTH = 100_000
DEEP = "\x01deep\x01"  # Stands for lists in lists, which json.dumps could not write.
VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 3, 10**6, 2**31, 2**63, 10**30, 1e308, -0.5, 1e-45),
    *(float("nan"), float("inf"), "", "x", "0", "-1", "../../outside/owned", "/etc/passwd"),
    *(
        "[/red]",
        "a\nb",
        "\x1b]0;x\x07",
        "\udcff",
        "x" * 3000,
        "os:system",
        "os.system",
        "__class__",
    ),
    *([], {}, [[]], [None], {"": {}}, [2**31] * 8, [-1, -1], [0], DEEP),
)


def mutate_bytes(content: bytes, drawn: random.Random) -> bytes:
    """Flip, overwrite, cut, repeat or insert something, most often in a header or a trailer."""
    mutant = bytearray(content)
    for _ in range(drawn.choice((1, 1, 1, 2, 8))):
        size = len(mutant)
        edge = min(size, drawn.choice((64, 2048, size)))
        at = drawn.randrange(edge) if drawn.random() < 0.5 else size - 1 - drawn.randrange(edge)
        length = drawn.choice((1, 2, 4, 8, 64))
        kind = drawn.randrange(6)
        if kind == 0:
            mutant[at] ^= 1 << drawn.randrange(8)
        elif kind == 1:
            mutant[at : at + length] = drawn.choice((b"\0", b"\xff", drawn.randbytes(1))) * length
        elif kind == 2:
            number = drawn.choice(NUMBERS) % 256 ** min(length, 8)
            mutant[at : at + length] = number.to_bytes(length, drawn.choice(("little", "big")))
        elif kind == 3 and size > 64:
            del mutant[at : at + drawn.choice((length, size))]
            mutant = mutant or bytearray(b"\0")
        elif kind == 4:
            mutant[at:at] = mutant[at : at + 4 * length]
        else:
            mutant[at:at] = drawn.randbytes(length)
    return bytes(mutant)


def mutate_json(document: Any, drawn: random.Random) -> bytes:
    """A JSON document of which one value, or a few, are others, gone, doubled or renamed."""
    changed = json.loads(json.dumps(document))
    for _ in range(drawn.choice((1, 1, 1, 2, 4))):
        changed = _change(changed, drawn)
    text = json.dumps(changed)
    deep = "[" * DEPTH + "]" * drawn.choice((0, DEPTH))
    return text.replace(json.dumps(DEEP), deep).encode()


def _change(document: Any, drawn: random.Random) -> Any:
    places = list(_find_places(document))
    if not places:
        return drawn.choice(VALUES)
    holder, key = drawn.choice(places)
    kind = drawn.randrange(8)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif kind == 1:
        holder[drawn.choice(("x", "", "__class__", f"{key}x"))] = holder.pop(key)
    elif kind == 2:
        other, at = drawn.choice(places)
        holder[key] = json.loads(json.dumps(other[at] if at in _keys(other) else None))
    elif kind == 3 and type(holder[key]) in (int, float):
        holder[key] = _near(holder[key], drawn)
    else:
        holder[key] = drawn.choice(VALUES)
    return document


def _near(number: float, drawn: random.Random) -> Any:
    return drawn.choice((number + 1, number - 1, 2 * number, -number, number / 2, str(number)))


def _keys(holder: Any) -> Any:
    return range(len(holder)) if isinstance(holder, list) else holder


def _find_places(document: Any) -> list[tuple[Any, Any]]:
    """Where values stand: a list or a table, and an index or a key of it."""
    places, waiting = [], [document]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, list | dict):
            places += [(holder, key) for key in _keys(holder)]
            waiting += [holder[key] for key in _keys(holder)]
    return places


def mutate_parts(parts: Sequence[bytes], drawn: random.Random) -> bytes:
    """Parts that follow one another, such as chunks: one is gone, doubled, moved or mutated."""
    changed = list(parts)
    at, other = drawn.randrange(len(changed)), drawn.randrange(len(changed))
    kind = drawn.randrange(5)
    if kind == 0 and len(changed) > 1:
        del changed[at]
    elif kind == 1:
        changed[other:other] = [changed[at]] * drawn.choice((1, 2, 1000))
    elif kind == 2:
        changed[at], changed[other] = changed[other], changed[at]
    elif changed[at]:
        changed[at] = mutate_bytes(changed[at], drawn)
    return b"".join(changed)
