"""What all tabs share: the workspace, the chosen run, a clock, and how errors are told."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from studio.runs.attribution import attribution_of
from studio.screens.parts.markup import empty
from studio.screens.parts.picture_cache import PictureCache
from studio.screens.parts.run_cache import RunCache
from studio.specimens.points import FIXED, points_of
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace

Inputs = Sequence[Component]  # and outputs
CLOCK_SECONDS = 2.0
# How events are declared: the page tells every output that shows progress how far each later event
# is, and with hundreds of outputs it had no time left for a click.
EVENT_DEFAULTS: dict[str, Any] = {
    "show_progress": "hidden",
    "show_progress_on": [],
    "api_visibility": "private",
}


@dataclass(frozen=True)
class AppContext:
    """Handed to every tab. Whatever belongs to one person is in components, never here."""

    workspace: Workspace
    picture_cache: PictureCache
    run_cache: RunCache
    run: gr.Dropdown
    open_tab: gr.State
    awaited: gr.State  # name of a run that was started and is to be chosen once it is there
    clock: gr.Timer
    clocks: dict[str, gr.Timer]  # one a tab, outside of it: one within would tick on

    def tab(self, name: str) -> gr.Tab:
        """A tab that is known to be open when it is, and whose clock alone ticks then.

        Were each tab to ask whether it is open, a dozen questions a tick would keep the page busy.
        """

        def opened() -> tuple[Any, ...]:
            return name, *(gr.Timer(active=name == other) for other in self.clocks)

        tab = gr.Tab(name)
        tab.select(opened, None, [self.open_tab, *self.clocks.values()], **EVENT_DEFAULTS)
        return tab

    def on_look(
        self,
        tab: gr.Tab,
        look: Callable[..., Any],
        inputs: Inputs,
        outputs: Inputs,
        clock: bool = False,
    ) -> None:
        """Call look(run, *inputs) when the tab is opened, and when the run changes while it is.

        Args:
            clock: call it again and again while the tab is open, too.
        """
        name = str(tab.label)

        def look_if_open(*values: Any) -> Any:
            return look(*values[1:]) if values[0] == name else gr.skip()

        told_look, told_look_if_open = show_errors(look), show_errors(look_if_open)
        tab.select(told_look, [self.run, *inputs], outputs, **EVENT_DEFAULTS)
        signals = [self.run.change, *([self.clocks[name].tick] if clock else [])]
        gr.on(
            signals,
            told_look_if_open,
            [self.open_tab, self.run, *inputs],
            outputs,
            trigger_mode="always_last",
            **EVENT_DEFAULTS,
        )

    def attribution(self, run: str) -> str:
        return attribution_of(self.workspace, run)

    def fixed_labels(self, run: str) -> list[str]:
        return [point.label for point in points_of(self.workspace, run, FIXED)]

    def batches(self, run: str | None) -> list[int]:
        """The batches of the chosen run that have a checkpoint; none without a run."""
        return self.picture_cache.batches(run) if run else []


def show_errors(work: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a StudioError into a notice in the browser, and leave everything as it is."""

    @functools.wraps(work)
    def told(*values: Any) -> Any:
        try:
            return work(*values)
        except EXPECTED_ERRORS as error:
            gr.Warning(escape(str(error)), title="This did not work")
            return gr.skip()

    return told


def folded(title: str, elem_id: str | None = None) -> tuple[gr.Accordion, gr.State]:
    """A part of the page that opens at a press, and whether it is open.

    What lies in it need not be looked up while nobody sees it.
    """
    panel, is_open = gr.Accordion(title, open=False, elem_id=elem_id), gr.State(False)
    panel.expand(lambda: True, None, is_open, **EVENT_DEFAULTS)
    panel.collapse(lambda: False, None, is_open, **EVENT_DEFAULTS)
    return panel, is_open


def nothing_yet(run: str | None) -> str:
    """What a tab says that has no checkpoint to show."""
    if run is None:
        return empty(
            "No run yet",
            "Go to Train, choose pictures, and press Start. Every batch will be kept here.",
        )
    return empty(
        "No checkpoint yet", f"Run '{run}' has not finished its first batch. Watch it in Train."
    )


def nearest_batch(batches: Sequence[int], wanted: float | None) -> int:
    """The kept batch that is closest to a wanted one; the last one where none is wanted."""
    if wanted is None:
        return batches[-1]
    return min(batches, key=lambda batch: abs(batch - wanted))


def batch_slider(batches: Sequence[int], value: float | None = None) -> gr.Slider:
    """What a slider over kept batches becomes; where no value is given it stays where it is."""
    if not batches:
        return gr.Slider(minimum=0, maximum=1, value=0, step=1, interactive=False)
    moved: dict[str, Any] = {} if value is None else {"value": value}
    return gr.Slider(
        minimum=batches[0], maximum=max(batches[-1], batches[0] + 1), interactive=True, **moved
    )
