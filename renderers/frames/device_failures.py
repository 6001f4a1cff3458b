"""Tell what a device did from what the program did wrong, and what ran out of memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch

# What libraries of an accelerator say where they raise a plain RuntimeError.
_OF_DEVICES = re.compile(
    r"\b(CUDA|HIP|cu(DNN|BLAS|FFT|SPARSE|SOLVER)|MIOpen|Triton)\b.{0,12}\b(error|failure)\b"
    r"|\bCU(DNN|BLAS|FFT|SPARSE|SOLVER)_[A-Z_]*(STATUS|ERROR|FAILED)|\bNVML|\bNVIDIA driver\b"
    r"|\bCUDA (GPUs are|unknown|driver|out of memory)|\bMPS backend|unable to find an engine",
    re.IGNORECASE,
)
# A device says these where it was asked for something that no device could do.
_OWN_MISTAKES = re.compile(
    r"device-side assert|invalid (configuration )?argument|_BAD_PARAM|_INVALID_VALUE"
)
_OUT_OF_MEMORY = re.compile(r"out of memory|_ALLOC(ATION)?_FAILED", re.IGNORECASE)
MAX_TOLD = 200  # characters of what a device said; more are advice to programmers


def is_device_failure(error: BaseException) -> bool:
    """Whether a device failed, or ran out of memory, so that another one may do the same work.

    An index out of bounds, or an argument that no device takes, is the program's mistake.

    Example:
        >>> is_device_failure(RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"))
        True
        >>> is_device_failure(RuntimeError("CUDA error: device-side assert triggered"))
        False
    """
    return any(map(_is_of_device, _causes(error)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether smaller passes may help: also where a library says so in words of its own.

    Example:
        >>> is_out_of_memory(RuntimeError("cuBLAS error: CUBLAS_STATUS_ALLOC_FAILED"))
        True
        >>> is_out_of_memory(RuntimeError("CUDA error: unspecified launch failure"))
        False
    """
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return _is_of_device(error) and bool(_OUT_OF_MEMORY.search(str(error)))


def describe_failure(error: BaseException) -> str:
    """What the device said, in its first sentence.

    Example:
        >>> describe_failure(RuntimeError("CUDA error: the launch failed\\nCompile with ..."))
        'CUDA error: the launch failed'
    """
    said = next(filter(_is_of_device, _causes(error)), error)
    first_line = str(said).strip().partition("\n")[0].partition(". ")[0]
    return first_line[:MAX_TOLD].rstrip(". ") or type(said).__name__


def _is_of_device(error: BaseException) -> bool:
    if isinstance(error, torch.OutOfMemoryError):
        return True
    if not isinstance(error, RuntimeError) or _OWN_MISTAKES.search(str(error)):
        return False
    return isinstance(error, torch.AcceleratorError) or bool(_OF_DEVICES.search(str(error)))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
