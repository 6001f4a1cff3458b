"""The poster of a run: how its cities grew, its atlas, curves and numbers, on one sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex, CheckpointRun
from checkpoints_index.storage.catalogue import open_catalogue
from latent.points import LatentPoint
from renderers.frames.frame_renderer import FrameRenderer
from renderers.frames.source import stream_exactly
from renderers.pictures.paper import Anchor, Paper, text_width
from renderers.progress import OnProgress
from studio.atlases.atlas_files import DrawnAtlas, list_atlases
from studio.films.stills.run_curves import (
    CURVES,
    LEAST_VALUES,
    RunCurve,
    metric_values,
    smooth_values,
)
from studio.runs.attribution import attribution_of, dataset_of
from studio.runs.config import TrainingConfig
from studio.runs.metrics import read_metrics
from studio.runs.storage_report import report_storage
from studio.specimens.points import points_or_fixed
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.records.quantities import format_bytes, format_duration

CITIES, STAGES = 9, 11  # Rows and columns of the pictures that show the growth.

# The sheet is A3; everything is in millimetres.
WIDTH, HEIGHT, MARGIN, GAP = 297.0, 420.0, 16.0, 1.4
GROUND, INK, QUIET, RULE = "#faf9f6", "#3a2530", "#6f5e58", "#e6dac4"
NAME, SUBTITLE, SMALL, VALUE = 15.0, 4.2, 2.7, 6.2  # The height of letters.
GROWTH_TOP, LABELS_WIDE = 50.0, 15.0
BELOW_TOP, ATLAS_WIDE = 274.0, 112.0
CURVE_HIGH, CURVE_GAP, NUMBERS_BESIDE = 30.0, 13.0, 3


class DrawnRunPoster(NamedTuple):
    """What was drawn."""

    path: Path
    labels: tuple[str, ...]
    batches: tuple[int, ...]


def draw_run_poster(
    workspace: Workspace,
    run: str,
    path: Path,
    points: Sequence[str],
    device: str | None,
    on_progress: OnProgress,
) -> DrawnRunPoster:
    """Draw a run on a sheet of A3.

    Args:
        path: see `renderers.pictures.paper.SUFFIXES`.
        points: up to CITIES of them, as `resolve_points` takes them; the fixed ones where there are
            none.
        device: see `borrow_device`.

    Raises:
        StudioError: unknown points, or a run without checkpoints or points.
        CheckpointError: unknown run.
        RenderError: the file cannot be written.
    """
    checkpoints = CheckpointIndex(workspace.runs)[run]
    chosen = choose_points(workspace, checkpoints, points)
    metrics = read_metrics(workspace.metrics(run))
    batches = choose_stages(checkpoints.batches, metrics)
    paper = Paper(WIDTH, HEIGHT, GROUND)
    with borrow_device(workspace, device, f"a poster of {run}") as lent:
        _draw_growth(paper, checkpoints, chosen, batches, lent, on_progress)
    _write_head(paper, workspace, run)
    atlas = max(list_atlases(workspace, run), key=lambda each: each.batch, default=None)
    left = MARGIN
    if atlas is not None:
        _lay_atlas(paper, atlas)
        left += ATLAS_WIDE + 12
    below = _draw_curves(paper, metrics, left)
    _write_numbers(paper, _tell_numbers(workspace, run, metrics), left, below)
    foot = HEIGHT - MARGIN - SMALL
    paper.write(attribution_of(workspace, run), (MARGIN, foot), SMALL, QUIET)
    paper.write(f"studio render poster {run}", (WIDTH - MARGIN, foot), SMALL, QUIET, "right")
    labels = tuple(point.label for point in chosen)
    return DrawnRunPoster(paper.save(path), labels, tuple(batches))


def choose_points(
    workspace: Workspace, checkpoints: CheckpointRun, points: Sequence[str]
) -> list[LatentPoint]:
    """The cities whose growth a poster shows.

    Raises:
        StudioError: there is none, or more than CITIES were asked for.
    """
    chosen = points_or_fixed(workspace, checkpoints.name, points, checkpoints.spec.z_dim)
    if len(chosen) > CITIES and points:
        raise StudioError(f"A poster shows {CITIES} cities; {len(chosen)} were asked for.")
    if not chosen:
        raise StudioError(
            f"Run '{checkpoints.name}' has no points of its own. Name some: --points seed:1,seed:2"
        )
    return chosen[:CITIES]


def choose_stages(batches: Sequence[int], metrics: Sequence[Mapping[str, Any]] = ()) -> list[int]:
    """The batches at which cities are shown, the first and the last among them.

    They lie half by their number, half by how much the pictures changed until then.

    Args:
        metrics: of the run; `change` is how much pictures changed from one batch to the next.

    Raises:
        StudioError: there are none.

    Example:
        >>> choose_stages(range(1, 1001))
        [1, 101, 201, 301, 401, 500, 600, 700, 800, 900, 1000]
    """
    if not batches:
        raise StudioError("There is no checkpoint yet. Train the run first.")
    along = np.linspace(0, 1, len(batches))
    changes = metric_values(metrics, "change")
    if len(changes) > 1 and changes[:, 1].sum() > 0:
        passed = np.cumsum(changes[:, 1]) / changes[:, 1].sum()
        along = (along + np.interp(batches, changes[:, 0], passed)) / 2
    wanted = np.linspace(along[0], along[-1], STAGES)
    places = np.abs(along[:, None] - wanted).argmin(0)
    return [batches[place] for place in dict.fromkeys(places.tolist())]


def _draw_growth(
    paper: Paper,
    checkpoints: CheckpointRun,
    points: Sequence[LatentPoint],
    batches: Sequence[int],
    device: str,
    on_progress: OnProgress,
) -> None:
    """A row for each city, a column for each batch, as large as there is room."""
    across = (WIDTH - 2 * MARGIN - LABELS_WIDE + GAP) / len(batches) - GAP
    down = (BELOW_TOP - 8 - GROWTH_TOP + GAP) / len(points) - GAP
    z, renderer = torch.stack([point.z for point in points]), FrameRenderer()
    first_left, total = MARGIN + LABELS_WIDE, len(batches)
    for column, (batch, G) in enumerate(stream_exactly(checkpoints, batches, device)):
        for row, frame in enumerate(renderer.render(G, z)):
            aspect = frame.shape[1] / frame.shape[0]
            width = min(across, down * aspect)
            height = width / aspect
            left = first_left + column * (width + GAP)
            top = GROWTH_TOP + row * (height + GAP)
            paper.lay(frame, (left, top, width, height))
            if column == 0:
                middle = top + (height - SMALL) / 2
                label, room = points[row].label, LABELS_WIDE - 2
                paper.write(label, (first_left - 2, middle), SMALL, QUIET, "right", room)
        place = left + width / 2, GROWTH_TOP - SMALL * 1.7
        paper.write(f"{batch:,}", place, SMALL, QUIET, "middle")
        on_progress(column + 1, total)


def _write_head(paper: Paper, workspace: Workspace, run: str) -> None:
    paper.write(run, (MARGIN, MARGIN - 3), NAME, INK, room=WIDTH - 2 * MARGIN)
    said = _tell_training(workspace, run)
    paper.write(said, (MARGIN, MARGIN + NAME), SUBTITLE, QUIET, room=WIDTH - 2 * MARGIN)


def _tell_training(workspace: Workspace, run: str) -> str:
    """What learnt what, in a line."""
    batches = open_catalogue(workspace.runs, run).batches
    said = f"Batch {batches[0]:,} to {batches[-1]:,}"
    if len(batches) <= batches[-1] - batches[0]:
        said += f", {len(batches):,} of them kept"
    dataset = dataset_of(workspace, run)
    if dataset is None:
        return said
    return f"{said}, learnt from {dataset.manifest.describe()} ({dataset.folder.name})"


def _lay_atlas(paper: Paper, atlas: DrawnAtlas) -> None:
    """The picture of an atlas as large as its place, and what it is."""
    with Image.open(atlas.path) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    height = ATLAS_WIDE * pixels.shape[0] / pixels.shape[1]
    title = f"{atlas.count:,} cities at batch {atlas.batch:,}: like lies near like"
    paper.write(title, (MARGIN, BELOW_TOP - 6), SMALL * 1.15, INK, room=ATLAS_WIDE)
    paper.lay(pixels, (MARGIN, BELOW_TOP, ATLAS_WIDE, height))


def _draw_curves(paper: Paper, metrics: Sequence[Mapping[str, Any]], left: float) -> float:
    """Curves over batches, one panel below another; where they end."""
    top, right = BELOW_TOP, WIDTH - MARGIN
    for curve in CURVES:
        known = {name: metric_values(metrics, name) for name, _, _ in curve.series}
        known = {name: values for name, values in known.items() if len(values) >= LEAST_VALUES}
        if not known:
            continue
        paper.write(curve.title, (left, top - 6), SMALL * 1.15, INK)
        x = right
        for name, called, colour in reversed(curve.series):
            if name in known and called:
                paper.write(called, (x, top - 6), SMALL, colour, "right")
                x -= text_width(called, SMALL) + 3
        _draw_panel(paper, curve, known, (left, top, right - left, CURVE_HIGH - CURVE_GAP))
        top += CURVE_HIGH
    return top


def _draw_panel(
    paper: Paper,
    curve: RunCurve,
    known: Mapping[str, np.ndarray],
    box: tuple[float, float, float, float],
) -> None:
    """Smoothed curves in a box with its range at the left and its batches below."""
    left, top, width, height = box
    room = 9.0
    smooth = {name: smooth_values(values) for name, values in known.items()}
    values = np.concatenate([each[:, 1] for each in smooth.values()])
    low, high = float(values.min()), float(values.max())
    high = high if high > low else low + 1
    first = min(each[0, 0] for each in smooth.values())
    last = max(each[-1, 0] for each in smooth.values())
    for share, value in ((0.0, high), (1.0, low)):
        y = top + share * height
        paper.draw([(left + room, y), (left + width, y)], RULE, 0.15)
        paper.write(f"{value:.3g}", (left + room - 1.5, y - SMALL / 2), SMALL * 0.9, QUIET, "right")
    for name, _, colour in curve.series:
        if name in smooth:
            across = (smooth[name][:, 0] - first) / (last - first) * (width - room)
            up = (smooth[name][:, 1] - low) / (high - low) * height
            places = np.column_stack([left + room + across, top + height - up])
            paper.draw([(float(x), float(y)) for x, y in places], colour, 0.4)
    below = top + height + 1
    ends: tuple[tuple[float, float, Anchor], ...] = (
        (left + room, first, "left"),
        (left + width, last, "right"),
    )
    for x, batch, anchor in ends:
        paper.write(f"batch {batch:,.0f}", (x, below), SMALL * 0.9, QUIET, anchor)


def _tell_numbers(
    workspace: Workspace, run: str, metrics: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """(value, what it is) of what tells most of a run."""
    catalogue = open_catalogue(workspace.runs, run)
    report = report_storage(workspace, catalogue, [])
    told = [(f"{len(report.batches):,}", "checkpoints kept")]
    told.append((format_bytes(report.size_bytes), "on disk"))
    if report.ratio:
        told.append((f"{report.ratio:.0f} times", "smaller than plain"))
    seconds = sum(float(entry.get("seconds", 0)) for entry in metrics)
    if seconds:
        told.append((format_duration(seconds, "words"), "of training"))
    path = workspace.run_config(run)
    if path.exists():
        config = TrainingConfig.read(path)
        told.append((f"{report.batches[-1] * config.batch_size:,}", "pictures seen"))
    return told


def _write_numbers(paper: Paper, told: Sequence[tuple[str, str]], left: float, top: float) -> None:
    """Numbers in columns, each above what it is."""
    wide = (WIDTH - MARGIN - left) / NUMBERS_BESIDE
    for number, (value, name) in enumerate(told):
        x = left + number % NUMBERS_BESIDE * wide
        y = top - 4 + number // NUMBERS_BESIDE * 15
        paper.write(value, (x, y), VALUE, INK, room=wide - 4)
        paper.write(name, (x, y + VALUE * 1.25), SMALL, QUIET, room=wide - 4)
