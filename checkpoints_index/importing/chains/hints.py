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
        norm_eps: what batch norm adds to the variance: one number, or one for each batch norm, in
            their order.
        norm: a normalisation without weights where positions leave room for one, of NORMS.
        upsampling: how grids are enlarged in front of convolutions, one of UPSAMPLINGS.
        strides: how much each convolution behind the first grid enlarges, 1 or 2, in their order.
        image_size: width of a picture in px, where kernels leave more than one open.
    """

    activation: str | None = None
    slope: float | None = None
    output: str | None = None
    norm_eps: float | Sequence[float] | None = None
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
        for name, names in CHOICES.items():
            said = getattr(hints, name)
            if said is not None and said not in list(names):
                raise CheckpointError(f"{name}: '{said}' is none of {', '.join(names)}.")
        for name, (low, high) in _RANGES.items():
            said = getattr(hints, name)
            several = said if name == "norm_eps" and isinstance(said, list | tuple) else [said]
            if not several or not all(_lies_within(each, low, high) for each in several):
                raise CheckpointError(f"{name} is a number from {low:g} to {high:g}, not {said}.")
        strides = [] if hints.strides is None else hints.strides
        if not isinstance(strides, list | tuple) or any(s not in (1, 2) for s in strides):
            raise CheckpointError(f"strides is a list of 1 and 2, such as [2,2,1], not {strides}.")
        return hints

    def list_epses(self, norms: Sequence[str]) -> list[float]:
        """What each batch norm adds to the variance.

        Args:
            norms: the names of the batch norms, in their order.

        Raises:
            CheckpointError: a person said several, and another number of them.
        """
        if self.norm_eps is None or isinstance(self.norm_eps, int | float):
            return [USUAL_EPS if self.norm_eps is None else self.norm_eps] * len(norms)
        if len(self.norm_eps) != len(norms):
            raise CheckpointError(
                f"norm_eps has {len(self.norm_eps)} numbers, and there are {len(norms)} batch "
                f"norms: {', '.join(norms) or 'none'}. Say one number for all, or one for each."
            )
        return list(self.norm_eps)

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


CHOICES: dict[str, Sequence[str] | Mapping[str, Any]] = {
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


def say_epses(norms: Sequence[Layer]) -> str:
    """What batch norms add to the variance: one number where all add the same, else each one's.

    Example:
        >>> say_epses([{"eps": 0.8}, {"eps": 0.8}]), say_epses([{}, {"eps": 0.8}])
        ('0.8', '1e-05, 0.8')
    """
    epses = [norm.get("eps", USUAL_EPS) for norm in norms]
    return ", ".join(f"{eps:g}" for eps in (epses if len({*epses}) > 1 else epses[:1]))


def say_layer(layer: Layer) -> str:
    """An activation or another layer without weights in words.

    Example:
        >>> say_layer({"layer": "LeakyReLU", "negative_slope": 0.2})
        'LeakyReLU 0.2'
    """
    settings = [f"{value:g}" for value in layer.values() if isinstance(value, int | float)]
    name = "no activation" if layer["layer"] == "Identity" else layer["layer"]
    return " ".join([name, *settings])
