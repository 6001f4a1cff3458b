"""Choose which checkpoint each frame of a film shows: evenly, or by how much pictures change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from latent.points import LatentPoint
from renderers.frames.frame_renderer import FrameRenderer
from renderers.frames.source import CheckpointSource, stream_exactly
from renderers.progress import OnProgress, ignore_progress

SMALL_PX = 32  # Pictures are compared at this size.
# So many points and checkpoints are compared at most; between them change is taken as even.
MAX_POINTS, MAX_CHECKPOINTS = 4, 2000
# Where no length is asked for, this share of the checkpoints may be shown by several frames.
MAX_HELD_SHARE = 0.05


def spread(checkpoints: int, frames: int) -> np.ndarray:
    """Spread checkpoints evenly over frames, the first to the last.

    Args:
        checkpoints: how many there are, at least 1.
        frames: how many there are, at least 1; checkpoints are left out or repeated.

    Returns:
        The position of each frame's checkpoint, int64 [frames], 0..checkpoints - 1, ascending.

    Example:
        >>> spread(5, 3).tolist(), spread(2, 4).tolist()
        ([0, 2, 4], [0, 0, 1, 1])
    """
    return np.rint(np.linspace(0, checkpoints - 1, frames) - 1e-9).astype(np.int64)


def spread_change(change: np.ndarray, frames: int | None) -> np.ndarray:
    """Spread checkpoints so that the same change is seen from each frame to the next.

    Args:
        change: how far each checkpoint's pictures are from those of the one before, at least 0,
            float [checkpoints].
        frames: None for as many as nearly all steps of training can fill.

    Returns:
        The position of each frame's checkpoint, int64 [frames], ascending, the first to the last.
    """
    seen = np.cumsum(change) - change[0]
    if seen[-1] <= 0:
        return spread(len(change), frames or len(change))
    if frames is None:
        largest_steps = np.quantile(change[1:], 1 - MAX_HELD_SHARE)
        frames = max(2, min(len(change), int(seen[-1] / largest_steps)))
    wanted = np.linspace(0, seen[-1], frames)
    after = np.searchsorted(seen, wanted).clip(1, len(seen) - 1)
    nearer_before = wanted - seen[after - 1] < seen[after] - wanted
    positions = np.asarray(after - nearer_before, np.int64)
    # Where the first or last checkpoints all look alike, any of them would do.
    positions[-1], positions[0] = len(change) - 1, 0
    return positions


def measure_change(
    source: CheckpointSource,
    points: Sequence[LatentPoint],
    batches: Sequence[int],
    device: str = "cpu",
    on_progress: OnProgress = ignore_progress,
) -> np.ndarray:
    """Measure how much the pictures of some points change from checkpoint to checkpoint.

    Args:
        points: only the first `MAX_POINTS` are rendered.
        batches: ascending.
        on_progress: called with the number of checkpoints compared and of all to compare.

    Returns:
        Root mean square in levels of 0..255, on small pictures: float64 [batches], the first 0.

    Raises:
        RenderError: a checkpoint is missing.
    """
    sampled = np.unique(spread(len(batches), min(len(batches), MAX_CHECKPOINTS)))
    z = torch.stack([point.z for point in points[:MAX_POINTS]])
    frames, moved, before = FrameRenderer(), [0.0], None
    chosen = [batches[position] for position in sampled]
    for done, (_, G) in enumerate(stream_exactly(source, chosen, device), 1):
        small = _shrink(frames.render(G, z))
        if before is not None:
            moved.append(float((small - before).square().mean().sqrt()))
        before = small
        on_progress(done, len(chosen))
    seen = np.interp(np.arange(len(batches)), sampled, np.cumsum(moved))
    return np.diff(seen, prepend=seen[0])


def _shrink(pictures: np.ndarray) -> torch.Tensor:
    """uint8 [N, H, W, 3] -> float32 [N, 3, at most SMALL_PX, at most SMALL_PX]."""
    floats = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    size = [min(SMALL_PX, side) for side in floats.shape[-2:]]
    return F.interpolate(floats, size, mode="area")
