"""Panels of the tab Checkpoints: pin or export one of them, verify them all, follow the jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.actions.action import words_of
from studio.actions.declared.checkpoint_actions import ExportCheckpoint, Pin, Verify
from studio.runs.pins import list_pins
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.jobs_view import press_job, show_jobs
from studio.workspace.errors import StudioError
from studio.workspace.jobs import newest_job

OF_ONE_RUN = (
    "verify",
    "thin",
    "archive",
    "export-checkpoint",
    "publish",
    "gallery",
)  # Actions of jobs that are followed here.
MAX_FILES = 4  # Exported files that can be downloaded, the newest.
EXPORTED = (".safetensors", ".zip")  # Checkpoints, and archives of them.
ALL = "100%"
SUBSETS = (ALL, "20%", "5%", "1%")

Seen = tuple[str, int] | None  # The run and the batch that are looked at.


class CheckpointPanel:
    """Keeps the checkpoint that is looked at for good, or makes a file of it."""

    def __init__(self, app: AppContext, tab: gr.Tab, seen: gr.State) -> None:
        self._app = app
        with gr.Tab("This checkpoint"):
            with gr.Row(equal_height=True):
                pin = gr.Button("Pin this batch", size="md", elem_id="pin")
                export = gr.Button("Export this checkpoint", size="md", elem_id="export-checkpoint")
            commands, files = markup.pressable(), markup.pressable(elem_id="files")
        shown = [pin, commands]
        app.keep_current(tab, self._refresh, [seen], [*shown, files], clock=True)
        seen.change(show_errors(self._show), seen, shown, **EVENT_DEFAULTS)
        pin.click(show_errors(self._pin), seen, shown, **EVENT_DEFAULTS)
        export.click(show_errors(self._export), seen, None, **EVENT_DEFAULTS)

    def _refresh(self, run: str | None, seen: Seen) -> tuple[Any, Markup, Markup]:
        return *self._show(seen), self._list_files(run)

    def _show(self, seen: Seen) -> tuple[Any, Markup]:
        if seen is None:
            return gr.Button("Pin this batch", interactive=False), markup.NOTHING
        run, batch = seen
        pinned = batch in list_pins(self._app.workspace, run)
        commands = pin_action(run, batch, pinned), _export(run, batch)
        label = f"{'Unpin' if pinned else 'Pin'} batch {batch:,}"
        return gr.Button(label, interactive=True), markup.join(
            markup.command(words_of(action)) for action in commands
        )

    def _list_files(self, run: str | None) -> Markup:
        folder = self._app.workspace.specimens(run) if run else None
        files = [path for kind in EXPORTED for path in folder.glob(f"*{kind}")] if folder else []
        return markup.downloads(sorted(files, key=_newest_first)[:MAX_FILES])

    def _pin(self, seen: Seen) -> tuple[Any, Markup]:
        run, batch = _known(seen)
        pinned = batch in list_pins(self._app.workspace, run)
        self._app.perform(pin_action(run, batch, pinned))
        return self._show(seen)

    def _export(self, seen: Seen) -> None:
        run, batch = _known(seen)
        self._app.submit(_export(run, batch))
        gr.Info("Exporting: the file can be downloaded as soon as it is whole.")


class VerifyPanel:
    """Has checkpoints read back and compared with their checksums."""

    def __init__(self, app: AppContext, tab: gr.Tab) -> None:
        self._app = app
        with gr.Tab("Verify"):
            with gr.Row(equal_height=True):
                verify = gr.Button("Verify the checkpoints", size="md", elem_id="verify")
                subset = gr.Dropdown(list(SUBSETS), value=SUBSETS[0], label="Look at", min_width=90)
                deep = gr.Checkbox(label="Decode each of them, too (slower)")
            command = markup.pressable()
        form: list[Any] = [deep, subset]
        app.keep_current(tab, _show_verify, form, [command])
        gr.on([f.change for f in form], _show_verify, [app.run, *form], command, **EVENT_DEFAULTS)
        verify.click(show_errors(self._verify), [app.run, *form], None, **EVENT_DEFAULTS)

    def _verify(self, run: str | None, deep: bool, subset: str) -> None:
        if run is None:
            raise StudioError("There is no run to verify. Train one first, or import one.")
        self._app.submit(_verify(run, deep, subset))
        gr.Info(f"Verifying {run}: what it finds shows below.")


class JobNews:
    """The newest of the jobs that these panels submit for a run, or the newest import."""

    def __init__(self, app: AppContext, tab: gr.Tab) -> None:
        self._app = app
        place = markup.pressable(elem_id="housekeeping-job")
        app.keep_current(tab, self._show, [], [place], clock=True)
        app.on_press(place, self._press, app.run, place)

    def _show(self, run: str | None) -> Markup:
        workspace = self._app.workspace
        found = [newest_job(workspace, "import")]
        found += [newest_job(workspace, *OF_ONE_RUN, run=run)] if run else []
        newest = max((job for job in found if job), key=lambda job: job.id, default=None)
        return (
            show_jobs(workspace, [newest], newest.id, foldable=False) if newest else markup.NOTHING
        )

    def _press(self, run: str | None, event: gr.EventData) -> Markup:
        press_job(self._app, event, None)
        return self._show(run)


def _verify(run: str, deep: bool, subset: str) -> Verify:
    """Read checkpoints back, all of them or so many per cent."""
    return Verify.read({"run": run, "deep": deep, "subset": None if subset == ALL else subset})


def pin_action(run: str, batch: int, pinned: bool) -> Pin:
    """Pin a batch, or take its pin away."""
    return Pin(run=run, batches=(str(batch),), remove=pinned)


def _export(run: str, batch: int) -> ExportCheckpoint:
    """Write a checkpoint to a file, again if there is one."""
    return ExportCheckpoint(run=run, batch=batch, overwrite=True)


def _known(seen: Seen) -> tuple[str, int]:
    if seen is None:
        raise StudioError("There is no checkpoint yet. Train a run first, or import one.")
    return seen


def _show_verify(run: str | None, deep: bool, subset: str) -> Markup:
    return markup.command(words_of(_verify(run or "RUN", deep, subset)))


def _newest_first(path: Path) -> float:
    return -path.stat().st_mtime
