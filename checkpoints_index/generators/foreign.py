"""Generators of other people's programs: `package.module:Class`."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from checkpoints_index.errors import (
    CheckpointError,
    GeneratorOptionsError,
    UntrustedClassError,
    WrongInputError,
)
from checkpoints_index.generators.class_places import find_place, is_loaded
from checkpoints_index.generators.noise import cards_of, draw_seeded, draws_random_numbers

SIZES = ("z_dim", "image_size")  # A spec knows these; a foreign constructor need not take them.


class LatentPointsToPictures(nn.Module):
    """Lets a foreign generator take z [N, z_dim] and give [N, 3, H, W]; its weights stay its own.

    The foreign class comes behind it among the bases of a new class, so that the names of its
    tensors do not change.
    """

    _z_axes: int | None = None  # 2 for [N, z_dim], 4 for [N, z_dim, 1, 1]; found on first use.
    draws_noise: bool | None = None  # Whether its pictures hold noise; found on first use in eval.

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, H, W]; grey is repeated.

        In eval mode a picture is a function of its latent point: noise that the network draws is
        seeded by the point.

        Raises:
            WrongInputError: the network takes no z of this length, or makes no pictures of it.
        """
        if self._z_axes is None:
            with torch.random.fork_rng(devices=cards_of(z)):
                self._z_axes = self._find_z_axes(z[:1])
        if self.training:
            return self._draw(z)
        if self.draws_noise is None:
            self.draws_noise = draws_random_numbers(self._draw, z[:1])
        return draw_seeded(self._draw, z) if self.draws_noise else self._draw(z)

    def _draw(self, z: Tensor) -> Tensor:
        """What the foreign network makes of z, as float [N, 3, H, W]."""
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


def build_foreign(name: str, options: dict[str, Any], place: Path | None = None) -> nn.Module:
    """A generator of class `package.module:Class`, constructed with the options.

    Args:
        name: the class, of which a subclass is made.
        options: what it is constructed with; `z_dim` and `image_size` are handed to constructors
            that take arguments of these names.
        place: see `import_class`.

    Raises:
        CheckpointError: there is no such class, or it is no nn.Module.
        GeneratorOptionsError: it does not take the options.
    """
    foreign = import_class(name, place)
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


def import_class(name: str, place: Path | None = None) -> type[nn.Module]:
    """The class `package.module:Class`, whose code is run.

    Args:
        place: the file or folder of its package, from which alone it may come unless this process
            has it already; None for an installed package or one in the current folder.

    Raises:
        UntrustedClassError: its package is found elsewhere; nothing was run.
        CheckpointError: the module cannot be imported, or holds no such nn.Module.
    """
    module_name, _, class_name = name.partition(":")
    if not module_name or not class_name.isidentifier():
        raise CheckpointError(f"'{name}' names no class. Write it as package.module:Class.")
    folder = Path.cwd() if place is None else place.parent
    if place is not None and not is_loaded(name):
        found = find_place(name, folder)
        if found not in (None, place):
            raise UntrustedClassError(name, found, place)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # Foreign code may raise anything.
        raise CheckpointError(
            f"'{module_name}' of generator '{name}' cannot be imported "
            f"({type(error).__name__}: {first_line(error)}). It is looked for in {folder}; "
            "go to where it lies, or name that folder in PYTHONPATH."
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
