"""Letting some checkpoints of a run go, but never one that somebody refers to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from checkpoints_index import CheckpointIndex, CheckpointRun
from checkpoints_index.storage.catalogue import open_catalogue
from checkpoints_index.upkeep.thinning import (
    estimate_bytes,
    keep_every,
    keep_only,
)
from studio.runs.pins import list_pins, specimen_batches
from studio.upkeep.reindexing import exported_origins
from studio.workspace.paths import Workspace
from studio.workspace.progress import OnProgress


@dataclass(frozen=True)
class ThinRequest:
    """One of three: a budget, every so manieth batch (from `start` up to `end`), or pins alone."""

    budget_bytes: int | None = None
    every: int | None = None
    start: int | None = None
    end: int | None = None
    keep_pinned: bool = False


@dataclass(frozen=True)
class ThinPlan:
    """What thinning does, or has done: `size_after` is an estimate until then."""

    run: str
    before: list[int]
    kept: list[int]
    size_before: int
    size_after: int

    @property
    def dropped(self) -> int:
        return len(self.before) - len(self.kept)

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "checkpoints": len(self.kept),
            "dropped": self.dropped,
            "size_bytes": self.size_after,
            "size_bytes_before": self.size_before,
        }


def plan_thinning(workspace: Workspace, run: str, request: ThinRequest) -> ThinPlan:
    """What thinning would do; nothing is changed.

    Raises:
        StudioError: unknown run, or a budget that cannot be kept.
    """
    opened = CheckpointIndex(workspace.runs)[run]
    keep = _choose(opened, request, protected_batches(workspace, opened))
    before = opened.batches
    kept = [batch for batch in before if batch in keep]
    size_after = round(estimate_bytes(open_catalogue(workspace.runs, run), keep))
    return ThinPlan(run, before, kept, opened.size_bytes, size_after)


def thin_run(
    workspace: Workspace, run: str, request: ThinRequest, on_progress: OnProgress
) -> ThinPlan:
    """Let the checkpoints go that the request does not keep; those kept stay bit for bit.

    Killed at any moment, the same call goes on.

    Raises:
        StudioError: as `plan_thinning`, or another process writes to the run.
    """
    with CheckpointIndex(workspace.runs)[run] as opened:
        before, size_before = opened.batches, opened.size_bytes
        protected = protected_batches(workspace, opened)
        if request.budget_bytes is not None:
            opened.thin_to_budget(request.budget_bytes, protected, on_progress)
        else:
            opened.thin(_choose(opened, request, protected), on_progress)
        return ThinPlan(run, before, opened.batches, size_before, opened.size_bytes)


def protected_batches(workspace: Workspace, run: CheckpointRun) -> set[int]:
    """The batches that stay: the first, the last, the pinned, and those of specimens.

    A specimen refers to the batch of its label and to the one that its exported JPEG shows.
    """
    batches = run.batches
    protected = {*batches[:1], *batches[-1:], *list_pins(workspace, run.name)}
    protected.update(specimen_batches(workspace, run.name))
    protected.update(origin.batch for origin in exported_origins(workspace, run.name))
    return protected & set(batches)


def _choose(run: CheckpointRun, request: ThinRequest, protected: set[int]) -> set[int]:
    if request.budget_bytes is not None:
        return run.choose_for_budget(request.budget_bytes, protected)
    if request.every is not None:
        kept = keep_every(run.batches, request.every, request.start, request.end)
        return kept | protected
    return keep_only(run.batches, protected)
