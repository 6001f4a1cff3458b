"""Schedules over the batches: factors on learning rates, and updates of D to those of G."""

from __future__ import annotations

import math

from studio.runs.config import TrainingConfig


def rate_factor(config: TrainingConfig, batch: int) -> float:
    """The factor on the learning rates for the update that makes a batch, 0..1.

    Linear and cosine go from 1 to `schedule_factor` at the run's last batch (cosine: Loshchilov
    and Hutter 2017); step multiplies by it every `schedule_every` batches; exponential does the
    same without steps. The linear warm-up (Goyal et al. 2017) is multiplied with these.

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
    return factor * min(1.0, batch / max(1, config.warm_up_batches))


def updates_of_d(config: TrainingConfig, batch: int) -> int:
    """How many updates of D precede the update of G that makes a batch, counted from 1.

    After k updates of G there have been floor(k * d_updates / g_updates) of D.
    """
    d, g = config.d_updates, config.g_updates
    return batch * d // g - (batch - 1) * d // g
