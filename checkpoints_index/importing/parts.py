"""Where in a file a generator may be: wrappers, prefixes, averages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from torch import Tensor

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.importing.bounds.tensors import bound_count

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|\d+")
_WRAPPERS = {"net", "model", "module", "state", "dict", "weights", "params", "copy", "network"}
_PREFIX_DEPTH = 3
_WRAPPING_DEPTH = 8
MAX_MAPPINGS = 10_000  # More than the parameters of any optimizer's state, one mapping each.


class Role(IntEnum):
    """What the names around some weights say they are; the better guess first.

    AVERAGE is a moving average of a generator, WHOLE a generator and others in one.
    """

    AVERAGE = 0
    GENERATOR = 1
    UNSAID = 2
    WHOLE = 3
    OTHER = 4
    OPTIMIZER = 5


_WORDS = {
    Role.OPTIMIZER: {"opt", "optim", "optimizer", "optimizers", "optimiser", "sched", "scheduler"},
    Role.OTHER: {"d", "disc", "discriminator", "critic", "netd"},
    Role.AVERAGE: {"ema", "gema", "averaged", "shadow"},
    Role.GENERATOR: {"g", "gen", "generator", "netg"},
}


@dataclass(frozen=True)
class FilePart:
    """Some tensors of a file.

    Args:
        name: where in the file they were found, such as "models.netG".
        role: what they may be.
        weights: the tensors by the names that a network gives them.
    """

    name: str
    role: Role
    weights: dict[str, Tensor]


def find_parts(content: Mapping[Any, Any]) -> list[FilePart]:
    """The state dicts in a file that may be those of a generator, the most likely first.

    An average of the generator's weights (G_ema) comes before the generator itself. Prefixes of
    wrappers (`module.`, `_orig_mod.`) are gone from the names. One whose batch norms were never
    measured, beside a generator whose were, comes last: only its weights were averaged.

    Raises:
        UnusableFileError: it holds no weights, or only those of something else.
    """
    found = []
    for found_mappings, part in enumerate(_search(content, "", Role.UNSAID, _WRAPPING_DEPTH)):
        found += [part] if part is not None else []
        if found_mappings > MAX_MAPPINGS:
            raise UnusableFileError(f"holds more than {MAX_MAPPINGS:,} mappings in one another")
    usable = [part for part in found if part.role <= Role.WHOLE]
    if usable:
        is_measured = any(not is_unmeasured(p) for p in usable if p.role == Role.GENERATOR)
        return sorted(usable, key=lambda part: (is_measured and is_unmeasured(part), part.role))
    if any(part.role == Role.OTHER for part in found):
        names = ", ".join(part.name for part in found if part.role == Role.OTHER)
        raise UnusableFileError(f"holds a discriminator ({names}) and no generator")
    if found:
        raise UnusableFileError("holds the state of an optimizer and no generator")
    raise UnusableFileError("holds no weights of a network")


def is_unmeasured(part: FilePart) -> bool:
    """Whether some weights have batch norms that hold the statistics which they began with."""
    means = [name for name in part.weights if name.endswith("running_mean")]
    counters = [name for name in part.weights if name.endswith("num_batches_tracked")]
    if any(bool((part.weights[name] != 0).any()) for name in means):
        return False
    return bool(means) and not any(bool((part.weights[name] != 0).any()) for name in counters)


def role_of(name: str) -> Role:
    """What the words of a name say.

    Example:
        >>> role_of("netG").name, role_of("G_ema").name, role_of("weights").name
        ('GENERATOR', 'AVERAGE', 'UNSAID')
    """
    words = {word.lower() for word in _WORD.findall(name)}
    return next((role for role, known in _WORDS.items() if words & known), Role.UNSAID)


def _search(
    content: Mapping[Any, Any], name: str, role: Role, depth: int
) -> Iterator[FilePart | None]:
    """All state dicts in nested mappings, with what names say; None for each mapping.

    A file may hold one mapping many times over, so that only counting ends the search.
    """
    yield None
    if {"state", "param_groups"} <= content.keys():
        role = Role.OPTIMIZER
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    bound_count(len(tensors))
    if any(tensor.ndim >= 2 for tensor in tensors.values()):
        yield from _split(_without_wrappers(tensors), name, role)
    for key, value in content.items():
        if isinstance(value, Mapping) and depth:
            where = f"{name}.{key}" if name else str(key)
            yield from _search(value, where, _both(role, key), depth - 1)


def _split(tensors: dict[str, Tensor], name: str, role: Role) -> Iterator[FilePart]:
    """Weights of several networks under prefixes, such as `gen.` and `disc.`, one by one."""
    for depth in range(_PREFIX_DEPTH):
        prefixes = {".".join(key.split(".")[: depth + 1]) for key in tensors}
        told = {prefix for prefix in prefixes if _is_role(prefix.split(".")[-1])}
        if told:
            break
        if len(prefixes) > 1:
            told = set()
            break
    for prefix in sorted(told):
        inside = {k[len(prefix) + 1 :]: t for k, t in tensors.items() if k.startswith(prefix + ".")}
        if inside:
            where = f"{name}.{prefix}" if name else prefix
            yield FilePart(where, _both(role, prefix.split(".")[-1]), _without_wrappers(inside))
    rest = {k: t for k, t in tensors.items() if not any(k.startswith(p + ".") for p in told)}
    if told and rest and any(tensor.ndim >= 2 for tensor in rest.values()):
        yield FilePart(name, role, rest)
    yield FilePart(name, max(role, Role.WHOLE) if told else role, tensors)


def _is_role(component: str) -> bool:
    """Whether a prefix names a network and nothing else: `G` and `netG` do, `g_fc1` does not."""
    words = {word.lower() for word in _WORD.findall(component)}
    known = set().union(*_WORDS.values()) | _WRAPPERS
    return role_of(component) != Role.UNSAID and words <= known


def _both(role: Role, name: Any) -> Role:
    """The role within a role: the average of a generator is an average, its optimizer none."""
    inner = role_of(str(name))
    if max(role, inner) >= Role.OTHER:
        return max(role, inner)
    return min(role, inner)


def _without_wrappers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take away what DataParallel, AveragedModel and torch.compile put around names."""
    tensors = {key.replace("_orig_mod.", ""): tensor for key, tensor in tensors.items()}
    counted = {key: tensor for key, tensor in tensors.items() if key != "n_averaged"}
    if counted and all(key.startswith("module.") for key in counted):
        return _without_wrappers({key[len("module.") :]: t for key, t in counted.items()})
    return tensors
