"""Move a latent point until a generator draws a given picture: damped Gauss-Newton steps.

A latent point has few numbers and a picture has many, so the whole derivative of the picture can be
had for one forward pass a number. With it each step solves a least-squares problem (Levenberg 1944,
Marquardt 1963), and a dozen of them reach what takes gradient descent hundreds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from latent.inversion.gallery import CHUNK, shrink

SIDES_PX = (
    16,
    64,
)  # Pictures are compared at these widths, one after the other: small, then large.
STEP = 2e-3  # How far z is moved for a derivative, in standard deviations of N(0, I).
FIRST_DAMPING, LEAST_DAMPING, MORE, LESS = 1e-2, 1e-7, 4.0, 1 / 3
TRIES = 6  # So often a step is shortened before the point counts as settled.
PRIOR = 1e-4  # Weight of the mean square of z beside that of the difference.
SETTLED = 1e-3  # A step that gains less than this share of the error is the last.
EXACT = 4e-5  # A mean square of this size, 50 dB, is rounding to 8 bits.

OnStep = Callable[[int, Tensor, float], None]


def ignore_step(step: int, z: Tensor, psnr_db: float) -> None:
    """An `OnStep` for where nobody listens; z is float32 [z_dim]."""


@dataclass(frozen=True, eq=False)
class FittedPoint:
    """A latent point that was fitted to a picture.

    Attributes:
        z: float32 [z_dim], on the CPU.
        psnr_db: how near its picture is: the peak signal-to-noise ratio, in dB, more is nearer.
        steps: how many steps were taken.
    """

    z: Tensor
    psnr_db: float
    steps: int


def psnr(difference: Tensor) -> float:
    """The peak signal-to-noise ratio in dB of a difference, float [..., H, W], of values -1..1."""
    error = float(difference.double().square().mean())
    return math.inf if error == 0 else 10 * math.log10(4 / error)


@torch.inference_mode()
def fit_point(
    G: nn.Module,
    picture: Tensor,
    start: Tensor,
    steps: int = 30,
    on_step: OnStep = ignore_step,
) -> FittedPoint:
    """FittedPoint one latent point to a picture, from one start.

    Args:
        G: generator in eval mode, on the CPU or a GPU.
        picture: float32 [3, H, W] in -1..1, of the generator's size.
        start: float32 [z_dim].
        steps: the most steps, small pictures and large ones together.
        on_step: called with the number of the step, the point on the CPU, and its PSNR in dB.

    Returns:
        The fit, never worse than the start.
    """
    device = next(G.parameters()).device
    target = picture.to(device)[None]
    z = begin = start.to(device).float()
    taken = 0
    for number, side in enumerate(SIDES_PX, 1):
        allowed = (steps - taken) * number // len(SIDES_PX)
        for moved in _descend(G, shrink(target, side).flatten(), z, side, allowed):
            z, taken = moved, taken + 1
            on_step(taken, z.cpu(), psnr(G(z[None]) - target))
    ends = [begin, z]
    reached = [psnr(G(end[None]) - target) for end in ends]
    best = max(range(2), key=reached.__getitem__)
    return FittedPoint(ends[best].cpu().clone(), reached[best], taken)


def _descend(G: nn.Module, target: Tensor, z: Tensor, side: int, steps: int) -> Iterator[Tensor]:
    """Points that draw a small picture ever better, float32 [z_dim] each.

    Args:
        target: float32 [3 * side * side], or fewer where pictures are smaller.
    """
    damping = FIRST_DAMPING
    drawn = _draw(G, z[None], side)[0]
    error = _error(drawn, target)
    for _ in range(steps):
        slopes = (_draw(G, z + STEP * torch.eye(len(z), device=z.device), side) - drawn) / STEP
        curvature = slopes @ slopes.T / len(target)
        curvature.diagonal().add_(PRIOR / len(z))
        downhill = -(slopes @ (drawn - target)) / len(target) - PRIOR / len(z) * z
        cost = error + PRIOR * float(z.square().mean())
        for _ in range(TRIES):
            scaled = torch.diag(damping * (curvature.diagonal() + 1e-8))
            moved = z + torch.linalg.solve(curvature + scaled, downhill)
            drawn_there = _draw(G, moved[None], side)[0]
            error_there = _error(drawn_there, target)
            cost_there = error_there + PRIOR * float(moved.square().mean())
            if cost_there < cost:  # false for NaN as well
                break
            damping *= MORE
        else:
            return
        z, drawn, error = moved, drawn_there, error_there
        damping = max(damping * LESS, LEAST_DAMPING)
        yield z
        if error < EXACT or cost - cost_there < SETTLED * cost:
            return


def _draw(G: nn.Module, z: Tensor, side: int) -> Tensor:
    """Small pictures of points, float32 [N, 3 * side * side]."""
    return torch.cat([shrink(G(chunk), side).flatten(1) for chunk in z.split(CHUNK)])


def _error(drawn: Tensor, target: Tensor) -> float:
    return float((drawn - target).square().mean())
