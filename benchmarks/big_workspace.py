"""How the studio bears a large workspace in a browser: a long run, many specimens, many films.

Makes a run of 20,000 checkpoints of a small network with its numbers, 10,000 specimens of it and
200 films, opens the app in a headless Chromium of 1366 x 768, and prints one JSON document. Times
are in milliseconds, processor time is in percent of one core, and `load` says how many processes
wanted one of the machine's cores meanwhile:

- `usable`: from asking for the page until Home shows the run, and the same with the timeline, the
  gallery and the films; in a browser that has never seen the studio, and in one that has;
- `idle`: on each of these tabs, of the server and of the browser, with the requests in 10 s;
- `scrubbing`, `gallery`: see `benchmarks.scrubbing` and `benchmarks.gallery`;
- `heap_mb`: the heap of the page after each of some rounds over all tabs.

    python -m benchmarks.big_workspace [--workspace FOLDER] [--only idle] [--rounds 30]
    python -m benchmarks.big_workspace --only heap_mb --rounds 60 --every 60  # an hour of use
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from benchmarks import gallery, scrubbing
from benchmarks.browser_parts.costs import cpu_s, heap_mb, load, measure_idle, server_processes
from benchmarks.browser_parts.made_up import add_films, add_specimens, make_long_run
from benchmarks.browser_parts.serving import VIEWPORT, open_browser, serve
from studio.workspace.paths import Workspace

RUN = "long"
TABS = ("Home", "Train", "Checkpoints", "Explore", "Render", "Specimens", "Compare", "Jobs")
# What stands there once a tab can be used.
READY = {
    "Home": f"() => document.querySelector('#home .home-card')?.innerText.includes('{RUN}')",
    "Checkpoints": "() => document.querySelector('.timeline-stage[data-pictures]')",
    "Specimens": f"() => document.querySelector('.specimen-field') && ({gallery.SHOWN})()",
    "Render": "() => document.querySelector('#player video, #player .film, #player button')",
}


def make(workspace: Workspace, checkpoints: int, specimens: int, films: int) -> None:
    """The large workspace; what of it is there already stays."""
    if workspace.run(RUN).exists():
        return
    make_long_run(workspace, RUN, checkpoints)
    batches = tuple(checkpoints * part // 8 for part in range(1, 9))
    add_specimens(workspace, RUN, batches, specimens)
    add_films(workspace, RUN, films)


def open_tab(page: Page, url: str, tab: str) -> float:
    """Milliseconds until a tab can be used, from asking for the page."""
    began = time.perf_counter()
    page.goto(f"{url}/?run={RUN}&tab={tab}")
    page.wait_for_function(READY[tab], polling=20)
    return 1000 * (time.perf_counter() - began)


def measure_usable(browser: Browser, url: str) -> dict[str, Any]:
    """How long each tab takes, and how much of that the server works."""
    found: dict[str, Any] = {}
    for tab in READY:
        context = browser.new_context(viewport=VIEWPORT)
        for kind in ("first", "again", "again"):
            page, before = context.new_page(), cpu_s(server_processes())
            ms = round(open_tab(page, url, tab))
            server_ms = round(1000 * (cpu_s(server_processes()) - before))
            found.setdefault(tab, {})[kind] = {"ms": ms, "server_ms": server_ms}
            page.close()
        context.close()
    return found


def measure_idle_tabs(browser: Browser, url: str, seconds: float) -> dict[str, Any]:
    """What each tab takes while nobody does anything."""
    found: dict[str, Any] = {}
    for tab in READY:
        page = browser.new_page(viewport=VIEWPORT)
        open_tab(page, url, tab)
        page.wait_for_timeout(15_000)  # What is drawn on the way is drawn.
        found[tab] = measure_idle(page, seconds)
        page.close()
    return found


def measure_heap(browser: Browser, url: str, rounds: int, every_s: float) -> list[float]:
    """The heap after each of so many rounds over all tabs, in each of which something is done.

    Args:
        rounds: how many of them.
        every_s: a round begins at most once in so many seconds.
    """
    page = browser.new_page(viewport=VIEWPORT)
    open_tab(page, url, "Home")
    page.evaluate("window.seen = []")  # Where a drag counts pictures, which nothing does here.
    session, heap = page.context.new_cdp_session(page), []
    for number in range(rounds):
        began = time.perf_counter()
        for tab in TABS:
            page.get_by_role("tab", name=tab, exact=True).click()
            page.wait_for_timeout(400)
            if tab == "Checkpoints":
                page.locator(".timeline-stage[data-pictures]").wait_for()
                scrubbing.drag_through(page, 1.0)
            if tab == "Specimens":
                page.locator(".specimen-field").wait_for()
                move = f"f => {{ f.scrollTop = {1500 * (number % 200)}; }}"
                page.locator(".specimen-field").evaluate(move)
                page.wait_for_timeout(400)
        heap.append(heap_mb(session))
        page.wait_for_timeout(max(0.0, 1000 * (every_s - (time.perf_counter() - began))))
    page.close()
    return heap


def measure_gallery(browser: Browser, url: str) -> dict[str, Any]:
    """As `benchmarks.gallery` has it, without its idle time."""
    page = browser.new_page(viewport=VIEWPORT)
    open_tab(page, url, "Specimens")
    found = gallery.measure_pages(page)
    page.close()
    return found


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--checkpoints", type=int, default=20_000)
    parser.add_argument("--specimens", type=int, default=10_000)
    parser.add_argument("--films", type=int, default=200)
    parser.add_argument("--workspace", type=Path, help="made there, or taken as it is")
    parser.add_argument("--seconds", type=float, default=20.0, help="of idling on each tab")
    parser.add_argument("--stops", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=30, help="over all tabs")
    parser.add_argument("--every", type=float, default=0.0, help="seconds from round to round")
    parser.add_argument("--only", action="append", help="a part; may be repeated")
    asked = parser.parse_args()
    parts: dict[str, Callable[[Browser, str], Any]] = {
        "usable": measure_usable,
        "idle": lambda browser, url: measure_idle_tabs(browser, url, asked.seconds),
        "scrubbing": lambda browser, url: scrubbing.measure(browser, url, RUN, asked.stops, 12.0),
        "gallery": measure_gallery,
        "heap_mb": lambda browser, url: measure_heap(browser, url, asked.rounds, asked.every),
    }
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(asked.workspace or Path(folder))
        began = time.perf_counter()
        make(workspace, asked.checkpoints, asked.specimens, asked.films)
        document: dict[str, Any] = {"made_s": round(time.perf_counter() - began, 1)}
        with serve(workspace) as url, open_browser() as browser:
            for name in asked.only or parts:
                document[name] = parts[name](browser, url)
                document.setdefault("load", {})[name] = load()
    print(json.dumps(document))


if __name__ == "__main__":
    main()
