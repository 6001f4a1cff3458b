"""Files of weights of every kind that were flipped, cut, mixed, and written anew with other facts.

What is imported has to be what the file says, which another reader than the product's tells; where
a file has checksums, nothing that was not written with them. The generator has to draw pictures.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.hostile_parts import archives, saved_models, tensor_files
from benchmarks.hostile_parts.mutations import mutate_bytes
from benchmarks.hostile_parts.outcomes import (
    HARMLESS,
    REFUSED,
    SILENTLY_WRONG,
    TRACEBACK,
    Yard,
    count_outcomes,
    open_yard,
)
from benchmarks.hostile_parts.pickles import mutate_pickle
from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.importing.finder import FoundGenerator, GeneratorFinder
from studio.actions.declared.import_actions import Import
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.progress import SilentReporter

SPEC = GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.125})
IMPORTED = 12  # One of so many that are found goes the whole way into a run.
MODEL = "model"  # The folder of a SavedModel.
Arrays = list[np.ndarray]


class Good(NamedTuple):
    """A file as it should be, and how it is attacked.

    Attributes:
        name: that of the file, or of a file in a SavedModel.
        content: its bytes.
        forge: makes another file of them, whose checksums are whole.
        read: gives the numbers of a file, by another way than the product's.
        is_checked: whether the file has checksums over all of its numbers.
    """

    name: str
    content: bytes
    forge: Callable[[bytes, random.Random], bytes]
    read: Callable[[bytes], Arrays]
    is_checked: bool


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of so many mutants of good files of every kind."""
    warnings.simplefilter("ignore")
    with open_yard() as yard:
        kept = yard.folder / "kept"
        kept.mkdir()
        good = _save_good(kept)
        genuine = {g.name: GeneratorFinder().find(_root(kept, g)).weights for g in good}
        seeds = range(seed, seed + count)
        return count_outcomes(seeds, lambda at: _import_mutant(at, yard, good, genuine), yard)


def _root(folder: Path, good: Good) -> Path:
    """What is given to the import: a file, or the folder of a SavedModel."""
    return folder / good.name.split("/")[0]


def _save_good(folder: Path) -> list[Good]:
    weights = SPEC.build().state_dict()
    torch.save(weights, folder / "flat.pt")
    torch.save({"G": weights, "epoch": 5}, folder / "nested.pth")
    torch.save(weights, folder / "legacy.ckpt", _use_new_zipfile_serialization=False)
    save_file(weights, folder / "plain.safetensors")
    _save_keras(folder)
    plain = [Good(path.name, path.read_bytes(), *FORGERS[path.suffix]) for path in folder.iterdir()]
    files = saved_models.make_files()
    for name, content in files.items():
        (folder / MODEL / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / MODEL / name).write_bytes(content)
    forgers = {saved_models.METADATA: _forge_metadata, saved_models.INDEX: _forge_index}
    models = [
        Good(f"{MODEL}/{name}", content, forgers.get(name, mutate_bytes), _read_model, True)
        for name, content in files.items()
    ]
    return sorted([*plain, *models])


def _save_keras(folder: Path) -> None:
    """Models of Keras, where it is installed."""
    os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    except ImportError:
        return
    layers = [
        keras.layers.Input((8,)),
        keras.layers.Dense(4 * 4 * 4),
        keras.layers.Reshape((4, 4, 4)),
        keras.layers.BatchNormalization(),
        keras.layers.Conv2DTranspose(4, 4, strides=4, padding="same"),
        keras.layers.Conv2D(3, 3, padding="same", activation="tanh"),
    ]
    model = keras.Sequential(layers)
    for suffix in ("keras", "h5"):
        model.save(folder / f"model.{suffix}")


def _import_mutant(
    seed: int, yard: Yard, good: list[Good], genuine: dict[str, dict[str, Tensor]]
) -> str:
    drawn = random.Random(seed)
    chosen = drawn.choice(good)
    is_forged = drawn.random() < 0.6
    mutant = (chosen.forge if is_forged else mutate_bytes)(chosen.content, drawn)
    path = yard.inside / chosen.name
    if "/" in chosen.name:
        shutil.copytree(yard.folder / "kept" / MODEL, yard.inside / MODEL)
    path.write_bytes(mutant)
    root = _root(yard.inside, chosen)
    try:
        found = GeneratorFinder().find(root, check=True)
        is_same = chosen.is_checked and not is_forged
        known = list(genuine[chosen.name].values()) if is_same else None
        if not _is_right(found, known or _tensors(chosen.read(mutant))):
            return SILENTLY_WRONG
        if drawn.randrange(IMPORTED) == 0 and not _is_kept(found, root, yard, drawn):
            return SILENTLY_WRONG
    except EXPECTED_ERRORS as error:
        return REFUSED if " " in str(error).strip() else TRACEBACK
    finally:
        shutil.rmtree(root) if root.is_dir() else root.unlink()
        shutil.rmtree(yard.inside / "workspace", ignore_errors=True)
    return HARMLESS


