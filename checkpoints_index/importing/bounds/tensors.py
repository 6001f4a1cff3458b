"""Tensors of foreign files: only plain ones, that are no larger than the file that holds them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from checkpoints_index.errors import UnusableFileError

MAX_TENSORS = 20_000
MAX_NAME_LETTERS = 500
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
SHARED_TIMES = 2  # Weights that are tied stand in a file once and in a state dict twice.


def bound_count(count: int) -> None:
    """Refuse more tensors than any network has.

    Raises:
        UnusableFileError: there are more.
    """
    if count > MAX_TENSORS:
        raise UnusableFileError(f"has {count:,} tensors, at most {MAX_TENSORS:,} are read")


def bound_tensors(weights: Mapping[str, Tensor], file_bytes: int) -> None:
    """Refuse tensors that are not plain, or show more numbers than their file holds.

    Args:
        weights: the tensors, by their names.
        file_bytes: size of the file.

    Raises:
        UnusableFileError: the reason.
    """
    for name, tensor in weights.items():
        if len(name) > MAX_NAME_LETTERS:
            raise UnusableFileError(f"has a tensor whose name has {len(name):,} letters")
        _refuse_unless_plain(name, tensor)
    if sum(tensor.nbytes for tensor in weights.values()) > SHARED_TIMES * file_bytes:
        raise UnusableFileError("shows the same numbers as many tensors, more than it holds")


def convert(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A tensor in the dtype that its generator has, where that keeps what it says.

    Args:
        name: its name.
        tensor: of any shape, [...].
        dtype: that of the generator.

    Raises:
        UnusableFileError: its numbers are of a kind, or a size, that the dtype has not.
    """
    if tensor.dtype == dtype:
        return tensor
    if dtype.is_floating_point and tensor.dtype not in FLOATS:
        raise UnusableFileError(
            f"'{name}' is {_name(tensor.dtype)}, and weights are {_name(dtype)}"
        )
    converted = tensor.to(dtype)
    if dtype.is_floating_point and not torch.equal(tensor.isfinite(), converted.isfinite()):
        raise UnusableFileError(f"'{name}' holds numbers that are too large for {_name(dtype)}")
    return converted


def _refuse_unless_plain(name: str, tensor: Tensor) -> None:
    kind = ""
    if tensor.is_quantized:
        kind = "quantized"
    elif tensor.layout != torch.strided:
        kind = "sparse"
    elif tensor.device.type != "cpu":
        kind = f"on the device '{tensor.device.type}', without its numbers"
    elif tensor.dtype.is_complex or (tensor.dtype.is_floating_point and tensor.dtype not in FLOATS):
        kind = _name(tensor.dtype)
    if kind:
        raise UnusableFileError(
            f"'{name}' is {kind}; weights are plain tensors of "
            f"{', '.join(_name(dtype) for dtype in FLOATS)}"
        )
    if tensor.nbytes > tensor.untyped_storage().nbytes():
        raise UnusableFileError(
            f"'{name}' repeats its numbers to a shape of {list(tensor.shape)}; "
            "save it as tensor.clone()"
        )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
