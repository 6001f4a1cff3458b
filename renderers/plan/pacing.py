"""Choose which checkpoint each frame of a film shows: evenly, or by how much pictures change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F

from latent.points import LatentPoint
from renderers.errors import UnfinishedRenderError
from renderers.files import make_folder, read_json, write_json
from renderers.frames.frame_renderer import FrameRenderer
from renderers.frames.source import CheckpointSource, stream_exactly
from renderers.plan.cutting import Part, count_part_frames
from renderers.plan.part_work import Engine
from renderers.progress import OnProgress, ignore_progress
from renderers.video.rates import Rate

SMALL_PX = 32  # Pictures are compared at this size.
# So many points and checkpoints are compared at most; between them change is taken as even.
MAX_POINTS, MAX_CHECKPOINTS = 4, 2000
PART_CHECKPOINTS = 100  # Steps that are measured in one go; a killed film goes on behind them.
# Where no length is asked for, this share of the checkpoints may be shown by several frames.
MAX_HELD_SHARE = 0.05
WATCHABLE_S = 20, 40  # One watches a film for so many seconds.
LEAST_CHECKPOINTS_PER_S = 12  # Fewer look like a show of slides.


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


def watchable_frames(checkpoints: int, fps: Rate) -> int:
    """How many frames a film has that one watches: of 20 to 40 seconds, shorter for a short run.

    Example:
        >>> watchable_frames(900, 30), watchable_frames(20_000, 30), watchable_frames(60, 30)
        (900, 1200, 150)
    """
    longest = min(WATCHABLE_S[1], checkpoints / LEAST_CHECKPOINTS_PER_S)
    return max(2, round(min(max(checkpoints, WATCHABLE_S[0] * fps), longest * fps)))


def count_measured(batches: Sequence[int]) -> int:
    """At how many of the batches `measure_change` looks."""
    return min(len(batches), MAX_CHECKPOINTS)


def measure_change(
    source: CheckpointSource,
    points: Sequence[LatentPoint],
    batches: Sequence[int],
    folder: Path,
    engine: Engine,
    on_progress: OnProgress = ignore_progress,
) -> np.ndarray:
    """Measure how much the pictures of some points change from checkpoint to checkpoint.

    Killed at any moment, the same call goes on where it was.

    Args:
        points: only the first `MAX_POINTS` are rendered.
        batches: ascending.
        folder: belongs to this measurement, of these weights and points, alone.
        engine: measures parts, on whatever devices it has.
        on_progress: called with the number of checkpoints looked at and of all to look at.

    Returns:
        Root mean square in levels of 0..255, on small pictures: float64 [batches], the first 0.

    Raises:
        RenderError: a checkpoint is missing, or a device or the disk fails.
    """
    sampled = np.unique(spread(len(batches), count_measured(batches)))
    parts = _overlapping_parts([batches[position] for position in sampled])
    make_folder(folder)
    z = torch.stack([point.z for point in points[:MAX_POINTS]])
    measurer = ChangeMeasurer(source, z, ChangeFolder(folder))
    missing = [part for part in parts if not measurer.parts.is_whole(part)]
    known = count_part_frames(parts) - count_part_frames(missing)

    def count(done: int, total: int, note: str = "") -> None:
        on_progress(known + done, known + total, note)

    engine(measurer, missing, on_progress=count)
    moved = [0.0, *(step for part in parts for step in measurer.parts.read(part))]
    seen = np.interp(np.arange(len(batches)), sampled, np.cumsum(moved))
    return np.diff(seen, prepend=seen[0])


def _overlapping_parts(batches: Sequence[int]) -> list[Part]:
    """Parts of which each begins with the checkpoint that the one before ends with."""
    firsts = range(0, max(1, len(batches) - 1), PART_CHECKPOINTS)
    stretches = [tuple(batches[first : first + PART_CHECKPOINTS + 1]) for first in firsts]
    return [
        Part(first, own, hashlib.sha256(repr(own).encode()).hexdigest())
        for first, own in zip(firsts, stretches, strict=True)
    ]


@dataclass(frozen=True)
class ChangeFolder:
    """What was measured of each part, in a file of its own."""

    folder: Path

    def is_whole(self, part: Part) -> bool:
        """Whether a part was measured."""
        return self._path(part).exists()

    def read(self, part: Part) -> list[float]:
        """The change from each checkpoint of a part to the next.

        Raises:
            UnfinishedRenderError: it was not measured, or its file is damaged.
        """
        found = (read_json(self._path(part)) or {}).get("change", ())
        if len(found) != len(part.batches) - 1:
            self._path(part).unlink(missing_ok=True)
            raise UnfinishedRenderError(
                f"What was measured of batches {part.batches[0]} to {part.batches[-1]} cannot be "
                "read. It will be measured anew."
            )
        return [float(step) for step in found]

    def write(self, part: Part, change: Sequence[float]) -> None:
        """Note the change from each checkpoint of a part to the next.

        Raises:
            RenderError: it cannot be written.
        """
        write_json({"change": list(change)}, self._path(part))

    def _path(self, part: Part) -> Path:
        return self.folder / f"{part.digest}.json"


@dataclass(frozen=True)
class ChangeMeasurer:
    """Measures any part on any device; nothing of it stays on a device behind its part.

    Args:
        z: the points, float32 [N, z_dim].
    """

    source: CheckpointSource
    z: torch.Tensor
    parts: ChangeFolder

    def render(self, part: Part, device: str, on_frame: Callable[[int], None]) -> None:
        """Render the points at each checkpoint, and note how far each is from the one before.

        Args:
            on_frame: called with the number of checkpoints that were looked at so far.

        Raises:
            RenderError: a checkpoint is missing, or the disk fails.
        """
        frames, change, before = FrameRenderer(), [], None
        for done, (_, G) in enumerate(stream_exactly(self.source, part.batches, device), 1):
            small = _shrink(frames.render(G, self.z))
            if before is not None:
                change.append(float((small - before).square().mean().sqrt()))
            before = small
            on_frame(done)
        self.parts.write(part, change)

    def for_other_process(self) -> Self:
        """The same measurer: it holds nothing on a device."""
        return self


def _shrink(pictures: np.ndarray) -> torch.Tensor:
    """uint8 [N, H, W, 3] -> float32 [N, 3, at most SMALL_PX, at most SMALL_PX]."""
    floats = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
    size = [min(SMALL_PX, side) for side in floats.shape[-2:]]
    return F.interpolate(floats, size, mode="area")
