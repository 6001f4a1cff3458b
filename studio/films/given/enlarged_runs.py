"""How often a network is applied to the pictures of a film, by the size at which they are shown."""

from __future__ import annotations

import math
from dataclasses import replace

from renderers.compositions.composition import GRID, STRIP, WIPE, Composition
from renderers.frames.source import CheckpointSource
from renderers.pictures.display_options import DisplayOptions
from renderers.plan.options import RenderOptions
from renderers.upscaling.enlarged_source import EnlargedSource, Enlargement
from studio.runs.tools.upscalers import RunUpscaler

MAX_TIMES = 6  # Six times two are 64 times as wide.


def choose_enlargement(
    options: RenderOptions, upscaler: RunUpscaler, picture_px: tuple[int, int], points: int
) -> Enlargement:
    """How pictures are enlarged so that they are no smaller than they are shown.

    Args:
        options: those that were asked for.
        picture_px: width and height of the pictures of the run.
        points: how many of them a frame shows.

    Raises:
        RenderError: the crop does not lie in the pictures.
    """
    display = options.display
    width, height = display.cropped(*picture_px)
    if options.composition is not None:
        wanted = _cell_px(options.composition, points)
        return Enlargement(_count(height, wanted, upscaler.scale), display.crop)
    even = options.encoder_for(1).even
    shown = display.lay_out(width, height, even).shown
    times = _count(height, shown[1], upscaler.scale)
    exact = None if display.size is not None else shown
    return Enlargement(times, display.crop, exact)


def enlarge_options(options: RenderOptions) -> RenderOptions:
    """The options of frames whose pictures come cropped, and as large as they are shown."""
    display: DisplayOptions = replace(options.display, crop=None)
    if options.composition is None and display.size is None:
        display = replace(display, scale=1)
    return replace(options, display=display)


def mark_weights(digest: str, upscaler: RunUpscaler, enlargement: Enlargement) -> str:
    """The text that stands for a checkpoint whose pictures are enlarged so."""
    return f"{digest} {upscaler.digest} {enlargement}"


def enlarge_source(
    checkpoints: CheckpointSource, upscaler: RunUpscaler, enlargement: Enlargement
) -> CheckpointSource:
    """Checkpoints whose pictures are enlarged so."""
    return EnlargedSource(checkpoints, upscaler.network, enlargement)


def _cell_px(composition: Composition, points: int) -> int:
    """About how high a picture is shown in a composed frame, a fifth of which are texts."""
    rows = {GRID: math.ceil(math.sqrt(points)), STRIP: 2, WIPE: 1}.get(composition.kind, 1)
    return min(composition.size) * 4 // 5 // rows


def _count(have_px: int, wanted_px: int, scale: int) -> int:
    times = 0
    while have_px < wanted_px and times < MAX_TIMES:
        have_px, times = have_px * scale, times + 1
    return times
