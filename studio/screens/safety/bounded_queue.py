"""The queue of events: no page and no client takes all places, and at rest it takes no time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fastapi
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Event, Queue

MAX_OF_PAGE = (
    100  # Events of one page that wait or are at work: it has about as many places to ask.
)
MAX_OF_CLIENT = 160  # Events of one address; the rest of the queue is left to others.
# Gradio looks a thousand times a second for an event, which takes 6 % of a core for ever.
LOOK_S = 0.02
LOOK_FOR_PROGRESS_S = 0.2  # No event of the studio reports any.
BUSY = "This page has asked for too much at a time. Wait until some of it is answered."


class BoundedQueue(Queue):
    """Refuses further events of a page or an address that has too many under way."""

    @classmethod
    def instead_of(cls, queue: Queue) -> BoundedQueue:
        """A queue with the settings of another one, which has not begun to work."""
        bounded = cls(
            live_updates=queue.live_updates,
            concurrency_count=queue.max_thread_count,
            update_intervals=queue.update_intervals,
            max_size=queue.max_size,
            blocks=queue.blocks,
            default_concurrency_limit=queue.default_concurrency_limit,
        )
        bounded.sleep_when_free = LOOK_S
        # Gradio would make a table of the last 10,000 events after each of them, which nobody sees.
        bounded.ANALYTICS_MAX_EVENTS = 0
        bounded.progress_update_sleep_when_free = LOOK_FOR_PROGRESS_S
        return bounded

    async def push(
        self, body: PredictBodyInternal, request: fastapi.Request, username: str | None
    ) -> tuple[bool, Any, Any]:
        """Take an event in, unless its page or its client has too many."""
        events, client = list(self._under_way()), _client_of(request)
        of_page = sum(event.session_hash == body.session_hash for event in events)
        of_client = sum(_client_of(event.request) == client for event in events)
        if of_page >= MAX_OF_PAGE or of_client >= MAX_OF_CLIENT:
            return False, BUSY, "queue_full"
        return await super().push(body, request, username)

    def _under_way(self) -> Iterator[Event]:
        """The events that wait, and those that are worked on."""
        for waiting in self.event_queue_per_concurrency_id.values():
            yield from waiting.queue
        for working in self.active_jobs:
            yield from working or ()


def _client_of(request: fastapi.Request) -> str:
    return request.client.host if request.client else ""
