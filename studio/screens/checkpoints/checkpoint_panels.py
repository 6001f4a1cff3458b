"""On the tab Checkpoints: pinning and exporting one of them, and reading them all back."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.runs.pins import list_pins, pin_batch, unpin_batch
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.jobs_view import press_job, show_jobs
from studio.workspace.errors import StudioError
from studio.workspace.jobs import newest_job, submit_job

OF_ONE_RUN = ("verify", "thin", "export-checkpoint")
FILES = 4  # of those exported last, to be downloaded


Seen = tuple[str, int] | None  # the run and the batch that are looked at


class CheckpointPanel:
    """Keeps the checkpoint that is looked at for good, or makes it a file."""

    def __init__(self, app: AppContext, tab: gr.Tab, seen: gr.State) -> None:
        self._app = app
        with gr.Tab("This checkpoint"):
            with gr.Row(equal_height=True):
                pin = gr.Button("Pin this batch", size="md", elem_id="pin")
                export = gr.Button("Export this checkpoint", size="md", elem_id="export-checkpoint")
            commands, files = markup.pressable(), markup.pressable(elem_id="files")
        shown = [pin, commands]
        app.on_look(tab, self._look, [seen], [*shown, files], clock=True)
        seen.change(show_errors(self._show), seen, shown, **EVENT_DEFAULTS)
        pin.click(show_errors(self._pin), seen, shown, **EVENT_DEFAULTS)
        export.click(show_errors(self._export), seen, None, **EVENT_DEFAULTS)

    def _look(self, run: str | None, seen: Seen) -> tuple[Any, str, str]:
        return *self._show(seen), self._list_files(run)

    def _show(self, seen: Seen) -> tuple[Any, str]:
        if seen is None:
            return gr.Button("Pin this batch", interactive=False), ""
        run, batch = seen
        pinned = batch in list_pins(self._app.workspace, run)
        commands = pin_words(run, batch, pinned), export_words(run, batch)
        label = f"{'Unpin' if pinned else 'Pin'} batch {batch:,}"
        return gr.Button(label, interactive=True), "".join(map(markup.command, commands))

    def _list_files(self, run: str | None) -> str:
        folder = self._app.workspace.specimens(run) if run else None
        files = sorted(folder.glob("*.safetensors"), key=_age)[:FILES] if folder else []
        links = "".join(markup.download(path) for path in files)
        return f'<div class="films">{links}</div>' if links else ""

    def _pin(self, seen: Seen) -> tuple[Any, str]:
        run, batch = _known(seen)
        pinned = batch in list_pins(self._app.workspace, run)
        change = unpin_batch if pinned else pin_batch
        change(self._app.workspace, run, batch)
        return self._show(seen)

    def _export(self, seen: Seen) -> None:
        run, batch = _known(seen)
        submit_job(self._app.workspace, export_words(run, batch), run)
        gr.Info("The file can be downloaded as soon as it is whole.", title="Exporting")


class VerifyPanel:
    """Reads checkpoints back."""

    def __init__(self, app: AppContext, tab: gr.Tab) -> None:
        self._app = app
        with gr.Tab("Verify"):
            with gr.Row(equal_height=True):
                verify = gr.Button("Verify the checkpoints", size="md", elem_id="verify")
                share = gr.Dropdown(
                    ["100%", "20%", "5%", "1%"], value="100%", label="Look at", min_width=90
                )
                deep = gr.Checkbox(label="Decode each of them, too (slower)")
            command = markup.pressable()
        form: list[Any] = [deep, share]
        app.on_look(tab, _show_verify, form, [command])
        gr.on([f.change for f in form], _show_verify, [app.run, *form], command, **EVENT_DEFAULTS)
        verify.click(show_errors(self._verify), [app.run, *form], None, **EVENT_DEFAULTS)

    def _verify(self, run: str | None, deep: bool, share: str) -> None:
        if run is None:
            raise StudioError("There is no run to verify. Train one first, or import one.")
        submit_job(self._app.workspace, verify_words(run, deep, share), run)
        gr.Info("What it finds shows below.", title=f"Verifying {run}")


class JobNews:
    """The newest of the jobs that these panels submit for a run, or the newest import."""

    def __init__(self, app: AppContext, tab: gr.Tab) -> None:
        self._app = app
        place = markup.pressable(elem_id="housekeeping-job")
        app.on_look(tab, self._show, [], [place], clock=True)
        place.click(show_errors(self._press), app.run, place, **EVENT_DEFAULTS)

    def _show(self, run: str | None) -> str:
        workspace = self._app.workspace
        found = [newest_job(workspace, "import")]
        found += [newest_job(workspace, *OF_ONE_RUN, run=run)] if run else []
        newest = max((job for job in found if job), key=lambda job: job.id, default=None)
        return show_jobs(workspace, [newest], newest.id, foldable=False) if newest else ""

    def _press(self, run: str | None, event: gr.EventData) -> str:
        press_job(self._app.workspace, event, None)
        return self._show(run)


def verify_words(run: str, deep: bool, share: str = "100%") -> list[str]:
    """The command that reads a share of the checkpoints back."""
    words = ["verify", run, *(["--deep"] if deep else [])]
    return words if share == "100%" else [*words, "--subset", share]


def pin_words(run: str, batch: int, pinned: bool) -> list[str]:
    """The command that pins a batch, or takes its pin away."""
    return ["pin", run, str(batch), *(["--remove"] if pinned else [])]


def export_words(run: str, batch: int) -> list[str]:
    """The command that makes a checkpoint a file, anew if there is one."""
    return ["export-checkpoint", run, str(batch), "--overwrite"]


def _known(seen: Seen) -> tuple[str, int]:
    if seen is None:
        raise StudioError("There is no checkpoint yet. Train a run first, or import one.")
    return seen


def _show_verify(run: str | None, deep: bool, share: str) -> str:
    return markup.command(verify_words(run or "RUN", deep, share))


def _age(path: Any) -> float:
    return -path.stat().st_mtime
