"""Whose turn it is to have a picture drawn: one for each page at a time, and the newest wins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from studio.workspace.errors import StudioError

MAX_PAGES = 32  # Pages that have something drawn, or wait for it, at a time.


class StaleRequestError(StudioError):
    """The page has asked for something newer meanwhile."""


class BusyPagesError(StudioError):
    """More pages ask at a time than are answered."""


@dataclass
class _PageTurn:
    """What one page has at work.

    Args:
        waiting: done when the request that waits may begin; None where none waits.
        is_stale: whether the one at work is to be given up for the one that waits.
    """

    waiting: asyncio.Future[None] | None = None
    is_stale: bool = False


class PageTurns:
    """Lets each page have one request at work and one that waits; used by one event loop."""

    def __init__(self) -> None:
        self._pages: dict[str, _PageTurn] = {}

    @asynccontextmanager
    async def take(self, page: str, urgent: bool = False) -> AsyncIterator[Callable[[], bool]]:
        """Wait until the page has nothing else at work.

        Args:
            page: what tells it from others.
            urgent: whether what is at work for the page is to be given up for this.

        Yields:
            Whether the request is still to be answered; any thread may ask.

        Raises:
            StaleRequestError: a newer request came while this one waited.
            BusyPagesError: too many other pages ask.
        """
        turn = self._pages.get(page)
        if turn is not None:
            turn.is_stale = turn.is_stale or urgent
            await self._wait(page, turn)
        elif len(self._pages) < MAX_PAGES:
            turn = self._pages[page] = _PageTurn()
        else:
            raise BusyPagesError("Too many pages ask for pictures at a time. Close some.")
        try:
            yield lambda: not turn.is_stale
        finally:
            self._hand_on(page, turn)

    async def _wait(self, page: str, turn: _PageTurn) -> None:
        """Wait until the one at work is done; whoever waited before has waited in vain."""
        if turn.waiting is not None and not turn.waiting.done():
            turn.waiting.set_exception(StaleRequestError("A newer picture was asked for."))
        turn.waiting = mine = asyncio.get_running_loop().create_future()
        try:
            await mine
        except asyncio.CancelledError:
            if turn.waiting is mine:
                turn.waiting = None
            elif not mine.cancelled() and mine.exception() is None:  # It was its turn already.
                self._hand_on(page, turn)
            raise

    def _hand_on(self, page: str, turn: _PageTurn) -> None:
        waiting, turn.waiting, turn.is_stale = turn.waiting, None, False
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        else:
            del self._pages[page]
