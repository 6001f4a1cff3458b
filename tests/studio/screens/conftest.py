"""A real server of a small workspace and a real browser, started once for all tests."""

import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from studio.upkeep.reindexing import restore_points
from studio.workspace.paths import Workspace

REPOSITORY = Path(__file__).parents[3]
START_SECONDS = 120


@pytest.fixture(scope="session")
def served(trained_root, tmp_path_factory):
    """(workspace, URL) of a studio that is served by a process of its own.

    All tests share it: whoever changes more than the run `city` can bear works on a copy of it;
    see `copy_run`.
    """
    workspace = Workspace.open(shutil.copytree(trained_root, tmp_path_factory.mktemp("s") / "w"))
    process = subprocess.Popen(
        [sys.executable, "-m", "studio", "--workspace", workspace.root, "app"],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = threading.Timer(START_SECONDS, process.kill)
    deadline.start()
    said = ""
    while (found := re.search(r"http://\S+", said)) is None:
        line = process.stderr.readline()
        assert line, f"The studio ended before it listened: {said}"
        said += line
    deadline.cancel()
    drain = threading.Thread(target=process.stderr.read, daemon=True)
    drain.start()
    yield workspace, found[0]
    process.terminate()
    assert process.wait(30) == 0
    drain.join()


@pytest.fixture(scope="session")
def browser():
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    flags = (
        *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update"),
    )
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=list(flags))
        yield opened
        opened.close()


@pytest.fixture
def copy_run(served):
    """copy_run(name): make a copy of the run `city`. All runs but `city` go with the test."""
    workspace, _ = served

    def copy(name):
        shutil.copytree(workspace.runs / "city", workspace.runs / name)
        restore_points(workspace, name, z_dim=16)
        return name

    yield copy
    for folder in workspace.runs.iterdir():
        if folder.name != "city":
            shutil.rmtree(folder)


@pytest.fixture
def page(browser, served, copy_run):
    """A fresh page with the studio open; what the browser complains about fails the test."""
    complaints = []
    opened = browser.new_page(viewport={"width": 1366, "height": 768})
    opened.set_default_timeout(30_000)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    opened.on("request", lambda request: _refuse_other_machines(request.url, served[1], complaints))
    opened.goto(served[1])
    yield opened
    opened.close()
    assert complaints == []


def _refuse_other_machines(url: str, home: str, complaints: list) -> None:
    if not url.startswith((home, "data:", "blob:")):
        complaints.append(f"The page asked another machine: {url}")
