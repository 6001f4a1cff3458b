"""Checks that a generator fits the sizes of a run, by making one picture."""

from __future__ import annotations

import torch
from torch import nn

from studio.runs.config import TrainingConfig
from studio.workspace.errors import StudioError


@torch.no_grad()
def check_generator(G: nn.Module, config: TrainingConfig) -> None:
    """Make one picture, since somebody's own network may have other sizes than the run.

    The network is in eval mode meanwhile, so that the statistics of batch norm stay.

    Args:
        G: the generator, on the CPU.
        config: its z_dim and image_size are expected.

    Raises:
        StudioError: G does not take z_dim numbers, or makes pictures of another size.
    """
    was_training = G.training
    try:
        made = list(G.eval()(torch.zeros(1, config.z_dim)).shape)
    except RuntimeError as error:
        raise StudioError(
            f"The generator '{config.generator}' does not turn z_dim {config.z_dim} numbers into a "
            f"picture: {error}. Set z_dim, or generator_options, to what it takes."
        ) from error
    finally:
        G.train(was_training)
    wanted = [1, 3, config.image_size, config.image_size]
    if made != wanted:
        raise StudioError(
            f"The generator '{config.generator}' makes pictures {made}, but this run trains on "
            f"{wanted}. Set its size in generator_options, or image_size to what it makes."
        )
