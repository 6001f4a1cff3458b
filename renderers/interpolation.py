"""Interpolations: one checkpoint, a moving latent point."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from latent.errors import UserError
from renderers.devices import beside_encoders
from renderers.film import film
from renderers.frames import FrameRenderer
from renderers.outputs import Video
from renderers.plan import RenderOptions
from renderers.recording import recording

CHUNK = 16  # frames in one forward pass; few, since several chunks wait for the encoder


def render_interpolation(
    G: nn.Module,
    route: Tensor,
    path: Path | str,
    options: RenderOptions | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Video:
    """Film a walk through latent space, rendering and encoding side by side.

    Args:
        G: in eval mode, on the device to render on.
        route: float32 [num_frames, z_dim], one frame each.
        path: ends in `.mp4`.
        options: `points`, `grid`, `columns` and `overlay` are about time-lapses and not used.
        on_progress: called with the number of frames done and of all.

    Raises:
        UserError: an empty route, or the video cannot be written.
    """
    if not len(route):
        raise UserError("The route has no frames: ask for more seconds or frames per second.")
    options = options or RenderOptions()
    path = Path(path)
    recorder = partial(film, path=path, options=options, encoder=options.encoder_of(1))
    frames = FrameRenderer()
    with beside_encoders(), recording([recorder]) as put:
        for first in range(0, len(route), CHUNK):
            for number, frame in enumerate(frames.render(G, route[first : first + CHUNK]), first):
                put((number, frame))
                on_progress(number + 1, len(route))
    return Video(path, path.stem, len(route))
