"""A real server of a small workspace and a real browser, started once for all tests."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from studio.runs.pins import list_pins, unpin_batches
from studio.specimens.marking import star_specimens
from studio.specimens.points import FIXED
from studio.specimens.specimens import list_specimens
from studio.upkeep.reindexing import restore_points
from studio.upkeep.removal import delete_specimens
from studio.workspace.paths import Workspace

REPOSITORY = Path(__file__).parents[3]
START_SECONDS = 120
ALLOWED_HOST = "Studio.Example"  # A name that the studio of the tests is also known by.
PAGES = pytest.StashKey[list]()  # The pages that a test has opened.


@contextmanager
def serving(workspace, *options, ends_by=signal.SIGTERM):
    """The URL of a studio that a process of its own serves meanwhile.

    At the end it is sent a signal; it says goodbye unless that kills it.
    """
    process = subprocess.Popen(
        [*(sys.executable, "-m", "studio", "--workspace", workspace.root), "app", *options],
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
    yield found[0]
    process.send_signal(ends_by)
    assert process.wait(30) == (0 if ends_by == signal.SIGTERM else -ends_by)
    drain.join()


@pytest.fixture(scope="session")
def served(trained_root, tmp_path_factory):
    """(workspace, URL) of a studio that is served by a process of its own.

    All tests share it: whoever changes more than the run `city` can bear works on a copy of it;
    see `copy_run`.
    """
    workspace = Workspace.open(shutil.copytree(trained_root, tmp_path_factory.mktemp("s") / "w"))
    with serving(workspace, "--allow-host", ALLOWED_HOST) as url:
        yield workspace, url


@pytest.fixture(scope="session")
def browser(launch_chromium):
    opened = launch_chromium("--disable-gpu", "--disable-quic", "--disable-sync")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def context(browser):
    """What pages share: a cache, so that only the first of them reads the scripts of the page."""
    opened = browser.new_context(viewport={"width": 1366, "height": 768})
    opened.set_default_timeout(30_000)
    yield opened
    opened.close()


def remove_while_used(folder, workspace):
    """Remove a run to which the app may still write: from elsewhere, where it does not look."""
    gone = workspace.root / f"gone-{folder.name}"
    folder.rename(gone)
    shutil.rmtree(gone)


@pytest.fixture
def copy_run(served):
    """copy_run(name): make a copy of the run `city`. What a test adds goes when it ends."""
    workspace, _ = served
    pictures = set(workspace.renders.iterdir())

    def copy(name):
        shutil.copytree(workspace.runs / "city", workspace.runs / name)
        restore_points(workspace, name, z_dim=16)
        return name

    yield copy
    for folder in workspace.runs.iterdir():
        if folder.name != "city":
            remove_while_used(folder, workspace)
    for folder in set(workspace.renders.iterdir()) - pictures:
        shutil.rmtree(folder)
    _restore_points(workspace, "city")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Say with a test that failed what its pages showed, where nobody can look at them."""
    report = yield
    if report.when == "call" and report.failed:
        for number, opened in enumerate(item.stash.get(PAGES, [])):
            seen = f"{opened.url}\n{opened.locator('body').inner_text()}"
            report.sections.append((f"What page {number + 1} showed", seen))
    return report


@pytest.fixture
def open_page(request, context, served, copy_run):
    """open_page(address): a page of one browser; what it complains about fails the test."""
    complaints = []
    pages = request.node.stash[PAGES] = []

    def open_one(address=""):
        opened = context.new_page()
        pages.append(opened)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("console", lambda message: _keep_complaint(opened, message, complaints))
        opened.on(
            "request", lambda request: _refuse_other_machines(request.url, served[1], complaints)
        )
        opened.goto(served[1] + address)
        return opened

    yield open_one
    for opened in pages:
        if not opened.is_closed():  # The next test begins with a browser that remembers nothing.
            opened.evaluate("() => localStorage.clear()")
            opened.close()
    context.clear_cookies()
    assert complaints == []


@pytest.fixture
def page(open_page):
    """A fresh page with the studio open, at the tab Train."""
    return open_page("/?tab=Train")


def _restore_points(workspace: Workspace, run: str) -> None:
    """Leave of a run's specimens and pins what training gave it: fixed points without a star."""
    added = [s.label for s in list_specimens(workspace, run) if s.origin != FIXED]
    delete_specimens(workspace, run, added)
    starred = [s.label for s in list_specimens(workspace, run) if s.starred]
    star_specimens(workspace, run, starred, starred=False)
    unpin_batches(workspace, run, list_pins(workspace, run))


def free_port() -> int:
    """A port of its own, since several processes that test look for one at the same time."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def reload(page) -> None:
    """Press F5. What the page still asked is cut off by that, of which Gradio complains."""
    page.is_leaving = True
    page.reload()
    page.is_leaving = False


def _keep_complaint(page, message, complaints: list) -> None:
    if message.type == "error" and not getattr(page, "is_leaving", False):
        complaints.append(message.text)


def _refuse_other_machines(url: str, home: str, complaints: list) -> None:
    if not url.startswith((home, "data:", "blob:")):
        complaints.append(f"The page asked another machine: {url}")
