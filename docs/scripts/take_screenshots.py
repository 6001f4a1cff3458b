"""Pictures of every tab of a running studio: python docs/scripts/take_screenshots.py URL OUTDIR"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

WIDTH, HEIGHT = 1366, 768
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
TABS = ("Home", "Train", "Checkpoints", "Explore", "Render", "Specimens", "Compare")


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("Usage: python docs/scripts/take_screenshots.py URL OUTDIR")
    url, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = open_browser(playwright)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(url)
        for tab in TABS:
            show_tab(page, tab)
            path = folder / f"{tab.lower()}.png"
            page.screenshot(path=path)
            print(path)
        browser.close()


def open_browser(playwright: Playwright) -> Browser:
    """Debian's chromium, since Playwright cannot fetch one of its own everywhere."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("There is no chromium. Install it: apt-get install chromium")
    return playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))


def show_tab(page: Page, tab: str) -> None:
    """Open a tab and bring it to where it has something to show."""
    page.get_by_role("tab", name=tab, exact=True).click()
    page.wait_for_timeout(3500)
    if tab == "Explore":
        page.locator("#gallery .thumbnail").first.click()
        page.locator("#near .thumbnail").first.wait_for()
    elif tab == "Render" and page.locator("#player video").count():
        page.locator("#player video").evaluate("film => { film.currentTime = film.duration * 0.9 }")
    elif tab == "Specimens":
        for picture in page.locator("#specimens .thumbnail").all()[1:4]:
            picture.click()
            page.wait_for_timeout(400)
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main()
