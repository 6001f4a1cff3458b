"""Files that are dropped on the tab Specimens: exported pictures, and points of one's own."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import gradio as gr
from markupsafe import Markup

from latent.points import LatentPoint, parse_label
from studio.actions.declared.specimen_actions import (
    ImportedPoints,
    SpecimensImport,
    SpecimensStar,
)
from studio.actions.submission import perform
from studio.screens.parts import markup
from studio.screens.parts.app_context import EVENT_DEFAULTS, AppContext, show_errors
from studio.screens.parts.picture_cache import LARGE_PX
from studio.specimens.origins import find_origin
from studio.specimens.passports import Passport, read_passport
from studio.specimens.points import genuine_label
from studio.specimens.specimen_pages import is_starred
from studio.workspace.errors import StudioError

SHOWN = 24  # Cities that Explore compares with the one from which it is begun.


class OriginPanel:
    """Reads the passport of a dropped picture and draws its city again; keeps dropped points."""

    def __init__(self, app: AppContext) -> None:
        self._app = app
        dropped = gr.File(
            label="Drop an exported picture to find its way back",
            file_types=[".jpg", ".jpeg", ".png", ".webp"],
            height=120,
            elem_id="origin-file",
            elem_classes="drop-file",
        )
        origin = markup.pressable(elem_id="origin")
        own = gr.File(
            label="Drop your own points: .npy, .npz, .csv, .json, .pkl or text",
            file_count="multiple",
            height=120,
            elem_id="own-points",
            elem_classes="drop-file",
        )
        brought = gr.HTML(elem_id="brought")
        dropped.upload(show_errors(self._show_origin), dropped, origin, **EVENT_DEFAULTS)
        dropped.clear(lambda: "", None, origin, **EVENT_DEFAULTS)
        app.on_press(origin, self._keep, dropped, origin)
        own.upload(show_errors(self._bring_in), [app.run, own], brought, **EVENT_DEFAULTS)
        own.clear(lambda: "", None, brought, **EVENT_DEFAULTS)

    def _bring_in(self, run: str | None, paths: list[str]) -> Markup:
        """Keep the points of files that were dropped here as specimens of the run."""
        if run is None:
            raise StudioError("There is no run to bring points into. Choose one.")
        # Gradio takes no path but that of an upload, which lies in no folder that was opened.
        action = SpecimensImport(run=run, files=tuple(map(Path, paths)))
        done = perform(self._app.workspace, action)
        assert isinstance(done, ImportedPoints)
        said = " ".join(("Choose Imported on the left to see them.", *done.remarks_on_files))
        return _found(f"{len(done.labels):,} points of run {run} are kept. {said}")

    def _keep(self, path: str | None, event: gr.EventData) -> Markup:
        """Star the city of the dropped picture, by which it is kept as a specimen."""
        if path is None or event.action != "keep":
            raise StudioError("There is no picture any more. Drop it again.")
        origin = read_passport(Path(path))
        label = genuine_label(self._app.workspace, origin.run, origin)
        if parse_label(label) is None:
            raise StudioError(
                f"{label} has other numbers than the run's own, so it cannot be kept under that "
                "label. Drop it as a point of your own: studio specimens import"
            )
        self._app.perform(SpecimensStar(run=origin.run, labels=(label,)))
        return self._show_origin(path)

    def _show_origin(self, path: str) -> Markup:
        """Say where an exported picture comes from, and draw its city again."""
        passport = read_passport(Path(path))
        origin = find_origin(self._app.workspace, passport, Path(path).name)
        if origin.missing:
            return _found(f"{origin.where}. {origin.missing}")
        point = LatentPoint(origin.label, passport.z)
        shown = self._app.picture_cache.show(passport.run, passport.batch, [point], LARGE_PX)
        return Markup(
            '<div class="card"><img class="picture-large" src="{source}" alt="{where}">'
            '<p class="small"><b>{where}.</b> '
            '<span class="quiet">{said}</span></p><div class="line">{ways}</div>{credit}</div>'
        ).format(
            source=shown[0],
            where=origin.where,
            said=" ".join(origin.remarks) or "Drawn again from its numbers.",
            ways=self._ways(passport, origin.label),
            credit=markup.credit(self._app.attribution(passport.run)),
        )

    def _ways(self, origin: Passport, label: str) -> Markup:
        """What one can go on with: its neighbours, and keeping it."""
        if label != origin.label:  # Under its label the run has another city.
            return markup.NOTHING
        shown = {"run": origin.run, "tab": "Explore", "city": label, "seen": origin.batch}
        link = Markup('<a class="plain strong" href="?{}">Explore from here</a>').format(
            urlencode({**shown, "shown": SHOWN})
        )
        if parse_label(label) is None:
            return link
        if is_starred(self._app.workspace, origin.run, label):
            return link + markup.note("It is starred.")
        return link + markup.button("☆ Keep it", "keep")


def _found(text: str) -> Markup:
    return markup.card("Found", Markup("<p>{}</p>").format(text))
