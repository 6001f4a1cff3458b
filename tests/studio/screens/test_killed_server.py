"""A server that is killed while a run trains and a film renders, under a page that stays open."""

import signal
import time

import pytest

import studio as studio_package
from checkpoints_index import CheckpointIndex
from renderers.video.video_reader import count_frames
from studio.workspace.jobs import ACTIVE, jobs_that_are
from tests.studio.screens.conftest import free_port, serving
from tests.studio.screens.test_app_in_browser import command_shown, open_tab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

SECONDS, FPS = 900, 60  # Of the film; it renders for as long as it takes to look at all below.
TINY = {"generator_options": {"width": 0.125}, "discriminator_width": 0.125, "z_dim": 16}


def until(is_so, timeout_s=120):
    deadline = time.monotonic() + timeout_s
    while not (found := is_so()):
        assert time.monotonic() < deadline, "It did not come to that in time."
        time.sleep(0.2)
    return found


@pytest.fixture
def here(workspace):
    """The workspace; what works in it at the end of the test is cancelled."""
    opened = studio_package.open(workspace.root)
    yield opened
    for row in jobs_that_are(workspace, *ACTIVE):
        job = opened.job(row.id)
        job.cancel()
        job.wait(120)


def begin_training(here):
    settings = {"dataset": "streets", "preset": "none", "batch_size": 4, "settings": TINY}
    return here.train(run="harbour", batches=10**6, **settings, detach=True)


def begin_film(here):
    points = ["0.0", "0.1", "0.2"]
    return here.render_interpolation(
        run="city", points=points, seconds=SECONDS, fps=FPS, detach=True
    )


def wait_for_work(page, *jobs):
    for job in jobs:
        page.locator(f"[data-job='{job.id}'] .badge.running").wait_for()


def test_a_training_and_a_film_outlive_the_server_and_the_page_finds_them_again(browser, here):
    port, training = free_port(), begin_training(here)
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.set_default_timeout(60_000)
    page = context.new_page()
    with serving(here.workspace, "--port", str(port), ends_by=signal.SIGKILL) as url:
        page.goto(f"{url}/?run=harbour&tab=Train")
        page.locator("#live .line .badge.training").wait_for()
        page.get_by_label("Name of the new run").fill("half written")
        command_shown(page, "--run 'half written'").wait_for()

        page.reload()  # In the middle of the training.
        page.locator("#live .line .badge.training").wait_for()
        assert "run=harbour" in page.url
        assert page.get_by_label("Name of the new run").input_value() == "half written"
        open_tab(page, "Jobs")
        wait_for_work(page, training)
        film = begin_film(here)
        wait_for_work(page, film)
        page.reload()  # And in the middle of both.
        wait_for_work(page, training, film)
        page.evaluate("window.isTheOld = true")
    jobs = training, film
    rows = [job.row for job in jobs]
    page.locator("#lost", has_text="The studio does not answer").wait_for()
    for job, row in zip(jobs, rows, strict=True):
        until(lambda job=job, row=row: job.row.done > row.done)  # It goes on meanwhile.

    with serving(here.workspace, "--port", str(port)):
        page.wait_for_function("window.isTheOld === undefined")
        wait_for_work(page, *jobs)
        assert [job.row.pid for job in jobs] == [row.pid for row in rows]  # Nothing began again.
        open_tab(page, "Train")
        page.locator("#live .line .badge.training").wait_for()
        assert page.get_by_label("Name of the new run").input_value() == "half written"
        page.locator("#live").get_by_role("button", name="Stop").click()
        page.locator("#live .line .badge.stopped").wait_for()
        open_tab(page, "Jobs")
        page.locator(f"[data-job='{film.id}'] .badge.done").wait_for(timeout=400_000)
        context.close()
    (video,) = film.result().videos
    assert count_frames(video.path) == video.frames == SECONDS * FPS
    last = training.row.result["batch"]
    assert CheckpointIndex(here.workspace.runs)["harbour"].batches == list(range(1, last + 1))
    assert here.verify(every_run=True).exit_status == 0
