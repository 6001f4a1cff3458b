"""Verify that a finished video has the frames that its plan says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from renderers.errors import RenderError, UnknownVideoError, UnplannedVideoError
from renderers.files import checksum_file, noted_path, read_json
from renderers.plan.outputs import RENDER_BESIDE
from renderers.plan.render_plan import RenderPlan
from renderers.video.video_reader import count_frames

# What was joined of the film of a run: by its path, a digest of its chunks, its size and checksum.
JOINED = "joined.json"


@dataclass(frozen=True)
class VideoCheck:
    """What a video should have and has.

    Args:
        expected: frames of the plan.
        frames: counted by decoding; 0 where it cannot be decoded.
        reason: what is wrong; None where nothing is.
    """

    path: Path
    label: str
    expected: int
    frames: int
    reason: str | None


def find_render(renders: Path, file: Path) -> Path:
    """Find the folder of the render that made a file.

    Args:
        renders: the folder of all renders; those that were made elsewhere lie beside their videos.
        file: a video; it may have been moved together with its render's folder.

    Raises:
        UnknownVideoError: there is no such file.
        UnplannedVideoError: none of them made it, or the one that did was not finished.
    """
    beside = (
        folder.glob(f"{RENDER_BESIDE.format('*')}/videos.json") for folder in file.parents[:2]
    )
    # Nearly all lie beside their record, and to look through hundreds of renders takes seconds.
    own = renders / file.parent.name / "videos.json"
    for record in chain((own,), renders.glob("*/videos.json"), *beside):
        if _entry(record.parent, file):
            return record.parent
    if not file.exists():
        raise UnknownVideoError(f"There is no video {file}.")
    raise UnplannedVideoError(
        f"No finished render in {renders} made {file}, so there is no plan to compare it with."
    )


def read_plan(folder: Path) -> RenderPlan:
    """The plan that is kept in the folder of a render.

    Raises:
        RenderError: it is gone, or is not what was written.
    """
    kept = read_json(folder / "plan.json")
    if kept is None or "plan" not in kept:
        raise RenderError(
            f"{folder / 'plan.json'} is not what was written, so nobody knows what was to be "
            "rendered. Render it again."
        )
    return RenderPlan.from_json(kept["plan"])


def verify_video(folder: Path, file: Path) -> VideoCheck:
    """Count the frames of a video by decoding; compare them and its checksum with what was made.

    Args:
        folder: the render's, from `find_render`.
        file: one of its videos.
    """
    entry = _entry(folder, file)
    assert entry is not None, "`find_render` finds the folder that made the file"
    expected = len(read_plan(folder).batches)
    try:
        frames, reason = count_frames(file), None
    except RenderError as error:
        frames, reason = 0, str(error)
    if reason is None and frames != expected:
        reason = f"it has {frames:,} frames instead of {expected:,}"
    elif (
        reason is None and file.is_file() and entry.get("sha256") not in (None, checksum_file(file))
    ):
        reason = "it has its frames, and its checksum differs"
    return VideoCheck(file, entry["label"], expected, frames, reason)


def find_changed_videos(folder: Path) -> Iterator[tuple[Path, str]]:
    """The finished videos of a render that are not what they were, each with a reason.

    One that is not where it was made was moved or deleted by its owner, and is passed over.

    Args:
        folder: the render's.
    """
    for path, size_bytes, sha256 in _list_finished(folder):
        if not path.is_file():
            continue
        if path.stat().st_size != size_bytes:
            yield path, f"it has {path.stat().st_size:,} bytes instead of {size_bytes:,}"
        elif sha256 is not None and checksum_file(path) != sha256:
            yield path, "its checksum differs"


def _is_entry(entry: Any) -> bool:
    """Whether somebody's record of a video has a path and a label."""
    facts = [entry.get(name) for name in ("path", "label")] if isinstance(entry, dict) else [None]
    return all(isinstance(fact, str) and "\0" not in fact for fact in facts)


def _list_finished(folder: Path) -> Iterator[tuple[Path, int, str | None]]:
    """The videos that were finished: paths, sizes in bytes, checksums where there are some."""
    for entry in _entries(folder):
        yield noted_path(folder, entry["path"]), entry["size_bytes"], entry.get("sha256")
    for path, (_, size_bytes, *sha256) in (read_json(folder / JOINED) or {}).items():
        yield noted_path(folder, path), size_bytes, next(iter(sha256), None)


def _entry(folder: Path, file: Path) -> dict[str, Any] | None:
    """What is recorded of a file; one beside its record may have been moved with it."""
    file = file.resolve()
    for entry in _entries(folder):
        path = noted_path(folder, entry["path"])
        if path == file or (file.parent == folder.resolve() and path.name == file.name):
            return {**entry}
    return None


def _entries(folder: Path) -> list[dict[str, Any]]:
    """What is recorded of the videos of a render; what is no record of one is passed over."""
    entries: Any = (read_json(folder / "videos.json") or {}).get("videos")
    return [entry for entry in entries if _is_entry(entry)] if isinstance(entries, list) else []
