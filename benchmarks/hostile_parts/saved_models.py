"""A small SavedModel, as TensorFlow writes it, and its mutants with whole checksums."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.hostile_parts.mutations import NUMBERS, mutate_bytes, mutate_json
from checkpoints_index.importing.formats.crc32c import masked_crc32c

Row = tuple[bytes, bytes]
INDEX, DATA = "variables/variables.index", "variables/variables.data-00000-of-00001"
METADATA = "keras_metadata.pb"
MAGIC = 0xDB4775248B80FB57


def make_files() -> dict[str, bytes]:
    """The files of a generator, by their paths: 6 numbers become 12 x 12 px."""
    root = {
        "class_name": "Sequential",
        "config": {
            "layers": [{"class_name": kind, "config": config} for kind, config, _ in _make_layers()]
        },
    }
    rows, data = make_rows()
    return {METADATA: pack_metadata(json.dumps(root).encode()), INDEX: pack_table(rows), DATA: data}


def make_tensors() -> dict[str, np.ndarray]:
    """The variables of that generator, by their names."""
    weighted = [variables for _, _, variables in _make_layers() if variables]
    return {
        f"layer_with_weights-{i}/{name}/.ATTRIBUTES/VARIABLE_VALUE": array
        for i, variables in enumerate(weighted)
        for name, array in variables.items()
    }


def _make_layers() -> list[tuple[str, dict[str, Any], dict[str, np.ndarray]]]:
    """Class, configuration and variables of each layer; the same at every call."""
    numbers = np.random.default_rng(3)

    def normal(*shape: int) -> np.ndarray:
        return (0.4 * numbers.standard_normal(shape)).astype("<f4")

    norm = {"gamma": normal(45), "beta": normal(45), "moving_mean": normal(45)}
    same = {"padding": "same", "use_bias": True}
    return [
        ("InputLayer", {}, {}),
        ("Dense", {"units": 45}, {"kernel": normal(6, 45), "bias": normal(45)}),
        ("LeakyReLU", {"alpha": 0.2}, {}),
        ("BatchNormalization", {}, {**norm, "moving_variance": np.abs(normal(45))}),
        ("Reshape", {"target_shape": [3, 3, 5]}, {}),
        ("UpSampling2D", {"size": [2, 2]}, {}),
        (
            "Conv2DTranspose",
            {**same, "strides": [2, 2]},
            {"kernel": normal(4, 4, 4, 5), "bias": normal(4)},
        ),
        (
            "Conv2D",
            {**same, "strides": [1, 1], "activation": "tanh"},
            {"kernel": normal(3, 3, 4, 3), "bias": normal(3)},
        ),
    ]


def make_rows() -> tuple[list[Row], bytes]:
    """The rows of an index, and the numbers that they are about."""
    data, rows = b"", [(b"", _field(1, 1) + _field(3, _field(1, 1)))]
    for name, array in sorted(make_tensors().items()):
        content = array.tobytes()
        axes = b"".join(_field(2, _field(1, axis)) for axis in array.shape)
        entry = _field(1, 1) + _field(2, axes) + _field(4, len(data)) + _field(5, len(content))
        check = _varint(6 << 3 | 5) + struct.pack("<I", masked_crc32c(content))
        rows.append((name.encode(), entry + check))
        data += content
    return rows, data


def pack_table(rows: Sequence[Row], handle: bytes | None = None) -> bytes:
    """A LevelDB table of one block, with whole checksums.

    Args:
        handle: place and size of the block as they are told, instead of the right ones.
    """
    table = _block(rows)
    told = handle or _varint(0) + _varint(len(table) - 5)
    footer = b""
    for block in (_block([]), _block([(rows[-1][0] if rows else b"", told)])):
        footer += _varint(len(table)) + _varint(len(block) - 5)
        table += block
    return table + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def pack_metadata(root: bytes) -> bytes:
    """The description of a model, of which `root` is the JSON."""
    node = _field(2, 0) + _field(3, b"root") + _field(4, b"_tf_keras_sequential") + _field(5, root)
    return _field(1, node)


def mutate_metadata(root: Any, drawn: random.Random) -> bytes:
    """Another description, or one in a damaged message."""
    packed = pack_metadata(mutate_json(root, drawn))
    return mutate_bytes(packed, drawn) if drawn.random() < 0.2 else packed


def mutate_index(rows: Sequence[Row], drawn: random.Random) -> bytes:
    """An index with whole checksums in which an entry, a name or a place is another."""
    changed, at = list(rows), drawn.randrange(len(rows))
    name, entry = changed[at]
    kind = drawn.randrange(5)
    if kind == 0:
        del changed[at]
    elif kind == 1:
        changed[at] = name, changed[drawn.randrange(len(rows))][1]
    elif kind == 2:
        changed[at] = mutate_bytes(name or b"x", drawn), entry
    elif kind == 3:
        return pack_table(rows, _varint(drawn.choice(NUMBERS)) + _varint(drawn.choice(NUMBERS)))
    else:
        number = drawn.choice((1, 2, 4, 5, 6))
        value = _varint(drawn.choice(NUMBERS))
        shape = _field(2, _field(1, drawn.choice(NUMBERS)) * drawn.choice((1, 2, 9)))
        changed[at] = name, entry + (shape if number == 2 else _varint(number << 3) + value)
    return pack_table(changed)


def _varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _block(rows: Sequence[Row]) -> bytes:
    """Entries that share nothing with the one before, a restart, and a checksum."""
    out = b""
    for name, value in rows:
        out += _varint(0) + _varint(len(name)) + _varint(len(value)) + name + value
    out += struct.pack("<II", 0, 1) + b"\0"
    return out + struct.pack("<I", masked_crc32c(out))
