"""Look at many cities once: their features, shortened as they come, and their thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from latent.maps.directions import MAX_PLAIN, MainDirections, find_directions
from latent.nearness.features import compute_features
from renderers.frames.frame_renderer import FrameRenderer
from renderers.frames.passes import round_pictures
from renderers.progress import OnProgress, ignore_progress
from studio.atlases.sprites import SpriteSheets, shrink

CHUNK = 2_000  # Points that are looked at before their features are shortened.
DRAWN_AT_ONCE = 64  # Pictures of one call of the renderer.


@dataclass(frozen=True, eq=False)
class SeenCities:
    """What was seen of some cities.

    Args:
        features: float32 [N, r], as they are or their main directions.
        directions: the main directions, where features were shortened.
        thumbnails: uint8 [N, S, S, 3].
    """

    features: np.ndarray
    directions: MainDirections | None
    thumbnails: np.ndarray

    @property
    def share(self) -> float:
        """The share of the features' variance that was kept, 0..1."""
        return 1.0 if self.directions is None else self.directions.share


def look_at_cities(
    G: nn.Module, z: Tensor, space: str, size_px: int, sheets: SpriteSheets, on_progress: OnProgress
) -> SeenCities:
    """Describe cities by a space, and draw them in the same forward passes.

    Args:
        G: generator in eval mode.
        z: float32 [N, z_dim], in no particular order.
        space: one of `latent.nearness.features.SPACES`.
        size_px: width and height of the thumbnails that are kept in memory.
        sheets: takes a thumbnail of each as well.

    Raises:
        LatentError: unknown space, or a generator whose pictures are not finite.
    """
    thumbnails: list[np.ndarray] = []

    def take(frames: np.ndarray) -> None:
        sheets.add(frames)
        thumbnails.extend(shrink(frame, size_px) for frame in frames)

    with _watching(G, take):
        features, directions = describe_cities(G, z, space, on_progress)
    if not thumbnails:  # The latent vectors themselves need no forward pass.
        _draw(G, z, take, on_progress)
    return SeenCities(features, directions, np.stack(thumbnails))


def describe_cities(
    G: nn.Module, z: Tensor, space: str, on_progress: OnProgress = ignore_progress
) -> tuple[np.ndarray, MainDirections | None]:
    """Describe cities by a space, shortened as they come.

    Features of a hundred thousand cities would not fit into memory: the first CHUNK tell the main
    directions, which are kept of them and of all others.

    Args:
        G, z, space: see `look_at_cities`.

    Returns:
        (float32 [N, r], the main directions where features were shortened).

    Raises:
        LatentError: see `look_at_cities`.
    """
    rows: list[np.ndarray] = []
    directions: MainDirections | None = None
    for start in range(0, len(z), CHUNK):
        chunk = z[start : start + CHUNK]
        found = compute_features(G, chunk, space, _shifted(on_progress, start, len(z))).numpy()
        if directions is None and found.shape[1] > MAX_PLAIN:
            directions = find_directions(found)
        rows.append(found if directions is None else directions.project(found))
    return np.concatenate(rows), directions


@contextmanager
def _watching(G: nn.Module, take: Callable[[np.ndarray], None]) -> Iterator[None]:
    """Take the pictures of every forward pass of G meanwhile."""

    def see(module: nn.Module, inputs: object, images: Tensor) -> None:
        take(round_pictures(images).cpu().numpy())

    hook = G.register_forward_hook(see)
    try:
        yield
    finally:
        hook.remove()


def _draw(
    G: nn.Module,
    z: Tensor,
    take: Callable[[np.ndarray], None],
    on_progress: Callable[[int, int], None],
) -> None:
    renderer = FrameRenderer()
    for start in range(0, len(z), DRAWN_AT_ONCE):
        take(renderer.render(G, z[start : start + DRAWN_AT_ONCE]))
        on_progress(min(start + DRAWN_AT_ONCE, len(z)), len(z))


def _shifted(on_progress: OnProgress, start: int, total: int) -> Callable[[int, int], None]:
    """Progress of a part, told as that of the whole."""
    return lambda done, _: on_progress(start + done, total)
