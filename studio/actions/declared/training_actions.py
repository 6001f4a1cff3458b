"""Training: begin a run, go on with one, stop it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator

from checkpoints_index.storage.catalogue import list_runs, open_catalogue
from studio.actions.action import Action, Result, Table
from studio.actions.declared.run_actions import SECTION, Settings
from studio.runs.status import (
    RunSummary,
    resting_status,
    stop_run,
    summarise,
    summarise_run,
)
from studio.workspace.claims import WRITE, Claim
from studio.workspace.errors import StudioError
from studio.workspace.jobs import ACTIVE, find_job
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter, SilentReporter
from studio.workspace.quantities import format_bytes
from studio.workspace.record import (
    DeclaredRecord,
    DurationS,
    InvalidValueError,
    device_option,
    new_run_name,
    option,
    run_name,
)

if TYPE_CHECKING:
    from studio.training.setup.run_request import RunRequest

MAX_PROCESSES = 64  # A machine with more GPUs than this is not known.
STOP_SECONDS = 120.0
START_SECONDS = 60.0


def read_batch_size(given: Any) -> Any:
    """A batch size from what was written: a whole number, or `auto`.

    Raises:
        StudioError: it is neither.
    """
    if not isinstance(given, str) or given == "auto":
        return given
    if not given.isdecimal():
        raise StudioError(f"'{given}' is no batch size. Write a whole number, or auto.")
    return int(given)


BatchSize = Annotated[int | Literal["auto"], BeforeValidator(read_batch_size)]


class TrainingReport(Result):
    """How a run stands after a session of training."""

    run: str
    status: str
    batch: int
    checkpoints: int
    size_bytes: int

    @classmethod
    def of(cls, summary: RunSummary) -> TrainingReport:
        """The report of a run that stands as a summary says."""
        return cls(
            run=summary.name,
            status=summary.status,
            batch=summary.last_batch or 0,
            checkpoints=summary.checkpoints,
            size_bytes=summary.size_bytes,
        )

    def document(self) -> Any:
        """The run, its status and its last batch."""
        return self.model_dump(mode="json", include={"run", "status", "batch"})

    def tell(self) -> Iterator[str | Table]:
        """A line."""
        size = format_bytes(self.size_bytes)
        yield f"Run '{self.run}' {self.status}: {self.checkpoints:,} checkpoints in {size}."


class SessionOptions(DeclaredRecord):
    """How long a session of training lasts, and in how many processes."""

    duration: DurationS | None = option(
        None, "Stop cleanly within this time: 85m, 1h30m, 90s.", flag="--for", section="Session"
    )
    processes: int = option(
        1, "Number of processes, each with a GPU.", ge=1, le=MAX_PROCESSES, section="Session"
    )
    device: str | None = device_option(section="Session")


class TrainingAction(Action, SessionOptions):
    """An action that trains; several processes may do it together, of which the first one leads."""

    section = SECTION

    def claims(self) -> Sequence[Claim]:
        """One trains a run; others may read it meanwhile."""
        return [Claim("run", str(self.about_run), WRITE)]

    def leads(self) -> bool:
        """Whether this process is the first of those that train together, or the only one."""
        return read_group().get("RANK", "0") == "0"

    def check_device(self) -> None:
        """Refuse a device that is not there, and one GPU for several processes.

        Raises:
            InvalidValueError: or an error that lists the devices there are.
        """
        from studio.training.machine.launching import check_devices
        from studio.workspace.devices import require_device

        require_device(self.device)
        if self.processes > 1 and self.device is None:
            check_devices(self.processes)
        if self.processes > 1 and self.device not in (None, "cpu"):
            raise InvalidValueError(
                "{device} is one device, and {processes} take a GPU each. Leave one of them out."
            )


class Train(TrainingAction):
    """Train a generator on a dataset.

    A checkpoint of every batch is kept. Before it begins, it says how much room that takes.
    """

    command = "train"
    makes_run = True

    dataset: str | None = option(
        None, "Name of a dataset: studio datasets list", argument=True, metavar="DATASET"
    )
    run: str = new_run_name()
    recipe: str | None = option(None, "How to train: gan.")
    config: Path | None = option(None, "TOML file with training settings.")
    preset: str | None = option(
        None,
        "Tuned settings to begin from, or none; by default chosen for the device, the number of "
        "pictures and their size.",
    )
    settings: Settings = option(
        {}, "A setting as NAME=VALUE; may be repeated.", flag="--set", metavar="NAME=VALUE"
    )
    batches: int | None = option(None, "The batch to train to.", ge=1)
    batch_size: BatchSize | None = option(
        None, "Pictures in a batch; auto takes smaller passes where memory runs out."
    )
    branch: str | None = option(
        None, "Go on from a batch of another run.", flag="--from", metavar="RUN@BATCH"
    )
    init_from: str | None = option(
        None, "Begin at batch 0 with another run's networks and settings.", metavar="RUN[@BATCH]"
    )
    storage: Literal["visual", "exact"] = option(
        "visual", "visual keeps what can be seen, far smaller; exact every bit."
    )
    quality: float | None = option(
        None, "Visual storage: rms by which pictures may differ, of 255 levels; else 0.1."
    )

    @property
    def overrides(self) -> dict[str, Any]:
        """The settings that are named, by options of their own or by --set."""
        auto = self.batch_size == "auto"
        named = {
            "recipe": self.recipe,
            "batches": self.batches,
            "quality": self.quality,
            "batch_size": None if auto else self.batch_size,
            "fit_memory": True if auto else None,
        }
        return self.settings | {name: v for name, v in named.items() if v is not None}

    @property
    def request(self) -> RunRequest:
        """What the settings of the run are made of."""
        from studio.training.setup.run_request import RunRequest

        return RunRequest(
            self.dataset,
            self.config,
            self.preset,
            self.overrides,
            self.branch,
            self.init_from,
            self.device,
        )

    def check(self, workspace: Workspace) -> None:
        """Refuse a taken name, settings that do not fit, and unknown datasets and origins."""
        from studio.training.setup.creation import check_new_run
        from studio.training.setup.run_request import choose_settings

        workspace.run(self.run)
        self.check_device()
        if self.leads():
            config = choose_settings(workspace, self.request)
            check_new_run(workspace, self.run, config, self.storage)

    def perform(self, workspace: Workspace, reporter: Reporter) -> TrainingReport:
        """Make the run and train it."""
        from studio.runs.forecast import describe_launch
        from studio.training.setup.creation import create_run
        from studio.training.setup.run_request import explain_choice, resolve_request

        if self.leads():
            chosen, first = resolve_request(workspace, self.request)
            create_run(workspace, self.run, chosen, self.storage, first)
            news = describe_launch(chosen, self.storage, workspace.runs)
            for line in filter(None, (explain_choice(workspace, self.request, chosen), *news)):
                reporter.say(line)
        return train_session(workspace, self.run, self, reporter)

    def resumed(self) -> Resume:
        """Training that had begun is gone on with."""
        session = {name: getattr(self, name) for name in SessionOptions.model_fields}
        return Resume(run=self.run, **session)


class Resume(TrainingAction):
    """Go on with a run from its newest training state."""

    command = "resume"

    run: str = run_name()
    batches: int | None = option(None, "The batch to train to.", ge=1)

    def check(self, workspace: Workspace) -> None:
        """Refuse an unknown run, and a device that is not there."""
        self.check_device()
        summarise_run(workspace, self.run)

    def perform(self, workspace: Workspace, reporter: Reporter) -> TrainingReport:
        """Train on."""
        if self.leads() and self.batches is not None:
            from studio.training.setup.creation import extend_run

            extend_run(workspace, self.run, self.batches)
        return train_session(workspace, self.run, self, reporter)


class Stop(Action):
    """Stop a run, once its state is saved."""

    command = "stop"
    section = SECTION
    is_job = False

    run: str = run_name()

    def perform(self, workspace: Workspace, reporter: Reporter) -> TrainingReport:
        """Ask it to stop, and wait until it has."""
        job = stop_run(workspace, self.run)
        deadline = time.monotonic() + STOP_SECONDS
        while job.status in ACTIVE and time.monotonic() < deadline:
            time.sleep(0.2)
            job = find_job(workspace, job.id)
        if job.status in ACTIVE:
            raise StudioError(
                f"Run '{self.run}' was asked to stop and has not yet. See its log: studio jobs"
            )
        return TrainingReport.of(summarise_run(workspace, self.run))


def train_session(
    workspace: Workspace, run: str, session: SessionOptions, reporter: Reporter
) -> TrainingReport:
    """Train a run until it ends or is stopped: here, with the other processes, or in new ones.

    Raises:
        StudioError: as `studio.training.loop.session.train_run`.
    """
    from studio.training.loop.session import train_run
    from studio.workspace.devices import await_devices
    from studio.workspace.stopping import stop_requests

    deadline = time.monotonic() + (session.duration or float("inf"))
    group = read_group()
    if session.processes > 1 and not group:
        launch_session(workspace, run, session, deadline, reporter)
        return report_session(workspace, run)
    if group.get("RANK", "0") != "0":
        await_run(workspace, run)
        reporter = SilentReporter(workspace)
    with stop_requests() as should_stop, ExitStack() as stack:

        def give_up() -> bool:
            return should_stop() or time.monotonic() > deadline

        device = session.device
        if not group:  # What a launcher started has its devices from there.
            asked = (device, 1, f"training {run}", reporter.announce, give_up)
            (device,) = stack.enter_context(await_devices(workspace, *asked))
        on_progress = stack.enter_context(reporter.task(f"Training {run}"))
        left_s = deadline - time.monotonic()
        train_run(workspace, run, on_progress, should_stop, left_s, reporter.say, device)
    return report_session(workspace, run)


def report_session(workspace: Workspace, run: str) -> TrainingReport:
    """The report of a session that has ended well, though the job that it is may still be open."""
    catalogue = open_catalogue(workspace.runs, run)
    summary = summarise(workspace, catalogue)
    return TrainingReport.of(replace(summary, status=resting_status(workspace, catalogue)))


def launch_session(
    workspace: Workspace, run: str, session: SessionOptions, deadline: float, reporter: Reporter
) -> None:
    """Train a run in several processes of this machine; the first one reports for all of them.

    Raises:
        StudioError: one of them failed; it has said why.
    """
    from studio.training.machine.launching import check_devices, launch
    from studio.workspace.devices import await_devices, visible_devices

    count = session.processes
    if session.device != "cpu":
        check_devices(count)
    asked = (session.device, count, f"training {run}", reporter.announce)
    with await_devices(workspace, *asked, lambda: time.monotonic() > deadline) as devices:
        left_s = None if session.duration is None else max(0.0, deadline - time.monotonic())
        command = [
            *(sys.executable, "-m", "studio.actions.session_process"),
            *(str(workspace.root), run, str(left_s), str(reporter.job_id)),
        ]
        status = launch(command, count, visible_devices(devices))
    if status:
        raise StudioError(
            f"The {session.processes} processes that train '{run}' ended with status {status}. "
            "What they said stands above, or in the log of the job."
        )


def read_group() -> dict[str, str]:
    """What a launcher says of the processes that this one trains with; empty where it is alone.

    Raises:
        StudioError: what it says is incomplete.
    """
    from studio.training.machine.processes import read_environment

    return read_environment(os.environ)


def await_run(workspace: Workspace, run: str) -> None:
    """Return once the main process has made the run.

    Raises:
        StudioError: it did not within a minute.
    """
    deadline = time.monotonic() + START_SECONDS
    while run not in list_runs(workspace.runs):
        if time.monotonic() > deadline:
            raise StudioError(f"The main process did not make run '{run}'. Look at what it said.")
        time.sleep(0.2)


ACTIONS = (Train, Resume, Stop)
