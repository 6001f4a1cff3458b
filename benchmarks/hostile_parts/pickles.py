"""Pickles whose opcodes, memo, names and numbers are others, and pickles that call something."""

from __future__ import annotations

import pickletools
import random
import struct
from collections.abc import Callable
from itertools import pairwise

GLOBALS = (
    *("os system", "posix system", "builtins eval", "builtins exec", "builtins getattr"),
    *("subprocess Popen", "torch load", "torch._utils _rebuild_tensor", "torch DoubleStorage"),
    *("torch._utils _rebuild_tensor_v3", "torch._utils _rebuild_sparse_tensor", "torch Size"),
    *(
        "torch._utils _rebuild_meta_tensor_no_storage",
        "torch BoolStorage",
        "torch ComplexFloatStorage",
    ),
    *("torch._utils _rebuild_qtensor", "torch._utils _rebuild_parameter", "torch QInt8Storage"),
    *(
        "collections OrderedDict",
        "collections Counter",
        "numpy ndarray",
        "numpy dtype",
        "torch device",
    ),
    *("numpy._core.multiarray _reconstruct", "numpy._core.multiarray scalar", "torch HalfStorage"),
    *("argparse Namespace", "pathlib PosixPath", "collections defaultdict", "_codecs encode"),
)
NUMBERS = (0, 1, -1, 2, 3, 7, 255, 65535, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, 2**70)
TEXTS = (
    "0",
    "1",
    "2",
    "99",
    "../0",
    "cpu",
    "cuda:0",
    "meta",
    "",
    "x",
    "[/red]",
    ".weight",
    "forward",
)


def mutate_pickle(content: bytes, drawn: random.Random) -> bytes:
    """A pickle with opcodes that are gone, doubled, moved or changed, or that calls."""
    starts = [at for _, _, at in pickletools.genops(content)]
    ops = [content[a:b] for a, b in pairwise([*starts, len(content)])]
    for _ in range(drawn.choice((1, 1, 2, 4))):
        at, other = drawn.randrange(len(ops)), drawn.randrange(len(ops))
        kind = drawn.randrange(8)
        if kind == 0:
            del ops[at]
        elif kind == 1:
            ops.insert(other, ops[at])
        elif kind == 2:
            ops[at], ops[other] = ops[other], ops[at]
        elif kind == 3:
            ops.insert(at, _call_out(drawn))
        else:
            _change_argument(ops, drawn)
        ops = ops or [b"."]
    return b"".join(ops)


def _change_argument(ops: list[bytes], drawn: random.Random) -> None:
    """Give an opcode of one kind, drawn among those that are there, another argument."""
    kinds = {op[:1] for op in ops} & WRITERS.keys()
    if not kinds:
        return
    kind = drawn.choice(sorted(kinds))
    at = drawn.choice([at for at, op in enumerate(ops) if op[:1] == kind])
    ops[at] = WRITERS[kind](drawn)


def _call_out(drawn: random.Random) -> bytes:
    """Opcodes that run a command where a reader lets them."""
    words = drawn.choice(("os\nsystem", "posix\nsystem", "subprocess\ncall")).encode()
    command = b"touch owned"
    text = b"X" + struct.pack("<I", len(command)) + command
    return b"c" + words + b"\n" + text + drawn.choice((b"\x85R", b"\x85R0", b"0"))


def _write_number(drawn: random.Random) -> bytes:
    number = drawn.choice(NUMBERS)
    if 0 <= number < 256:
        return b"K" + bytes([number])
    if -(2**31) <= number < 2**31:
        return b"J" + struct.pack("<i", number)
    raw = number.to_bytes(10, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def _write_text(drawn: random.Random) -> bytes:
    text = drawn.choice(TEXTS).encode()
    return b"X" + struct.pack("<I", len(text)) + text


def _write_global(drawn: random.Random) -> bytes:
    return b"c" + drawn.choice(GLOBALS).replace(" ", "\n").encode() + b"\n"


def _write_get(drawn: random.Random) -> bytes:
    return b"h" + bytes([drawn.randrange(256)])


def _write_put(drawn: random.Random) -> bytes:
    return drawn.choice((b"q\0", b"r" + struct.pack("<I", drawn.choice((3, 10**6, 2**32 - 1)))))


WRITERS: dict[bytes, Callable[[random.Random], bytes]] = {
    **dict.fromkeys((b"K", b"M", b"J", b"\x8a"), _write_number),
    **{b"X": _write_text, b"\x8c": _write_text, b"c": _write_global, b"h": _write_get},
    **dict.fromkeys((b"q", b"r"), _write_put),
    **dict.fromkeys((b"\x88", b"\x89"), lambda drawn: drawn.choice((b"\x88", b"\x89", b"N"))),
    **dict.fromkeys(
        (b"\x85", b"\x86", b"\x87", b"t"),
        lambda drawn: drawn.choice((b"\x85", b"\x86", b"\x87", b"t", b")")),
    ),
    **dict.fromkeys(
        (b"R", b"Q", b"b", b"u", b"s"),
        lambda drawn: drawn.choice((b"R", b"Q", b"b", b"u", b"s", b"\x81")),
    ),
}
