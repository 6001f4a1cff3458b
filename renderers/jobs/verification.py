"""Verify that a finished video has the frames that its plan says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from renderers.errors import RenderError, UnknownVideoError, UnplannedVideoError
from renderers.files import checksum_file, read_json
from renderers.plan.render_plan import RenderPlan
from renderers.video.video_reader import count_frames


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
        renders: the folder of all renders.
        file: a video; it may have been moved together with its render's folder.

    Raises:
        UnknownVideoError: there is no such file.
        UnplannedVideoError: none of them made it, or the one that did was not finished.
    """
    for record in renders.glob("*/videos.json"):
        if _entry(record.parent, file):
            return record.parent
    if not file.exists():
        raise UnknownVideoError(f"There is no video {file}.")
    raise UnplannedVideoError(
        f"No finished render in {renders} made {file}, so there is no plan to compare it with."
    )


def read_plan(folder: Path) -> RenderPlan:
    """The plan that is kept in the folder of a render."""
    return RenderPlan.from_json(read_json(folder / "plan.json")["plan"])


def verify_video(folder: Path, file: Path) -> VideoCheck:
    """Count the frames of a video by decoding, and compare with what was planned.

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
    return VideoCheck(file, entry["label"], expected, frames, reason)


def find_changed_videos(folder: Path) -> Iterator[tuple[Path, str]]:
    """The finished videos of a render that are not what they were, each with a reason.

    One that is not where it was made was moved or deleted by its owner, and is passed over.

    Args:
        folder: the render's.
    """
    try:
        entries = (read_json(folder / "videos.json") or {"videos": []})["videos"]
        listed = [(Path(e["path"]), e["size_bytes"], e.get("sha256")) for e in entries]
    except (ValueError, KeyError, TypeError):
        yield folder / "videos.json", "it is not what was written"
        return
    for path, size_bytes, sha256 in listed:
        if not path.is_file():
            continue
        if path.stat().st_size != size_bytes:
            yield path, f"it has {path.stat().st_size:,} bytes instead of {size_bytes:,}"
        elif sha256 is not None and checksum_file(path) != sha256:
            yield path, "its checksum differs"


def _entry(folder: Path, file: Path) -> dict[str, Any] | None:
    """What is recorded of a file; one beside its record may have been moved with it."""
    file = file.resolve()
    entries: list[dict[str, Any]] = (read_json(folder / "videos.json") or {"videos": []})["videos"]
    for entry in entries:
        path = Path(entry["path"])
        if path == file or (file.parent == folder.resolve() and path.name == file.name):
            return entry
    return None
