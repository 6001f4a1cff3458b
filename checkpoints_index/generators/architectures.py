"""Generator architectures by name, and building them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.chain import ChainGenerator
from checkpoints_index.generators.dcgan import DCGANGenerator
from checkpoints_index.generators.foreign import build_foreign, first_line
from checkpoints_index.generators.letters.letters_generator import LettersGenerator
from checkpoints_index.generators.residual import ResidualGenerator
from checkpoints_index.generators.shufflemixer import ShuffleMixerGenerator
from checkpoints_index.generators.sizes import MAX_WEIGHTS, refuse_sizes
from checkpoints_index.generators.skyline import SkylineGenerator
from checkpoints_index.generators.units.hidden_layers import Reshapable

MAX_OPTION = 65536
MAX_OPTIONS = {"width": 1024, "blocks": 64}  # Where a smaller number is more than enough.

ARCHITECTURES: dict[str, type[nn.Module]] = {
    "chain": ChainGenerator,
    "dcgan": DCGANGenerator,
    "letters": LettersGenerator,
    "residual": ResidualGenerator,
    "shufflemixer": ShuffleMixerGenerator,
    "skyline": SkylineGenerator,
}


def build_generator(
    architecture: str, options: dict[str, Any], place: Path | None = None
) -> nn.Module:
    """An untrained generator: z float [N, z_dim] -> float [N, 3, image_size, image_size] in -1..1.

    Args:
        architecture: one of ARCHITECTURES, "keras", or `package.module:Class` of another program.
        options: what it is constructed with, by name.
        place: see `import_class`.

    Raises:
        CheckpointError: an unknown architecture, or an option that it does not take, that it
            lacks, or that does not fit.
    """
    refuse_sizes(options)
    if ":" in architecture:
        return build_foreign(architecture, options, place)
    build = find_architecture(architecture)
    accepted = inspect.signature(build).parameters
    unknown = sorted(set(options) - set(accepted))
    lacking = [
        n for n, taken in accepted.items() if taken.default is taken.empty and n not in options
    ]
    if unknown or lacking:
        what = f"does not take {', '.join(unknown)}" if unknown else f"needs {', '.join(lacking)}"
        raise CheckpointError(
            f"Generator '{architecture}' {what}. It takes: {', '.join(accepted)}."
        )
    for name, value in options.items():
        _check_option(architecture, name, value, accepted[name].default)
    if architecture != "keras":
        _refuse_if_huge(architecture, build, options)
    return build(**options)


def _check_option(architecture: str, name: str, value: Any, default: Any) -> None:
    """Refuse an option of another type than its default, and a number that no network has."""
    if default is inspect.Parameter.empty:
        return
    number = isinstance(default, int | float) and not isinstance(default, bool)
    wanted: Any = (int, float) if isinstance(default, float) else type(default)
    if wanted is tuple:  # JSON and TOML have lists.
        wanted = (list, tuple)
    fits = isinstance(value, wanted) and isinstance(value, bool) == isinstance(default, bool)
    if not fits:
        raise CheckpointError(
            f"Generator '{architecture}' takes {name} such as {default!r}, not {value!r}."
        )
    most = MAX_OPTIONS.get(name, MAX_OPTION)
    if number and not -most <= value <= most:
        raise CheckpointError(f"Generator '{architecture}' takes {name} up to {most}, not {value}.")


def _refuse_if_huge(
    architecture: str, build: Callable[..., nn.Module], options: dict[str, Any]
) -> None:
    """Count the weights of a generator without the memory for them.

    Raises:
        CheckpointError: there are too many, or the options are none that it can be built with.
    """
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            G = build(**options)
            count = sum(tensor.numel() for tensor in G.state_dict().values())
            if count <= MAX_WEIGHTS and isinstance(G, ChainGenerator):
                _refuse_unless_it_draws(G.eval())
    except CheckpointError:
        raise
    except Exception as error:  # What stands in a file of somebody else's may lead to anything.
        said = first_line(error)
        raise CheckpointError(
            f"Generator '{architecture}' cannot be built with its options: {said}."
        ) from error
    if count > MAX_WEIGHTS:
        raise CheckpointError(
            f"Generator '{architecture}' would have {count:,} weights; at most {MAX_WEIGHTS:,}."
        )


def _refuse_unless_it_draws(G: ChainGenerator) -> None:
    """Send a latent point without numbers through a chain, whose layers may not fit together.

    Raises:
        CheckpointError: the picture has another size than it says.
    """
    size, shape = G.image_size, tuple(G(torch.empty(1, G.z_dim, device="meta")).shape)
    if shape != (1, 3, size, size):
        raise CheckpointError(f"A chain that says {size} px draws pictures of {list(shape[1:])}.")


def find_reshapable(architecture: str) -> type[Reshapable]:
    """The class of an architecture that says where its units are.

    Raises:
        CheckpointError: it does not; the message lists those that do.
    """
    found: Any = None if ":" in architecture else find_architecture(architecture)
    if not hasattr(found, "hidden_layers"):
        known = [name for name, each in ARCHITECTURES.items() if hasattr(each, "hidden_layers")]
        raise CheckpointError(
            f"The layers of a generator '{architecture}' cannot be changed: it does not say where "
            f"their units are. Those that do: {', '.join(known)}."
        )
    reshapable: type[Reshapable] = found
    return reshapable


def find_architecture(name: str) -> type[nn.Module]:
    """The class of an architecture of this package by name.

    Raises:
        CheckpointError: there is none of that name; the message lists those that there are.
    """
    if name == "keras":
        from checkpoints_index.generators.keras_model import KerasGenerator

        return KerasGenerator
    if name not in ARCHITECTURES:
        known = ", ".join(sorted([*ARCHITECTURES, "keras"]))
        raise CheckpointError(
            f"No generator architecture is called '{name}'. Known: {known}, "
            "and package.module:Class for one of your own."
        )
    return ARCHITECTURES[name]
