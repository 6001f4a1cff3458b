"""Thinning: delete checkpoints of a run, but never one that is pinned or that a specimen shows."""

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
from renderers.progress import OnProgress
from studio.runs.pins import list_pins, specimen_batches
from studio.upkeep.reindexing import exported_passports
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class ThinRequest:
    """Which checkpoints to keep: exactly one of a budget, a step, and the pinned ones alone.

    Attributes:
        budget_bytes: size of the run afterwards, at most.
        every: keep the batches that this divides.
        start: thin from this batch on; goes with `every`.
        end: thin up to this batch, itself not included; goes with `every`.
        keep_pinned: keep only what `protected_batches` names.
    """

    budget_bytes: int | None = None
    every: int | None = None
    start: int | None = None
    end: int | None = None
    keep_pinned: bool = False


@dataclass(frozen=True)
class ThinPlan:
    """What thinning does or did.

    Attributes:
        run: name of the run.
        before: its batches before.
        kept: its batches afterwards.
        size_before: bytes before.
        size_after: bytes afterwards; an estimate in a plan.
    """

    run: str
    before: list[int]
    kept: list[int]
    size_before: int
    size_after: int

    @property
    def dropped(self) -> int:
        """How many checkpoints are deleted."""
        return len(self.before) - len(self.kept)

    def to_json(self) -> dict[str, Any]:
        """What `studio thin --json` prints."""
        return {
            "run": self.run,
            "checkpoints": len(self.kept),
            "dropped": self.dropped,
            "size_bytes": self.size_after,
            "size_bytes_before": self.size_before,
        }


def plan_thinning(workspace: Workspace, run: str, request: ThinRequest) -> ThinPlan:
    """Plan thinning; nothing is changed.

    Raises:
        CheckpointError: unknown run, or a budget that cannot be kept.
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
    """Delete the checkpoints that the request does not keep; the others stay bit for bit.

    After it was killed at any moment, the same call goes on.

    Raises:
        CheckpointError: as `plan_thinning`, or another process writes to the run.
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
    """The batches that thinning never deletes: the first, the last, pinned ones and specimens'.

    A specimen refers to the batch in its label and to the one that its exported JPEG shows.
    """
    batches = run.batches
    protected = {*batches[:1], *batches[-1:], *list_pins(workspace, run.name)}
    protected.update(specimen_batches(workspace, run.name))
    protected.update(passport.batch for passport in exported_passports(workspace, run.name))
    return protected & set(batches)


def _choose(run: CheckpointRun, request: ThinRequest, protected: set[int]) -> set[int]:
    if request.budget_bytes is not None:
        return run.choose_for_budget(request.budget_bytes, protected)
    if request.every is not None:
        kept = keep_every(run.batches, request.every, request.start, request.end)
        return kept | protected
    return keep_only(run.batches, protected)
