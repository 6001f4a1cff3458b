"""Generators in folders of TensorFlow's SavedModel, read without TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing.bounds.guard import look_at
from checkpoints_index.importing.formats.keras_layers import ChainWriter
from checkpoints_index.importing.formats.protobuf import raw, read_message
from checkpoints_index.importing.formats.tensor_bundle import INDEX, TensorBundle

VARIABLES, METADATA = "variables", "keras_metadata.pb"
MAX_METADATA_BYTES = 1 << 24


def is_saved_model(folder: Path) -> bool:
    """Whether a folder is a SavedModel with variables."""
    return (folder / VARIABLES / INDEX).is_file()


def read_saved_model(folder: Path, check: bool) -> tuple[GeneratorSpec, dict[str, Tensor]]:
    """The generator of a SavedModel of a `Sequential` of Keras, as a `chain`.

    Args:
        folder: it holds `variables` and `keras_metadata.pb`.
        check: hold the numbers against their checksums; the index always is.

    Returns:
        The spec and the weights that its generator loads.

    Raises:
        UnusableFileError: it is no generator, damaged, or has layers that no chain has.
        OSError: a file cannot be read.
    """
    layers = _read_layers(folder)
    bundle = TensorBundle(folder / VARIABLES)
    writer = ChainWriter(lambda name: bundle.read(name, check))
    for layer in layers:
        writer.add(layer["class_name"], layer["config"])
    spec = writer.spec()
    weights = {name: torch.from_numpy(array) for name, array in writer.weights.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in spec.expected_weights().items()}
    if expected != {name: tuple(tensor.shape) for name, tensor in weights.items()}:
        raise UnusableFileError("is damaged: its variables do not fit its layers")
    return spec, weights


def _read_layers(folder: Path) -> list[dict[str, Any]]:
    """What the metadata says about each layer, in their order."""
    path = folder / METADATA
    if not path.is_file():
        raise UnusableFileError(
            f"has no {METADATA} (TensorFlow before 2.5), so that nothing says how its layers are "
            "put together; save the model again with a newer TensorFlow, or as .h5"
        )
    if look_at(path).size_bytes > MAX_METADATA_BYTES:
        raise UnusableFileError(f"has a {METADATA} of more than {MAX_METADATA_BYTES:,} bytes")
    for content in raw(read_message(path.read_bytes()), 1):
        node = read_message(content)
        if raw(node, 3) == [b"root"]:
            root = json.loads(raw(node, 5)[0])
            break
    else:
        raise UnusableFileError(f"is damaged: its {METADATA} has no model")
    if root.get("class_name") != "Sequential":
        raise UnusableFileError(
            f"is a model of class '{str(root.get('class_name'))[:40]}', and only a Sequential "
            "shows the order of its layers; save it as .keras or .h5"
        )
    layers: list[dict[str, Any]] = root["config"]["layers"]
    return layers
