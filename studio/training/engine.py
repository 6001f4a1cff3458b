"""The engine owns time: batches, checkpoints, previews, training states, stopping, resuming."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from latent.errors import UserError
from studio.training.batches import Batches
from studio.training.config import TrainingConfig
from studio.training.recipes import Recipe, build_recipe
from studio.training.state import list_states, load_state, save_state


class Checkpoints(Protocol):
    """Where the generators go; a run of the checkpoints index is one."""

    @property
    def last_batch(self) -> int | None: ...
    def append(self, batch: int, state_dict: Mapping[str, Tensor]) -> None: ...
    def flush(self) -> None: ...
    def truncate(self, after_batch: int) -> None: ...


def train(
    config: TrainingConfig,
    pixels: np.ndarray,
    checkpoints: Checkpoints,
    folder: Path,
    fixed_z: Tensor,
    *,
    until_batch: int,
    device: str | torch.device = "cpu",
    observe: Callable[[int, dict[str, float]], None] = lambda batch, metrics: None,
    on_frames: Callable[[int, np.ndarray], None] = lambda batch, frames: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> int:
    """Train up to a batch, going on from the newest training state where there is one.

    Batch k is the k-th generator update, and appends checkpoint k. On a CPU, a run that was
    stopped and resumed is bit-identical to one that was not.

    Args:
        config: how to train.
        pixels: uint8 [count, S, S, 3], the dataset.
        checkpoints: those later than the training state are dropped, and made again.
        folder: of the run; states are kept in `training_state/`.
        fixed_z: float32 [P, z_dim], latent points whose pictures are shown while training.
        until_batch: the last batch to train.
        device: where to train.
        observe: called with each batch's number and metrics.
        on_frames: called with a batch's number and uint8 [P, S, S, 3]: at the first batch, every
            `config.preview_every` batches, and at the end.
        should_stop: asked before each batch; a true answer ends the training cleanly.

    Returns:
        The last batch trained.

    Raises:
        UserError: pixels of another size, a state that does not fit, or training that diverged.
    """
    device = torch.device(device)
    recipe = build_recipe(config, device)
    batches = Batches(
        pixels, config.image_size, config.batch_size, config.seed, config.random_flips, device
    )
    states, fixed_z = folder / "training_state", fixed_z.to(device)
    begin(states, recipe, batches, checkpoints)
    first_batch, saved, shown = recipe.batch + 1, recipe.batch, None

    while recipe.batch < until_batch and not should_stop():
        metrics = measured(recipe, recipe.step(next(batches)))
        checkpoints.append(recipe.batch, recipe.rendered.state_dict())
        observe(recipe.batch, metrics)

        if recipe.batch == first_batch or recipe.batch % config.preview_every == 0:
            on_frames(recipe.batch, frames_of(recipe, fixed_z))
            shown = recipe.batch
        if recipe.batch % config.state_every == 0:
            checkpoints.flush()
            save_state(states, recipe, batches)
            saved = recipe.batch

    checkpoints.flush()
    if saved != recipe.batch:
        save_state(states, recipe, batches)
    if shown != recipe.batch and recipe.batch > 0:
        on_frames(recipe.batch, frames_of(recipe, fixed_z))
    return recipe.batch


def begin(states: Path, recipe: Recipe, batches: Batches, checkpoints: Checkpoints) -> None:
    """Go on from the newest state, or save the first one; then drop later checkpoints."""
    saved = list_states(states)
    if saved:
        load_state(saved[-1], recipe, batches)
    elif checkpoints.last_batch is not None:
        raise UserError(
            f"This run has checkpoints up to batch {checkpoints.last_batch}, but no training state "
            f"in {states}, so it cannot go on. Train under another name."
        )
    else:
        save_state(states, recipe, batches)
    checkpoints.truncate(recipe.batch)


def measured(recipe: Recipe, metrics: dict[str, Tensor]) -> dict[str, float]:
    """The metrics as numbers, brought over from the device at once.

    Raises:
        UserError: a metric or a weight is not finite.
    """
    weights = [t for t in recipe.rendered.state_dict().values() if t.is_floating_point()]
    scalars = [*metrics.values(), torch.nn.utils.get_total_norm(weights)]
    *values, norm = torch.stack(scalars).tolist()
    numbers = dict(zip(metrics, values, strict=True))
    if not all(map(math.isfinite, [*values, norm])):
        shown = ", ".join(f"{name} {value:.3g}" for name, value in numbers.items())
        raise UserError(
            f"Training diverged at batch {recipe.batch} ({shown}): losses and weights must be "
            "finite. The checkpoints before it are kept. Train another run with lower rates."
        )
    return numbers


@torch.inference_mode()
def frames_of(recipe: Recipe, z: Tensor) -> np.ndarray:
    """The pictures of latent points [P, z_dim] as the generator stands: uint8 [P, S, S, 3]."""
    pictures = recipe.rendered(z).float().clamp(-1, 1)
    levels = ((pictures + 1) * 127.5).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
