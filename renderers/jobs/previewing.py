"""A few frames of a film before it is rendered, on the way that the film itself will go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from renderers.frames.devices import exact_arithmetic, sharing_cores
from renderers.frames.source import CheckpointSource
from renderers.jobs.parts import PartFolder, PartRenderer
from renderers.plan.cutting import Part
from renderers.plan.render_plan import RenderPlan
from renderers.video.video_reader import read_frames


def preview_frames(
    source: CheckpointSource, plan: RenderPlan, frames: Sequence[int], device: str
) -> Iterator[np.ndarray]:
    """Render some frames of a plan as parts of one frame each, encode them, and read them back.

    So they show what the film will show: crop, size, what is written on it, and the loss of its
    encoder. Of several videos it is the grid, else that of the first point.

    Args:
        source: gives the generators.
        frames: positions in the film, ascending.
        device: such as `cpu` or `cuda:0`.

    Returns:
        uint8 [height, width, 3] for each of frames.

    Raises:
        RenderError: a checkpoint is missing, or an encoder fails.
    """
    shown = _one_video(plan)
    with (
        TemporaryDirectory(prefix="preview-") as folder,
        sharing_cores(),
        exact_arithmetic(),
    ):
        parts = PartFolder(Path(folder), shown)
        renderer = PartRenderer(source, parts)
        for frame in frames:
            part = Part(frame, shown.batches[frame : frame + 1], f"{frame:024d}")
            renderer.render(part, device, lambda done: None)
            yield next(iter(read_frames(parts.paths(part)[0])))


def _one_video(plan: RenderPlan) -> RenderPlan:
    """The same film as one video."""
    if plan.options.grid:
        return replace(plan, options=replace(plan.options, points=False))
    return replace(plan, labels=plan.labels[:1], z_bytes=plan.z_bytes[:1])
