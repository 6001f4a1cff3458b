"""Time along training: which checkpoint each frame of a film shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from latent.points import LatentPoint
from renderers.frames.frame_renderer import FrameRenderer
from renderers.frames.source import CheckpointSource, stream_exactly

SMALL_PX = 32  # the side of the pictures that are compared
MOST_POINTS, MOST_CHECKPOINTS = 4, 2000  # that are looked at; between them change goes evenly
HELD_SHARE = 0.05  # of checkpoints that may need more than one frame, where no length is asked for


def spread(checkpoints: int, frames: int) -> np.ndarray:
    """Positions of checkpoints, the first to the last, evenly over the frames: int64 [frames].

    Example:
        >>> spread(5, 3).tolist(), spread(2, 4).tolist()
        ([0, 2, 4], [0, 0, 1, 1])
    """
    return np.rint(np.linspace(0, checkpoints - 1, frames) - 1e-9).astype(np.int64)


def spread_change(change: np.ndarray, frames: int | None) -> np.ndarray:
    """Positions of checkpoints such that the same change is seen from each frame to the next.

    Args:
        change: of each checkpoint's pictures to those of the one before, [checkpoints].
        frames: None for as many as nearly all steps of training can fill.

    Returns:
        int64 [frames], ascending, the first checkpoint to the last.
    """
    seen = np.cumsum(change) - change[0]
    if seen[-1] <= 0:
        return spread(len(change), frames or len(change))
    if frames is None:
        largest_steps = np.quantile(change[1:], 1 - HELD_SHARE)
        frames = max(2, min(len(change), int(seen[-1] / largest_steps)))
    wanted = np.linspace(0, seen[-1], frames)
    after = np.searchsorted(seen, wanted).clip(1, len(seen) - 1)
    nearer_before = wanted - seen[after - 1] < seen[after] - wanted
    return after - nearer_before


def measure_change(
    source: CheckpointSource,
    points: Sequence[LatentPoint],
    batches: Sequence[int],
    device: str = "cpu",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> np.ndarray:
    """How much the pictures of some points change from checkpoint to checkpoint.

    Args:
        batches: ascending.

    Returns:
        Root mean square in levels of 0..255, on small pictures: float64 [batches], the first 0.
    """
    looked_at = np.unique(spread(len(batches), min(len(batches), MOST_CHECKPOINTS)))
    z = torch.stack([point.z for point in points[:MOST_POINTS]])
    frames, moved, before = FrameRenderer(), [0.0], None
    chosen = [batches[position] for position in looked_at]
    for done, (_, G) in enumerate(stream_exactly(source, chosen, device), 1):
        small = _shrink(frames.render(G, z))
        if before is not None:
            moved.append(float((small - before).square().mean().sqrt()))
        before = small
        on_progress(done, len(chosen))
    seen = np.interp(np.arange(len(batches)), looked_at, np.cumsum(moved))
    return np.diff(seen, prepend=seen[0])


def _shrink(pictures: np.ndarray) -> torch.Tensor:
    """uint8 [N, H, W, 3] -> float32 [N, 3, at most SMALL_PX, at most SMALL_PX]."""
    floats = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    size = [min(SMALL_PX, side) for side in floats.shape[-2:]]
    return F.interpolate(floats, size, mode="area")
