"""A panel of the tab Checkpoints: the checkpoint that is looked at, for others."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.actions.action import words_of
from studio.actions.declared.publishing.gallery_actions import WriteGallery
from studio.actions.declared.publishing.publish_actions import Publish
from studio.actions.permissions import FLAG
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.form import Form
from studio.workspace.errors import EXPECTED_ERRORS, StudioError

Seen = tuple[str, int] | None  # The run and the batch that are looked at.
EXAMPLE = "USER/NAME"


class PublishPanel:
    """Writes the folder of a checkpoint, and sends it where that is allowed."""

    def __init__(self, app: AppContext, tab: gr.Tab, seen: gr.State) -> None:
        self._app, self._form = app, Form(Publish)
        with gr.Tab("Publish"):
            with gr.Row():
                self._form.field(
                    "to",
                    "Repository on the Hugging Face Hub",
                    placeholder=EXAMPLE,
                    elem_id="publish-to",
                )
                self._form.field("public", "Let everybody see it", elem_id="publish-public")
            with gr.Row():
                look = gr.Button("Write the folder", size="md", elem_id="publish-look")
                send = gr.Button("Publish on the Hub", size="md", elem_id="publish")
                page = gr.Button("Write a page about the run", size="md", elem_id="gallery-page")
            command = markup.pressable()
        inputs = self._form.inputs
        app.keep_form("publish", inputs)
        app.keep_current(tab, self._refresh, [seen, *inputs], [command])
        changes = [seen.change, *(field.change for field in inputs)]
        gr.on(changes, self._show, [seen, *inputs], command, **EVENT_DEFAULTS)
        look.click(show_errors(self._look), [seen, *inputs], None, **EVENT_DEFAULTS)
        page.click(show_errors(self._write_page), app.run, None, **EVENT_DEFAULTS)
        send.click(show_errors(self._send), [seen, *inputs], None, **EVENT_DEFAULTS)

    def _refresh(self, run: str | None, seen: Seen, *written: Any) -> Markup:
        return self._show(seen, *written)

    def _show(self, seen: Seen, *written: Any) -> Markup:
        checkpoint = "{}@{}".format(*seen) if seen else ""
        shown = self._form.preview(*written, checkpoint=checkpoint)
        return markup.join(
            [shown, markup.command(words_of(WriteGallery(run=seen[0])))] if seen else [shown]
        )

    def _look(self, seen: Seen, *written: Any) -> None:
        """Write the folder, which says what would be sent."""
        action = self._read(seen, *written, dry_run=True)
        self._app.submit(action)
        folder = self._app.workspace.published(*_known(seen))
        gr.Info(f"Writing {folder.name}: its log, below, shows the files and the model card.")

    def _send(self, seen: Seen, *written: Any) -> None:
        """Send it, where the person who started the studio allows that and has a token."""
        action = self._read(seen, *written)
        try:
            self._app.permissions.check(action)
        except EXPECTED_ERRORS as error:
            raise StudioError(
                "Publishing sends data out, which only the person who started the studio allows: "
                f"{FLAG}, or publish it once by the command below."
            ) from error
        self._app.submit(action)
        gr.Info(f"Publishing as {action.to}: how far it is shows below.")

    def _write_page(self, run: str | None) -> None:
        """Write the folder of a page that any web server can give out."""
        if run is None:
            raise StudioError("There is no run to tell of. Train one first, or import one.")
        self._app.submit(WriteGallery(run=run))
        folder = self._app.workspace.exported_gallery(run)
        gr.Info(f"Writing {folder.name} among the exports: its log, below, says when it is whole.")

    def _read(self, seen: Seen, *written: Any, **known: Any) -> Publish:
        run, batch = _known(seen)
        if "to" not in self._form.values(*written):
            raise StudioError(f"Write the repository, as {EXAMPLE}.")
        return self._form.read(*written, checkpoint=f"{run}@{batch}", **known)


def _known(seen: Seen) -> tuple[str, int]:
    if seen is None:
        raise StudioError("There is no checkpoint yet. Train a run first, or import one.")
    return seen
