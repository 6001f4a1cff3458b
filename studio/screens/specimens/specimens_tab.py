"""The tab Specimens: cities worth keeping, what is said of them, and where they come from."""

from __future__ import annotations

from typing import Any, ClassVar

import gradio as gr
from markupsafe import Markup

from studio.actions.action import Action, spell_command
from studio.actions.declared.removal_actions import Delete, DeleteSpecimens, RenameSpecimen
from studio.actions.declared.specimen_actions import SpecimensSample
from studio.screens.parts import markup
from studio.screens.parts.app_context import (
    EVENT_DEFAULTS,
    AppContext,
    nearest_batch,
    show_errors,
)
from studio.screens.parts.assets import read_asset
from studio.screens.parts.number_field import NumberField
from studio.screens.parts.removal_panel import RemovalPanel
from studio.screens.specimens.gallery.gallery_place import GalleryPlace, View
from studio.screens.specimens.origin_panel import OriginPanel
from studio.workspace.errors import StudioError

DEFAULT_COUNT, MAX_COUNT = 24, 10_000  # Specimens that are drawn at once.


class SpecimensScreen:
    """The gallery on the left; what is chosen, drawing new ones and dropped files on the right."""

    TITLE: ClassVar[str] = "Specimens"

    def __init__(self, app: AppContext) -> None:
        self._app = app
        with app.tab(self.TITLE) as tab, gr.Row(equal_height=False, elem_id="specimen-columns"):
            self._known = gr.State()
            with gr.Column(scale=8, min_width=520):
                self._gallery = GalleryPlace(app, self.TITLE)
            with gr.Column(scale=3, min_width=300):
                gr.HTML(
                    "",  # The gallery fills it with what is chosen.
                    html_template="",
                    js_on_load=read_asset(f"{__package__}.gallery", "beside.js"),
                    elem_id="specimen-side",
                    apply_default_css=False,
                )
                RemovalPanel(
                    app,
                    "the chosen specimens",
                    [app.run, self._gallery.chosen],
                    _delete_chosen,
                    _rename_chosen,
                    [self._gallery.chosen],
                    lambda action: [[] if isinstance(action, Delete) else gr.skip()],
                )
                self._lay_out_sampling()
                OriginPanel(app)
        self._connect(tab)

    def _lay_out_sampling(self) -> None:
        with gr.Group():
            with gr.Row():
                self._batch = NumberField(label="At batch", precision=0, minimum=0, min_width=80)
                self._count = NumberField(
                    DEFAULT_COUNT,
                    label="Cities",
                    precision=0,
                    minimum=1,
                    maximum=MAX_COUNT,
                    min_width=80,
                )
            self._sample_button = gr.Button("Draw new ones", size="md", elem_id="sample")
        self._sample_command = markup.pressable()

    def _connect(self, tab: gr.Tab) -> None:
        run, gallery = self._app.run, self._gallery
        seen = [gallery.view, gallery.chosen, self._known]
        outputs = [gallery.place, gallery.view, gallery.chosen, self._known, self._batch]
        self._app.keep_current(tab, self._refresh, seen, outputs, clock=True)
        self._app.address.begin_anew(self.TITLE, self._known)
        self._sample_button.click(
            show_errors(self._sample), [run, self._batch, self._count], None, **EVENT_DEFAULTS
        )

        def show_command(run: str | None, *form: Any) -> Markup:
            return markup.command(spell_sample(run or "RUN", *form))

        form, command = [self._batch, self._count], self._sample_command
        self._app.keep_form("sample", [self._count])
        self._app.keep_current(tab, show_command, form, [command])
        changes = [field.change for field in form]
        gr.on(changes, show_command, [run, *form], command, **EVENT_DEFAULTS)

    def _refresh(
        self, run: str | None, view: View, chosen: list[str], known: list[Any] | None
    ) -> tuple[Any, ...]:
        """The gallery is told when specimens came, went or were marked, or the run changed.

        New ones are drawn at the last batch unless somebody says otherwise.
        """
        last: Any = gr.skip()
        batches = self._app.batches(run)
        if batches and (known is None or known[0] != run):
            last = batches[-1]
        return *self._gallery.tell(run, view, chosen, known), last

    def _sample(self, run: str | None, batch: float | None, count: float | None) -> None:
        batches = self._app.batches(run)
        if run is None or not batches:
            raise StudioError("There is no checkpoint to draw with. Train a run first.")
        batch = nearest_batch(batches, batch)
        action = SpecimensSample(run=run, batch=batch, count=int(count or DEFAULT_COUNT))
        self._app.submit(action)
        gr.Info(f"Drawing: they appear as soon as they are drawn, at batch {batch:,}.")


def _delete_chosen(run: str | None, chosen: list[str]) -> DeleteSpecimens:
    if run is None or not chosen:
        raise StudioError("No specimen is chosen. Press pictures to choose them, then delete.")
    return DeleteSpecimens.read({"run": run, "labels": chosen})


def _rename_chosen(run: str | None, chosen: list[str], new: str) -> Action:
    if run is None or len(chosen) != 1:
        raise StudioError(
            f"{len(chosen):,} specimens are chosen. Press one picture to choose it, then rename it."
        )
    return RenameSpecimen.read({"run": run, "label": chosen[0], "new": new})


def spell_sample(run: str, batch: float | None, count: float | None) -> list[str]:
    """The command that draws new specimens, as far as it is written."""
    at = {} if batch is None else {"batch": int(batch)}
    return spell_command(SpecimensSample, {"run": run, **at, "count": int(count or DEFAULT_COUNT)})
