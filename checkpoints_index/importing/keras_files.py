"""Finding a generator in a whole model of Keras."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from checkpoints_index.errors import CheckpointError, UnusableFileError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing.bounds.archives import bound_archive
from checkpoints_index.importing.bounds.guard import open_once
from checkpoints_index.importing.bounds.hdf5 import bound_hdf5

SUFFIXES = (".keras", ".h5")


class KerasFinder:
    """Finds generators in `.keras` and legacy `.h5` files; equal models have one and the same spec.

    Keras counts up the names of layers with every model that is made, so names do not tell models
    apart.
    """

    def __init__(self) -> None:
        self._known: dict[str, GeneratorSpec] = {}

    def find(self, path: Path) -> tuple[GeneratorSpec, dict[str, Tensor]]:
        """The spec and the weights of a file's model.

        Raises:
            UnusableFileError: it holds no generator, is damaged, or needs code; or Keras is
                missing here.
        """
        try:
            from checkpoints_index.generators import keras_model

            config = _read_config(path)
            keras_model.refuse_code(config)
            in_hdf5 = path.suffix.lower() == ".h5"
            keras_model.refuse_if_huge(config, path.stat().st_size, in_hdf5)
        except CheckpointError as error:
            raise UnusableFileError(str(error).rstrip(".")) from error
        model = keras_model.load_keras_model(str(path))
        z_dim, image_size = _measure(model)
        described = json.loads(json.dumps(keras_model.describe_keras_model(model)))
        options = {"z_dim": z_dim, "image_size": image_size, "model": described}
        key, weights = _nameless(described), keras_model.read_keras_weights(model)
        if key not in self._known:
            spec = GeneratorSpec("keras", options)
            _draw_once(spec, weights)
            self._known[key] = spec
        return self._known[key], weights


def _read_config(path: Path) -> Any:
    """What a file says about its model, without building it."""
    with open_once(path) as opened:
        return _read_description(opened.path, opened.size_bytes)


def _read_description(path: Path, file_bytes: int) -> Any:
    import h5py

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            bound_archive(archive, file_bytes)
            if archive.testzip() is not None:
                raise UnusableFileError("is damaged: it does not match its checksums")
            with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
                bound_hdf5(file, file_bytes)
            return json.loads(archive.read("config.json"))
    with h5py.File(path) as file:
        bound_hdf5(file, file_bytes)
        config = file.attrs.get("model_config")
    if config is None:
        raise UnusableFileError(
            "holds no whole model of Keras (weights alone, or data); save it by model.save(FILE)"
        )
    return json.loads(config)


def _measure(model: Any) -> tuple[int, int]:
    """z_dim and image_size of a generator.

    Raises:
        UnusableFileError: the model is something else.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UnusableFileError(
            f"has {len(model.inputs)} inputs and {len(model.outputs)} outputs, "
            "rather than a latent point and a picture"
        )
    taken, given = model.inputs[0].shape, model.outputs[0].shape
    makes_pictures = len(given) == 4 and {given[1], given[3]} & {1, 3}
    if len(taken) != 2 or not makes_pictures:
        raise UnusableFileError(
            f"turns {_text(taken)} into {_text(given)}, rather than latent points into pictures"
        )
    return int(taken[1]), int(given[2])


@torch.inference_mode()
def _draw_once(spec: GeneratorSpec, weights: dict[str, Tensor]) -> None:
    """Draw a picture, since Keras takes numbers that its layers cannot compute with.

    Raises:
        UnusableFileError: there is none, or it has another size than the model says.
    """
    G = spec.build()
    G.load_state_dict(weights)
    try:
        size = tuple(G(torch.zeros(1, spec.z_dim)).shape[1:])
    except Exception as error:  # Layers raise errors of every kind.
        raise UnusableFileError(
            f"describes a model that cannot draw a picture ({type(error).__name__})"
        ) from error
    if size != (3, spec.image_size, spec.image_size):
        raise UnusableFileError(
            f"makes pictures of {' x '.join(map(str, size[1:]))} pixels, rather than square ones"
        )


def _nameless(described: object) -> str:
    """The description of a model as a text, without the names of layers."""
    return json.dumps(_without_names(described), sort_keys=True)


def _without_names(described: object) -> object:
    if isinstance(described, dict):
        return {k: _without_names(v) for k, v in described.items() if k != "name"}
    if isinstance(described, list):
        return [_without_names(value) for value in described]
    return described


def _text(shape: Any) -> str:
    return str(["N", *shape[1:]]).replace("'", "")
