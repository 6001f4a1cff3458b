"""How fast the map of an atlas is in a browser: until it can be used, and while it is dragged.

Makes a run and an atlas of so many made-up cities, opens the app in a headless Chromium, and prints
one JSON document:

- `usable_s`: from opening the page's tab to the first pictures on the map;
- `frames_per_s`, `draw_ms`: while the map is dragged in circles for some seconds, at each zoom;
- `found_s`: from asking for a city by its number until the map has flown to it;
- `played`: frames a second while an atlas of so many cities over training plays.

    python -m benchmarks.atlas_map [--points 100000] [--growing 20000] [--seconds 4]
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from benchmarks.browser_parts.costs import load
from benchmarks.browser_parts.serving import VIEWPORT, open_browser, serve
from benchmarks.made_up_atlas import make_up_atlas, make_up_growth
from checkpoints_index import CheckpointIndex, GeneratorSpec
from studio.workspace.paths import Workspace

MAPS = 6  # Of the atlas over training.
FIELD = "document.querySelector('.atlas-field').dataset"


def drag(page: Page, seconds: float) -> dict[str, float]:
    """Drag the map in circles, as fast as the browser takes it."""
    box = page.locator(".atlas-field").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    frames, began, drawn = page.evaluate(f"+{FIELD}.frames"), time.perf_counter(), []
    while (passed := time.perf_counter() - began) < seconds:
        page.mouse.move(x + 60 * math.cos(6 * passed), y + 60 * math.sin(6 * passed))
        drawn.append(page.evaluate(f"+{FIELD}.drawMs"))
    passed = time.perf_counter() - began
    frames = page.evaluate(f"+{FIELD}.frames") - frames
    page.mouse.up()
    return {
        "frames_per_s": round(frames / passed, 1),
        "draw_ms": sorted(drawn)[len(drawn) // 2],
    }


def play(page: Page, url: str) -> dict[str, float]:
    """Let an atlas over training play from its first map to its last."""
    page.goto(f"{url}?run=city&tab=Explore&place=atlas&atlas=city-growth-activations&moment=1")
    page.locator("[data-growth=said]", has_text="batch 1").wait_for()
    page.wait_for_function(f"+{FIELD}?.pictures > 5")
    page.wait_for_timeout(2000)
    page.locator(".atlas-field").scroll_into_view_if_needed()
    frames, began = page.evaluate(f"+{FIELD}.frames"), time.perf_counter()
    page.get_by_role("button", name="Play through training").click()
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Play through training").wait_for()
    passed = time.perf_counter() - began
    frames = page.evaluate(f"+{FIELD}.frames") - frames
    return {"frames_per_s": round(frames / passed, 1), "draw_ms": page.evaluate(f"+{FIELD}.drawMs")}


def measure(url: str, seconds: float) -> dict[str, Any]:
    """Open the map, drag it, find a city, and let it play through training."""
    with open_browser() as browser:
        page = browser.new_page(viewport=VIEWPORT)
        page.goto(url)
        page.get_by_role("tab", name="Explore", exact=True).click()
        page.locator("#gallery .thumbnail").first.wait_for()
        began = time.perf_counter()
        page.get_by_role("tab", name="Atlas", exact=True).click()
        page.wait_for_function(f"+{FIELD}?.pictures > 5")
        found: dict[str, Any] = {"usable_s": round(time.perf_counter() - began, 2)}
        page.locator(".atlas-field").scroll_into_view_if_needed()
        found["whole"] = drag(page, seconds)
        for _ in range(6):
            page.locator(".atlas-field").press("+")
        found["enlarged 7.5 times"] = drag(page, seconds)
        began = time.perf_counter()
        page.get_by_label("Find a city by its label or number").fill("4321")
        page.get_by_label("Find a city by its label or number").press("Enter")
        frames = page.evaluate(f"+{FIELD}.frames")
        page.wait_for_function(f"+{FIELD}.frames > {frames + 3}")
        found["found_s"] = round(time.perf_counter() - began, 2)
        found["played"] = play(page, url)
    return found


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--growing", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(Path(folder))
        options = {"z_dim": 100, "image_size": 64, "width": 0.1}
        run = CheckpointIndex(workspace.runs).create("city", GeneratorSpec("dcgan", options))
        run.append(0, run.spec.build().state_dict())
        run.flush()
        run.close()
        make_up_growth(workspace, "city", list(range(1, MAPS + 1)), asked.growing, z_dim=100)
        make_up_atlas(workspace, "city", 0, asked.points)
        with serve(workspace) as url:
            measured = measure(url, asked.seconds)
    print(json.dumps({"points": asked.points, "load": load(), **measured}))


if __name__ == "__main__":
    main()
