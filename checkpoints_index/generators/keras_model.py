"""Generators that were made with Keras, run on its torch backend."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.foreign import first_line

os.environ["KERAS_BACKEND"] = "torch"  # Keras reads it once, when it is imported
try:
    import keras
    from keras.src.legacy.saving import saving_utils
except ImportError as error:
    raise CheckpointError(
        "Models of Keras need the extra 'keras': pip install 'latent-city-studio[keras]'"
    ) from error

MAX_SAID = 300  # So many letters of what Keras says are repeated.
MAX_MODEL_BYTES = 1 << 34
# Functions of its other rooms, such as keras.utils, fetch, write and unpack files.
_ROOMS = (
    *("activations", "constraints", "dtype_policies", "initializers", "layers", "models"),
    *("ops", "regularizers"),
)


class KerasGenerator(nn.Module):
    """A Keras model whose weights are parameters `000_kernel`, `001_bias`, ... in its own order.

    Args:
        model: what `keras.saving.serialize_keras_object` makes of the model.
        z_dim: length of a latent point.
        image_size: width and height of a picture in px.

    Raises:
        CheckpointError: the model needs code of somebody else, or is no generator.
    """

    def __init__(self, model: Mapping[str, Any], z_dim: int = 100, image_size: int = 64) -> None:
        super().__init__()
        refuse_code(model)
        refuse_if_huge(model)
        self.z_dim, self.image_size = z_dim, image_size
        with keras.device("cpu"):
            built = keras.saving.deserialize_keras_object(dict(model), safe_mode=True)
            built.build((None, z_dim))
        self._model = (built,)  # In a tuple, torch does not register its weights again.
        self._ends_in_sigmoid = ends_in_sigmoid(built)
        for name, variable in name_variables(built):
            self.register_parameter(name, variable.value)

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, image_size, image_size]; grey is repeated."""
        with keras.device(str(z.device)):
            pictures: Tensor = self._model[0](z, training=False)
        if pictures.shape[-1] in (1, 3):
            pictures = pictures.permute(0, 3, 1, 2)  # [NHWC] -> [NCHW]
        if self._ends_in_sigmoid:
            pictures = 2 * pictures - 1
        return pictures.expand(-1, 3, -1, -1)


def load_keras_model(path: str) -> Any:
    """A whole model from a `.keras` or `.h5` file, without running code of the file."""
    known = _LEGACY if path.lower().endswith(".h5") else None
    with keras.device("cpu"):
        return keras.saving.load_model(path, known, compile=False, safe_mode=True)


class _LegacyConv2DTranspose:
    """Reads the layer as Keras 2 wrote it, with a number of groups that was always 1."""

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Any:
        """The layer of Keras 3."""
        kept = {key: value for key, value in config.items() if key != "groups"}
        if config.get("groups", 1) != 1:
            raise ValueError("a Conv2DTranspose of several groups")
        return keras.layers.Conv2DTranspose.from_config(kept)


_LEGACY = {"Conv2DTranspose": _LegacyConv2DTranspose}


def describe_keras_model(model: Any) -> dict[str, Any]:
    """What `KerasGenerator` rebuilds the model from, of JSON's types."""
    described: dict[str, Any] = keras.saving.serialize_keras_object(model)
    return described


def read_keras_weights(model: Any) -> dict[str, Tensor]:
    """The weights of a model on the CPU, under the names of KerasGenerator's state dict."""
    return {name: variable.value.detach().cpu() for name, variable in name_variables(model)}


def name_variables(model: Any) -> list[tuple[str, Any]]:
    """The variables of a model, named by their order, since Keras counts up the names of layers."""
    return [(f"{i:03}_{variable.name}", variable) for i, variable in enumerate(model.weights)]


def refuse_if_huge(
    described: object, most_bytes: int = MAX_MODEL_BYTES, in_hdf5: bool = False
) -> None:
    """Refuse a model whose weights would take more bytes than there can be, before they do.

    Args:
        described: as for `refuse_code`, or the description in a legacy file.
        most_bytes: so many may its weights take.
        in_hdf5: it stands in an `.h5` file, whose layers may be written as Keras 2 did.

    Raises:
        CheckpointError: they would take more, or nothing shows how many.
    """
    if not isinstance(described, Mapping):
        raise CheckpointError("its description is no model's")
    is_legacy = "module" not in described
    build = saving_utils.model_from_config if is_legacy else keras.saving.deserialize_keras_object
    known = _LEGACY if in_hdf5 else None
    with keras.device("meta"):
        try:
            model = build(copy.deepcopy(dict(described)), custom_objects=known)
            claimed = sum(4 * math.prod(variable.shape) for variable in model.weights)
        except Exception as error:  # Whatever stands in a description, Keras raises anything.
            said = first_line(error)[:MAX_SAID]
            raise CheckpointError(
                "how many weights its layers would have cannot be told without making them "
                f"({type(error).__name__}: {said})"
            ) from error
    if claimed > most_bytes:
        raise CheckpointError(
            f"its layers would take {claimed:,} bytes, more than the {most_bytes:,} that there are"
        )


def ends_in_sigmoid(model: Any) -> bool:
    """Whether a model's pictures are in 0..1 rather than in -1..1."""
    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    return getattr(activation, "__name__", None) == "sigmoid"


def refuse_code(described: object) -> None:
    """Refuse a model that is not made of Keras' own layers alone.

    Args:
        described: what `describe_keras_model` gave, or a part of it.

    Raises:
        CheckpointError: it has a Lambda layer, or a class of somebody else's.
    """
    if isinstance(described, Mapping):
        name, module = described.get("class_name"), described.get("module")
        if name in ("Lambda", "__lambda__") or "__lambda__" in described.values():
            raise CheckpointError("its Lambda layer needs code; replace it by a layer of Keras")
        foreign = isinstance(module, str) and not _is_of_keras(module)
        if foreign or (name and described.get("registered_name") and module is None):
            raise CheckpointError(
                f"it needs the code of {module or 'its'} '{name}'; use Keras' layers"
            )
    values = described.values() if isinstance(described, Mapping) else described
    if isinstance(described, Mapping | list | tuple):
        for value in values:  # type: ignore[attr-defined]
            refuse_code(value)


def _is_of_keras(module: str) -> bool:
    """Whether a module of a description is where Keras keeps layers and their parts."""
    if module in ("keras", "builtins"):
        return True
    first, *inside = module.split(".")
    rooms = inside[1:] if inside[:1] == ["src"] else inside
    return first == "keras" and bool(rooms) and rooms[0] in _ROOMS
