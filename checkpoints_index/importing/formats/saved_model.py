"""Generators in folders of TensorFlow's SavedModel, read without TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing.bounds.guard import read_bounded
from checkpoints_index.importing.formats.keras_layers import ChainWriter
from checkpoints_index.importing.formats.protobuf import raw, read_message
from checkpoints_index.importing.formats.tensor_bundle import INDEX, TensorBundle

VARIABLES, METADATA, GRAPH = "variables", "keras_metadata.pb", "saved_model.pb"
MAX_METADATA_BYTES, MAX_GRAPH_BYTES = 1 << 24, 1 << 26


def is_saved_model(folder: Path) -> bool:
    """Whether a folder is a SavedModel with variables."""
    return (folder / VARIABLES / INDEX).is_file()


def read_saved_model(folder: Path, check: bool) -> tuple[GeneratorSpec, dict[str, Tensor]]:
    """The generator of a SavedModel of a `Sequential` of Keras, as a `chain`.

    Args:
        folder: it holds `variables`, and `keras_metadata.pb` or, of TensorFlow before 2.5,
            `saved_model.pb`.
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
    """What the description of the model says about each layer, in their order."""
    content, file = _find_root(folder)
    try:
        root = json.loads(content)
        if root["class_name"] != "Sequential":
            raise UnusableFileError(
                f"is a model of class '{str(root['class_name'])[:40]}', and only a Sequential "
                "shows the order of its layers; save it as .keras or .h5"
            )
        # The configuration of a Sequential was the list of its layers in early versions of Keras.
        config = root["config"]
        layers: list[dict[str, Any]] = config if isinstance(config, list) else config["layers"]
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableFileError(f"is damaged: its {file} describes no model") from error
    return layers


def _find_root(folder: Path) -> tuple[bytes, str]:
    """The JSON that describes the whole model, and the name of the file that it stands in."""
    path = folder / METADATA
    if path.is_file():
        for content in raw(read_message(read_bounded(path, MAX_METADATA_BYTES)), 1):
            node = read_message(content)
            if raw(node, 3) == [b"root"]:
                return raw(node, 5)[0], METADATA
        raise UnusableFileError(f"is damaged: its {METADATA} has no model")
    path = folder / GRAPH
    if path.is_file() and (found := _find_in_graph(read_bounded(path, MAX_GRAPH_BYTES))):
        return found, GRAPH
    raise UnusableFileError(
        f"has no {METADATA}, and no {GRAPH} in which TensorFlow before 2.5 wrote how the layers "
        "are put together; save the model again as .keras or .h5"
    )


def _find_in_graph(content: bytes) -> bytes:
    """The description of the model in a `saved_model.pb`; empty where there is none.

    The messages are SavedModel, its MetaGraphDef (2), its SavedObjectGraph (7), and of that the
    first SavedObject (1), which is the root, its SavedUserObject (4) and its metadata (3).
    """
    for number in (2, 7, 1, 4):
        found = raw(read_message(content), number)
        if not found:
            return b""
        content = found[0]
    return next(iter(raw(read_message(content), 3)), b"")
