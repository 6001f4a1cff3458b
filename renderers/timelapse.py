"""Time-lapses: one frame a checkpoint at fixed latent points, all points in one pass."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from latent.errors import UserError
from latent.points import LatentPoint
from renderers.devices import require_devices
from renderers.files import locked, read_json, remove_leftovers, write_json
from renderers.outputs import Video, output_paths, views_of
from renderers.parts import PartFolder, PartRenderer
from renderers.plan import Plan, RenderOptions, make_plan
from renderers.source import CheckpointSource
from renderers.video import concatenate
from renderers.workers import render_parts

Progress = Callable[[int, int], None]


def render_timelapse(
    source: CheckpointSource,
    points: Sequence[LatentPoint],
    batches: Sequence[int],
    folder: Path | str,
    file: Path | str,
    *,
    options: RenderOptions | None = None,
    weights_digest: str = "",
    borders: Sequence[int] = (),
    devices: Sequence[str] = ("cpu",),
    on_progress: Progress = lambda done, total: None,
) -> list[Video]:
    """Render points over batches; killed at any moment, the same call goes on where it was.

    The plan, the parts and the record of the finished videos are kept in folder. A finished
    render that is asked for again is returned at once, one that another process is rendering
    is waited for.

    Args:
        source: gives the generators; see `renderers.source`.
        batches: ascending, one frame each.
        folder: of this render alone.
        file: `FILE.mp4`; see `renderers.outputs.output_paths`.
        weights_digest: stands for the weights: another one means that all is rendered again.
        borders: batches at which reading may begin cheaply.
        devices: such as `cpu`, or `cuda:0` and `cuda:1`, which share the parts.
        on_progress: called with the number of batches done and of all.

    Returns:
        The videos, points first, then the grid; each has one frame a batch.

    Raises:
        UserError: bad input, a missing device or checkpoint, a full disk, a failing encoder.
    """
    options = options or RenderOptions()
    plan = make_plan(points, batches, options, weights_digest, borders)
    paths = output_paths(file, plan.labels, options.points, options.grid)
    full_devices = require_devices(devices)
    folder = Path(folder)
    with locked(folder):
        videos = _finished_videos(folder, plan, paths)
        if videos is None:
            plan = _keep_plan(folder, plan)
            parts = PartFolder(folder / "parts", plan)
            _render_missing(source, parts, full_devices, on_progress)
            videos = _join(parts, paths)
            _record(folder, plan, videos)
        shutil.rmtree(folder / "parts", ignore_errors=True)
    on_progress(len(batches), len(batches))
    return videos


def _keep_plan(folder: Path, plan: Plan) -> Plan:
    """The plan that was begun here if it is the same one, else this one, written down."""
    begun = read_json(folder / "plan.json") or {}
    if begun.get("digest") == plan.digest:
        return Plan.from_json(begun)
    (folder / "videos.json").unlink(missing_ok=True)
    write_json({"digest": plan.digest, **plan.to_json()}, folder / "plan.json")
    return plan


def _render_missing(
    source: CheckpointSource, parts: PartFolder, devices: Sequence[str], on_progress: Progress
) -> None:
    parts.discard_others()
    missing = [part for part in parts.plan.parts if not parts.is_whole(part)]
    total = len(parts.plan.batches)
    before = total - sum(len(part.batches) for part in missing)
    on_progress(before, total)
    if missing and parts.plan.options.encoder != "libx264":
        parts.plan.options.encoder_of(1).prove()
    renderer = PartRenderer(source, parts)
    render_parts(renderer, missing, devices, lambda done: on_progress(before + done, total))


def _join(parts: PartFolder, paths: Sequence[Path]) -> list[Video]:
    """Join each view's parts into its video, which must have a frame for every batch."""
    pieces = zip(*(parts.paths(part) for part in parts.plan.parts), strict=True)
    frames = len(parts.plan.batches)
    videos = []
    for view, path, own in zip(views_of(parts.plan), paths, pieces, strict=True):
        remove_leftovers(path.parent, path.stem)
        try:
            concatenate(own, path, frames)
        except UserError:
            parts.discard_broken()
            raise
        videos.append(Video(path, view.label, frames))
    return videos


def _record(folder: Path, plan: Plan, videos: Sequence[Video]) -> None:
    listed = [
        {
            "path": str(video.path.resolve()),
            "label": video.label,
            "frames": video.frames,
            "size_bytes": video.path.stat().st_size,
        }
        for video in videos
    ]
    write_json({"digest": plan.digest, "videos": listed}, folder / "videos.json")


def _finished_videos(folder: Path, plan: Plan, paths: Sequence[Path]) -> list[Video] | None:
    """The videos of this plan under these paths, if all are there as they were finished."""
    record = read_json(folder / "videos.json") or {}
    if record.get("digest") != plan.digest:
        return None
    listed = record["videos"]
    if [entry["path"] for entry in listed] != [str(path.resolve()) for path in paths]:
        return None
    pairs = list(zip(listed, paths, strict=True))
    if any(not path.is_file() or path.stat().st_size != e["size_bytes"] for e, path in pairs):
        return None
    return [Video(path, entry["label"], entry["frames"]) for entry, path in pairs]
