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
import os
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch
from playwright.sync_api import CDPSession, Page, sync_playwright

from benchmarks.atlas_map import serve
from checkpoints_index import CheckpointIndex, GeneratorSpec
from latent.points import sample_points
from studio.specimens.marking import mark_specimens
from studio.specimens.points import SAMPLED, insert_points
from studio.workspace.database import open_database
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
    each = -(-count // len(BATCHES))
    with open_database(workspace.database, writing=True) as db:
        for number, batch in enumerate(BATCHES):
            some = sample_points(batch, range(min(each, count - number * each)), 100)
            insert_points(db, run, some, SAMPLED)
            _spread_in_time(db, run, batch)
    mark_specimens(workspace, run, [f"{BATCHES[-1]}.{i}" for i in range(60)], tags=["river"])
    mark_specimens(workspace, run, [f"{BATCHES[-2]}.{i}" for i in range(40)], rating=4)


def _spread_in_time(db: sqlite3.Connection, run: str, batch: int) -> None:
    """Let specimens of a batch be kept minute by minute."""
    db.execute(
        "UPDATE specimens SET created_at = created_at - 1e6 + 60 * number + batch "
        "WHERE run = ? AND batch = ?",
        (run, batch),
    )


def until_shown(page: Page, act: Callable[[], Any]) -> float:
    """Milliseconds from an act until all pictures in sight are there."""
    began = time.perf_counter()
    act()
    page.evaluate(
        "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
    )
    page.wait_for_function(SHOWN, polling=10)
    return 1000 * (time.perf_counter() - began)


def summarise(times: list[float]) -> dict[str, float]:
    """The median and the longest."""
    return {"median": round(statistics.median(times)), "longest": round(max(times))}


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


def measure_idle(page: Page, seconds: float) -> dict[str, Any]:
    """What the server and the browser take of a core while nobody does anything."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    ours = _processes()
    before = {name: _cpu_s(processes) for name, processes in ours.items()}
    page.wait_for_timeout(1000 * seconds)
    after = {name: _cpu_s(processes) for name, processes in ours.items()}
    percent = {
        f"idle_{name}_percent": round(100 * (after[name] - before[name]) / seconds, 1)
        for name in ours
    }
    return {**percent, "idle_requests_in_10_s": round(10 * len(asked) / seconds, 1)}


def _processes() -> dict[str, list[psutil.Process]]:
    children = psutil.Process().children(recursive=True)
    servers = [p for p in children if "studio" in " ".join(p.cmdline())]
    return {"server": servers, "browser": [p for p in children if "chrom" in p.name()]}


def _cpu_s(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            used = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += used.user + used.system
    return total


def heap_mb(session: CDPSession) -> float:
    """The heap that is in use once the rest was collected."""
    session.send("HeapProfiler.collectGarbage")
    return round(session.send("Runtime.getHeapUsage")["usedSize"] / 2**20, 1)


@contextmanager
def open_gallery(url: str) -> Iterator[Page]:
    """A page with the gallery open."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.goto(f"{url}?run=city&tab=Specimens")
        page.wait_for_function(f"document.querySelector('.specimen-field') && ({SHOWN})()")
        yield page
        browser.close()


def measure(url: str, seconds: float) -> dict[str, Any]:
    """All that the docstring of this module says."""
    began = time.perf_counter()
    with open_gallery(url) as page:
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
    load = os.getloadavg()[0]
    document = {"specimens": asked.specimens, "made_s": made_s, "load": round(load, 1), **measured}
    print(json.dumps(document))


if __name__ == "__main__":
    main()
