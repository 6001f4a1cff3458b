"""The training state on disk: everything needed to go on, the newest two, complete or absent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from checkpoints_index.files import create_whole
from latent.errors import UserError
from studio.training.batches import Batches
from studio.training.recipes import Recipe

KEPT = 2


def save_state(folder: Path, recipe: Recipe, batches: Batches) -> Path:
    """Write `folder/BATCH.safetensors`, whole or not at all, and drop all but the newest two.

    Raises:
        UserError: there is no room, or the folder cannot be written; older states are untouched.
    """
    path = folder / f"{recipe.batch}.safetensors"
    facts = {
        "batch": recipe.batch,
        "data": batches.state,
        "param_groups": {n: o.state_dict()["param_groups"] for n, o in recipe.optimizers.items()},
    }
    content = save(dict(tensors_of(recipe)), {"training_state": json.dumps(facts)})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        create_whole(path, content)
    except OSError as error:
        raise UserError(
            f"The training state at batch {recipe.batch} ({len(content):,} bytes) was not saved "
            f"to {folder}: {error.strerror}. Put that right and resume from the one before."
        ) from error
    for outdated in list_states(folder)[:-KEPT]:
        outdated.unlink()
    return path


def load_state(path: Path, recipe: Recipe, batches: Batches) -> None:
    """Put a recipe and its data where they stood when the state was saved.

    Raises:
        UserError: the file is damaged, or is of other networks.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["training_state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        restore(recipe, tensors, facts["param_groups"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"The training state {path} does not fit this run or is damaged: {error}. "
            "Delete it to go on from the one before."
        ) from error
    recipe.batch = facts["batch"]
    batches.state = facts["data"]


def list_states(folder: Path) -> list[Path]:
    """The complete states in a folder, oldest first."""
    paths = (path for path in folder.glob("*.safetensors") if path.stem.isdigit())
    return sorted(paths, key=lambda path: int(path.stem))


def tensors_of(recipe: Recipe) -> Iterator[tuple[str, Tensor]]:
    """All tensors of a recipe under names such as `G.stem.weight` and `optimizer_g.0.exp_avg`."""
    for name, module in recipe.modules.items():
        for key, tensor in module.state_dict().items():
            yield f"{name}.{key}", tensor.contiguous()
    for name, optimizer in recipe.optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            for key, tensor in slots.items():
                yield f"{name}.{index}.{key}", tensor.contiguous()
    yield "rng", recipe.rng.get_state()


def restore(recipe: Recipe, tensors: dict[str, Tensor], param_groups: dict[str, Any]) -> None:
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
    prefix = f"{name}."
    return {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
