"""Pickled latent points, read without running what a pickle asks for.

A pickle of NumPy names four things: `_reconstruct`, `ndarray`, `dtype` and `scalar`. Each is
replaced by a stand-in of this module, so that nothing of a pickle reaches NumPy but plain bytes
whose length was compared with their shape.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

from checkpoints_index.errors import UnusableFileError

MAX_OPCODES = 200_000
MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
NUMBERS = {f"{kind}{size}" for kind in "fiu" for size in (2, 4, 8)} | {"i1", "u1"}


def read_pickle(content: bytes) -> Any:
    """What a pickle of plain values and arrays of numbers holds.

    Args:
        content: the whole file.

    Raises:
        UnusableFileError: it names anything else, or asks for more than it holds.
        Exception: it is no pickle; whatever reading it raises.
    """
    memo_keys = ("PUT", "BINPUT", "LONG_BINPUT")
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        claimed = argument if opcode.name in memo_keys else count
        if not isinstance(claimed, int) or claimed > MAX_OPCODES:
            raise UnusableFileError("is a larger pickle than one of latent points")
    return _unwrap(_PointUnpickler(io.BytesIO(content)).load())


class _PointUnpickler(pickle.Unpickler):
    """Knows the four names and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of a name.

        Raises:
            UnusableFileError: the name is another.
        """
        if module not in MODULES or name not in STAND_INS:
            raise UnusableFileError(
                f"needs '{module}.{name}' to be read, and code in files is not run; save the "
                "numbers with numpy.save(FILE, z)"
            )
        return STAND_INS[name]


class _Dtype:
    """A dtype of plain numbers, as a pickle describes it."""

    def __init__(self, name: object, *_: object) -> None:
        if name not in NUMBERS:
            raise UnusableFileError(f"holds {str(name)[:20]!r}, and no plain numbers")
        self.numpy = np.dtype(str(name))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] == ">":
            self.numpy = self.numpy.newbyteorder(">")


class _Array:
    """An array, as a pickle describes it."""

    def __init__(self, *_: object) -> None:
        self.values = np.zeros(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, by_columns, content = state
        self.values = _shape_bytes(content, dtype, shape, "F" if by_columns else "C")


class _Scalar(_Array):
    """One number, as a pickle describes it."""

    def __init__(self, dtype: _Dtype, content: bytes) -> None:
        self.values = _shape_bytes(content, dtype, (), "C")


def _shape_bytes(content: bytes, dtype: _Dtype, shape: tuple[int, ...], order: Any) -> np.ndarray:
    """Bytes as an array, which they fill exactly."""
    plain = isinstance(content, bytes) and all(type(n) is int and n >= 0 for n in shape)
    if not plain or math.prod(shape) * dtype.numpy.itemsize != len(content):
        raise UnusableFileError("is damaged: an array in it has not as many bytes as it says")
    return np.frombuffer(content, dtype.numpy).reshape(shape, order=order)


def _unwrap(value: Any) -> Any:
    """Arrays in place of their stand-ins, in lists and tables of one level."""
    if isinstance(value, _Array):
        return value.values
    if isinstance(value, list | tuple):
        return [each.values if isinstance(each, _Array) else each for each in value]
    if isinstance(value, dict):
        return {k: each.values if isinstance(each, _Array) else each for k, each in value.items()}
    return value


STAND_INS: dict[str, Callable[..., Any]] = {
    "_reconstruct": _Array,
    "ndarray": _Array,
    "dtype": _Dtype,
    "scalar": _Scalar,
}
