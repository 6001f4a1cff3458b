"""Key-framed paths: read them, and move the batch and the latent point from key to key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from latent.easing import time_frames
from latent.errors import LatentError
from latent.routes import route

# A comma separates keys only where another begins: the path of a JPEG may hold commas.
_SEPARATOR = re.compile(r"->|→|,(?=\s*-?[0-9]+\s*@)")
_KEY = re.compile(r"([0-9]{1,15})\s*@\s*(\S.*)", re.DOTALL)


class KeyFrame(NamedTuple):
    """A batch, and what a person may write for a latent point."""

    batch: int
    point: str


def parse_key_frames(text: str) -> list[KeyFrame]:
    """Read a path such as `12000@16500.28 -> 19000@18218.3`; commas may separate the keys as well.

    Returns:
        Two or more keys, in their order.

    Raises:
        LatentError: fewer than two keys, or one that is not BATCH@POINT.

    Example:
        >>> parse_key_frames("0@seed:7 -> 500@seed:7")
        [KeyFrame(batch=0, point='seed:7'), KeyFrame(batch=500, point='seed:7')]
    """
    keys = [_parse_key(part.strip(), text) for part in _SEPARATOR.split(text)]
    if len(keys) < 2:
        raise LatentError(
            f"'{text}' is one key; a path needs two or more: 12000@16500.28 -> 19000@seed:7."
        )
    return keys


def follow_key_frames(
    batches: Sequence[int],
    points: Sequence[Tensor],
    num_frames: int,
    kind: str = "slerp",
    *,
    easing: str = "linear",
) -> tuple[Tensor, Tensor]:
    """Place a path at every frame; every segment from key to key takes the same time.

    Args:
        batches: the batch of each key, in any order; a repeated one holds still.
        points: the latent vector of each key, float32 [z_dim].
        num_frames: frames of the whole path.
        kind, easing: see `latent.routes.route`; the batch is eased as well.

    Returns:
        (batches with fractions float64 [num_frames], z float32 [num_frames, z_dim]).

    Raises:
        TooFewFramesError: fewer frames than keys.
        LatentError: fewer than two keys, or no such kind or easing.
    """
    z = route(points, num_frames, kind, easing=easing)
    position = time_frames(len(points), num_frames, easing=easing)
    keys = torch.tensor(batches, dtype=torch.float64)
    key = position.long().clamp(max=len(keys) - 2)
    return torch.lerp(keys[key], keys[key + 1], position - key), z


def _parse_key(part: str, text: str) -> KeyFrame:
    match = _KEY.fullmatch(part)
    if match:
        return KeyFrame(int(match[1]), match[2])
    if not part:
        raise LatentError(f"'{text}' has an empty place where a key was expected: BATCH@POINT.")
    raise LatentError(
        f"'{part}' is no key of a path: write BATCH@POINT, such as 12000@16500.28 or 0@seed:7."
    )
