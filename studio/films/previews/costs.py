"""How long a film will take to render and how large it will be, by estimate.

The paces are those of `benchmarks/timelapse.py` on two cores without a GPU. Films of the same run
that were rendered here before say how far this machine is from that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

import torch

from checkpoints_index import GeneratorSpec
from renderers.pictures.frame_layout import Size
from renderers.pictures.sheets import GAP_PX, grid_columns
from renderers.plan.pacing import MAX_POINTS
from studio.films.film_records import (
    FilmRun,
    count_checkpoints,
    film_content,
    list_film_runs,
)
from studio.films.planning import Film, OpenFilm, Outline
from studio.training.setup.time_estimate import count_forward
from studio.workspace.devices import name_devices
from studio.workspace.errors import EXPECTED_ERRORS

START_S = 1.5  # Modules are built, and an encoder proves that it works.
CORE_PACE, GPU_PACE = 40e9, 8e12  # Operations a second in forward passes.
DECODED_S = 3e-9  # Seconds of a core for each parameter of a checkpoint: read, decoded, copied.
ENCODED_PX = 65e6  # Pixels a second of a core in the encoder.
# Bytes for each pixel of a frame; those that are not named are videos for the web.
BYTES_PER_PX = {".mov": 0.6, ".mkv": 0.9, ".gif": 0.3, ".png": 0.7, ".jpg": 0.1, ".jpeg": 0.1}
USUAL_BYTES_PER_PX = 0.012
NEWEST = 5  # So many films say how fast this machine is.
MIN_FRAMES = 24  # A shorter film says nothing of that.
FASTEST, SLOWEST = 0.05, 20.0  # What earlier films say is believed within these factors.


@dataclass(frozen=True)
class FilmCost:
    """What a film takes.

    Attributes:
        videos: how many files, or folders of pictures.
        size: width and height of the largest of them, in pixels.
        render_s: seconds until all of them are there.
        size_bytes: of all of them.
        by_films: of how many earlier films of the run that is known; 0 for a rough guess.
    """

    videos: int
    size: Size
    render_s: float
    size_bytes: float
    by_films: int


def estimate_cost(outline: Outline[Film]) -> FilmCost:
    """What a film takes by estimate; nothing is drawn.

    Raises:
        RenderError: it would be too large.
    """
    opened, points = outline.opened, len(outline.tracks)
    sizes = video_sizes(opened, points)
    frames = len(outline.batches)
    checkpoints = count_checkpoints(outline.batches)
    pictures = points * (checkpoints if _is_still(outline) else frames)
    factors = list(_measured(opened))
    guess_s = _guess_s(opened, checkpoints, pictures, frames, sizes)
    if not factors and outline.measured:  # Earlier films tell of the time that this took, too.
        seen = outline.measured * min(points, MAX_POINTS)
        guess_s += _guess_s(opened, outline.measured, seen, 0, sizes)
    guess_bytes = frames * sum(map(_px, sizes)) * _bytes_per_px(opened)
    slower = median(slow for slow, _ in factors) if factors else 1.0
    larger = median(large for _, large in factors) if factors else 1.0
    largest = max(sizes, key=_px)
    seconds = START_S + guess_s * slower
    return FilmCost(len(sizes), largest, seconds, guess_bytes * larger, len(factors))


def video_sizes(opened: OpenFilm[Film], points: int) -> list[Size]:
    """Width and height of each video of a film of so many points.

    Raises:
        RenderError: one would be too large.
    """
    options, side = opened.options, opened.checkpoints.spec.image_size
    if options.composition:
        return [options.composition.size] * (points * options.points + options.grid)
    height, width = opened.shown_px or (side, side)
    if options.display.crop:
        width, height = options.display.crop[2:]
    even = options.encoder_for(1).even
    single = options.display.lay_out(width, height, even).video
    if not options.grid:
        return [single] * points
    columns = min(options.columns or grid_columns(points), points)
    rows = -(-points // columns)
    across, down = (n * side + (n - 1) * GAP_PX for n, side in ((columns, width), (rows, height)))
    grid = options.display.lay_out(across, down, even).video
    return [*([single] * points if options.points else []), grid]


def _is_still(outline: Outline[Film]) -> bool:
    return all(track.z.ndim == 1 for track in outline.tracks)


def _px(size: Size) -> int:
    return size[0] * size[1]


def _bytes_per_px(opened: OpenFilm[Film]) -> float:
    return BYTES_PER_PX.get(opened.options.format.suffix, USUAL_BYTES_PER_PX)


def _guess_s(
    opened: OpenFilm[Film], checkpoints: int, pictures: int, frames: int, sizes: list[Size]
) -> float:
    """Seconds on this machine's cores, and on its GPUs where it has some."""
    operations, parameters = _count_work(opened.checkpoints.spec)
    cores = os.cpu_count() or 1
    devices = name_devices(opened.film.devices)
    passes = pictures * operations
    gpus = sum(device != "cpu" for device in devices)
    drawn_s = passes / (GPU_PACE * gpus) if gpus else passes / (CORE_PACE * cores)
    read_s = checkpoints * parameters * DECODED_S / cores
    written_s = frames * sum(map(_px, sizes)) / (ENCODED_PX * cores)
    return drawn_s + read_s + written_s


def _measured(opened: OpenFilm[Film]) -> Iterator[tuple[float, float]]:
    """By what factors earlier films of the run took longer and became larger than by guess."""
    for run in list_film_runs(opened.workspace, opened.run, NEWEST):
        if (factors := _compare(opened, run)) is not None:
            yield factors


def _compare(opened: OpenFilm[Film], run: FilmRun) -> tuple[float, float] | None:
    """Those factors of one film; None where nobody knows what it shows any more."""
    content = film_content(opened.workspace, run.paths[0])
    if content is None or run.frames < MIN_FRAMES or run.took_s <= 0:
        return None
    if (content.frame_px is None) is opened.film.is_composed:  # It is of another kind.
        return None
    share = run.frames / content.frames
    try:
        sizes = video_sizes(opened, len(content.labels))[: len(run.paths)]
    except EXPECTED_ERRORS:
        return None
    sizes = sizes if content.frame_px is None else [content.frame_px] * len(sizes)
    sizes += [sizes[-1]] * (len(run.paths) - len(sizes))
    pictures = len(content.labels) * content.frames
    guess_s = _guess_s(opened, content.checkpoints, pictures, content.frames, sizes) * share
    guess_bytes = content.frames * sum(map(_px, sizes)) * _bytes_per_px(opened)
    is_alike = run.paths[0].suffix == opened.options.format.suffix
    larger = run.size_bytes / guess_bytes if is_alike and run.size_bytes else 1.0
    return _bounded(run.took_s / guess_s), _bounded(larger)


def _bounded(factor: float) -> float:
    return min(max(factor, FASTEST), SLOWEST)


def _count_work(spec: GeneratorSpec) -> tuple[int, int]:
    """Operations of a picture, and parameters; zeros of somebody's own network."""
    if not spec.is_ours:
        return 0, 0
    return _count_known(spec.architecture, json.dumps(spec.options, sort_keys=True))


@lru_cache(maxsize=16)
def _count_known(architecture: str, options: str) -> tuple[int, int]:
    spec = GeneratorSpec(architecture, json.loads(options))
    with torch.device("meta"):
        G = spec.build()
        operations = count_forward(G, torch.zeros(1, spec.z_dim))
    return operations, sum(weights.numel() for weights in G.parameters())
