"""A dry run of a training: what it would take, from a few real steps that keep nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from checkpoints_index.storage.catalogue import list_runs
from studio.actions.action import Action, Result, Table
from studio.actions.declared.training_actions import Train
from studio.workspace.claims import Claim
from studio.workspace.jobs import Needs, working_jobs
from studio.workspace.names import require_run_name
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.quantities import format_bytes, format_duration
from studio.workspace.records.record import option


class DryRunResult(Result):
    """What a training would take.

    Attributes:
        steps: how many steps were made; 0 where one takes too long to come to its end.
        batch_s: seconds that a batch takes; at least so many where no step came to its end.
        duration_s: seconds to the last batch.
        memory_bytes, device_bytes: what was taken of the memory, and what there is.
        checkpoints_bytes, state_bytes: what all checkpoints will take by estimate, and the states.
        keeping_bytes: memory that keeping checkpoints takes besides, at most, by estimate.
        is_busy: whether other work on the machine makes the times longer than they would be.
        sheet: a picture of what the networks saw.
    """

    dataset: str
    device: str
    batches: int
    batch_size: int
    steps: int
    batch_s: float
    duration_s: float
    memory_bytes: int
    device_bytes: int
    checkpoints_bytes: int
    state_bytes: int
    free_bytes: int
    keeping_bytes: int = 0
    is_busy: bool = False
    sheet: Path | None = None

    @property
    def fits(self) -> bool:
        """Whether the disk has room for the checkpoints and the states."""
        return self.checkpoints_bytes + self.state_bytes <= self.free_bytes

    def facts(self) -> list[tuple[str, str]]:
        """(value, name) pairs of what matters most."""
        least = "" if self.steps else "more than "
        return [
            (least + format_duration(self.duration_s), f"to batch {self.batches:,}"),
            (least + tell_pace(self.batch_s), f"a batch of {self.batch_size:,}"),
            (format_bytes(self.memory_bytes), f"memory, of {format_bytes(self.device_bytes)}"),
            (format_bytes(self.keeping_bytes), "memory to keep checkpoints, at most"),
            (format_bytes(self.checkpoints_bytes), "checkpoints, by estimate"),
            (format_bytes(self.state_bytes), "training states"),
            (format_bytes(self.free_bytes), "free on the disk"),
        ]

    def remarks(self) -> Iterator[str]:
        """What makes the numbers other than they seem."""
        if not self.fits:
            yield "The disk has no room for all of it. Take fewer batches, or make room."
        if not self.steps:
            yield "No batch came to its end: take a smaller batch_size, or smaller networks."
        if self.is_busy:
            yield "Other work keeps the machine busy, so it may go faster later."

    def tell(self) -> Iterator[str | Table]:
        """A table, and where the sheet is."""
        yield f"{self.steps} steps on {self.device}; nothing of them is kept."
        yield Table(["takes", "of what"], self.facts())
        if self.sheet is not None:
            yield f"What the networks see: {self.sheet}"


def _require_name_if_any(name: str) -> str:
    return name and require_run_name(name)


class Try(Train):
    """Say what a training takes, by a few real steps.

    No run is left of them. It takes the words of `studio train` and refuses what that would. Within
    about twenty seconds it tells the memory, the time to the last batch, and the room on the disk.
    """

    command = "try"
    makes_run = False

    run: str = option(
        "",
        "The name that the run would have; none is needed.",
        metavar="NAME",
        check=_require_name_if_any,
    )

    @property
    def about_run(self) -> str | None:
        """No run: it makes none."""
        return None

    def claims(self) -> Sequence[Claim]:
        """The dataset keeps its name meanwhile."""
        return [Claim("dataset", self.dataset)] if self.dataset else []

    def needs(self) -> Needs | None:
        """It waits for no device: it is over before the next turn would come."""
        return None

    def resumed(self) -> Action:  # type: ignore[override]
        """It begins again."""
        return self

    def duplicated(self, workspace: Workspace) -> Train:
        """The same once more."""
        return self

    def check(self, workspace: Workspace) -> None:
        """Refuse what the training would refuse."""
        named = self.model_copy(update={"run": self.run or free_name(workspace)})
        Train.check(named, workspace)

    def perform(self, workspace: Workspace, reporter: Reporter) -> DryRunResult:  # type: ignore[override]
        """Make the steps."""
        import torch

        from studio.runs.forecast import forecast_launch, memory_of_keeping
        from studio.training.setup.dry_run import measure_training
        from studio.training.setup.run_request import choose_settings, first_batch
        from studio.workspace.devices import borrow_device

        config = choose_settings(workspace, self.request)
        share = replace(config, batch_size=max(1, config.batch_size // self.processes))
        with (
            borrow_device(workspace, self.device, f"a trial on {config.dataset}") as chosen,
            reporter.task("Trying the training") as on_progress,
        ):
            found = measure_training(workspace, share, torch.device(chosen), on_progress)
        begun = first_batch(workspace, self.request)
        forecast = forecast_launch(config, self.storage, workspace.runs, begun)
        duration_s = found.batch_s * forecast.to_come
        return DryRunResult(
            dataset=config.dataset,
            device=found.device,
            batches=config.batches,
            batch_size=config.batch_size,
            steps=found.steps,
            batch_s=round(found.batch_s, 5),
            duration_s=round(min(duration_s, self.duration or duration_s), 1),
            memory_bytes=found.memory_bytes,
            device_bytes=found.device_bytes,
            checkpoints_bytes=round(forecast.needed_bytes),
            state_bytes=found.state_bytes,
            keeping_bytes=memory_of_keeping(config, self.storage, found.device),
            free_bytes=forecast.free_bytes,
            is_busy=_is_busy(workspace, reporter.job_id),
            sheet=found.sheet,
        )


def tell_pace(batch_s: float) -> str:
    """The time that a batch takes, in the unit in which it is read best.

    Example:
        >>> tell_pace(0.0123), tell_pace(0.5), tell_pace(16.0)
        ('12 ms', '500 ms', '16.0 s')
    """
    return f"{1000 * batch_s:.0f} ms" if batch_s < 1 else f"{batch_s:.1f} s"


def free_name(workspace: Workspace) -> str:
    """A name that no run has."""
    taken, number = {*list_runs(workspace.runs)}, 1
    while f"dry-run-{number}" in taken:
        number += 1
    return f"dry-run-{number}"


def _is_busy(workspace: Workspace, own: int | None) -> bool:
    """Whether another job trains, or more processes want to compute than there are cores."""
    others = (job for job in working_jobs(workspace) if job.id != own)
    trains = any(job.needs is not None or job.action in ("train", "resume") for job in others)
    return trains or psutil.getloadavg()[0] > 1.5 * (os.cpu_count() or 1)


ACTIONS = (Try,)
