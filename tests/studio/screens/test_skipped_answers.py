"""What an event leaves as it is: pages are told what Gradio tells, and nothing is made anew."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest

from studio.screens.safety.page import GuardedPage

ANSWERS = (
    gr.skip(),
    [gr.skip(), gr.skip(), gr.skip()],
    ["a", gr.skip(), gr.skip()],
    [gr.skip(), gr.Dropdown(choices=["x", "y"], value="y"), 3],
    (gr.update(visible=False), "x", gr.skip()),
)


def run_beside(work):
    """Run a coroutine in a thread of its own: this one may have the loop of a browser's driver."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def answer(kind, predictions, outputs=3):
    """(what the page is told, how many components were made for it)."""
    with kind(analytics_enabled=False) as page:
        parts = [gr.Textbox(), gr.Dropdown(choices=["x"]), gr.State()][:outputs]
        gr.Button().click(lambda: None, None, parts)
    fn = next(fn for fn in page.fns.values() if fn.outputs)
    made = []
    init = gr.components.Component.__init__

    def note(self, *given, **options):
        made.append(type(self))
        init(self, *given, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gr.components.Component, "__init__", note)
        told = run_beside(page.postprocess_data(fn, predictions, None))
    return told, len(made)


@pytest.mark.parametrize("predictions", ANSWERS)
def test_a_page_is_told_the_same_and_less_is_made(predictions):
    told, made = answer(GuardedPage, predictions)
    by_gradio, made_by_gradio = answer(gr.Blocks, predictions)
    assert told == by_gradio
    assert made < made_by_gradio or predictions == ANSWERS[-1]


def test_the_only_place_of_an_event_can_be_skipped_or_filled():
    for make in (gr.skip, lambda: "a", lambda: gr.update(value="b")):  # Gradio changes them.
        assert answer(GuardedPage, make(), 1)[0] == answer(gr.Blocks, make(), 1)[0]
    assert answer(GuardedPage, gr.skip(), 1)[1] == 0


def test_too_few_answers_are_still_an_error():
    with pytest.raises(ValueError, match=r"didn't return enough|does not match"):
        answer(GuardedPage, ["a"])
