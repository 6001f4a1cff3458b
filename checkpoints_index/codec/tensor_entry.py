"""One tensor of a state dict as a segment holds it: exact, or on a lattice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from checkpoints_index.codec.packing import ExponentField

INTEGER_OF_SIZE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_EXPONENT_FIELDS: dict[str, ExponentField | None] = {
    "lattice": None,
    "float16": (10, 0x1F),
    "bfloat16": (7, 0xFF),
    "float32": (23, 0xFF),
    "float64": (52, 0x7FF),
    "integer": (0, 0),
}


class IntegerKind(NamedTuple):
    """A kind of integers, which share one flat array.

    Attributes:
        origin: what they were made of: "lattice", "integer" or the name of a float.
        itemsize: bytes that each of them takes.
    """

    origin: str
    itemsize: int

    @property
    def is_float(self) -> bool:
        """Whether they are the bits of floats."""
        return self.origin not in ("lattice", "integer")

    def exponent_field(self, reversible: bool) -> ExponentField | None:
        """Where in its base a block finds how long its differences are likely to be.

        Args:
            reversible: whether differences must lead back as well, to a base that is not known
                yet and hence cannot help.

        Returns:
            None for a lattice, whose differences are small; (0, 0) where the base does not help.
        """
        field = _EXPONENT_FIELDS[self.origin]
        return (0, 0) if field is not None and reversible else field


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of a state dict.

    Args:
        name: its name there.
        shape: its shape.
        dtype: the name of its dtype, such as "float32".
        step: it is rounded to multiples of this; None where every bit is kept.
        lattice_bytes: size of the integers that count the steps, 2 or 4.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    step: float | None = None
    lattice_bytes: int = 2

    @classmethod
    def from_json(cls, document: Any) -> TensorEntry:
        """The entry in the header of a segment, which may be anybody's.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(document, dict) or document.keys() != cls.__dataclass_fields__.keys():
            raise ValueError("a tensor in it has other facts than a tensor has")
        shape, step = document["shape"], document["step"]
        plain = isinstance(document["name"], str) and document["lattice_bytes"] in (2, 4)
        dtype = getattr(torch, str(document["dtype"]), None)
        if not isinstance(dtype, torch.dtype) or dtype.itemsize not in INTEGER_OF_SIZE:
            raise ValueError(f"'{str(document['name'])[:40]}' in it has a dtype that is not kept")
        has_shape = isinstance(shape, list | tuple) and all(
            type(n) is int and n >= 0 for n in shape
        )
        has_step = step is None or (type(step) is float and 0 < step < math.inf)
        is_rounded = step is not None and not dtype.is_floating_point
        if not (plain and has_shape and has_step) or is_rounded:
            raise ValueError(f"'{str(document['name'])[:40]}' in it is no tensor")
        return cls(**{**document, "shape": tuple(shape)})

    @property
    def torch_dtype(self) -> torch.dtype:
        """Its dtype."""
        return cast(torch.dtype, getattr(torch, self.dtype))

    @property
    def size(self) -> int:
        """Number of its weights."""
        return math.prod(self.shape)

    def round(self, tensor: Tensor) -> Tensor:
        """The tensor [...] as it is read back, where it has a step.

        Meanwhile it takes the memory of one more tensor of its size in float32.
        """
        assert self.step is not None
        items = tensor.detach().float() * (1 / self.step)
        return from_lattice(items.round_(), self.step, self.torch_dtype)

    @property
    def kind(self) -> IntegerKind:
        """The integers that it becomes."""
        if self.step is not None:
            return IntegerKind("lattice", self.lattice_bytes)
        origin = self.dtype if self.dtype in _EXPONENT_FIELDS else "integer"
        return IntegerKind(origin, self.torch_dtype.itemsize)


def from_lattice(items: Tensor, step: float, dtype: torch.dtype) -> Tensor:
    """Weights of a lattice in a dtype; what lies beyond its largest number is that number.

    Args:
        items: float32 [...], whole numbers; changed.
        step: the lattice's step.
        dtype: that of the weights.
    """
    largest = largest_weight(dtype)
    return items.mul_(step).clamp_(-largest, largest).to(dtype)


def find_peak(tensor: Tensor) -> float:
    """The largest magnitude in a tensor [...] of at least one weight; NaN where there is a NaN."""
    least, largest = torch.aminmax(tensor.detach())
    return max(-float(least), float(largest))


def largest_weight(dtype: torch.dtype) -> float:
    """The largest number of a dtype that a lattice, which is computed in float32, can hold."""
    return min(torch.finfo(dtype).max, torch.finfo(torch.float32).max)
