"""Render a plan: make the parts that are missing, then join them into videos."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from renderers.errors import UnfinishedRenderError
from renderers.files import (
    checksum_file,
    locked,
    note_path,
    noted_path,
    read_json,
    remove_leftovers,
    write_json,
)
from renderers.frames.source import CheckpointSource
from renderers.jobs.claims import claim, release
from renderers.jobs.parts import PartFolder, PartRenderer
from renderers.plan.cutting import Part, count_part_frames
from renderers.plan.outputs import Video, earlier_paths, list_views, output_paths, tags_of
from renderers.plan.part_work import Engine
from renderers.plan.render_plan import RenderPlan
from renderers.progress import OnProgress, ignore_progress
from renderers.video.joining import join_parts, require_film_place


def render_film(
    source: CheckpointSource,
    plan: RenderPlan,
    folder: Path | str,
    file: Path | str,
    engine: Engine,
    on_progress: OnProgress = ignore_progress,
    overwrite: bool = False,
) -> list[Video]:
    """Render a plan; killed at any moment, the same call goes on where it was.

    The plan, the parts and the record of the finished videos are kept in folder. A finished
    render that is asked for again is returned at once, one that another process is rendering
    is waited for. Parts that a plan has in common with the one before it here are kept.

    Args:
        source: gives the generators; see `renderers.frames.source`.
        folder: belongs to this render alone.
        file: see `renderers.plan.outputs.output_paths`.
        engine: renders the parts; its word is not the record, the files are.
        on_progress: called with the number of frames done and of all.
        overwrite: replace whatever has the names of the videos; what this plan wrote before is
            replaced in any case.

    Returns:
        The videos, tracks first, then the grid.

    Raises:
        RenderError: a missing checkpoint, a full disk, a failing encoder, a dead device, or a
            file that cannot be written or is another's.
    """
    with locked(Path(folder)):
        return finish(source, plan, Path(folder), file, engine, on_progress, overwrite)


def finish(
    source: CheckpointSource,
    plan: RenderPlan,
    folder: Path,
    file: Path | str,
    engine: Engine,
    on_progress: OnProgress,
    overwrite: bool,
) -> list[Video]:
    """Do what `render_film` does, in a folder that is locked already.

    Args:
        source, plan, folder, file, engine, on_progress, overwrite: see `render_film`.

    Returns:
        The videos, tracks first, then the grid.
    """
    paths = output_paths(file, plan.labels, plan.options)
    for path in paths:
        require_film_place(path)
    earlier = earlier_paths(file, plan.labels, plan.options)
    videos = _finished_videos(folder, plan, paths) or _finished_videos(folder, plan, earlier)
    if videos is None:
        claim(folder, plan, paths, overwrite)
        plan = keep_plan(folder, plan)
        parts = PartFolder(folder / "parts", plan)
        parts.discard_others()
        render_missing(source, parts, parts.missing(), engine, on_progress)
        videos = join(parts, paths)
        _record(folder, plan, videos)
        release(folder)
    shutil.rmtree(folder / "parts", ignore_errors=True)
    on_progress(len(plan.batches), len(plan.batches))
    return videos


def keep_plan(folder: Path, plan: RenderPlan) -> RenderPlan:
    """Keep the plan that was begun in folder if it has the same digest, else write this one.

    Returns:
        The plan that is kept, which may have other cuts than the given one.
    """
    begun = read_json(folder / "plan.json") or {}
    if begun.get("digest") == plan.digest:
        return RenderPlan.from_json(begun["plan"])
    (folder / "videos.json").unlink(missing_ok=True)
    write_json({"digest": plan.digest, "plan": plan.to_json()}, folder / "plan.json")
    return plan


def render_missing(
    source: CheckpointSource,
    parts: PartFolder,
    missing: Sequence[Part],
    engine: Engine,
    on_progress: OnProgress,
) -> None:
    """Render parts, and see that they are there.

    Args:
        missing: the parts to render; the others of the plan count as done.
        on_progress: called with the number of the plan's frames that are done and of all.

    Raises:
        UnfinishedRenderError: some are not there.
    """
    frames, was_given_up = len(parts.plan.batches), parts.encoder.is_given_up
    on_progress(frames - count_part_frames(missing), frames)
    if missing:
        if not parts.encoder.is_hardware:  # A card's own encoder is tried where the card is.
            parts.encoder.current(1, "cpu").prove()
        _render_in(engine, PartRenderer(source, parts), missing, on_progress)
        parts.give_up_mixed()
        if not was_given_up and parts.encoder.is_given_up:
            missing = parts.missing()
            _render_in(engine, PartRenderer(source, parts), missing, on_progress)
    if lacking := [part for part in missing if not parts.is_whole(part)]:
        raise UnfinishedRenderError(
            f"{len(lacking)} of {len(missing)} parts were not rendered. The others are kept."
        )


def _render_in(
    engine: Engine, renderer: PartRenderer, missing: Sequence[Part], on_progress: OnProgress
) -> None:
    """Let an engine render parts, and count the others of the plan as done."""
    frames = len(renderer.parts.plan.batches)
    before = frames - count_part_frames(missing)

    def count_kept_too(done: int, total: int, note: str = "") -> None:
        on_progress(before + done, frames, note)

    engine(renderer, missing, on_progress=count_kept_too)


def join(parts: PartFolder, paths: Sequence[Path]) -> list[Video]:
    """Join each view's parts into its video, which must have every frame.

    Args:
        parts: all of them whole.
        paths: one for each view of the plan.

    Returns:
        The videos, in the order of paths.

    Raises:
        UnfinishedRenderError: a part has changed on disk.
        RenderError: a frame is missing, or a video cannot be written.
    """
    parts.require_unchanged()
    frames, fps = len(parts.plan.batches), parts.plan.options.fps
    pieces = list(zip(*(parts.paths(part) for part in parts.plan.parts), strict=True))

    labels = [view.label for view in list_views(parts.plan)]

    def join_view(path: Path, own: Sequence[Path], label: str) -> None:
        remove_leftovers(path.parent, path.stem)
        join_parts(own, path, frames, fps, tags=tags_of(parts.plan, label))

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Each thread waits for an ffmpeg.
        list(pool.map(join_view, paths, pieces, labels))
    return [Video(path, label, frames) for path, label in zip(paths, labels, strict=True)]


def _record(folder: Path, plan: RenderPlan, videos: Sequence[Video]) -> None:
    listed = [
        {
            "path": note_path(folder, video.path),
            "label": video.label,
            "frames": video.frames,
            "size_bytes": video.size_bytes,
            "sha256": checksum_file(video.path) if video.path.is_file() else None,
        }
        for video in videos
    ]
    write_json({"digest": plan.digest, "videos": listed}, folder / "videos.json")


def _finished_videos(folder: Path, plan: RenderPlan, paths: Sequence[Path]) -> list[Video] | None:
    """The videos of this plan under these paths, if all are there as they were finished."""
    record = read_json(folder / "videos.json") or {}
    if record.get("digest") != plan.digest:
        return None
    listed = record["videos"]
    noted = [noted_path(folder, entry["path"]) for entry in listed]
    if noted != [path.resolve() for path in paths]:
        return None
    videos = [Video(p, e["label"], e["frames"]) for e, p in zip(listed, paths, strict=True)]
    sizes = [entry["size_bytes"] for entry in listed]
    return videos if [video.size_bytes for video in videos] == sizes else None
