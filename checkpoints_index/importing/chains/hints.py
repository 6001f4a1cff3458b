"""What shapes do not show, where a person says it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checkpoints_index.errors import CheckpointError
from checkpoints_index.importing.refusals import UnknownHintError

Layer = dict[str, Any]  # A layer as a chain takes it.

USUAL_SLOPE, USUAL_EPS = 0.2, 1e-5
ACTIVATIONS: dict[str, Layer] = {
    "relu": {"layer": "ReLU"},
    "leaky_relu": {"layer": "LeakyReLU", "negative_slope": USUAL_SLOPE},
    "elu": {"layer": "ELU"},
    "selu": {"layer": "SELU"},
    "gelu": {"layer": "GELU"},
    "silu": {"layer": "SiLU"},
    "tanh": {"layer": "Tanh"},
    "none": {"layer": "Identity"},
}
OUTPUTS: dict[str, Layer] = {
    "tanh": {"layer": "Tanh"},
    "sigmoid": {"layer": "Sigmoid"},
    "none": {"layer": "Identity"},  # What renders clamps: a picture ends at black and white.
}
NORMS = ("none", "instance", "pixel")
UPSAMPLINGS = ("nearest", "bilinear")
MAX_IMAGE_PX = 4096


@dataclass(frozen=True)
class Hints:
    """What shapes do not show, where a person says it; None is for what is to be found out.

    Args:
        activation: stands between layers, one of ACTIVATIONS.
        slope: of a leaky ReLU below 0.
        output: stands behind the last layer, one of OUTPUTS; tanh if None.
        norm_eps: what batch norm adds to the variance.
        norm: a normalisation without weights where positions leave room for one, of NORMS.
        upsampling: how grids are enlarged in front of convolutions, one of UPSAMPLINGS.
        strides: how much each convolution behind the first grid enlarges, 1 or 2, in their order.
        image_size: width of a picture in px, where kernels leave more than one open.
    """

    activation: str | None = None
    slope: float | None = None
    output: str | None = None
    norm_eps: float | None = None
    norm: str | None = None
    upsampling: str | None = None
    strides: Sequence[int] | None = None
    image_size: int | None = None

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Hints:
        """The hints among options that a person gave.

        Args:
            options: values by the names of the fields.

        Raises:
            UnknownHintError: there is no such option.
            CheckpointError: a value is not among those that there are.
        """
        known = list(cls.__dataclass_fields__)
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise UnknownHintError(unknown, known)
        hints = cls(**options)
        for name, names in _CHOICES.items():
            said = getattr(hints, name)
            if said is not None and said not in list(names):
                raise CheckpointError(f"{name}: '{said}' is none of {', '.join(names)}.")
        for name, (low, high) in _RANGES.items():
            if not _lies_within(getattr(hints, name), low, high):
                raise CheckpointError(
                    f"{name} is a number from {low:g} to {high:g}, not {getattr(hints, name)}."
                )
        strides = [] if hints.strides is None else hints.strides
        if not isinstance(strides, list | tuple) or any(s not in (1, 2) for s in strides):
            raise CheckpointError(f"strides is a list of 1 and 2, such as [2,2,1], not {strides}.")
        return hints

    def name_activation(self, usual: str) -> str:
        """The activation that is meant, of ACTIVATIONS: a slope alone means a leaky one."""
        return self.activation or ("leaky_relu" if self.slope is not None else usual)

    def describe_activation(self, usual: str) -> Layer:
        """The activation as a chain takes it."""
        name = self.name_activation(usual)
        layer = dict(ACTIVATIONS[name])
        if name == "leaky_relu" and self.slope is not None:
            layer["negative_slope"] = float(self.slope)
        return layer


_CHOICES: dict[str, Sequence[str] | Mapping[str, Any]] = {
    "activation": ACTIVATIONS,
    "output": OUTPUTS,
    "norm": NORMS,
    "upsampling": UPSAMPLINGS,
}
_RANGES = {"slope": (0, 1), "norm_eps": (0, 10), "image_size": (1, MAX_IMAGE_PX)}


def _lies_within(value: object, low: float, high: float) -> bool:
    if value is None:
        return True
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and low <= value <= high  # type: ignore[arg-type, operator]


def say_layer(layer: Layer) -> str:
    """An activation or another layer without weights in words.

    Example:
        >>> say_layer({"layer": "LeakyReLU", "negative_slope": 0.2})
        'LeakyReLU 0.2'
    """
    settings = [f"{value:g}" for value in layer.values() if isinstance(value, int | float)]
    name = "no activation" if layer["layer"] == "Identity" else layer["layer"]
    return " ".join([name, *settings])
