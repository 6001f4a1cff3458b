"""Saying how far something long has come: bars on a terminal, lines in a log, a row for a job."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from renderers.progress import OnProgress, ignore_progress
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.jobs import estimate_left, report_progress
from studio.workspace.names import printable
from studio.workspace.paths import Workspace
from studio.workspace.records.quantities import format_duration

FIRST_LINE_SECONDS, LINE_SECONDS = 1.0, 5.0
ROW_SECONDS = 0.5

log = logging.getLogger(__name__)


Say = Callable[[str], None]  # told one line of news


def ignore_line(line: str) -> None:
    """Where nobody listens."""


class Reporter:
    """Tells a person on standard error, and the job's row if there is one.

    Attributes:
        devices: those that the job holds already, where its turn on them had to come.
    """

    def __init__(
        self, workspace: Workspace, job_id: int | None = None, devices: Sequence[str] = ()
    ) -> None:
        self._workspace, self.job_id, self.devices = workspace, job_id, tuple(devices)
        self._console = Console(stderr=True, markup=False, emoji=False)
        self._row_due = 0.0

    @contextmanager
    def task(self, what: str) -> Iterator[OnProgress]:
        """Report on one thing that takes a while."""
        show = self._show_bar if self._console.is_terminal else self._show_lines
        first_done: int | None = None  # a resumed run, say, does not begin at 0
        first_done_at = 0.0
        with show(what) as display:

            def on_progress(done: int, total: int, note: str = "") -> None:
                nonlocal first_done, first_done_at
                if first_done is None:
                    first_done, first_done_at = done, time.time()
                display(done, total, note)
                self._write_row(what, done, total, note, first_done, first_done_at)

            yield on_progress

    def say(self, text: str) -> None:
        """One line of news."""
        self._console.print(printable(text, one_line=True), highlight=False, soft_wrap=True)

    def announce(self, text: str) -> None:
        """One line of news that the job's row shows as well, such as what it waits for."""
        self.say(text)
        self._write_row(text, 0, 0, "", 0, None)

    @contextmanager
    def _show_bar(self, what: str) -> Iterator[OnProgress]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
        )
        with Progress(*columns, console=self._console, expand=True) as bars:
            bar = bars.add_task(printable(what, one_line=True), total=None, note="")

            def display(done: int, total: int, note: str = "") -> None:
                bars.update(bar, completed=done, total=total, note=printable(note, one_line=True))

            yield display

    @contextmanager
    def _show_lines(self, what: str) -> Iterator[OnProgress]:
        due = time.monotonic() + FIRST_LINE_SECONDS
        first: tuple[float, int] | None = None  # The time, and what was done by then.

        def display(done: int, total: int, note: str = "") -> None:
            nonlocal due, first
            now = time.monotonic()
            first = first or (now, done)
            if now < due and done < total:
                return
            due = now + LINE_SECONDS if done < total else float("inf")
            left_s = estimate_left(now - first[0], done - first[1], total - done)
            left = f", {format_duration(left_s, 'clock')} left" if left_s is not None else ""
            self.say(f"{what}: {done:,} of {total:,}{left}{', ' + note if note else ''}")

        yield display

    def _write_row(
        self,
        what: str,
        done: int,
        total: int,
        note: str,
        first_done: int,
        first_done_at: float | None,
    ) -> None:
        now = time.monotonic()
        if self.job_id is None or (now < self._row_due and done < total):
            return
        self._row_due = now + ROW_SECONDS
        said = f"{what}: {note}" if note else what
        try:
            report_progress(
                *(self._workspace, self.job_id, done, total, said), first_done, first_done_at
            )
        except EXPECTED_ERRORS as error:  # Even a full disk is no reason to give the work up.
            log.info("%s", error)


class SilentReporter(Reporter):
    """Tells nobody: for processes that work beside one that reports."""

    @contextmanager
    def task(self, what: str) -> Iterator[OnProgress]:
        """Report on nothing."""
        yield ignore_progress

    def say(self, text: str) -> None:
        """Say nothing."""
