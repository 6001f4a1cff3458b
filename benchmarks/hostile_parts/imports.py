"""Files of weights that were flipped, cut, mixed and given other sizes."""

from __future__ import annotations

import os
import random
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from checkpoints_index import GeneratorSpec
from checkpoints_index.errors import CheckpointError
from checkpoints_index.importing.finder import GeneratorFinder
from hostile_parts.outcomes import HARMLESS, REFUSED, SILENTLY_WRONG, count_outcomes

BATCH = 250  # So many mutants are read by one process.
SPEC = GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.125})
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**40, 2**63 - 1, 2**64 - 1)


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of so many mutants of good files of every kind."""
    counts: Counter[str] = Counter()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        good = _save_good(Path(folder))
        for start in range(0, count, BATCH):
            seeds = range(seed + start, seed + min(start + BATCH, count))
            counts += count_outcomes(seeds, lambda at: _import_mutant(at, good))
    return counts


def _save_good(folder: Path) -> list[tuple[Path, bytes]]:
    """A file of each kind with one and the same generator, and its bytes."""
    weights = SPEC.build().state_dict()
    torch.save(weights, folder / "flat.pt")
    torch.save({"G": weights, "epoch": 5}, folder / "nested.pth")
    torch.save(weights, folder / "legacy.ckpt", _use_new_zipfile_serialization=False)
    save_file(weights, folder / "plain.safetensors")
    _save_keras(folder)
    return [(path, path.read_bytes()) for path in sorted(folder.iterdir())]


def _save_keras(folder: Path) -> None:
    """Models of Keras, where it is installed."""
    os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    except ImportError:
        return
    layers = [
        keras.layers.Input((8,)),
        keras.layers.Dense(16 * 16 * 4),
        keras.layers.Reshape((16, 16, 4)),
        keras.layers.Conv2D(3, 3, padding="same", activation="tanh"),
    ]
    model = keras.Sequential(layers)
    for suffix in ("keras", "h5"):
        model.save(folder / f"model.{suffix}")


def _import_mutant(seed: int, good: list[tuple[Path, bytes]]) -> str:
    drawn = random.Random(seed)
    path, content = drawn.choice(good)
    mutant = path.with_name(f"mutant{path.suffix}")
    mutant.write_bytes(_mutate(bytearray(content), drawn))
    try:
        found = GeneratorFinder().find(mutant, check=True)
    except CheckpointError:
        return REFUSED
    finally:
        mutant.unlink()
    has_checksums = content.startswith(b"PK")
    if has_checksums and not _same(found.weights, GeneratorFinder().find(path).weights):
        return SILENTLY_WRONG
    return HARMLESS


def _mutate(content: bytearray, drawn: random.Random) -> bytes:
    """Flip, cut, overwrite or repeat something, most often in a header or a trailer."""
    for _ in range(drawn.choice((1, 1, 1, 2, 8))):
        size = len(content)
        edge = min(size, drawn.choice((64, 2048, size)))
        at = drawn.randrange(edge) if drawn.random() < 0.5 else size - 1 - drawn.randrange(edge)
        kind = drawn.randrange(5)
        if kind == 0:
            content[at] ^= 1 << drawn.randrange(8)
        elif kind == 1:
            content[at] = drawn.randrange(256)
        elif kind == 2:
            width = drawn.choice((2, 4, 8))
            number = drawn.choice(NUMBERS) % 256**width
            content[at : at + width] = number.to_bytes(width, "little")
        elif kind == 3 and size > 64:
            del content[at : at + drawn.choice((1, 8, size))]
            content = content or bytearray(b"\0")
        else:
            content[at:at] = content[at : at + drawn.choice((1, 16, 256))]
    return bytes(content)


def _same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
