"""How much one client may take, and all of them together: logins, uploads, open pages."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

MAX_CLIENTS = 10_000  # So many addresses are remembered; the one that was silent longest goes.


@dataclass
class Allowance:
    """What may be used within a time, by one client and in sum; older use is forgotten.

    Attributes:
        each, in_sum: the most that one client and all of them may use.
        seconds: for how long a use counts.
    """

    each: int
    in_sum: int
    seconds: float
    _used: dict[str, deque[tuple[float, int]]] = field(default_factory=dict)

    def take(self, client: str, amount: int = 1) -> float:
        """Use some of it.

        Returns:
            0 where there was enough; else the seconds until there may be, and nothing is taken.
        """
        now = time.monotonic()
        self._forget(now)
        mine = self._used.pop(client, deque())
        spent = sum(used for _, used in mine)
        total = spent + sum(used for uses in self._used.values() for _, used in uses)
        if spent + amount <= self.each and total + amount <= self.in_sum:
            mine.append((now, amount))
            self._used[client] = mine
            return 0.0
        if mine:
            self._used[client] = mine
        return self._wait(client if spent + amount > self.each else None, now)

    def give_back(self, client: str, amount: int = 1) -> None:
        """Undo the newest use of a client."""
        mine = self._used.get(client)
        if mine and mine[-1][1] == amount:
            mine.pop()

    def _forget(self, now: float) -> None:
        for client, uses in list(self._used.items()):
            while uses and uses[0][0] < now - self.seconds:
                uses.popleft()
            if not uses:
                del self._used[client]
        while len(self._used) > MAX_CLIENTS:
            del self._used[next(iter(self._used))]

    def _wait(self, client: str | None, now: float) -> float:
        uses = self._used.values() if client is None else [self._used.get(client, deque())]
        oldest = min((use[0][0] for use in uses if use), default=now)
        return max(1.0, oldest + self.seconds - now)


@dataclass
class OpenPages:
    """The streams of answers that browsers hold open, and the events that keep them so.

    An event that is under way as long as a page is open holds a place in the queue. A session has
    one such event, which ends when nobody listens any more; there are fewer than places.

    Attributes:
        most: how many may be held at the same time.
        patience_s: for how long an event waits for its page to listen.
    """

    most: int
    patience_s: float
    _streams: dict[str, int] = field(default_factory=dict)
    _held: dict[str, tuple[object, float]] = field(default_factory=dict)

    def count(self) -> int:
        """How many pages listen now."""
        return len(self._streams)

    def opened(self, session: str) -> None:
        """A browser listens to the answers of a session."""
        self._streams[session] = self._streams.get(session, 0) + 1

    def closed(self, session: str) -> None:
        """It does no longer."""
        left = self._streams.get(session, 0) - 1
        if left > 0:
            self._streams[session] = left
        else:
            self._streams.pop(session, None)

    def hold(self, session: str, holder: object) -> bool:
        """Whether an event may hold a page for the next moment.

        Args:
            holder: stands for the event; a later one of the same session takes its place.
        """
        now = time.monotonic()
        self._held = {s: kept for s, kept in self._held.items() if kept[1] > now - self.patience_s}
        known = self._held.get(session)
        if known is None and len(self._held) >= self.most:
            return False
        self._held[session] = (holder, now)
        return True

    def goes_on(self, session: str, holder: object, began: float) -> bool:
        """Whether an event that held a page so far may go on.

        Args:
            began: when it began, of `time.monotonic`.
        """
        now = time.monotonic()
        known = self._held.get(session)
        if known is None or known[0] is not holder:
            return False
        if session not in self._streams and now - began >= self.patience_s:
            del self._held[session]
            return False
        self._held[session] = (holder, now)
        return True
