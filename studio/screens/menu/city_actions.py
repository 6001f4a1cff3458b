"""What can be done with a city wherever it is shown: the entries of its menu, and what they do."""

from __future__ import annotations

import gradio as gr
from markupsafe import escape

from studio.actions.declared.film_actions import RenderTimelapse
from studio.actions.declared.specimen_actions import (
    SpecimenList,
    SpecimensExport,
    SpecimensMark,
    SpecimensStar,
)
from studio.screens.parts.app_context import AppContext
from studio.screens.parts.jobs_view import announce_submitted
from studio.specimens.specimen_pages import is_starred
from studio.workspace.errors import StudioError

LOOK, NEAR, WALK = CHOOSING = "look", "near", "walk"  # These choose the city.
LIFE, STAR, TAG, EXPORT = "life", "star", "tag", "export"  # These are done with it.
MENU = {
    LOOK: "Look at it",
    NEAR: "What is near it",
    WALK: "Walk from here",
    LIFE: "Film its life",
    STAR: "Star it",
    TAG: "Tag it",
    EXPORT: "Export it",
}


def do_with_city(
    app: AppContext, run: str, label: str, batch: int, what: str, tag: str = ""
) -> None:
    """Do with a city what was asked for, and say on the page what became of it.

    Args:
        batch: at which it is shown.
        what: LIFE, STAR, TAG or EXPORT.
        tag: the one that it gets.

    Raises:
        StudioError: it cannot be done.
    """
    if what == LIFE:
        job = app.submit(RenderTimelapse.read({"run": run, "points": [label]}))
        begun = f"City {label} is filmed as job {job.id}; the film comes under Render."
        announce_submitted(app.workspace, job, begun)
    elif what == STAR:
        undo = is_starred(app.workspace, run, label)
        app.perform(SpecimensStar(run=run, labels=(label,), undo=undo))
        gr.Info(escape(f"City {label} {'has no star any more' if undo else 'is starred'}."))
    elif what == TAG:
        if not tag.strip():
            raise StudioError("There is no tag. Write one, such as river, and press Enter.")
        app.perform(SpecimensMark.read({"run": run, "labels": (label,), "tag": tag}))
        gr.Info(escape(f"City {label} is tagged {tag.strip()}."))
    else:
        asked = {"run": run, "labels": (label,), "at_batch": str(batch)}
        exported = app.perform(SpecimensExport.read(asked))
        assert isinstance(exported, SpecimenList)
        written = ", ".join(str(s.path) for s in exported.specimens if s.path is not None)
        gr.Info(escape(f"City {label} is written: {written}"))
