"""The page of the studio: whatever fails in it is told in one sentence."""

from __future__ import annotations

import logging
from typing import Any

import gradio as gr

from studio.screens.safety.gate import NOT_UNDERSTOOD

log = logging.getLogger(__name__)


class GuardedPage(gr.Blocks):
    """Gradio's page, with one guard around all functions of all events.

    Values of a wrong type, too many of them and events that nobody could have caused come from
    forged requests, and fail within Gradio as well as within our own functions.
    """

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
