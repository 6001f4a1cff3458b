"""Where the units of a network's hidden layers lie, as its architecture declares it.

A unit is a channel, a neuron, or a group of channels that belong together. It is made by some
tensors and read by others; whoever takes it away takes its place away in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class TensorAxis:
    """An axis of a tensor along which units lie.

    Attributes:
        tensor: its name in the state dict.
        axis: the axis.
        span: how many places one unit takes, one after another.
    """

    tensor: str
    axis: int
    span: int = 1


@dataclass(frozen=True)
class ConstantSum:
    """Where a unit that never changes can be added to a bias instead, exactly.

    Only readers that meet every unit with all of their weights at each place can do so: dense
    layers, 1x1 convolutions and convolutions without padding, but none that pads borders.

    Attributes:
        bias: the tensor that takes it.
        weight: the tensor that reads the unit.
        unit_axis, out_axis: the axes of `weight` along which units and outputs lie.
    """

    bias: str
    weight: str
    unit_axis: int
    out_axis: int


@dataclass(frozen=True)
class HiddenLayer:
    """The units of one hidden layer.

    Attributes:
        name: what people call it, such as `blocks.0`.
        units: how many there are.
        own: the axes of the tensors that make a unit, normalisation included.
        read: the axes of the tensors that read it; a tensor may do both along two axes.
        readers: the modules whose input has the units along axis 1.
        span: how many places of that axis one unit takes.
        constant: where a unit that never changes can go; None where that is not exact.
    """

    name: str
    units: int
    own: tuple[TensorAxis, ...]
    read: tuple[TensorAxis, ...]
    readers: tuple[str, ...]
    span: int = 1
    constant: ConstantSum | None = None


class Reshapable(Protocol):
    """What an architecture declares whose layers can become narrower, wider and more.

    Options are those that a network is constructed with; each method is called on the class.
    """

    @staticmethod
    def hidden_layers(options: Mapping[str, Any]) -> list[HiddenLayer]:
        """The hidden layers from the latent point to the picture.

        Raises:
            CheckpointError: with these options its units cannot be told apart.
        """

    @staticmethod
    def resize(options: Mapping[str, Any], units: Mapping[str, int]) -> dict[str, Any]:
        """The options of the same network with so many units in each of its hidden layers."""

    @staticmethod
    def deepen(options: Mapping[str, Any], layer: str) -> dict[str, Any]:
        """The options of the same network with one more layer behind a hidden layer.

        The tensors that it has in addition are drawn such that the layer is the identity.
        """
