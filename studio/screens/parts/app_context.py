"""What all tabs share: the workspace, the chosen run, news, caches, and how errors are shown."""

from __future__ import annotations

import functools
import json
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import Any, ClassVar, Protocol

import gradio as gr
from gradio.components import Component
from markupsafe import Markup, escape

from checkpoints_index.storage.catalogue import list_runs
from latent.points import LatentPoint
from studio.actions.action import Action, Result
from studio.actions.declared.latent.look_actions import SHOWN_SEEDS
from studio.actions.permissions import Permissions
from studio.runs.attribution import attribution_of
from studio.screens.parts.browser.address_book import AddressBook
from studio.screens.parts.browser.news import NEWS, RUN, event_of, own_event
from studio.screens.parts.browser.stored_forms import StoredForms
from studio.screens.parts.markup import empty
from studio.screens.parts.picture_cache import PictureCache
from studio.screens.parts.run_cache import RunCache
from studio.screens.safety.gate import Answer
from studio.specimens.points import points_or_fixed, resolve_points
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.jobs import JobRow
from studio.workspace.names import require_numbers
from studio.workspace.paths import Workspace

Components = Sequence[Component]  # Inputs or outputs of an event.

# Arguments of every event. The page tells every output that shows progress how far each later
# event is; with hundreds of outputs it had no time left for a click, so none shows progress.
EVENT_DEFAULTS: dict[str, Any] = {
    "show_progress": "hidden",
    "show_progress_on": [],
    "api_visibility": "private",
}
# Arguments of a listener that is asked each time its event happens. Of the listeners of one event
# at most one may be asked the last time only (Gradio's `always_last`, the default for changes):
# when its answer comes, Gradio asks all listeners of the event again, and two of them for ever.
EACH_TIME: dict[str, Any] = {"trigger_mode": "multiple"}


class RunChoice(gr.Dropdown):
    """The choice of a run. A page may still ask about one that is gone, and is told so by name."""

    is_template = True  # Gradio draws it as what it derives from.

    def preprocess(self, payload: Any) -> str | None:
        """The name that the page sent, whatever it may choose from by now."""
        return payload if isinstance(payload, str) else None


@dataclass(frozen=True)
class AppContext:
    """Handed to every tab. Whatever belongs to one person is in components, never here.

    Args:
        permissions: what pages may ask for.
        picture_cache, run_cache: shared by all browsers.
        run: the chosen run.
        open_tab: the title of the tab that is open.
        awaited: the name of a run that was started and is to be chosen once it is there.
        news: tells of what has changed; see `studio.screens.parts.browser.news`.
        address: what of the page stands in its address.
        forms: what was written in forms, which the browser keeps.
        own_answers: path -> what answers a GET of it; a tab adds those of its pictures.
        stars: changes when a star was given or taken in the menu of a city.
    """

    permissions: Permissions
    picture_cache: PictureCache
    run_cache: RunCache
    run: gr.Dropdown
    open_tab: gr.State
    awaited: gr.State
    news: gr.HTML
    address: AddressBook
    forms: StoredForms
    own_answers: dict[str, Answer]
    stars: gr.State

    @property
    def workspace(self) -> Workspace:
        """The workspace that the pages show."""
        return self.permissions.workspace

    def submit(self, action: Action) -> JobRow:
        """Start an action that was asked for on a page; the one way from a page to a job.

        Raises:
            StudioError: it may not be asked for from a page, or cannot be done.
        """
        return self.permissions.submit(action)

    def perform(self, action: Action) -> Result:
        """Carry out an action that was asked for on a page, which is no job, and wait for it.

        Raises:
            StudioError: it may not be asked for from a page, or cannot be done.
        """
        return self.permissions.perform(action)

    def tab(self, title: str) -> gr.Tab:
        """Lay out a tab that is known to be open when it is."""
        tab = gr.Tab(title, id=title)
        tab.select(lambda: title, None, self.open_tab, js="() => studio.rest()", **EVENT_DEFAULTS)
        return tab

    def keep_current(
        self,
        tab: gr.Tab,
        refresh: Callable[..., Any],
        inputs: Components,
        outputs: Components,
        clock: bool = False,
    ) -> None:
        """Call refresh(run, *inputs) when the tab is opened, and when the run changes meanwhile.

        Args:
            refresh: gives the outputs; see `show_errors` for what happens when it fails.
            clock: call it whenever something has changed in the workspace while the tab is open,
                too.
        """
        title = str(tab.label)

        def refresh_unless_gone(run: str | None, *values: Any) -> Any:
            """A run that is gone is left to whoever chooses another."""
            gone = run is not None and run not in list_runs(self.workspace.runs)
            return gr.skip() if gone else refresh(run, *values)

        events = [event_of(self.news, RUN, title)]
        events += [event_of(self.news, NEWS, title)] if clock else []
        gr.on(
            [tab.select, *events],
            show_errors(refresh_unless_gone),
            [self.run, *inputs],
            outputs,
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )

    def on_press(
        self,
        place: gr.HTML,
        press: Callable[..., Any],
        inputs: Components | Component | None,
        outputs: Components | Component | None,
    ) -> Any:
        """Call press(*inputs, event) for each press in a place, one after the other; none is lost.

        Returns:
            What further events can follow, as Gradio's listeners give it.
        """
        return place.click(
            show_errors(press),
            inputs,
            outputs,
            **EACH_TIME,
            concurrency_id=f"press {place._id}",
            concurrency_limit=1,
            **EVENT_DEFAULTS,
        )

    def keep_form(
        self, form: str, fields: Components, targets: dict[Component, Any] | None = None
    ) -> None:
        """Let the browser keep what is written in fields; see `StoredForms.keep`.

        Where the run is among them, it is kept with what was written for it.
        """
        script = self.forms.keep(form, fields, targets)
        changes = [field.change for field in fields if field is not self.run]  # type: ignore[attr-defined]
        gr.on(
            [once_soon(self.address.bar, f"keep {form}", changes)],
            None,
            list(fields),
            None,
            js=script,
            **EACH_TIME,
            **EVENT_DEFAULTS,
        )

    def attribution(self, run: str) -> str:
        """The words that are owed beside pictures of a run; empty where none are."""
        return attribution_of(self.workspace, run)

    def shown_points(self, run: str) -> list[LatentPoint]:
        """The points by which a run is shown; see the function of that name."""
        return shown_points(self.workspace, run)

    def batches(self, run: str | None) -> list[int]:
        """The batches of a run that have a checkpoint, ascending; none without a run.

        Raises:
            CheckpointError: there is no such run, or it is damaged.
        """
        return self.picture_cache.batches(run) if run else []


