"""The page of the studio: whatever fails in it is told in one sentence."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.state_holder import SessionState

from studio.screens.safety.bounded_queue import BoundedQueue
from studio.screens.safety.gate import NOT_UNDERSTOOD, Answer

log = logging.getLogger(__name__)


class GuardedPage(gr.Blocks):
    """Gradio's page, with one guard around all functions of all events.

    Values of a wrong type, too many of them and events that nobody could have caused come from
    forged requests, and fail within Gradio as well as within our own functions.

    Attributes:
        own_answers: path -> what answers a GET of it, for whoever may see the page.
    """

    def __init__(
        self, *args: Any, own_answers: Mapping[str, Answer] | None = None, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.own_answers = {} if own_answers is None else own_answers

    def queue(self, *args: Any, **options: Any) -> GuardedPage:
        """Let events wait in a queue in which no page and no client takes all places."""
        super().queue(*args, **options)
        self._queue = BoundedQueue.instead_of(self._queue)
        return self

    async def postprocess_data(
        self, block_fn: BlockFunction, predictions: Any, state: SessionState | None
    ) -> list[Any]:
        """What an event answers, as the page takes it; what stays as it is costs nothing.

        For each place that an answer skips, Gradio makes a component anew, as if it had changed. Of
        a page that is refreshed every other second, nearly all places are skipped.
        """
        given, count = predictions, len(block_fn.outputs)
        if _is_skip(given) or (count == 1 and not block_fn.batch):
            given = [given] * count
        if not isinstance(given, list | tuple) or len(given) != count:
            answered: list[Any] = await super().postprocess_data(block_fn, predictions, state)
            return answered
        answers: list[Any] = [None if out.stateful else gr.skip() for out in block_fn.outputs]
        changed = [place for place, value in enumerate(given) if not _is_skip(value)]
        if not changed:
            return answers
        fewer = copy.copy(block_fn)
        fewer.outputs = [block_fn.outputs[place] for place in changed]
        values = [given[place] for place in changed]
        is_one = len(values) == 1 and not block_fn.batch
        made = await super().postprocess_data(fewer, values[0] if is_one else values, state)
        for place, answer in zip(changed, made, strict=True):
            answers[place] = answer
        return answers

    async def process_api(self, *args: Any, **options: Any) -> Any:
        """Work on an event.

        Raises:
            gr.Error: it failed; the text is for a person to read.
        """
        try:
            return await super().process_api(*args, **options)
        except gr.Error as error:
            if error.message:
                raise
            raise gr.Error(NOT_UNDERSTOOD, print_exception=False) from error
        except Exception as error:  # Gradio and foreign values raise errors of every kind.
            log.warning("An event failed: %r", error, exc_info=log.isEnabledFor(logging.INFO))
            raise gr.Error(
                NOT_UNDERSTOOD, title="This did not work", print_exception=False
            ) from error


def _is_skip(value: Any) -> bool:
    return isinstance(value, dict) and value == gr.skip()