@torch.inference_mode()
def _is_right(found: FoundGenerator, known: list[Tensor]) -> bool:
    """Whether all weights are numbers that the file holds, and make a picture of the size said."""
    for weights in found.weights.values():
        if weights.is_floating_point() and not any(_holds(other, weights) for other in known):
            return False
    G = found.spec.build()
    G.load_state_dict(found.weights)
    picture = G(torch.zeros(1, found.spec.z_dim))
    size = found.spec.image_size
    return tuple(picture.shape) == (1, 3, size, size)


def _holds(other: Tensor, weights: Tensor) -> bool:
    """Whether two tensors have the same numbers, in any order: Keras keeps its axes otherwise."""
    if other.numel() != weights.numel():
        return False
    a, b = (t.detach().to(weights.dtype).reshape(-1).sort().values for t in (other, weights))
    return torch.equal(a.nan_to_num(7.0), b.nan_to_num(7.0))


def _is_kept(found: FoundGenerator, root: Path, yard: Yard, drawn: random.Random) -> bool:
    """Whether an import into a run keeps these weights, bit for bit where it says so."""
    workspace = Workspace(yard.inside / "workspace")
    storage = drawn.choice(("exact", "visual"))
    Import(folder=root, run="run", storage=storage).perform(workspace, SilentReporter(workspace))
    run = CheckpointIndex(workspace.runs)["run"]
    kept = run.weights(run.batches[0])
    if storage == "visual":
        return kept.keys() == found.weights.keys()
    return all(
        torch.equal(kept[n].nan_to_num(7.0), t.nan_to_num(7.0)) for n, t in found.weights.items()
    )


def _tensors(arrays: Arrays) -> list[Tensor]:
    return [torch.from_numpy(np.array(array)) for array in arrays]


def _forge_torch(content: bytes, drawn: random.Random) -> bytes:
    def change(parts: archives.Parts) -> None:
        name = next(name for name in parts if name.endswith("data.pkl"))
        parts[name] = mutate_pickle(parts[name], drawn)

    if drawn.random() < 0.7:
        return archives.rewrite(content, change, stored=drawn.random() < 0.95)
    return drawn.choice((archives.mutate_members, archives.mutate_headers))(content, drawn)


def _forge_legacy(content: bytes, drawn: random.Random) -> bytes:
    """The fourth pickle in the file describes the tensors; the three before it say little."""
    ends = [at for at in range(len(content)) if content.startswith(b".\x80\x02", at)][:4]
    cuts = [0, *(end + 1 for end in ends), len(content)]
    parts = [content[a:b] for a, b in pairwise(cuts)]
    at = drawn.choice((0, 1, 2, 3, 3, 3, 3))
    try:
        parts[at] = mutate_pickle(parts[at], drawn)
    except ValueError:
        parts[at] = mutate_bytes(parts[at], drawn)
    return b"".join(parts)


def _forge_keras(content: bytes, drawn: random.Random) -> bytes:
    if drawn.random() < 0.8:
        return tensor_files.mutate_keras(content, drawn)
    return drawn.choice((archives.mutate_members, archives.mutate_headers))(content, drawn)


def _forge_metadata(_: bytes, drawn: random.Random) -> bytes:
    packed = saved_models.make_files()[saved_models.METADATA]
    root = json.loads(packed[packed.index(b'{"class_name"') :])
    return saved_models.mutate_metadata(root, drawn)


def _forge_index(_: bytes, drawn: random.Random) -> bytes:
    return saved_models.mutate_index(saved_models.make_rows()[0], drawn)


def _read_torch(content: bytes) -> Arrays:
    """The numbers of all storages, and of each tensor that a plain reader makes of them."""
    # Mutants name these as well, which the product reads without running them.
    named = [np.ndarray, np.dtype, np._core.multiarray._reconstruct, np._core.multiarray.scalar]
    with torch.serialization.safe_globals(named):
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return [tensor.detach().numpy() for tensor in _find_tensors(loaded)]


def _find_tensors(held: object) -> list[Tensor]:
    if isinstance(held, Tensor):
        return [held]
    inside = held.values() if isinstance(held, dict) else held if isinstance(held, list) else ()
    return [tensor for value in inside for tensor in _find_tensors(value)]


def _read_keras(content: bytes) -> Arrays:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return tensor_files.read_h5(archive.read(tensor_files.WEIGHTS))


def _read_model(_: bytes) -> Arrays:
    """All tensors of the good model, and what norms without a scale or a shift have instead."""
    tensors = saved_models.make_tensors().values()
    widened = [np.pad(t, ((1, 0), (1, 0), (0, 0), (0, 0))) for t in tensors if t.ndim == 4]
    return [*tensors, *widened, np.ones(45, "f4"), np.zeros(45, "f4")]


FORGERS = {
    ".pt": (_forge_torch, _read_torch, True),
    ".pth": (_forge_torch, _read_torch, True),
    ".ckpt": (_forge_legacy, _read_torch, False),
    ".safetensors": (tensor_files.mutate_safetensors, tensor_files.read_safetensors, False),
    ".keras": (_forge_keras, _read_keras, True),
    ".h5": (tensor_files.mutate_h5, tensor_files.read_h5, False),
}
