"""What is on record of finished films: which job made each, when, of which points and batches."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from renderers.errors import RenderError
from renderers.jobs.verification import find_render, read_plan
from renderers.pictures.frame_layout import Size
from studio.workspace.database import open_database
from studio.workspace.paths import Workspace

COLUMNS = "run, action, fields, result, finished_at, created_at"


@dataclass(frozen=True)
class FilmRecord:
    """What a job says of a film that it made.

    Attributes:
        run: the run that it is of.
        path: the film, wherever it lies.
        action: such as `render timelapse`.
        fields: those of the action, as JSON.
        made_at: when it was finished, in seconds since 1970.
    """

    run: str
    path: Path
    action: str
    fields: dict[str, Any]
    made_at: float

    @property
    def points(self) -> tuple[str, ...]:
        """The points that were asked for, as they were written; none for the fixed ones."""
        points = self.fields.get("points")
        return tuple(map(str, points)) if isinstance(points, list) else ()


@dataclass(frozen=True)
class FilmContent:
    """What a film shows, by the plan of its render.

    Attributes:
        labels: of the points, or of what moves.
        first, last: its batches.
        frames: how many frames were planned.
        checkpoints: how many times another checkpoint than that of the frame before is shown.
        frame_px: width and height of its frame; None for pictures alone.
    """

    labels: tuple[str, ...]
    first: int
    last: int
    frames: int
    checkpoints: int
    frame_px: Size | None = None


@dataclass(frozen=True)
class FilmRun:
    """How long a finished render took, and what came of it.

    Attributes:
        paths: its films that are still there, at least one.
        frames: how many it rendered, those left aside that were there before.
        took_s: seconds that these took.
        size_bytes: of all its films.
    """

    paths: tuple[Path, ...]
    frames: int
    took_s: float
    size_bytes: int


def list_film_records(workspace: Workspace, run: str) -> dict[Path, FilmRecord]:
    """The films of a run that jobs have made and that are still there, by their paths."""
    with open_database(workspace.database) as db:
        rows = db.execute(
            f"SELECT {COLUMNS} FROM jobs WHERE run = ? "
            "AND status = 'done' AND action LIKE 'render %' AND result IS NOT NULL ORDER BY id",
            (run,),
        ).fetchall()
    found = {record.path: record for row in rows for record in _records_of(workspace, row)}
    return {path: record for path, record in found.items() if path.is_file()}


def list_newest_films(workspace: Workspace, count: int) -> list[FilmRecord]:
    """The newest films of all runs that are still there, newest first; one of each render.

    Of the films of one render it is the one of all points. Of jobs that made films, so many are
    looked at as there are films wanted, twice over: what is gone is not searched for long.
    """
    with open_database(workspace.database) as db:
        rows = db.execute(
            f"SELECT {COLUMNS} FROM jobs WHERE status = 'done' AND run IS NOT NULL "
            "AND action LIKE 'render %' AND result IS NOT NULL ORDER BY id DESC LIMIT ?",
            (2 * count,),
        ).fetchall()
    found: dict[Path, FilmRecord] = {}
    for row in rows:
        there = [record for record in _records_of(workspace, row) if record.path.is_file()]
        if there:
            film = min(there, key=lambda record: (len(str(record.path)), str(record.path)))
            found.setdefault(film.path, film)  # Rendered again, it is the newer one.
    return list(found.values())[:count]


def list_film_runs(workspace: Workspace, run: str, count: int) -> list[FilmRun]:
    """The newest renders of a run that said how far they were, newest first, at most so many."""
    if not workspace.database.exists():
        return []
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT done, first_done, first_done_at, finished_at, result FROM jobs WHERE run = ? "
            "AND status = 'done' AND action LIKE 'render %' AND result IS NOT NULL "
            "AND first_done_at IS NOT NULL AND done > first_done ORDER BY id DESC LIMIT ?",
            (run, count),
        ).fetchall()
    runs = []
    for row in rows:
        paths = tuple(path for path in _paths_of(workspace, row["result"]) if path.is_file())
        if paths:
            took_s = row["finished_at"] - row["first_done_at"]
            size_bytes = sum(path.stat().st_size for path in paths)
            runs.append(FilmRun(paths, row["done"] - row["first_done"], took_s, size_bytes))
    return runs


def _records_of(workspace: Workspace, row: sqlite3.Row) -> Iterator[FilmRecord]:
    """The films that a job made, whether they are there or not."""
    made_at, fields = row["finished_at"] or row["created_at"], _read(row["fields"]) or {}
    for path in _paths_of(workspace, row["result"]):
        yield FilmRecord(row["run"], path, row["action"], fields, made_at)


def film_content(workspace: Workspace, path: Path) -> FilmContent | None:
    """What a film shows; None where its plan is gone."""
    try:
        folder = find_render(workspace.renders, path)
        return _read_content(folder, (folder / "plan.json").stat().st_mtime_ns)
    except (RenderError, OSError):
        return None


@lru_cache(maxsize=256)
def _read_content(folder: Path, written_ns: int) -> FilmContent:
    """A plan of 20,000 frames is read once; `written_ns` tells it from a later one."""
    plan = read_plan(folder)
    shown, composed = plan.batches, plan.options.composition
    size = None if composed is None else composed.size
    counted = len(shown), count_checkpoints(shown)
    return FilmContent(plan.labels, min(shown), max(shown), *counted, size)


def count_checkpoints(batches: Sequence[int]) -> int:
    """How many times a film shows another checkpoint than in the frame before.

    Args:
        batches: that of each frame; at least one.

    Example:
        >>> count_checkpoints([1, 1, 2, 2, 1])
        3
    """
    return 1 + sum(one != other for one, other in pairwise(batches))


def _paths_of(workspace: Workspace, result: str) -> Sequence[Path]:
    """The films that a job gave back; none where its result is damaged or another one."""
    document = _read(result)
    videos = document.get("videos") if document else None
    if not isinstance(videos, list):
        return []
    paths = [video.get("path") for video in videos if isinstance(video, dict)]
    texts = [path for path in paths if isinstance(path, str) and "\0" not in path]
    return [workspace.recalled(text) for text in texts]


def _read(text: str | None) -> dict[str, Any] | None:
    try:
        read = json.loads(text or "")
    except ValueError:
        return None
    return read if isinstance(read, dict) else None
