"""Numbered frames -> a finished video: enlarged to be watchable, with the number if wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from renderers.encoders import Encoder
from renderers.overlay import BatchNumber
from renderers.plan import RenderOptions
from renderers.sheets import enlarge
from renderers.video import VideoWriter, watchable_scale

Frame = np.ndarray
Shot = tuple[int, Frame]


def film(
    shots: Iterator[Shot],
    path: Path,
    options: RenderOptions,
    encoder: Encoder,
    largest: int | None = None,
) -> None:
    """Write shots, (batch, uint8 [height, width, 3]) of one size, until they end.

    Args:
        largest: the largest batch of the whole film, which gives the overlay its width; None if
            shots have no number to show.

    Raises:
        UserError: the video cannot be written.
    """
    first = next(shots)
    height, width, _ = first[1].shape
    scale = options.scale or watchable_scale(height)
    finish = None
    if options.overlay and largest is not None:
        finish = _with_number(height, width, scale, largest)
        height, width, scale = height * scale, width * scale, 1
    with VideoWriter(path, width, height, options.fps, scale=scale, encoder=encoder) as video:
        for batch, frame in chain([first], shots):
            video.add(finish(frame, batch) if finish else frame)


def _with_number(
    height: int, width: int, scale: int, largest: int
) -> Callable[[Frame, int], Frame]:
    """Enlarges a frame and draws its batch on it, so that the digits are not made of squares."""
    number = BatchNumber(height * scale, width * scale, largest)
    return lambda frame, batch: number.draw(enlarge(frame, scale), batch)
