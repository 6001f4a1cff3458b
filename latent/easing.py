"""Where each frame of a route lies between its stops: evenly, or slowing down."""

from __future__ import annotations

import torch
from torch import Tensor

from latent.errors import LatentError, TooFewFramesError

EASINGS = ("linear", "smooth", "ends")


def time_frames(
    num_points: int, num_frames: int, loop: bool = False, easing: str = "linear"
) -> Tensor:
    """Place each frame among the stops: 0 at the first, 1 at the second, halfway 0.5.

    Every segment from stop to stop takes the same time. An open route begins and ends with a frame
    at a stop; a loop ends a frame before it would come back to the first.

    Args:
        num_points: the number of stops, at least 2; a loop has as many segments, others one less.
        num_frames: frames of the whole route, at least `num_points`.
        loop: come back to the first stop.
        easing: `linear` at one pace, `smooth` slowing down at every stop, `ends` only at the
            first and the last.

    Returns:
        float64 [num_frames], ascending, 0..num_points - 1, or below num_points in a loop.

    Raises:
        TooFewFramesError: fewer frames than points.
        LatentError: fewer than two points, or no such easing.
    """
    if num_points < 2:
        raise LatentError(f"A route needs at least two latent points, not {num_points}.")
    if num_frames < num_points:
        raise TooFewFramesError(
            f"{num_frames} frames are too few to visit {num_points} points: use more."
        )
    if easing not in EASINGS:
        raise LatentError(f"There is no easing '{easing}'. Known: {', '.join(EASINGS)}.")
    segments, steps = (num_points, num_frames) if loop else (num_points - 1, num_frames - 1)
    position = torch.arange(num_frames, dtype=torch.float64) * segments / steps
    if easing == "smooth":
        return position.floor() + _smoothstep(position.frac())
    return position if easing == "linear" else segments * _smoothstep(position / segments)


def count_frames(num_points: int, frames_per_segment: int, loop: bool = False) -> int:
    """The number of frames of a route whose stops are exactly some frames apart.

    Args:
        num_points: the number of stops.
        frames_per_segment: frames from one stop to the next, at least 1.
        loop: come back to the first stop.

    Example:
        >>> count_frames(3, 60), count_frames(3, 60, loop=True)
        (121, 180)
    """
    return num_points * frames_per_segment if loop else (num_points - 1) * frames_per_segment + 1


def _smoothstep(t: Tensor) -> Tensor:
    """The cubic 0..1 -> 0..1 that is at rest at both ends (Perlin 1985)."""
    return t * t * (3 - 2 * t)
