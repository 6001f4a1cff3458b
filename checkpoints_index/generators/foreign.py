"""Generators of other people's programs: `package.module:Class`."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from checkpoints_index.errors import CheckpointError, GeneratorOptionsError, WrongInputError

SIZES = ("z_dim", "image_size")  # A spec knows these; a foreign constructor need not take them.


class LatentPointsToPictures(nn.Module):
    """Lets a foreign generator take z [N, z_dim] and give [N, 3, H, W]; its weights stay its own.

    The foreign class comes behind it among the bases of a new class, so that the names of its
    tensors do not change.
    """

    _z_axes: int | None = None  # 2 for [N, z_dim], 4 for [N, z_dim, 1, 1]; found on first use.

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, H, W]; grey is repeated.

        Raises:
            WrongInputError: the network takes no z of this length, or makes no pictures of it.
        """
        if self._z_axes is None:
            self._z_axes = self._find_z_axes(z[:1])
        pictures: Tensor = super().forward(z if self._z_axes == 2 else z[:, :, None, None])
        return pictures.expand(-1, 3, -1, -1)

    def _find_z_axes(self, z: Tensor) -> int:
        """The number of axes with which the network accepts z and turns it into pictures."""
        refusals = []
        for z_axes, given in ((2, z), (4, z[:, :, None, None])):
            try:
                check_pictures(super().forward(given))
            except Exception as error:  # Foreign code may raise anything.
                refusals.append(first_line(error))
            else:
                return z_axes
        name = type(self).__name__
        raise WrongInputError(
            f"'{name}' takes z neither as {list(z.shape)} ({refusals[0]}) nor as "
            f"{[*z.shape, 1, 1]} ({refusals[1]}). A generator turns z into pictures "
            "[N, 1 or 3, H, W]."
        )


def build_foreign(name: str, options: dict[str, Any]) -> nn.Module:
    """A generator of class `package.module:Class`, constructed with the options.

    Args:
        name: the class, of which a subclass is made.
        options: what it is constructed with; `z_dim` and `image_size` are handed to constructors
            that take arguments of these names.

    Raises:
        CheckpointError: there is no such class, or it is no nn.Module.
        GeneratorOptionsError: it does not take the options.
    """
    foreign = import_class(name)
    taken = inspect.signature(foreign).parameters
    given = {key: value for key, value in options.items() if key not in SIZES or key in taken}
    adapted = type(foreign.__name__, (LatentPointsToPictures, foreign), {})
    try:
        generator: nn.Module = adapted(**given)
    except Exception as error:  # Foreign code may raise anything.
        raise GeneratorOptionsError(
            f"'{name}' cannot be built with {given}: {first_line(error)}. "
            f"It takes: {', '.join(taken) or 'nothing'}."
        ) from error
    return generator


def import_class(name: str) -> type[nn.Module]:
    """The class `package.module:Class`, also from the current folder, whose code is run.

    Raises:
        CheckpointError: the module cannot be imported, or holds no such nn.Module.
    """
    module_name, _, class_name = name.partition(":")
    if not module_name or not class_name.isidentifier():
        raise CheckpointError(f"'{name}' names no class. Write it as package.module:Class.")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # Foreign code may raise anything.
        raise CheckpointError(
            f"'{module_name}' of generator '{name}' cannot be imported "
            f"({type(error).__name__}: {first_line(error)}). It is looked for in the current "
            "folder; go to where it lies, or name that folder in PYTHONPATH."
        ) from error
    found = getattr(module, class_name, None)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        known = [n for n, value in vars(module).items() if _is_network_of(module_name, value)]
        raise CheckpointError(
            f"'{module_name}' has no nn.Module called '{class_name}'. "
            f"It has: {', '.join(known) or 'none'}."
        )
    return found


def check_pictures(pictures: object) -> None:
    """Refuse what are no pictures [N, 1 or 3, H, W].

    Raises:
        ValueError: they are none; the message says what they are.
    """
    if not isinstance(pictures, torch.Tensor):
        raise ValueError(f"it gave {type(pictures).__name__} rather than a tensor")
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
        raise ValueError(f"it gave {list(pictures.shape)} rather than pictures")


def first_line(error: BaseException) -> str:
    """The first line of an error's text, without a full stop; its class where it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _is_network_of(module_name: str, value: object) -> bool:
    networks = isinstance(value, type) and issubclass(value, nn.Module)
    return networks and value.__module__ == module_name
