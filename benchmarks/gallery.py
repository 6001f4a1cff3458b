"""How fast the gallery of specimens is in a browser, with ten thousand of them.

Makes a run of some checkpoints and so many specimens by the records of the studio, opens the app in
a headless Chromium of 1366 x 768, and prints one JSON document. Times are in milliseconds, from a
key or a press until every picture in sight is decoded:

- `turn_first`, `turn_again`: a page down, of pictures that were never drawn, and of drawn ones;
- `jump_first`, `jump_again`: to a place far away, by typing its number;
- `order`, `search`: until another order, or what a word finds, is in sight;
- `star`: from the press until the star shows;
- `large`: from an arrow key in the large view until the next picture is there;
- `idle_server_percent`, `idle_browser_percent`: of one core, of the server and of all processes of
  the browser while nobody does anything for some seconds, `idle_requests_in_10_s` beside them;
- `heap_mb`: the page's heap at first, and after so many jumps.

    python -m benchmarks.gallery [--specimens 10000] [--seconds 20] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from playwright.sync_api import Page

from benchmarks.browser_parts.costs import heap_mb, load, measure_idle, summarise
from benchmarks.browser_parts.made_up import add_specimens
from benchmarks.browser_parts.serving import VIEWPORT, open_browser, serve
from checkpoints_index import CheckpointIndex, GeneratorSpec
from studio.workspace.paths import Workspace

BATCHES = (1000, 2000, 4000, 8000, 12_000, 16_000, 16_500, 18_000)
TURNS, JUMPS = 12, 12
SHOWN = """() => {
  const field = document.querySelector('.specimen-field');
  const box = field.getBoundingClientRect();
  const seen = [...field.querySelectorAll('.specimen')].filter((cell) => {
    const { top, bottom } = cell.getBoundingClientRect();
    return bottom > box.top && top < box.bottom;
  });
  const images = seen.map((cell) => cell.querySelector('img'));
  const isThere = (i) => i.getAttribute('src') && i.complete && i.naturalWidth;
  return images.length > 10 && images.every(isThere);
}"""


def make_up_specimens(workspace: Workspace, run: str, count: int, image_size: int = 64) -> None:
    """A run of a few checkpoints, with so many specimens, some of which are marked."""
    options = {"z_dim": 100, "image_size": image_size, "width": 0.25}
    torch.manual_seed(0)
    spec = GeneratorSpec("dcgan", options)
    with CheckpointIndex(workspace.runs).create(run, spec, storage="exact") as checkpoints:
        for batch in BATCHES:
            checkpoints.append(batch, spec.build().state_dict())
    add_specimens(workspace, run, BATCHES, count)


def until_shown(page: Page, act: Callable[[], Any]) -> float:
    """Milliseconds from an act until all pictures in sight are there."""
    began = time.perf_counter()
    act()
    page.evaluate(
        "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
    )
    page.wait_for_function(SHOWN, polling=10)
    return 1000 * (time.perf_counter() - began)


def measure_pages(page: Page) -> dict[str, Any]:
    """Turn pages and jump, twice each over the same places."""
    found: dict[str, Any] = {}
    field = page.locator(".specimen-field")
    places = random.Random(0).sample(range(1000, 9000), JUMPS)
    go = page.get_by_label("Go to a number or a label")

    def jump(place: int) -> Callable[[], None]:
        def act() -> None:
            go.fill(str(place))
            go.press("Enter")

        return act

    for kind in ("first", "again"):
        go.fill("1")
        go.press("Enter")
        page.wait_for_function(SHOWN, polling=10)
        down = lambda: page.keyboard.press("PageDown")  # noqa: E731
        found[f"turn_{kind}"] = summarise([until_shown(page, down) for _ in range(TURNS)])
        found[f"jump_{kind}"] = summarise([until_shown(page, jump(each)) for each in places])
    for name, act in (
        ("order", lambda: page.get_by_label("Order", exact=True).select_option("batch")),
        ("search", lambda: page.get_by_label("Search", exact=True).fill("tag:river")),
    ):
        total = page.locator(".specimen-foot .number").first.inner_text()
        found[name] = round(until_shown(page, act), 0)
        if name == "search":
            page.wait_for_function(
                "(text) => document.querySelector('.specimen-foot .number').textContent !== text",
                arg=total,
            )
    page.get_by_label("Search", exact=True).fill("")
    page.get_by_text("10,000 specimens").or_(page.locator(".specimen-foot")).first.wait_for()
    field.locator(".specimen .thumbnail").first.hover()
    star = field.locator(".specimen .star").first
    found["star"] = round(
        _time(lambda: (star.click(), star.and_(page.locator("[aria-pressed=true]")).wait_for()))
    )
    field.locator(".specimen .thumbnail").first.dblclick()
    page.locator(".large-view img.crisp").wait_for()
    found["large"] = summarise([_time(lambda: _step(page)) for _ in range(TURNS)])
    page.keyboard.press("Escape")
    return found


def _step(page: Page) -> None:
    before = page.locator(".stage img").get_attribute("src")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "(before) => { const i = document.querySelector('.stage img');"
        " return i.getAttribute('src') !== before && i.complete && i.naturalWidth; }",
        arg=before,
        polling=10,
    )


def _time(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)


def measure(url: str, seconds: float) -> dict[str, Any]:
    """All that the docstring of this module says."""
    with open_browser() as browser:
        page, began = browser.new_page(viewport=VIEWPORT), time.perf_counter()
        page.goto(f"{url}?run=city&tab=Specimens")
        page.wait_for_function(f"document.querySelector('.specimen-field') && ({SHOWN})()")
        found: dict[str, Any] = {"usable_ms": round(1000 * (time.perf_counter() - began))}
        session = page.context.new_cdp_session(page)
        heap = [heap_mb(session)]
        found |= measure_pages(page)
        page.wait_for_timeout(3000)
        found |= measure_idle(page, seconds)
        for number in range(100):
            page.locator(".specimen-field").evaluate(f"f => {{ f.scrollTop = {number * 1500}; }}")
            page.wait_for_timeout(40)
        heap.append(heap_mb(session))
        return {**found, "heap_mb": heap}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--specimens", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--keep", type=Path, help="make the workspace there, and measure nothing")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(asked.keep or Path(folder))
        began = time.perf_counter()
        make_up_specimens(workspace, "city", asked.specimens)
        made_s = round(time.perf_counter() - began, 1)
        if asked.keep:
            print(json.dumps({"workspace": str(workspace.root), "made_s": made_s}))
            return
        with serve(workspace) as url:
            measured = measure(url, asked.seconds)
    print(json.dumps({"specimens": asked.specimens, "made_s": made_s, "load": load(), **measured}))


if __name__ == "__main__":
    main()
