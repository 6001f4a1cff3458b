"""The place of the gallery on the page: its script, what it is told, and what it tells."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr

from studio.screens.parts.app_context import AppContext, nothing_yet
from studio.screens.parts.assets import read_asset
from studio.screens.specimens.gallery.gallery_answers import GalleryAnswers
from studio.screens.specimens.gallery.gallery_view import KINDS, MAX_CHOSEN, TITLES, GalleryView
from studio.screens.specimens.gallery.thumbnail_store import PICTURE_PATH, ThumbnailStore
from studio.specimens.specimen_pages import specimens_stamp
from studio.workspace.errors import StudioError
from studio.workspace.names import require_point_label

SCRIPTS = (
    *("nodes.js", "catalogue.js", "choice.js", "field.js", "editor.js", "large.js"),
    *("tools.js", "side.js", "start.js"),
)
View = dict[str, Any]  # A GalleryView as a table.


class GalleryPlace:
    """The gallery, and what of it the page's address holds.

    Attributes:
        place: shows the specimens of the chosen run.
        view, chosen: states: a View, and the labels of the chosen specimens.
    """

    def __init__(self, app: AppContext, title: str) -> None:
        self._app = app
        thumbnails = ThumbnailStore(app.workspace, app.picture_cache)
        app.own_answers[PICTURE_PATH] = thumbnails.answer
        choices = {"kinds": KINDS, "orders": list(TITLES.items())}
        self.place = gr.HTML(
            "",  # Until the tab is opened nobody asks for specimens.
            html_template="",  # The script builds the gallery, and changes it in its place.
            js_on_load="\n".join(read_asset(__package__, name) for name in SCRIPTS),
            elem_id="specimens",
            apply_default_css=False,
            server_functions=GalleryAnswers(app, thumbnails).functions,
            choices=json.dumps(choices),
        )
        self.view, self.chosen = gr.State(asdict(GalleryView())), gr.State([])
        app.on_press(self.place, self._press, [app.run], [self.view, self.chosen])
        address = app.address
        address.hold_several(title, self.view, _split, _join)
        address.hold_several(
            title,
            self.chosen,
            lambda chosen: {"chosen": chosen} if chosen else {},
            lambda parts: list(parts.get("chosen", ())),
        )

    def tell(
        self, run: str | None, view: View, chosen: list[str], known: list[Any] | None
    ) -> tuple[Any, ...]:
        """The values of the place, the view, what is chosen, and what is known then.

        Args:
            view, chosen: as the address of the page or the gallery has said.
            known: the run and the stamp of its specimens that are shown; None where the page has
                just opened, with what its address says.
        """
        if run is None or not self._app.batches(run):
            return json.dumps({"nothing": nothing_yet(run)}), asdict(GalleryView()), [], None
        now = [run, *specimens_stamp(self._app.workspace, run)]
        if known is not None and known[: len(now)] == now:
            return (gr.skip(),) * 4
        told = {"run": run, "stamp": json.dumps(now), "credit": self._app.attribution(run)}
        if known is not None and known[0] == run:
            value = json.dumps({**told, "anew": known[-1], "view": view, "chosen": chosen})
            return value, gr.skip(), gr.skip(), [*now, known[-1]]
        if known is not None:  # Another run begins anew.
            view, chosen = asdict(GalleryView()), []
        anew = str(time.time_ns())
        value = json.dumps({**told, "anew": anew, "view": view, "chosen": chosen})
        return value, view, chosen, [*now, anew]

    def _press(self, run: str | None, event: gr.EventData) -> tuple[Any, Any]:
        """Take over what the gallery says that it shows, for the page's address."""
        said = dict(event._data or {})
        if said.get("action") != "view" or said.get("run") != run:
            return gr.skip(), gr.skip()  # Another run was chosen meanwhile.
        chosen = str(said.get("chosen", "")).split()
        if len(chosen) > MAX_CHOSEN:
            raise StudioError(f"At most {MAX_CHOSEN:,} specimens are chosen at once.")
        return asdict(GalleryView.read(said.get("view"))), list(map(require_point_label, chosen))


def _split(view: View) -> Mapping[str, Any]:
    return GalleryView.read(view).parts()


def _join(parts: Mapping[str, Any]) -> View:
    """The view that the parts of an address stand for; the usual one where they do not fit."""
    given = {name: value for name, value in parts.items() if name != "chosen"}
    try:
        return asdict(GalleryView.read(given))
    except StudioError:
        return asdict(GalleryView())
