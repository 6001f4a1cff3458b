"""How fast the timeline of a run is in a browser: while it is dragged, and once the hand stops.

Appends checkpoints of a walk of random steps from a DCGAN's first weights, through the store's own
appender, opens the app in a headless Chromium, and prints one JSON document:

- `stop_ms`: from the last move of the pointer until the right picture stands there, at places
  chosen at random after a short drag: the median, and the 95th of 100 (p95);
- `jump_ms`: the same after a click far away, without a drag;
- `pictures_per_s`: while the axis is dragged from end to end and back;
- `heap_mb`, `page_mb`: of the page's scripts, and of the process that draws it, before and after.

    python -m benchmarks.scrubbing [--checkpoints 300] [--size 64] [--storage visual] [--stops 60]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

from benchmarks.browser_parts.costs import heap_mb, load, summarise
from benchmarks.browser_parts.made_up import begin_walk, walk_weights
from benchmarks.browser_parts.serving import VIEWPORT, open_browser, serve
from studio.workspace.paths import Workspace

RUN = "walk"
# The page notes when a picture stood on the stage, and of which batch it was.
WATCH = """() => {
  const stage = document.querySelector('.timeline-stage');
  window.seen = [];
  new MutationObserver(() => window.seen.push([performance.now(), Number(stage.dataset.batch)]))
    .observe(stage, { attributeFilter: ['data-pictures'] });
  document.addEventListener('pointermove', () => { window.movedAt = performance.now(); }, true);
  document.addEventListener('pointerdown', () => { window.movedAt = performance.now(); }, true);
}"""
# How long after the last move the picture of the batch that the axis says stood there.
SETTLED = """() => {
  const wanted = Number(document.querySelector('.timeline-axis').ariaValueNow);
  const right = window.seen.find(([at, batch]) => batch === wanted && at >= window.movedAt);
  const shown = Number(document.querySelector('.timeline-stage').dataset.batch) === wanted;
  if (right) return right[0] - window.movedAt;
  return shown && performance.now() - window.movedAt > 600 ? 1e-6 : null;
}"""


def axis_box(page: Page) -> tuple[float, float, float]:
    """Left end, width and a height at which the axis can be pressed."""
    box = page.locator(".timeline-axis").bounding_box()
    assert box is not None
    return box["x"] + 8, box["width"] - 16, box["y"] + 20


def stop_somewhere(page: Page, drags: bool) -> float:
    """Milliseconds until the picture stood there, after a drag to a place or a click on it."""
    left, width, y = axis_box(page)
    goal = left + random.random() * width
    page.evaluate("window.seen.length = 0")
    if drags:
        begin = min(max(goal + random.choice([-1, 1]) * width * 0.15, left), left + width)
        page.mouse.move(begin, y)
        page.mouse.down()
        for part in range(1, 16):
            page.mouse.move(begin + (goal - begin) * part / 15, y)
            time.sleep(0.02)
        page.mouse.up()
    else:
        page.mouse.click(goal, y)
    return float(page.wait_for_function(SETTLED, polling=20).json_value())


def drag_through(page: Page, seconds: float) -> float:
    """Pictures a second while the axis is dragged to and fro."""
    left, width, y = axis_box(page)
    page.mouse.move(left, y)
    page.mouse.down()
    page.evaluate("window.seen.length = 0")
    began = time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        page.mouse.move(left + width * abs((passed / 6) % 2 - 1), y)
        time.sleep(0.008)
    found = int(page.evaluate("window.seen.length"))
    page.mouse.up()
    return round(found / passed, 1)


def memory_of(session: CDPSession) -> dict[str, float]:
    """Megabytes of the page's scripts after a collection, and of its process."""
    return {"heap_mb": heap_mb(session), "page_mb": round(largest_renderer() / 2**20)}


def largest_renderer() -> int:
    """Bytes in memory of the largest process that draws a page here."""
    found = [0]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"--type=renderer" in (folder / "cmdline").read_bytes():
                pages = int((folder / "statm").read_text().split()[1])
                found.append(pages * os.sysconf("SC_PAGE_SIZE"))
        except OSError:  # It has ended.
            continue
    return max(found)


def measure(browser: Browser, url: str, run: str, stops: int, seconds: float) -> dict[str, Any]:
    """Open the timeline, drag it, stop often."""
    page = browser.new_page(viewport=VIEWPORT)
    session = page.context.new_cdp_session(page)
    began = time.perf_counter()
    page.goto(f"{url}/?run={run}&tab=Checkpoints")
    page.locator(".timeline-stage[data-pictures]").wait_for(timeout=120_000)
    usable = time.perf_counter() - began
    page.wait_for_timeout(20_000)  # The thumbnails are there, and Gradio has come to rest.
    page.evaluate(WATCH)
    found: dict[str, Any] = {"usable_s": round(usable, 2), "before": memory_of(session)}
    random.seed(0)
    found["pictures_per_s"] = drag_through(page, seconds)
    found["stop_ms"] = summarise([stop_somewhere(page, drags=True) for _ in range(stops)])
    found["jump_ms"] = summarise([stop_somewhere(page, drags=False) for _ in range(stops)])
    found["after"] = memory_of(session)
    page.close()
    return found


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--checkpoints", type=int, default=300)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--storage", choices=["visual", "exact"], default="visual")
    parser.add_argument("--stops", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--workspace", type=Path, help="one that is there already")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(asked.workspace or Path(folder))
        if not workspace.run(RUN).exists():
            begin_walk(workspace, RUN, asked.size, asked.storage)
            walk_weights(workspace, RUN, asked.checkpoints)
        with serve(workspace) as url, open_browser() as browser:
            measured = measure(browser, url, RUN, asked.stops, asked.seconds)
    print(json.dumps({"load": load(), **measured}))


if __name__ == "__main__":
    main()