class Screen(Protocol):
    """A tab of the app: making one lays the tab out and connects its events."""

    TITLE: ClassVar[str]

    def __init__(self, app: AppContext) -> None: ...


def shown_points(workspace: Workspace, run: str) -> list[LatentPoint]:
    """The points by which a run is shown: its fixed ones; of one that has none, some seeds.

    Runs that were imported, or were made by a program, begin without points of their own.
    """
    return points_or_fixed(workspace, run, []) or resolve_points(workspace, run, [SHOWN_SEEDS])


def show_errors(work: Callable[..., Any]) -> Callable[..., Any]:
    """Let an error that a person can put right be a notice in the browser, and change nothing."""

    @functools.wraps(work)
    def work_or_warn(*values: Any) -> Any:
        try:
            for value in values:
                if isinstance(value, gr.EventData | int | float):
                    require_numbers(getattr(value, "_data", value))
            return work(*values)
        except EXPECTED_ERRORS as error:
            gr.Warning(escape(explain(error)))
            return gr.skip()

    return work_or_warn


def once_soon(place: gr.HTML, name: str, changes: Sequence[Any]) -> MethodType:
    """An event that comes once, a moment after the last of some events that come together.

    Args:
        place: the hidden part of the page that is its address.
        name: of the event, its own.
        changes: events of components, such as `field.change`.
    """
    script = f"() => studio.soon({json.dumps(name)})"
    gr.on(changes, None, None, None, js=script, **EACH_TIME, **EVENT_DEFAULTS)
    return own_event(place, name)


def folded(title: str, elem_id: str | None = None) -> tuple[gr.Accordion, gr.State]:
    """A part of the page that opens at a press, and a state that says whether it is open.

    What lies in it need not be looked up while nobody sees it.
    """
    panel, is_open = gr.Accordion(title, open=False, elem_id=elem_id), gr.State(False)
    panel.expand(lambda: True, None, is_open, **EVENT_DEFAULTS)
    panel.collapse(lambda: False, None, is_open, **EVENT_DEFAULTS)
    return panel, is_open


def nothing_yet(run: str | None) -> Markup:
    """What a tab says that has no checkpoint to show; `run` is the chosen one, if there is one."""
    if run is None:
        return empty(
            "No run yet",
            "Go to Train, choose pictures, and press Start. Every batch will be kept here.",
        )
    return empty(
        "No checkpoint yet", f"Run '{run}' has not finished its first batch. Watch it in Train."
    )


def nearest_batch(batches: Sequence[int], wanted: float | None) -> int:
    """The kept batch that is closest to a wanted one; the last one where none is wanted.

    Args:
        batches: ascending, at least one.

    Example:
        >>> nearest_batch([1, 5, 9], 6.5), nearest_batch([1, 5, 9], None)
        (5, 9)
    """
    if wanted is None:
        return batches[-1]
    after = bisect_left(batches, wanted)
    around = batches[max(after - 1, 0) : after + 1]
    return min(around, key=lambda batch: abs(batch - wanted))


def batch_slider(batches: Sequence[int], value: float | None = None) -> gr.Slider:
    """An update of a slider, so that it moves over kept batches.

    Args:
        batches: ascending; without any the slider cannot be moved.
        value: where it is to be; where none is given it stays.
    """
    if not batches:
        return gr.Slider(minimum=0, maximum=1, value=0, step=1, interactive=False)
    moved: dict[str, Any] = {} if value is None else {"value": value}
    return gr.Slider(
        minimum=batches[0], maximum=max(batches[-1], batches[0] + 1), interactive=True, **moved
    )
