"""Numbers on a page: one that may be left empty, and a slider whose bounds may change."""

from __future__ import annotations

from typing import Any

import gradio as gr


class NumberField(gr.Number):
    """A `gr.Number` that is empty where it has no value.

    The page of Gradio 6 turns a number without a value into 0 when it draws the field, which then
    is refused below the field's minimum or taken for what somebody wrote. An empty text stays
    empty there, and a field that is cleared sends None.
    """

    is_template = True  # Gradio draws it as what it derives from.

    def preprocess(self, payload: Any) -> float | int | None:
        """The number that the page sent; None where the field is empty.

        Raises:
            gradio.Error: it is less than the minimum or greater than the maximum.
        """
        return None if payload == "" else super().preprocess(payload)

    def postprocess(self, value: Any) -> Any:
        """What the page is sent for a number or None."""
        return "" if value in (None, "") else super().postprocess(value)


class BatchSlider(gr.Slider):
    """A slider over the batches of a run, which a page may still ask with after the run changed.

    Gradio refuses a position outside the bounds, although those of the moment may be newer.
    """

    is_template = True

    def preprocess(self, payload: float) -> float:
        """The position that the page sent, or the end of the slider that is nearest to it."""
        return super().preprocess(min(max(payload, self.minimum), self.maximum))
