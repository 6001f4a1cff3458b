"""The demo, from an empty workspace at one press, in a real browser that is reloaded meanwhile."""

import pytest

from checkpoints_index import CheckpointIndex
from studio.actions.demo_steps import RUN, demo_steps
from studio.atlases.atlas_files import list_atlases
from studio.specimens.specimens import list_specimens
from studio.workspace.jobs import UNENDED, jobs_that_are, list_jobs
from studio.workspace.queue.requests import cancel_job
from tests.studio.screens.conftest import serving
from tests.studio.screens.test_app_in_browser import open_tab

MINUTES = 20  # It takes about four on two cores with nothing else to do.
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(60 * (MINUTES + 2))]


@pytest.fixture
def page(browser, empty_workspace):
    """A page of a studio without a run; what works there goes with the test."""
    pytest.importorskip("osmium", reason="the demo draws city maps")
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.set_default_timeout(30_000)
    opened = context.new_page()
    with serving(empty_workspace) as url:
        opened.goto(url)
        yield opened
        for row in jobs_that_are(empty_workspace, *UNENDED):
            cancel_job(empty_workspace, row)
    context.close()


def test_one_press_makes_a_run_films_an_atlas_and_specimens(page, empty_workspace):
    page.get_by_role("button", name="Make the demo").click()
    page.get_by_role("button", name="Being made").wait_for()
    steps = demo_steps(empty_workspace)
    page.reload()
    card = page.locator("#home .home-card", has_text=RUN)
    card.locator(".badge.training").wait_for(timeout=120_000)
    card.locator("img").wait_for(timeout=60_000)
    open_tab(page, "Jobs")
    board = page.locator("#job-board")
    page.wait_for_url("**tab=Jobs**")
    page.reload()
    board.locator(".badge.running").first.wait_for()
    page.wait_for_function(
        "count => document.querySelectorAll('#job-board .badge.done').length === count",
        arg=len(steps),
        timeout=MINUTES * 60_000,
    )
    assert {row.status for row in list_jobs(empty_workspace)} == {"done"}

    open_tab(page, "Home")
    card.locator(".badge.finished").wait_for()
    page.locator("#home-latest img").first.wait_for()
    open_tab(page, "Render")
    film = page.locator("#player video").first
    film.wait_for()
    assert film.evaluate("film => film.play().then(() => film.videoWidth)") > 0
    page.wait_for_function("document.querySelector('#player video').currentTime > 0.2")
    open_tab(page, "Explore")
    page.get_by_role("tab", name="Atlas", exact=True).click()
    page.locator(".atlas-field").wait_for()
    (atlas,) = list_atlases(empty_workspace, RUN)
    assert len(atlas.labels) == 600
    assert sum(specimen.starred for specimen in list_specimens(empty_workspace, RUN)) >= 6
    assert len(CheckpointIndex(empty_workspace.runs)[RUN].batches) >= 1000
