"""Pictures of every screen of a running studio, light and dark, at three widths.

    python docs/scripts/picture_screens.py URL docs/pictures/screens

The workspace is that of the demo, with a second run for the screen Compare:

    studio train helsinki --run harbour --preset small-and-quick --batches 150 --set z_dim=32

The pictures stand on docs/screens.md.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from take_screenshots import open_browser

SIZES = {1366: 768, 820: 1000, 390: 844}  # Width -> height of the window, in pixels.
THEMES = ("light", "dark")
QUALITY = 60  # Of WebP; text stays readable.
PATIENCE_MS = 30_000


class View(NamedTuple):
    """A view that is pictured.

    Args:
        name: of its pictures: NAME-WIDTH-THEME.webp.
        address: what opens it, behind the address of the studio.
        shown: finds what has to be there before it is pictured.
        segment: the tab within the screen that is opened; empty for none.
    """

    name: str
    address: str
    shown: str
    segment: str = ""


VIEWS = (
    View("home", "tab=Home", "#home .home-card img"),
    View("train", "tab=Train", "#live .chart"),
    View("checkpoints", "tab=Checkpoints&batch=600", ".timeline-stage[data-batch='600']"),
    View("thin", "tab=Checkpoints&batch=600", ".timeline-stage[data-batch='600']", "Thin"),
    View("explore", "tab=Explore&city=1200.5&seen=1200&shown=24", "#near .thumbnail img"),
    View("atlas", "tab=Explore&city=1200.5&seen=1200&place=atlas", ".atlas-legend:not(:empty)"),
    View("steer", "tab=Explore&city=1200.5&seen=1200&place=steer", ".steered img"),
    View("render", "tab=Render", "#player video, #player img"),
    View("specimens", "tab=Specimens&chosen=1200.330", ".specimen .thumbnail img"),
    View("compare", "tab=Compare&runs=helsinki,harbour", "#compared"),
    View("jobs", "tab=Jobs", "#job-board article"),
)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit("Usage: python docs/scripts/picture_screens.py URL OUTDIR [VIEW...]")
    url, folder, wanted = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = open_browser(playwright)
        for view in VIEWS:
            if not wanted or view.name in wanted:
                picture_view(browser, url, view, folder)
        browser.close()


def picture_view(browser: Browser, url: str, view: View, folder: Path) -> None:
    """Open a view once, and picture it at each width in each theme."""
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{url}/?{view.address}")
    page.locator(view.shown).first.wait_for()
    if view.segment:
        page.get_by_role("tab", name=view.segment, exact=True).click()
    for width, height in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")
            wait_for_pictures(page)
            path = folder / f"{view.name}-{width}-{theme}.webp"
            Image.open(io.BytesIO(page.screenshot())).save(path, quality=QUALITY, method=6)
            print(path, flush=True)
    page.close()


def wait_for_pictures(page: Page) -> None:
    """Wait until nothing in sight is still being loaded or drawn."""
    page.wait_for_timeout(1200)
    page.wait_for_function(
        """() => [...document.images].every((image) => image.complete || !image.offsetParent
          || image.getBoundingClientRect().top > innerHeight)
          && [...document.querySelectorAll('video')].every(
            (film) => film.readyState > 1 || !film.offsetParent)"""
    )


if __name__ == "__main__":
    main()
