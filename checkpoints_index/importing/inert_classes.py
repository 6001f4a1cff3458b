"""What may lie beside weights in a file of `torch.save`, without being made: the closed list.

Each of these names stands for a class of this module that keeps nothing, except a `defaultdict`,
which is a plain mapping here, since weights may lie in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class LeftOut:
    """Stands for a value that no generator needs."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        """Forget the state as well."""


def make_mapping(*_: object) -> dict[Any, Any]:
    """A mapping to be filled; what makes its missing values is left out."""
    return {}


_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_LEFT_OUT = (
    "argparse.Namespace",
    *(f"{module}.{name}" for module in _MULTIARRAY for name in ("scalar", "_reconstruct")),
    *("numpy.ndarray", "numpy.dtype"),
    *(f"pathlib.{kind}Path" for kind in ("", "Pure", "Posix", "Windows", "PurePosix")),
    *("pathlib.PureWindowsPath", "pathlib._local.PosixPath", "pathlib._local.WindowsPath"),
    *(f"builtins.{name}" for name in ("list", "dict", "int", "float", "str", "tuple")),
    *(f"__builtin__.{name}" for name in ("list", "dict", "int", "float", "str", "tuple")),
)
INERT: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (make_mapping, "collections.defaultdict"),
    *((LeftOut, name) for name in _LEFT_OUT),
]
