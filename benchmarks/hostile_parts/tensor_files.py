"""Headers of safetensors, HDF5 and Keras that say something else than what lies behind them."""

from __future__ import annotations

import io
import json
import random
import struct
from contextlib import suppress
from typing import Any

import h5py
import numpy as np
from safetensors.numpy import load

from benchmarks.hostile_parts import archives
from benchmarks.hostile_parts.mutations import mutate_bytes, mutate_json

DTYPES = ("F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "C64", "X", "")
CONFIG, WEIGHTS = "config.json", "model.weights.h5"
CLASSES = (
    *("Dense", "Conv2DTranspose", "Lambda", "LSTM", "Embedding", "RandomContrast", "Flatten"),
    *(
        "TextVectorization",
        "Bidirectional",
        "Reshape",
        "Model",
        "os.system",
        "TFSMLayer",
        "Dropout",
    ),
)
SIZES = (0, -1, 2, 10**6, 2**31, 2**62, 1.5, "7", None, [3], True)


def mutate_safetensors(content: bytes, drawn: random.Random) -> bytes:
    """A file with another header: offsets, shapes, dtypes and names, or a damaged text."""
    (length,) = struct.unpack_from("<Q", content)
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    name = drawn.choice([name for name in header if name != "__metadata__"])
    held, kind = header[name], drawn.randrange(6)
    if kind == 0:
        held["data_offsets"] = header[drawn.choice(list(header))].get("data_offsets", [0, 4])
    elif kind == 1:
        start, end = held["data_offsets"]
        shift = drawn.choice((-4, 4, 1, 2**40))
        held["data_offsets"] = [start + shift, end + shift * drawn.choice((0, 1))]
    elif kind == 2:
        held["dtype"] = drawn.choice(DTYPES)
    elif kind == 3:
        held["shape"] = drawn.choice((held["shape"][::-1], [-1], [2**62, 4], [0, 2**63], []))
    text = json.dumps(header).encode() if kind < 4 else mutate_json(header, drawn)
    told = drawn.choice((len(text),) * 9 + (0, len(text) + 8, 2**63, 2**64 - 1))
    return struct.pack("<Q", told) + text + data


def read_safetensors(content: bytes) -> list[np.ndarray]:
    """The tensors of a whole file, as another reader than that of the product reads them."""
    return list(load(content).values())


def mutate_h5(content: bytes, drawn: random.Random) -> bytes:
    """A legacy model of Keras with another description, another dataset, or links."""
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as held:
        if drawn.random() < 0.6:
            config = json.loads(held.attrs["model_config"])
            held.attrs["model_config"] = mutate_config(config, drawn)[:60_000]
        else:
            _change_dataset(held, drawn)
    return file.getvalue()


def mutate_keras(content: bytes, drawn: random.Random) -> bytes:
    """A model of Keras 3 with another description, or other weights, in a whole archive."""

    def change(parts: archives.Parts) -> None:
        if drawn.random() < 0.6:
            parts[CONFIG] = mutate_config(json.loads(parts[CONFIG]), drawn)
        elif drawn.random() < 0.2:
            parts["metadata.json"] = mutate_json(json.loads(parts["metadata.json"]), drawn)
        elif drawn.random() < 0.5:
            parts[WEIGHTS] = mutate_bytes(parts[WEIGHTS], drawn)
        else:
            file = io.BytesIO(parts[WEIGHTS])
            with h5py.File(file, "r+") as held:
                _change_dataset(held, drawn)
            parts[WEIGHTS] = file.getvalue()

    return archives.rewrite(content, change, stored=drawn.random() < 0.5)


def mutate_config(config: Any, drawn: random.Random) -> bytes:
    """A description of a model: a layer's class, or one of its numbers, is another."""
    layer = drawn.choice(config["config"]["layers"])
    kind = drawn.randrange(3)
    if kind == 0:
        layer["class_name"] = drawn.choice(CLASSES)
    elif kind == 1:
        names = [n for n, v in layer["config"].items() if isinstance(v, int | list)]
        layer["config"][drawn.choice(names or ["units"])] = drawn.choice(SIZES)
    else:
        return mutate_json(config, drawn)
    return json.dumps(config).encode()


def read_h5(content: bytes) -> list[np.ndarray]:
    """All datasets of numbers that can be read; what is damaged beside them is passed over."""
    found: list[np.ndarray] = []
    with h5py.File(io.BytesIO(content)) as file:
        groups, seen = [file], set[Any]()
        while groups:
            group = groups.pop()
            for name in group:
                with suppress(RuntimeError, OSError, KeyError):
                    held = group[name]
                    if held.id in seen:
                        continue
                    seen.add(held.id)
                    if isinstance(held, h5py.Group):
                        groups.append(held)
                    elif held.dtype.kind in "fiu":
                        found.append(held[()])
    return found


def _change_dataset(file: Any, drawn: random.Random) -> None:
    names: list[str] = []
    file.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) else None)
    name, kind = drawn.choice(names), drawn.randrange(8)
    if kind == 7:
        file.attrs[drawn.choice(list(file.attrs) or ["x"])] = drawn.choice(("x", 3, b"\xff"))
        return
    array = file[name][()]
    del file[name]
    if kind == 1:
        file[name] = array.reshape(-1)
    elif kind == 2:
        file[name] = array.astype(drawn.choice(("f8", "f2", "i4", "c8", "S3")))
    elif kind == 3:
        file.create_dataset(name, (2**20, 2**20), "f4", chunks=(64, 64))
    elif kind == 4:
        file[name] = h5py.SoftLink(drawn.choice(("/", "/nowhere", name)))
    elif kind == 5:
        file[name] = h5py.ExternalLink("/etc/passwd", "/")
    elif kind == 6:
        shape = (drawn.choice((10**5, 10**7)), *array.shape[1:])
        file.create_dataset(name, shape, "f4", chunks=True, compression="gzip")
