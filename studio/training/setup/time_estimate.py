"""Estimates how long a run will train, before it begins, from the work of its networks.

The pace is that of `benchmarks/training.py` on two cores without a GPU: 156 pictures a second of
the networks of small-and-quick, 39 of a DCGAN of 3.6 M parameters. It is meant for choosing between
minutes, hours and days; the progress of a run tells better once it trains.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import nn

from studio.runs.config import TrainingConfig
from studio.training.machine.precision import choose_precision, has_fast_bf16
from studio.training.recipes import find_recipe

# Operations a second of a core. Wide networks keep it busier: an operation of a network with
# CORE_WIDE operations a picture is done at twice the slowest pace, up to CORE_MOST.
CORE_LEAST, CORE_MOST, CORE_WIDE = 15e9, 60e9, 1.2e9
CORE_HALVED = 1.4  # So many times the operations in bf16, where the processor is fast at it.
GPU_PACE = 8e12  # Operations a second in float32; bf16 and fp16 have twice as many.
GPU_BATCH_S = 0.015  # A batch takes at least as long, since its kernels have to be started.


def estimate_training_s(config: TrainingConfig, device: str) -> float:
    """Seconds until a run is at its last batch, by estimate.

    Args:
        device: such as `cpu` or `cuda:0`.

    Raises:
        StudioError: there are no such networks.
    """
    work = count_work(config)
    operations = sum(each.operations for each in work)
    halved = choose_precision(config.precision, device) != "float32" and has_fast_bf16(device)
    if device == "cpu":
        usual = min(CORE_MOST, CORE_LEAST * (1 + operations / CORE_WIDE))
        core_s = sum(each.operations / (each.core_pace or usual) for each in work)
        core_s /= CORE_HALVED if halved else 1
        return config.batches * config.batch_size * core_s / (os.cpu_count() or 1)
    pace = GPU_PACE * (2 if halved else 1)
    return config.batches * max(GPU_BATCH_S, config.batch_size * operations / pace)


@dataclass(frozen=True)
class CountedWork:
    """What a network does for one picture of a batch.

    Attributes:
        operations: floating-point operations, in all updates of a step.
        core_pace: how many of them a core does in a second, where the recipe knows.
    """

    operations: float
    core_pace: float | None


def count_work(config: TrainingConfig) -> list[CountedWork]:
    """What the networks of a config do for one picture of a batch."""
    with torch.device("meta"):
        return [
            CountedWork(each.passes * count_forward(each.network, each.inputs), each.core_pace)
            for each in find_recipe(config.recipe).count_work(config)
        ]


def count_forward(network: nn.Module, inputs: torch.Tensor) -> int:
    """Operations of a forward pass; on the device `meta` no number is computed.

    Args:
        inputs: float [N, ...], as the network takes them.
    """
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(inputs)
    return int(counter.get_total_flops())
