"""Training states on disk: everything that a resume needs; the newest two are kept."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from checkpoints_index.errors import DiskFullError
from checkpoints_index.storage.files import create_whole, sync_folder
from studio.training.loop.setting_differences import check_same_networks
from studio.training.recipes import Recipe
from studio.workspace.errors import StudioError
from studio.workspace.names import read_whole

KEPT = 2
FOR_GOOD = "kept"  # The folder of states that somebody asked for.


class DamagedStateError(StudioError):
    """A training state is not what was saved, or belongs to another run."""


class HasState(Protocol):
    """The data of a run, as far as a training state is concerned.

    Attributes:
        state: the position in the data, as JSON can hold it.
    """

    state: dict[str, Any]


def save_state(folder: Path, recipe: Recipe, data: HasState) -> Path:
    """Write `folder/BATCH.safetensors`, whole or not at all, and drop all but the newest two.

    Returns:
        The path of the state.

    Raises:
        DiskFullError: there is no room; older states are untouched.
        StudioError: the folder cannot be written.
    """
    path = write_state(folder, facts_of(recipe, data), dict(tensors_of(recipe)))
    for outdated in list_states(folder)[:-KEPT]:
        outdated.unlink()
    return path


def facts_of(recipe: Recipe, data: HasState) -> dict[str, Any]:
    """What a state says beside its tensors: batch, data, numbers, settings, rates."""
    return {
        "batch": recipe.batch,
        "data": data.state,
        "numbers": recipe.numbers,
        "config": asdict(recipe.config),
        "param_groups": {n: o.state_dict()["param_groups"] for n, o in recipe.optimizers.items()},
    }


def write_state(folder: Path, facts: Mapping[str, Any], tensors: dict[str, Tensor]) -> Path:
    """Write `folder/BATCH.safetensors`, whole or not at all.

    Raises:
        DiskFullError: there is no room.
        StudioError: the folder cannot be written.
    """
    path, text = folder / f"{facts['batch']}.safetensors", json.dumps(facts)
    content = save(tensors, {"training_state": text, "checksum": checksum(text, tensors)})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        create_whole(path, content)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (DiskFullError if full else StudioError)(
            f"The training state at batch {facts['batch']} ({len(content):,} bytes) was not saved "
            f"to {folder}: {error.strerror}. Put that right and resume from the one before."
        ) from error
    return path


def keep_state(path: Path) -> Path:
    """Keep a state for good, as a hard link in a folder of its own; the path of the link."""
    kept = path.parent / FOR_GOOD / path.name
    kept.parent.mkdir(exist_ok=True)
    kept.unlink(missing_ok=True)
    kept.hardlink_to(path)
    sync_folder(kept.parent)
    return kept


def load_state(path: Path, recipe: Recipe, data: HasState) -> dict[str, Any]:
    """Bring a recipe and its data to where they stood when the state was saved.

    Returns:
        The settings that were in force then; none in the states of older versions.

    Raises:
        DamagedStateError: the file is damaged.
        StudioError: the state belongs to other networks.
    """
    facts, tensors = read_state(path)
    settings = dict(facts.get("config", {}))
    check_same_networks(settings, recipe.config)
    try:
        restore(recipe, tensors, facts["param_groups"])
    except (KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise _unusable(path, error) from error
    recipe.batch = facts["batch"]
    recipe.numbers.update(facts.get("numbers", {}))
    data.state = facts["data"]
    return settings


def read_state(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The facts of a state, such as its batch and its settings, and its tensors by name.

    Raises:
        DamagedStateError: the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = metadata["training_state"]
        facts: dict[str, Any] = json.loads(text)
        if not _is_whole(text, facts, tensors, metadata.get("checksum")):
            raise ValueError("its checksum differs")
        return facts, tensors
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise _unusable(path, error) from error


def _is_whole(
    text: str, facts: dict[str, Any], tensors: Mapping[str, Tensor], kept: str | None
) -> bool:
    """Whether a state is what was saved; those of older versions vouch for their tensors alone."""
    if kept is not None:
        return kept == checksum(text, tensors)
    return facts.get("digest") in (None, digest(tensors))


def _unusable(path: Path, error: Exception) -> DamagedStateError:
    return DamagedStateError(
        f"The training state {path} does not fit this run or is damaged: {error}. "
        "Delete it to go on from the one before."
    )


def find_state(folder: Path, batch: int) -> Path | None:
    """The state of a batch, kept for good or one of the newest two; None where there is none."""
    name = f"{batch}.safetensors"
    return next((p for p in (folder / name, folder / FOR_GOOD / name) if p.exists()), None)


def list_states(folder: Path) -> list[Path]:
    """The newest states in a folder, oldest first."""
    paths = (path for path in folder.glob("*.safetensors") if read_whole(path.stem) is not None)
    return sorted(paths, key=lambda path: int(path.stem))


def digest(tensors: Mapping[str, Tensor]) -> str:
    """The xxh3 checksum of all tensors and their names."""
    hashed = xxhash.xxh3_128()
    for name in sorted(tensors):
        hashed.update(name.encode())
        hashed.update(tensors[name].detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return hashed.hexdigest()


def checksum(facts: str, tensors: Mapping[str, Tensor]) -> str:
    """The xxh3 checksum of everything in a state: its facts, and all of its tensors.

    Args:
        facts: the JSON text as it stands in the file.
        tensors: by name; their shapes and types count as their numbers do.
    """
    hashed = xxhash.xxh3_128(facts.encode())
    for name in sorted(tensors):
        hashed.update(f"{name} {tensors[name].dtype} {list(tensors[name].shape)};".encode())
    hashed.update(digest(tensors).encode())
    return hashed.hexdigest()


def tensors_of(recipe: Recipe) -> Iterator[tuple[str, Tensor]]:
    """All tensors of a recipe, [...] of any dtype, under names such as `G.stem.weight`."""
    for name, module in recipe.modules.items():
        for key, tensor in module.state_dict().items():
            yield f"{name}.{key}", tensor.contiguous()
    for name, optimizer in recipe.optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            for key, tensor in slots.items():
                yield f"{name}.{index}.{key}", tensor.contiguous()
    yield "rng", recipe.rng.get_state()


def restore(recipe: Recipe, tensors: dict[str, Tensor], param_groups: dict[str, Any]) -> None:
    """Load networks, optimisers and random state from tensors by the names of `tensors_of`."""
    for name, module in recipe.modules.items():
        module.load_state_dict(below(tensors, name))
    for name, optimizer in recipe.optimizers.items():
        restore_optimizer(optimizer, below(tensors, name), param_groups[name])
    recipe.rng.set_state(tensors["rng"])


def restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor], groups: Any) -> None:
    """Load the slots of each parameter, laid out in memory as the parameter is.

    Adam on another layout would round differently, and a resumed run would not be the same.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            tensor = torch.empty_like(parameter).copy_(tensor)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `name.`, by the rest of their names."""
    prefix = f"{name}."
    return {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
