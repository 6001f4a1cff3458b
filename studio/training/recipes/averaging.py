"""The moving average of a network's weights, whose pictures are steadier than its own."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def move_average(average: nn.Module, live: nn.Module, ema: float, batch: int) -> None:
    """Move an average, batch norm's statistics included, towards a network (Karras et al. 2018).

    The average is over fewer batches at first, so that it forgets the noise it began as.

    Args:
        ema: the fraction of the average that stays, 0..1.
        batch: updates of the network so far.
    """
    keep = min(ema, (1 + batch) / (10 + batch))
    averages, lives = average.state_dict(), live.state_dict()
    moving = [name for name, tensor in averages.items() if tensor.is_floating_point()]
    torch._foreach_lerp_(
        [averages[name] for name in moving], [lives[name] for name in moving], 1 - keep
    )
    for name in averages.keys() - set(moving):
        averages[name].copy_(lives[name])
