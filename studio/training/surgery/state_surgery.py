"""Training states of changed networks: weights and optimisers in one, unit by unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from checkpoints_index import GeneratorSpec
from studio.runs.config import TrainingConfig
from studio.training.loop.state import below
from studio.training.recipes import RECIPES, find_recipe
from studio.training.surgery.reshaping_plan import Reshaping
from studio.workspace.errors import StudioError


def generators_of(recipe: str) -> Mapping[str, str | None]:
    """The modules of a recipe that are its generator, with their optimisers; see `Recipe.reshaped`.

    Raises:
        StudioError: the networks of the recipe cannot be changed.
    """
    reshaped = find_recipe(recipe).reshaped
    if not reshaped:
        known = ", ".join(name for name, each in RECIPES.items() if each.reshaped)
        raise StudioError(
            f"The networks of the recipe '{recipe}' cannot be changed while they train; those of "
            f"{known} can."
        )
    return reshaped


def reshape_state(
    facts: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    reshaping: Reshaping,
    config: TrainingConfig,
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The state of a training that goes on with changed networks; D stays as it is.

    Args:
        facts, tensors: as `read_state` gives them.
        config: the settings of the changed run.

    Returns:
        Facts and tensors as `write_state` takes them. What an optimiser keeps of units that went
        is gone; of those that came, see `Reshaping.slots`.
    """
    changed = dict(tensors)
    groups = {name: [dict(g) for g in each] for name, each in facts["param_groups"].items()}
    for network, optimizer in generators_of(config.recipe).items():
        weights = reshaping.weights(below(changed, network), network)
        _replace_below(changed, network, weights)
        if optimizer is not None:
            slots = _reshape_slots(below(changed, optimizer), reshaping)
            _replace_below(changed, optimizer, slots)
            (group,) = groups[optimizer]
            group["params"] = [*range(len(_parameter_names(reshaping.after)))]
    return {**facts, "config": asdict(config), "param_groups": groups}, changed


def _replace_below(tensors: dict[str, Tensor], name: str, others: Mapping[str, Tensor]) -> None:
    for key in below(tensors, name):
        del tensors[f"{name}.{key}"]
    tensors.update({f"{name}.{key}": tensor.contiguous() for key, tensor in others.items()})


def _reshape_slots(slots: Mapping[str, Tensor], reshaping: Reshaping) -> dict[str, Tensor]:
    """What an optimiser keeps, by INDEX.SLOT; indices are those of the network's parameters."""
    before, after = map(_parameter_names, (reshaping.before, reshaping.after))
    kinds: dict[str, dict[str, Tensor]] = {}
    for key, tensor in slots.items():
        index, _, kind = key.partition(".")
        kinds.setdefault(kind, {})[before[int(index)]] = tensor
    return {
        f"{after.index(name)}.{kind}": tensor
        for kind, named in kinds.items()
        for name, tensor in reshaping.slots(named, kind).items()
    }


def _parameter_names(spec: GeneratorSpec) -> list[str]:
    import torch

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return [name for name, _ in spec.build().named_parameters()]
