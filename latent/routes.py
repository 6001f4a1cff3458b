"""Lead a route through several latent points."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from scipy.interpolate import CubicSpline
from torch import Tensor

from latent.easing import time_frames
from latent.errors import LatentError
from latent.interpolation import lerp, slerp

KINDS = ("slerp", "linear", "spline")


def route(
    points: Sequence[Tensor],
    num_frames: int,
    kind: str = "slerp",
    *,
    loop: bool = False,
    easing: str = "linear",
) -> Tensor:
    """Visit points in order, each segment in the same number of frames (give or take one).

    Args:
        points: two or more, each float32 [z_dim].
        num_frames: frames of the whole route; see `latent.easing.count_frames`. The first frame
            is the first point, the last one the last point or, in a loop, just before the first.
        kind: `slerp` along great circles, `linear` straight through the less likely middle, or
            `spline`, a smooth curve without corners, a little slower near points than between.
        loop: come back to the first point, so that the film can be played round and round.
        easing: see `latent.easing.time_frames`.

    Returns:
        float32 [num_frames, z_dim].

    Raises:
        TooFewFramesError: fewer frames than points.
        LatentError: fewer than two points, or no such kind or easing.
    """
    if kind not in KINDS:
        raise LatentError(f"There is no route '{kind}'. Known: {', '.join(KINDS)}.")
    position = time_frames(len(points), num_frames, loop, easing)
    stops = torch.stack([*points, points[0]] if loop else [*points]).float()
    if kind == "spline":
        return _follow_spline(stops, position, loop)
    return _follow_segments(lerp if kind == "linear" else slerp, stops, position)


def _follow_segments(
    blend: Callable[[Tensor, Tensor, Tensor], Tensor], stops: Tensor, position: Tensor
) -> Tensor:
    segments = len(stops) - 1
    segment = position.long().clamp(max=segments - 1)
    t = (position - segment).float()
    return torch.cat([blend(stops[i], stops[i + 1], t[segment == i]) for i in range(segments)])


def _follow_spline(stops: Tensor, position: Tensor, loop: bool) -> Tensor:
    """The cubic spline of the directions, natural or periodic (de Boor 1978, chapter IV).

    Speed and acceleration never jump. Lengths have a spline of their own and stay within those
    of the stops: the chord through two Gaussian points would pass too near to the origin.
    """
    lengths = stops.norm(dim=1, keepdim=True)
    knots = torch.cat([F.normalize(stops, dim=1), lengths], dim=1).double()
    bounds = "periodic" if loop else "natural"
    curve = torch.from_numpy(CubicSpline(range(len(stops)), knots, bc_type=bounds)(position))
    directions = F.normalize(curve[:, :-1], dim=1)
    return (directions * curve[:, -1:].clamp(lengths.min(), lengths.max())).float()
