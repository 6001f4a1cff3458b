"""What the page is told of jobs: the cards of the board, and the light in the header."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from studio.screens.parts.jobs_view import progress_text, read_log
from studio.screens.parts.markup import file_url, moment
from studio.workspace.jobs import (
    ACTIVE,
    CANCELLED,
    FILMS,
    INTERRUPTED,
    PAUSED,
    JobRow,
    jobs_that_are,
    list_jobs,
)
from studio.workspace.paths import Workspace
from studio.workspace.queue.requests import offered_jobs
from studio.workspace.records.quantities import format_duration, write_moment

NEWEST = 60  # Jobs that have ended are shown up to this many in all.
PICTURES, VIDEOS = (".png", ".jpg", ".jpeg", ".webp"), (".mp4", ".webm", ".mov")
ENDED = "ended"
ORDER = ("work", "wait", "offer", ENDED)
GROUPS = {"running": "work", "queued": "wait", PAUSED: "wait", INTERRUPTED: "offer"}
TRAINS = ("train", "resume")


def describe_board(workspace: Workspace, open_logs: Collection[int] = ()) -> str:
    """The board as JSON: groups of cards, and how many jobs can be resumed.

    Args:
        open_logs: the numbers of the jobs whose log is shown.
    """
    offered = {job.id for job in offered_jobs(workspace)}
    shown = {job.id: job for job in list_jobs(workspace, NEWEST)}
    shown |= {job.id: job for job in jobs_that_are(workspace, *ACTIVE, PAUSED)}
    cards = [
        describe_card(workspace, job, job.id in offered, job.id in open_logs)
        for job in sorted(shown.values(), key=_rank)
    ]
    cards.sort(key=lambda card: ORDER.index(card["group"]))
    return json.dumps({"cards": cards, "offered": len(offered)})


def describe_light(workspace: Workspace) -> str:
    """The light in the header as JSON: how many jobs work, wait and can be resumed."""
    jobs = jobs_that_are(workspace, *ACTIVE, PAUSED)
    working = [job for job in jobs if job.status == "running"]
    counts = {"work": len(working), "wait": len(jobs) - len(working)}
    counts["offer"] = len(offered_jobs(workspace))
    told = [f"{job.text}{_after_comma(progress_text(job))}" for job in working]
    return json.dumps({**counts, "told": "\n".join(told)})


def describe_card(
    workspace: Workspace, job: JobRow, is_offered: bool, with_log: bool
) -> dict[str, Any]:
    """One job as its card shows it."""
    picture = find_picture(workspace, job)
    group = GROUPS.get(job.status, ENDED)
    return {
        "id": job.id,
        "group": ENDED if group == "offer" and not is_offered else group,
        "status": job.status,
        "title": job.action,
        "about": job.run or "",
        "command": job.text,
        "said": "" if job.status == "done" else job.waits_for or job.note,
        "bad": job.status == "failed",
        "when": _tell_when(job),
        "progress": progress_text(job) if job.status in (*ACTIVE, PAUSED) else "",
        "percent": round(100 * min(job.done / job.total, 1), 1) if job.total else None,
        "picture": "" if picture is None else file_url(picture),
        "moves": picture is not None and picture.suffix in VIDEOS,
        "can": list(_choices(job)),
        "after": job.follows,
        "anyway": bool(job.follows_any),
        "at": "" if job.not_before is None else write_moment(job.not_before)[:16],
        "log": read_log(workspace, job.id) if with_log else None,
    }


def find_picture(workspace: Workspace, job: JobRow) -> Path | None:
    """The last picture of a job, or a film of it, if there is one in the workspace."""
    if job.started_at is None:
        return None
    if job.action in TRAINS and job.run:
        preview = workspace.preview(job.run)
        return preview if preview.exists() else None
    made = next((path for path in _made(job.result) if _can_be_shown(workspace, path)), None)
    if made is None and job.status == "running" and job.needs is not None and job.run:
        return _newest_part(workspace, job) if job.needs.kind == FILMS else None
    return made


def _made(result: Any) -> Iterator[Path]:
    """The files that a result names."""
    if isinstance(result, dict):
        rows = result.get("videos")
        for row in [result, *(rows if isinstance(rows, list) else ())]:
            if isinstance(row, dict) and isinstance(row.get("path"), str):
                yield Path(row["path"])


def _can_be_shown(workspace: Workspace, path: Path) -> bool:
    """Whether a browser may be given a file, and can show it."""
    folders = (workspace.runs, workspace.renders, workspace.exports)
    inside = any(path.resolve().is_relative_to(folder.resolve()) for folder in folders)
    return path.suffix in (*PICTURES, *VIDEOS) and inside and path.is_file()


def _newest_part(workspace: Workspace, job: JobRow) -> Path | None:
    """The last part of a film that its job has finished."""
    began = job.started_at or 0.0
    newest, found = began, None
    for folder in workspace.renders.glob(f"{job.run}-*"):
        for path in folder.rglob("*.mp4"):
            changed = path.stat().st_mtime
            if changed > newest and not path.name.startswith("."):
                newest, found = changed, path
    return found


def _rank(job: JobRow) -> float:
    """What works or waits stands in its order, the rest newest first."""
    return job.order if GROUPS.get(job.status) in ("work", "wait") else -float(job.id)


def _choices(job: JobRow) -> Iterator[str]:
    """What can be asked of a job; each is a command as well."""
    if job.status in ACTIVE:
        yield "pause"
    if job.status in (PAUSED, INTERRUPTED):
        yield "resume"
    if job.status in ("failed", CANCELLED):
        yield "retry"
    if job.status in ("queued", PAUSED):
        yield from ("start", "up", "down", "schedule")
    if job.status in (*ACTIVE, PAUSED, INTERRUPTED):
        yield "cancel"
    if job.fields is not None:
        yield "duplicate"


def _tell_when(job: JobRow) -> str:
    if job.status == "running" and job.started_at is not None:
        return f"works for {format_duration(max(0.0, time.time() - job.started_at))}"
    if job.started_at is not None and job.finished_at is not None:
        took = format_duration(max(0.0, job.finished_at - job.started_at))
        return f"{moment(job.finished_at)}, took {took}"
    return f"asked for {moment(job.created_at)}"


def _after_comma(text: str) -> str:
    return f", {text}" if text else ""
