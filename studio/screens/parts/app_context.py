"""What all tabs share: the workspace, the chosen run, clocks, caches, and how errors are shown."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import gradio as gr
from gradio.components import Component
from markupsafe import Markup, escape

from studio.actions.action import Action
from studio.actions.permissions import Permissions
from studio.runs.attribution import attribution_of
from studio.screens.parts.markup import empty
from studio.screens.parts.picture_cache import PictureCache
from studio.screens.parts.run_cache import RunCache
from studio.specimens.points import FIXED, points_of
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.jobs import JobRow
from studio.workspace.paths import Workspace

Components = Sequence[Component]  # Inputs or outputs of an event.
CLOCK_SECONDS = 2.0

# Arguments of every event. The page tells every output that shows progress how far each later
# event is; with hundreds of outputs it had no time left for a click, so none shows progress.
EVENT_DEFAULTS: dict[str, Any] = {
    "show_progress": "hidden",
    "show_progress_on": [],
    "api_visibility": "private",
}


@dataclass(frozen=True)
class AppContext:
    """Handed to every tab. Whatever belongs to one person is in components, never here.

    Args:
        permissions: what pages may ask for.
        picture_cache, run_cache: shared by all browsers.
        run: the chosen run.
        open_tab: the title of the tab that is open.
        awaited: the name of a run that was started and is to be chosen once it is there.
        clock: ticks all the time.
        clocks: by the title of a tab, one that ticks while the tab is open. They lie outside of
            the tabs, since a clock within one would tick on when the tab is closed.
    """

    permissions: Permissions
    picture_cache: PictureCache
    run_cache: RunCache
    run: gr.Dropdown
    open_tab: gr.State
    awaited: gr.State
    clock: gr.Timer
    clocks: dict[str, gr.Timer]

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

    def tab(self, title: str) -> gr.Tab:
        """Lay out a tab that is known to be open when it is; its clock alone ticks then.

        Were each tab to ask whether it is open, a dozen questions a tick would keep the page busy.
        """

        def opened() -> tuple[Any, ...]:
            return title, *(gr.Timer(active=title == other) for other in self.clocks)

        tab = gr.Tab(title)
        tab.select(opened, None, [self.open_tab, *self.clocks.values()], **EVENT_DEFAULTS)
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
            clock: call it again and again while the tab is open, too.
        """
        title = str(tab.label)

        def refresh_if_open(*values: Any) -> Any:
            return refresh(*values[1:]) if values[0] == title else gr.skip()

        tab.select(show_errors(refresh), [self.run, *inputs], outputs, **EVENT_DEFAULTS)
        gr.on(
            [self.run.change, *([self.clocks[title].tick] if clock else [])],
            show_errors(refresh_if_open),
            [self.open_tab, self.run, *inputs],
            outputs,
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )

    def attribution(self, run: str) -> str:
        """The words that are owed beside pictures of a run; empty where none are."""
        return attribution_of(self.workspace, run)

    def fixed_labels(self, run: str) -> list[str]:
        """The labels of a run's fixed points."""
        return [point.label for point in points_of(self.workspace, run, FIXED)]

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


def show_errors(work: Callable[..., Any]) -> Callable[..., Any]:
    """Let an error that a person can put right be a notice in the browser, and change nothing."""

    @functools.wraps(work)
    def work_or_warn(*values: Any) -> Any:
        try:
            return work(*values)
        except EXPECTED_ERRORS as error:
            gr.Warning(escape(explain(error)), title="This did not work")
            return gr.skip()

    return work_or_warn


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
    return min(batches, key=lambda batch: abs(batch - wanted))


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
