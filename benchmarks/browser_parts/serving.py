"""An app that is served for a benchmark, and a page that has it open in a headless Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from studio.workspace.paths import Workspace

VIEWPORT = {"width": 1366, "height": 768}


@contextmanager
def serve(workspace: Workspace) -> Iterator[str]:
    """The address of the app of a workspace."""
    words = [sys.executable, "-m", "studio", "--workspace", str(workspace.root), "app"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = ""
    while (found := re.search(r"http://\S+", said)) is None:
        line = process.stderr.readline()
        assert line, f"The studio ended before it listened: {said}"
        said += line
    threading.Thread(target=process.stderr.read, daemon=True).start()
    try:
        yield found[0]
    finally:
        process.terminate()
        process.wait()


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A Chromium without a window and without a graphics card."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()
