"""The tab Jobs: what works, what waits and in which order; and the light in the header."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import gradio as gr
from markupsafe import escape

from studio.actions.action import Action
from studio.actions.job_actions import JobsCancel, JobsRetry
from studio.actions.queue_actions import (
    JobsDuplicate,
    JobsMove,
    JobsPause,
    JobsResume,
    JobsSchedule,
    JobsStart,
)
from studio.screens.jobs.job_cards import describe_board, describe_light
from studio.screens.parts.app_context import AppContext
from studio.screens.parts.assets import read_asset
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

MAX_OPEN_LOGS = 8
Values = dict[str, Any]


def _written(event: Values) -> Values:
    """When a job may begin, as it was written into the fields of its card."""
    values = {name: str(event.get(name) or "").strip() for name in ("after", "at")}
    return {**{n: v for n, v in values.items() if v}, "anyway": event.get("anyway") is True}


def _changes(event: Values) -> list[str]:
    try:
        return shlex.split(str(event.get("changes") or ""))
    except ValueError as error:
        raise StudioError(f"The changes cannot be read: {error}. Use NAME=VALUE.") from error


# What each button of a card asks for, from what the page sends, and what is told then.
PRESSES: dict[str, tuple[Callable[[Any, Values], Action], str]] = {
    "pause": (lambda job, event: JobsPause.read({"job": job}), "Job {} pauses."),
    "resume": (lambda job, event: JobsResume.read({"jobs": [job]}), "Job {} goes on."),
    "start": (lambda job, event: JobsStart.read({"job": job}), "Job {} begins."),
    "up": (lambda job, event: JobsMove.read({"job": job, "to": "up"}), ""),
    "down": (lambda job, event: JobsMove.read({"job": job, "to": "down"}), ""),
    "cancel": (lambda job, event: JobsCancel.read({"job": job}), "Job {} is given up."),
    "retry": (lambda job, event: JobsRetry.read({"job": job}), "Job {} is run again."),
    "schedule": (
        lambda job, event: JobsSchedule.read({"job": job, **_written(event)}),
        "Job {} begins when you said.",
    ),
    "duplicate": (
        lambda job, event: JobsDuplicate.read({"job": job, "settings": _changes(event)}),
        "Job {} is queued once more.",
    ),
}


class JobsScreen:
    """Lays the board out and answers what is pressed on it."""

    TITLE: ClassVar[str] = "Jobs"

    def __init__(self, app: AppContext) -> None:
        self._app = app
        with app.tab(self.TITLE) as tab:
            board = gr.HTML(
                "",  # Until the tab is opened nobody knows what will be at work by then.
                html_template="",  # The script builds the cards, and changes them in their place.
                js_on_load=read_asset(__package__, "jobs_tab.js"),
                elem_id="job-board",
                apply_default_css=False,
            )
            open_logs = gr.State(())
        app.keep_current(tab, self._look, [open_logs], [board], clock=True)
        app.on_press(board, self._press, open_logs, [board, open_logs])

    def _look(self, run: str | None, open_logs: Sequence[int]) -> str:
        return describe_board(self._app.workspace, open_logs)

    def _press(self, open_logs: Sequence[int], event: gr.EventData) -> tuple[str, Sequence[int]]:
        """Do what was pressed, and show what has become of it."""
        values: Values = dict(event._data or {})
        action, job = values.get("action"), values.get("job")
        if action == "log" and type(job) is int:
            open_logs = _turned(open_logs, job)
        elif action == "resume-all":
            told = list(self._app.perform(JobsResume()).remarks())
            gr.Info(escape(" ".join(told) or "All go on."))
        elif (asked := read_press(values)) is not None:
            remarks = list(self._app.perform(asked[0]).remarks())
            if isinstance(asked[0], JobsResume) and remarks:  # It says why it cannot go on.
                raise StudioError(remarks[0])
            if asked[1]:
                gr.Info(asked[1])
        return describe_board(self._app.workspace, open_logs), open_logs


def read_press(values: Values) -> tuple[Action, str] | None:
    """What a press of a card's button asks for, and what is told once it is done.

    Args:
        values: what the page sent, which may be anything.

    Returns:
        None where the button is not known.

    Raises:
        StudioError: a value does not fit.
    """
    name, job = values.get("action"), values.get("job")
    if not isinstance(name, str) or name not in PRESSES:
        return None
    read, said = PRESSES[name]
    if type(job) is not int:
        raise StudioError("The page named no job. Load it again.")
    return read(job, values), said.format(job)


def _turned(open_logs: Sequence[int], job: int) -> tuple[int, ...]:
    """The jobs whose logs are open, with one opened or closed; the newest of too many stay."""
    others = tuple(number for number in open_logs if number != job)
    return others if job in open_logs else (*others, job)[-MAX_OPEN_LOGS:]


def lay_out_light(workspace: Workspace) -> gr.HTML:
    """The light in the header, which a script fills; pressing it opens the tab."""
    return gr.HTML(
        describe_light(workspace),
        html_template="",
        js_on_load=read_asset(__package__, "light.js").replace("TAB_TITLE", JobsScreen.TITLE),
        elem_id="light",
        apply_default_css=False,
    )
