"""Schedules over the batches: factors on learning rates, and updates of D to those of G."""

from __future__ import annotations

import math

from studio.runs.config import TrainingConfig


def rate_factor(config: TrainingConfig, batch: int) -> float:
    """The factor on the learning rates for the update that makes a batch, 0..1.

    Linear and cosine go from 1 to `schedule_factor` at the run's last batch (cosine: Loshchilov
    and Hutter 2017); step multiplies by it every `schedule_every` batches; exponential does the
    same without steps. The linear warm-up (Goyal et al. 2017) is multiplied with these, and so is
    the cool-down: constant rates that fall at the end learn as much as rates that fall all the time
    (Hägele et al. 2024), and the last pictures are as calm.

    Args:
        batch: counted from 1.
    """
    progress = min(1.0, batch / config.batches)
    lowest, powers = config.schedule_factor, batch / config.schedule_every
    match config.schedule:
        case "linear":
            factor = 1 - (1 - lowest) * progress
        case "cosine":
            factor = lowest + (1 - lowest) * (1 + math.cos(math.pi * progress)) / 2
        case "step":
            factor = lowest ** math.floor(powers)
        case "exponential":
            factor = lowest**powers
        case _:
            factor = 1.0
    rise = min(1.0, batch / max(1, config.warm_up_batches))
    return factor * rise * cool_down_factor(config, batch)


def cool_down_factor(config: TrainingConfig, batch: int) -> float:
    """The factor of the cool-down: 1 before it, then a straight line that ends above 0.

    Example:
        >>> config = TrainingConfig(batches=100, cool_down_batches=4)
        >>> [cool_down_factor(config, batch) for batch in (1, 96, 97, 98, 100)]
        [1.0, 1.0, 0.8, 0.6, 0.2]
    """
    left = max(1, config.batches - batch + 1)
    return min(1.0, left / (config.cool_down_batches + 1))


def updates_of_d(config: TrainingConfig, batch: int) -> int:
    """How many updates of D precede the update of G that makes a batch, counted from 1.

    After k updates of G there have been floor(k * d_updates / g_updates) of D.
    """
    d, g = config.d_updates, config.g_updates
    return batch * d // g - (batch - 1) * d // g
