"""A small network that guesses the latent point of a picture."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent.inversion.gallery import WIDTH_PX, Gallery, shrink

MAX_EPOCHS, PATIENCE = 12, 2  # Training ends when held-out points were not guessed better twice.
HELD_OUT = 1 / 12
BATCH = 64


class Encoder(nn.Module):
    """Pictures to latent points: convolutions that halve the width, and one dense layer.

    Args:
        z_dim: numbers in a latent point.
        width_px: width of the pictures, which are averaged down to WIDTH_PX before.
    """

    def __init__(self, z_dim: int, width_px: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, side = 3, width_px
        for wider in (32, 64, 128):
            layers += [nn.Conv2d(channels, wider, 3, 2, 1), nn.BatchNorm2d(wider)]
            layers.append(nn.LeakyReLU(0.2))
            channels, side = wider, (side + 1) // 2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * side**2, z_dim))

    def forward(self, pictures: Tensor) -> Tensor:
        """float32 [N, 3, H, W] in -1..1 -> float32 [N, z_dim]."""
        guessed: Tensor = self.layers(shrink(pictures, WIDTH_PX))
        return guessed


def train_encoder(
    gallery: Gallery,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Encoder:
    """Train an encoder on a gallery until it no longer guesses held-out points better.

    Args:
        gallery: at least a few hundred pictures.
        seed: of its first weights and of the order of the pictures.
        on_progress: called with the number of epochs done and of all.

    Returns:
        The encoder in eval mode, on the CPU.
    """
    held_out = max(1, round(len(gallery.z) * HELD_OUT))
    shuffling = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = Encoder(gallery.z.shape[1], gallery.pictures.shape[-1])
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1e-3, weight_decay=1e-2)
    best, kept, worse = float("inf"), copy.deepcopy(encoder.state_dict()), 0
    for epoch in range(MAX_EPOCHS):
        order = torch.randperm(len(gallery.z) - held_out, generator=shuffling) + held_out
        _train_epoch(encoder, optimizer, gallery, order)
        error = _error(encoder, gallery, held_out)
        on_progress(epoch + 1, MAX_EPOCHS)
        if error < best:
            best, kept, worse = error, copy.deepcopy(encoder.state_dict()), 0
        elif (worse := worse + 1) == PATIENCE:
            break
    on_progress(MAX_EPOCHS, MAX_EPOCHS)
    encoder.load_state_dict(kept)
    return encoder.eval()


def _train_epoch(
    encoder: Encoder, optimizer: torch.optim.Optimizer, gallery: Gallery, order: Tensor
) -> None:
    encoder.train()
    for chosen in order.split(BATCH):
        if len(chosen) > 1:  # The statistics of a single picture say nothing.
            loss = F.mse_loss(encoder(gallery.pictures[chosen]), gallery.z[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@torch.inference_mode()
def _error(encoder: Encoder, gallery: Gallery, held_out: int) -> float:
    """Mean square of the guesses of the first points, which training does not see."""
    encoder.eval()
    return float(F.mse_loss(encoder(gallery.pictures[:held_out]), gallery.z[:held_out]))
