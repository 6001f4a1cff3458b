"""News for open pages: whether anything has changed that they show, asked with one small question.

A page asks every other second and refreshes only what is open, only when the answer differs. So an
idle page costs a few looks at files, however much there is in the workspace. Where many pages look
at what works, they hear of it less often, so that it is not slowed by those who watch it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import MethodType

import gradio as gr
from gradio.events import EventListener

from studio.screens.parts.assets import read_asset
from studio.screens.parts.browser.address import Address
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.jobs import ACTIVE, list_jobs
from studio.workspace.paths import Workspace

NEWS, RUN, ANYTHING = "news", "run", "anything"
FEW_PAGES = 4  # So many pages hear of everything at once.
PAGE_S = 1.0  # Of more pages each adds so much to the least time between two changes of a stamp,
MAX_WAIT_S = 30.0  # up to this, so that many who look take no more from what works than few.
MAX_RUNS = 64


class WorkspaceNews:
    """Gives stamps that stay the same as long as nothing has changed; shared by all pages.

    Args:
        count_pages: says how many pages are open.
    """

    def __init__(self, workspace: Workspace, count_pages: Callable[[], int] = lambda: 1) -> None:
        self._workspace, self._count_pages = workspace, count_pages
        self._written: tuple[int, int] | None = None  # What is known of the database.
        self._jobs_at_work = False
        self._told: OrderedDict[str | None, tuple[str, float]] = OrderedDict()
        self._turn = threading.Lock()

    def stamp(self, run: str | None) -> str:
        """A short text that differs from an earlier one where something on a page may have changed.

        Args:
            run: the run that the page shows; files of other runs are no news.
        """
        with self._turn:
            now = time.monotonic()
            known, since = self._told.get(run, ("", now))
            if known and now - since < self._least_s():
                return known
            stamp = self._look(run)
            if stamp != known:
                self._told[run] = stamp, now
                self._told.move_to_end(run)
                while len(self._told) > MAX_RUNS:
                    self._told.popitem(last=False)
            return stamp

    def _least_s(self) -> float:
        """Seconds for which a stamp stays at least, by how many pages are open."""
        pages = self._count_pages()
        return min(MAX_WAIT_S, PAGE_S * pages) if pages > FEW_PAGES else 0.0

    def _look(self, run: str | None) -> str:
        self._settle_jobs()
        looked = [(str(path), *_state_of(path)) for path in self._watched(run)]
        return hashlib.blake2b(repr(looked).encode(), digest_size=9).hexdigest()

    def _settle_jobs(self) -> None:
        """Write down which jobs have lost their process, which is the only news without a file."""
        written = _state_of(self._workspace.database)
        if written == self._written and not self._jobs_at_work:
            return
        self._jobs_at_work = any(job.status in ACTIVE for job in list_jobs(self._workspace))
        self._written = _state_of(self._workspace.database)

    def _watched(self, run: str | None) -> Iterator[Path]:
        here = self._workspace
        yield from (here.database, here.datasets, here.runs, here.renders)
        yield from _folders_in(here.renders)
        yield from _folders_in(here.datasets)
        if run is None:
            return
        folder, checkpoints = here.run(run), here.run(run) / "checkpoints"
        yield from (folder, checkpoints, here.specimens(run), here.training_states(run))
        yield from (here.run_config(run), here.metrics(run), here.preview(run))
        yield here.histograms(run)
        newest = max(_names_in(checkpoints), default=None)
        if newest is not None:
            yield checkpoints / newest


def lay_out_news(news: WorkspaceNews, titles: Sequence[str]) -> gr.HTML:
    """The hidden part of a page that asks for news.

    Args:
        titles: those of the tabs.

    Returns:
        A component with the events `anything` and, for each tab, those of `event_of`.
    """

    def stamp(address: str) -> str:
        """A stamp for the page at an address; one of a wrong address shows no run."""
        try:
            run = Address.read(str(address)).run
            return news.stamp(run)
        except EXPECTED_ERRORS:
            return news.stamp(None)

    events = [f"{kind} {title}" for title in titles for kind in (NEWS, RUN)]
    script = read_asset(__package__, "news.js").replace("[/* events */]", json.dumps(events))
    return gr.HTML(visible="hidden", html_template="", js_on_load=script, server_functions=[stamp])


def event_of(place: gr.HTML, kind: str, title: str) -> MethodType:
    """The event of an open tab: NEWS where something has changed, RUN where another run shows."""
    return own_event(place, f"{kind} {title}")


def own_event(place: gr.HTML, name: str) -> MethodType:
    """An event that the script of a place triggers, for `gr.on`; `name` stands in the script."""
    return MethodType(EventListener(event_name=name).listener, place)


def _state_of(path: Path) -> tuple[int, int]:
    """When a file was written, in nanoseconds, and its bytes; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except OSError:
        return []


def _names_in(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []
