"""Training: begin a run, go on with one, stop it."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator

from checkpoints_index.storage.catalogue import list_runs, open_catalogue
from studio.actions.action import Action, Result, Table
from studio.actions.declared.run_actions import SECTION, Settings
from studio.runs.config import named_in
from studio.runs.status import (
    RunSummary,
    has_begun,
    read_config,
    resting_status,
    stop_run,
    summarise,
    summarise_run,
)
from studio.workspace.claims import WRITE, Claim
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import ACTIVE, TRAINING, Needs, find_job
from studio.workspace.names import read_whole, require_run_name, shorten
from studio.workspace.own_process import module_command, module_environment
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter, SilentReporter
from studio.workspace.records.declarations import DurationS
from studio.workspace.records.quantities import format_bytes
from studio.workspace.records.record import (
    DeclaredRecord,
    InvalidValueError,
    device_option,
    new_run_name,
    option,
    run_name,
)
from studio.workspace.trust import Named

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
    number = read_whole(given)
    if number is None:
        raise StudioError(f"{shorten(given)} is no batch size. Write a whole number, or auto.")
    return number


BatchSize = Annotated[int | Literal["auto"], BeforeValidator(read_batch_size)]


class TrainingReport(Result):
    """How a run stands after a session of training."""

    run: str
    status: str
    batch: int
    checkpoints: int
    size_bytes: int
    asked_to_stop: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether its last batch, its time or its patience was at an end."""
        return self.status == "finished" or not self.asked_to_stop

    @classmethod
    def of(cls, summary: RunSummary, asked_to_stop: bool = False) -> TrainingReport:
        """The report of a run that stands as a summary says."""
        return cls(
            run=summary.name,
            status=summary.status,
            batch=summary.last_batch or 0,
            checkpoints=summary.checkpoints,
            size_bytes=summary.size_bytes,
            asked_to_stop=asked_to_stop,
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
    patience: int | None = option(
        None,
        "Stop cleanly once the distance to the data (SWD) has not fallen for so many batches.",
        ge=1,
        unit="batches",
        section="Session",
    )


class TrainingAction(Action, SessionOptions):
    """An action that trains; several processes may do it together, of which the first one leads."""

    section = SECTION

    def claims(self) -> Sequence[Claim]:
        """One trains a run; others may read it meanwhile."""
        return [Claim("run", str(self.about_run), WRITE)]

    def leads(self) -> bool:
        """Whether this process is the first of those that train together, or the only one."""
        return read_group().get("RANK", "0") == "0"

    def needs(self) -> Needs | None:
        """The device that it trains on; what a launcher began has its devices from there."""
        from studio.workspace.devices import choose_devices

        if read_group():
            return None
        devices = (self.device,) if self.device else tuple(choose_devices())
        return Needs(TRAINING, devices, self.processes)

    def check_patience(self, score_every: int) -> None:
        """Refuse a patience that no distance would come up to.

        Raises:
            InvalidValueError: distances are measured too rarely, or never.
        """
        if self.patience is None or 0 < score_every <= self.patience:
            return
        measured = f"every {score_every:,} batches" if score_every else "never"
        raise InvalidValueError(
            f"{{patience}} {self.patience:,} needs the distance to the data, which is measured "
            f"{measured}. Measure it more often: --set score_every={max(1, self.patience // 5)}"
        )

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
    recipe: str | None = option(None, "How to train: gan, letters, or upscale.")
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
    like: str | None = option(
        None,
        "Begin with the settings of another run, and no more of it.",
        flag="--as",
        metavar="RUN",
        check=require_run_name,
    )
    storage: Literal["visual", "exact"] = option(
        "visual", "visual keeps what can be seen, far smaller; exact every bit."
    )
    quality: float | None = option(
        None, "Visual storage: rms by which pictures may differ, of 255 levels; else 0.1."
    )

    def claims(self) -> Sequence[Claim]:
        """One makes a run; the dataset keeps its name until the run can say it."""
        named = [Claim("dataset", self.dataset)] if self.dataset else []
        return [*super().claims(), *named]

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
            self.like,
        )

    def check(self, workspace: Workspace) -> None:
        """Refuse a taken name, settings that do not fit, and unknown datasets and origins."""
        from studio.training.setup.creation import check_new_run
        from studio.training.setup.run_request import choose_settings, require_way

        workspace.run(self.run)
        self.check_device()
        if self.leads():
            config = choose_settings(workspace, self.request)
            require_way(workspace, self.run, self.request, config.batches)
            self.check_patience(config.score_every)
            check_new_run(workspace, self.run, config, self.storage)

    def brings(self, workspace: Workspace) -> Iterator[Named]:
        """The settings that are named, and those of the file or the run that it begins from."""
        from studio.training.setup.run_request import choose_settings

        yield from named_in(self.overrides)
        config = asdict(choose_settings(workspace, self.request))
        elsewhere = {name: value for name, value in config.items() if name not in self.overrides}
        source = self.config or self.branch or self.init_from or self.like or "its preset"
        yield from named_in(elsewhere, f"the settings of {source}")

    def perform(self, workspace: Workspace, reporter: Reporter) -> TrainingReport:
        """Make the run and train it."""
        from checkpoints_index.storage.trusted_classes import import_trusted
        from studio.runs.forecast import describe_launch
        from studio.training.setup.creation import create_run
        from studio.training.setup.run_request import explain_choice, resolve_request
        from studio.upkeep.removal import delete_run
        from studio.workspace.devices import choose_device

        if self.leads():
            chosen, first = resolve_request(workspace, self.request)
            import_trusted(workspace.runs, chosen.generator)
            create_run(workspace, self.run, chosen, self.storage, first)
            begun = first.batch if first is not None else 0
            device = self.device or choose_device()
            news = describe_launch(chosen, self.storage, workspace.runs, begun, device)
            for line in filter(None, (explain_choice(workspace, self.request, chosen), *news)):
                reporter.say(line)
        try:
            return train_session(workspace, self.run, self, reporter)
        except EXPECTED_ERRORS:
            if self.leads() and not has_begun(workspace, self.run):
                delete_run(workspace, self.run)  # A run that was refused does not keep its name.
            raise

    def duplicated(self, workspace: Workspace) -> Train:
        """Training of another run, with the first free number behind the name."""
        stem, _, number = self.run.rpartition("-")
        before = read_whole(number) if stem else None
        stem, first = (self.run, 2) if before is None else (stem, before + 1)
        taken = {*list_runs(workspace.runs)}
        names = (f"{stem}-{number}" for number in itertools.count(first))
        return self.model_copy(update={"run": next(name for name in names if name not in taken)})

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
        """Refuse an unknown or a damaged run, one that is where it is to go, a missing device."""
        self.check_device()
        config = read_config(workspace, self.run)
        if self.patience is not None:
            from studio.runs.changes import settings_in_force

            self.check_patience(settings_in_force(workspace, self.run).score_every)
        wanted = config.batches if self.batches is None else self.batches
        kept = open_catalogue(workspace.runs, self.run).batches
        if kept and kept[-1] >= wanted:
            raise StudioError(
                f"Run '{self.run}' is at batch {kept[-1]:,} already, and was to train to batch "
                f"{wanted:,}. Say how far it is to go: studio resume {self.run} --batches "
                f"{2 * kept[-1]}"
            )

    def brings(self, workspace: Workspace) -> Iterator[Named]:
        """What the settings of the run name: its folder may come from somebody else."""
        from studio.runs.changes import named_by

        yield from named_by(workspace, self.run)

    def perform(self, workspace: Workspace, reporter: Reporter) -> TrainingReport:
        """Train on."""
        from studio.runs.status import read_config
        from studio.training.loop.session import claiming_datasets
        from studio.training.setup.creation import check_datasets, extend_run

        with ExitStack() as stack:
            if self.leads():
                config = read_config(workspace, self.run)
                stack.enter_context(claiming_datasets(workspace, self.run, config))
                check_datasets(workspace, config)  # Before anything is changed.
                if self.batches is not None:
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
        if reporter.devices:
            device = reporter.devices[0]
        elif not group:  # What a launcher started has its devices from there.
            asked = (device, 1, f"training {run}", reporter.announce, give_up)
            (device,) = stack.enter_context(await_devices(workspace, *asked))
        on_progress = stack.enter_context(reporter.task(f"Training {run}"))
        left_s = deadline - time.monotonic()
        ends = (should_stop, left_s, session.patience)
        train_run(workspace, run, on_progress, *ends, reporter.say, device)
        return report_session(workspace, run, should_stop())


def report_session(workspace: Workspace, run: str, asked_to_stop: bool = False) -> TrainingReport:
    """The report of a session that has ended well, though the job that it is may still be open."""
    catalogue = open_catalogue(workspace.runs, run)
    summary = summarise(workspace, catalogue)
    resting = replace(summary, status=resting_status(workspace, catalogue))
    return TrainingReport.of(resting, asked_to_stop)


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
    with ExitStack() as stack:
        devices = list(reporter.devices)
        if devices[:1] == ["cpu"]:
            devices *= count
        if not devices:
            waiting = await_devices(workspace, *asked, lambda: time.monotonic() > deadline)
            devices = stack.enter_context(waiting)
        left_s = None if session.duration is None else max(0.0, deadline - time.monotonic())
        command = [
            *module_command("studio.actions.session_process"),
            *(str(workspace.root), run, str(left_s), str(reporter.job_id), str(session.patience)),
        ]
        variables = {**module_environment(), **visible_devices(devices)}
        status = launch(command, count, variables)
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
