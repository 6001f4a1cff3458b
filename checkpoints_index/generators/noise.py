"""Noise that a generator draws when it is called, seeded so that a point has one picture."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch
import xxhash
from torch import Tensor

Draw = Callable[[Tensor], Tensor]

# The random numbers of PyTorch belong to the process: two threads would take each other's.
_DRAWING = threading.Lock()


def draws_random_numbers(draw: Draw, z: Tensor) -> bool:
    """Whether random numbers of PyTorch are taken when a latent point becomes a picture.

    The state of the random numbers tells it, also where the noise is multiplied by a strength that
    is still 0 at the first checkpoint.

    Args:
        draw: turns z into pictures.
        z: float [1, z_dim], on the device that draws.
    """
    with _DRAWING, torch.random.fork_rng(devices=cards_of(z)):
        before = _state(z)
        draw(z)
        return not torch.equal(before, _state(z))


def draw_seeded(draw: Draw, z: Tensor) -> Tensor:
    """Pictures whose noise is seeded by their latent points, whatever they are drawn with.

    Args:
        draw: turns z into pictures.
        z: float [N, z_dim]; each point is drawn by itself.

    Returns:
        float [N, 3, H, W]; the random numbers of the caller stay as they were.
    """
    with _DRAWING, torch.random.fork_rng(devices=cards_of(z)):
        pictures = []
        for point in z:
            torch.manual_seed(_seed_of(point))
            pictures.append(draw(point[None]))
    return torch.cat(pictures)


def _seed_of(point: Tensor) -> int:
    numbers = point.detach().float().cpu().contiguous().numpy()
    return xxhash.xxh3_64_intdigest(numbers.tobytes()) >> 1


def cards_of(z: Tensor) -> list[torch.device]:
    """The devices besides the CPU whose random numbers are taken when z [N, z_dim] is drawn."""
    return [z.device] if z.device.type == "cuda" else []


def _state(z: Tensor) -> Tensor:
    """The state of the random numbers of the CPU, and of the device of z."""
    state = torch.get_rng_state()
    return torch.cat([state, *(torch.cuda.get_rng_state(card) for card in cards_of(z))])
