"""What the film that is written in a form will be, and a few of its frames before it is queued."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from studio.actions.action import Action
from studio.actions.declared.film_actions import RenderInterpolation, RenderPath, RenderTimelapse
from studio.actions.declared.films.plan_actions import (
    FilmPlan,
    PlanAction,
    PlanInterpolation,
    PlanPath,
    PlanTimelapse,
)
from studio.screens.parts import markup
from studio.screens.parts.app_context import AppContext
from studio.screens.parts.form import Form
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS

PLANS: Mapping[type[Action], type[PlanAction]] = {
    RenderTimelapse: PlanTimelapse,
    RenderInterpolation: PlanInterpolation,
    RenderPath: PlanPath,
}
PICTURES = 6


def plan_of(
    form: Form[Any], run: str | None, written: tuple[Any, ...], pictures: int
) -> PlanAction:
    """The action that says what a written film will be.

    Raises:
        StudioError: what is written is no film.
    """
    asked = form.read(*written, run=run)
    return PLANS[type(asked)].read({**asked.given(), "pictures": pictures})


def show_plan(
    app: AppContext, form: Form[Any], run: str | None, written: tuple[Any, ...], previewed: str
) -> Markup:
    """The plan of what is written, or why it is none, with its preview where that was drawn.

    Args:
        previewed: what `mark_of` said of the film whose preview was asked for; another one has
            none yet.
    """
    if run is None or form.action not in PLANS or not app.batches(run):
        return markup.NOTHING
    try:
        action = plan_of(form, run, written, 0)
        if mark_of(action) == previewed:
            action = plan_of(form, run, written, PICTURES)
        found = app.perform(action)
    except EXPECTED_ERRORS as error:
        return markup.note(explain(error), "warning")
    assert isinstance(found, FilmPlan)
    size = f"{found.width} x {found.height} px"
    files = size if found.videos == 1 else f"{found.videos:,} films, to {size}"
    return (
        markup.note(Markup("<b>{}</b> · {} · {}").format(found.film(), found.batches(), files), "")
        + markup.note(f"{found.cost()}.")
        + _strip(found)
    )


def mark_of(action: PlanAction) -> str:
    """A text that is the same for the same film."""
    return repr(action.model_copy(update={"pictures": 0}))


def _strip(plan: FilmPlan) -> Markup:
    if plan.picture is None:
        return markup.NOTHING
    label = Markup("<span>{:,}</span>")
    moves = plan.first_batch != plan.last_batch
    captions = markup.join(label.format(row.batch if moves else row.frame) for row in plan.shown)
    what = "batches" if moves else "frames"
    said = f"Preview: {what} {', '.join(f'{r.batch if moves else r.frame:,}' for r in plan.shown)}"
    return Markup('<figure><img src="{}" alt="{}"><figcaption>{}</figcaption></figure>').format(
        markup.file_url(plan.picture), said, captions
    )
