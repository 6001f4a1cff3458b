"""The film that a run grows while it trains, as it stands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from checkpoints_index.storage.catalogue import open_catalogue
from renderers.destinations import require_free
from renderers.files import (
    checksum_file,
    locked,
    note_path,
    noted_path,
    read_json,
    remove_leftovers,
    write_json,
)
from renderers.jobs.chunks import Chunk, list_chunks
from renderers.jobs.verification import JOINED
from renderers.plan.options import RenderOptions
from renderers.plan.outputs import GRID, Video, default_file, output_paths
from renderers.video.formats import Format
from renderers.video.joining import join_parts, require_film_place
from renderers.video.rates import Rate
from studio.films.film_tags import write_tags
from studio.films.places import film_folder
from studio.runs.attribution import attribution_of
from studio.runs.config import TrainingConfig
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.paths import Workspace

MP4 = Format()


def join_live_film(
    workspace: Workspace,
    run: str,
    out: Path | None = None,
    labels: Sequence[str] | None = None,
    overwrite: bool = False,
    fps: Rate | None = None,
) -> list[Video]:
    """Join what there is so far, without encoding anything anew; also while the run trains.

    Videos are joined again only when a chunk has come or gone, or for another rate.

    Args:
        out: FILE.mp4; several videos become `FILE-LABEL.mp4`, and the grid of all points FILE
            itself, as does a video that is alone. A place in the workspace by default.
        labels: of points, or `grid`; all that there are by default.
        overwrite: replace whatever has these names; earlier films of the run are in any case.
        fps: frames per second; those that the film grew with if None.

    Returns:
        The points in the order of their labels, then the grid.

    Raises:
        StudioError: no such run or point, a run without a film, or a file that cannot be written.
    """
    if out is not None and out.suffix.lower() != MP4.suffix:
        raise StudioError(
            f"The film of a run is an {MP4.suffix} file and is not encoded anew: it cannot become "
            f"'{out.name}'. Render that one: studio render timelapse {run} --out {out.name}"
        )
    chunks = _chunks(workspace, run)
    folder, owed = film_folder(workspace, f"{run}-live", out), attribution_of(workspace, run)
    with locked(folder):
        remove_leftovers(folder)
        try:
            return _join_all(run, owed, chunks, folder, out, labels, overwrite, fps)
        except EXPECTED_ERRORS:
            now = _chunks(workspace, run)
            if now == chunks:
                raise
            # The run went back meanwhile.
            return _join_all(run, owed, now, folder, out, labels, overwrite, fps)


def live_frames(workspace: Workspace, run: str) -> list[int]:
    """The batch of each frame of the grid's film, ascending; that of a point may have fewer.

    Raises:
        StudioError: no such run, or a run without a film.
    """
    return _batches(_chunks(workspace, run))


def live_gaps(workspace: Workspace, run: str) -> list[int]:
    """The batches between its first and its last frame that a run's film lacks, ascending.

    Raises:
        StudioError: no such run, or a run without a film.
    """
    frames = live_frames(workspace, run)
    config = workspace.run_config(run)
    every = (TrainingConfig.read(config).film_every if config.exists() else 1) or 1
    kept = open_catalogue(workspace.runs, run).batches
    due = {batch for batch in kept if frames[0] < batch < frames[-1] and batch % every == 0}
    return sorted(due - set(frames))


def _chunks(workspace: Workspace, run: str) -> list[Chunk]:
    open_catalogue(workspace.runs, run)
    chunks = list_chunks(workspace.live_film(run))
    if not chunks:
        raise StudioError(
            f"Run '{run}' has no film yet: it shows when a training state was saved, unless "
            f"film_every is 0. Render what there is: studio render timelapse {run}"
        )
    return chunks


def _batches(chunks: Iterable[Chunk]) -> list[int]:
    return [batch for chunk in chunks for batch in chunk.batches]


def _join_all(
    run: str,
    owed: str,
    chunks: Sequence[Chunk],
    folder: Path,
    out: Path | None,
    labels: Sequence[str] | None,
    overwrite: bool,
    fps: Rate | None,
) -> list[Video]:
    wanted = _labels(run, chunks, labels)
    file = out.absolute() if out is not None else default_file(folder, f"{run}-live", MP4)
    points = [label for label in wanted if label != GRID]
    paths = output_paths(file, points, RenderOptions(points=bool(points), grid=GRID in wanted))
    known = _joined(folder)
    for path in paths:
        require_film_place(path)
        require_free(path, overwrite or path.parent == folder or note_path(folder, path) in known)
    pairs = zip(wanted, paths, strict=True)
    return [_join(run, owed, folder, chunks, label, path, fps) for label, path in pairs]


def _labels(run: str, chunks: Sequence[Chunk], labels: Sequence[str] | None) -> list[str]:
    """The videos to join, the grid last.

    Raises:
        StudioError: no chunk has one of them.
    """
    known = list(dict.fromkeys(label for chunk in chunks for label in chunk.files))
    for label in labels or ():
        if label not in known:
            points = ", ".join(label for label in known if label != GRID)
            raise StudioError(
                f"The film of run '{run}' has no point {label}. It has {points}. Render another: "
                f"studio render timelapse {run} --points {label}"
            )
    return sorted(known if labels is None else labels, key=lambda label: label == GRID)


def _join(
    run: str,
    owed: str,
    folder: Path,
    chunks: Sequence[Chunk],
    label: str,
    path: Path,
    fps: Rate | None,
) -> Video:
    own = [chunk for chunk in chunks if label in chunk.files]
    frames, digest = len(_batches(own)), _digest(own, label, fps)
    record, name = _joined(folder), note_path(folder, path)
    if path.exists() and record.get(name, [])[:2] == [digest, path.stat().st_size]:
        return Video(path, label, frames)
    for chunk in own:
        if (reason := chunk.find_changed(label)) is not None:
            raise StudioError(
                f"{chunk.path(label)} is damaged: {reason}. Delete {chunk.index.name} beside it to "
                "have the film without its frames."
            )
    rate = own[-1].fps if fps is None else fps
    shown = [label] if label != GRID else _labels(run, own, None)[:-1]
    tags = write_tags(run, _batches(own), shown, owed, f"studio film {run}")
    join_parts([chunk.path(label) for chunk in own], path, frames, rate, tags=dict(tags))
    joined = [digest, path.stat().st_size, checksum_file(path)]
    write_json({**record, name: joined}, folder / JOINED)
    return Video(path, label, frames)


def _joined(folder: Path) -> dict[str, Any]:
    """What was joined before, by its path as `note_path` writes it."""
    record = read_json(folder / JOINED) or {}
    return {note_path(folder, noted_path(folder, path)): known for path, known in record.items()}


def _digest(chunks: Iterable[Chunk], label: str, fps: Rate | None) -> str:
    words = [chunk.files[label] for chunk in chunks] + ([] if fps is None else [f"at {fps}"])
    return hashlib.sha256(" ".join(words).encode()).hexdigest()
