"""The board of jobs and the light in the header, pressed as a person would, with real jobs."""

import os
import signal
import time

import pytest

import studio as studio_package
from studio.actions.submission import submit
from studio.workspace.jobs import (
    UNENDED,
    find_job,
    insert_job,
    jobs_that_are,
    list_jobs,
    mark_refused,
)
from studio.workspace.queue.requests import cancel_job
from tests.studio.actions.test_queue_actions import training, until
from tests.studio.screens.conftest import reload

pytestmark = pytest.mark.browser


@pytest.fixture
def here(served):
    """The workspace that is served; jobs that are still under way go with the test."""
    workspace = served[0]
    yield studio_package.open(workspace.root)
    for job in jobs_that_are(workspace, *UNENDED):
        cancel_job(workspace, job)
    deadline = time.monotonic() + 60
    while jobs_that_are(workspace, *UNENDED) and time.monotonic() < deadline:
        time.sleep(0.2)


def open_board(page, *jobs):
    page.locator("#light button").click()
    for job in jobs:
        card_of(page, job).wait_for()


def card_of(page, job):
    return page.locator(f"#job-board [data-job='{job}']")


def press(page, name, job):
    """Press a button of a job, once it has rested since it came."""
    page.wait_for_timeout(800)
    page.get_by_role("button", name=f"{name}: job {job}", exact=True).click()


def status_of(page, job, status):
    card_of(page, job).locator(f".badge.{status}").wait_for()


def order(page, *jobs):
    found = page.locator("#job-board .job-card").evaluate_all(
        "cards => cards.map((card) => Number(card.dataset.job))"
    )
    return [job for job in found if job in jobs]


@pytest.mark.slow
def test_what_waits_is_moved_paused_scheduled_and_cancelled_in_its_place(page, here):
    first, second = (
        here.render_timelapse(run="city", points=f"seed:{seed}", at="+1h").id for seed in (1, 2)
    )
    page.get_by_role("button", name="2 waiting").wait_for()
    open_board(page, first, second)
    assert order(page, first, second) == [first, second]
    for job in (first, second):
        card_of(page, job).evaluate("card => { card.isTheSame = true; }")
    press(page, "Move up", second)
    page.wait_for_function(
        "([one, two]) => document.querySelector(`[data-job='${one}']`).nextElementSibling"
        "?.dataset.job === String(two)",
        arg=[second, first],
    )
    press(page, "Pause", second)
    status_of(page, second, "paused")
    press(page, "Go on", second)
    status_of(page, second, "queued")
    page.get_by_role("button", name=f"More of job {second}").click()
    card = card_of(page, second)
    assert "studio render timelapse city" in card.locator("code").inner_text()
    card.get_by_label("After job").fill(str(first))
    card.get_by_label("Not before").fill("soon")
    card.get_by_role("button", name=f"Set when job {second} begins").click()
    page.get_by_text("'soon' is no moment. Write it as 23:30").first.wait_for()
    card.get_by_label("Not before").fill("")
    card.get_by_role("button", name=f"Set when job {second} begins").click()
    card.get_by_text(f"Waits for job {first}, which is queued.").wait_for()
    page.get_by_role("button", name=f"Cancel job {first}").click()
    status_of(page, first, "cancelled")
    card.get_by_text(f"Not begun: job {first}, which it follows, is cancelled.").wait_for()
    # The pointer rests on the board, and the card moves to where it belongs all the same.
    ended = page.locator("#job-board section", has=page.get_by_role("heading", name="Ended"))
    ended.locator(f"[data-job='{first}']").wait_for()
    for job in (first, second):
        assert card_of(page, job).evaluate("card => card.isTheSame")
    assert find_job(here.workspace, second).status == "cancelled"


@pytest.mark.slow
def test_a_killed_training_is_offered_and_goes_on_and_another_page_sees_the_same(
    page, browser, served, here
):
    job = submit(here.workspace, training("quarter")).id
    killed = until(here.workspace, job, "running", done=3)
    page.get_by_role("button", name="1 at work").wait_for()
    open_board(page, job)
    card = card_of(page, job)
    card.get_by_text("of 100,000").wait_for()
    card.locator("img").wait_for()
    page.get_by_role("button", name=f"Log of job {job}").click()
    card.get_by_text("training began").wait_for()
    os.kill(killed.pid, signal.SIGKILL)
    page.get_by_text("A job was interrupted. It can go on where it was.").wait_for()
    other = browser.new_page()
    other.goto(served[1])
    other.locator("#light button").click()
    status_of(other, job, "interrupted")
    page.get_by_role("button", name="Resume all interrupted jobs").click()
    status_of(page, job, "running")
    status_of(other, job, "running")
    other.get_by_role("button", name=f"Cancel job {job}").click()
    status_of(page, job, "cancelled")
    other.close()


@pytest.mark.parametrize("width", [1366, 820, 390])
def test_what_a_job_says_is_text_and_nothing_is_wider_than_the_page(page, here, width):
    evil = "<img src=x onerror=alert(1)>"
    job = insert_job(here.workspace, "atlas", {}, ["atlas", evil], evil)
    mark_refused(here.workspace, job, evil + "word" * 60)
    page.set_viewport_size({"width": width, "height": 800})
    open_board(page, job)
    card = card_of(page, job)
    card.locator(".job-said", has_text=evil).wait_for()
    assert card.locator("img[src=x]").count() == 0
    page.get_by_role("button", name=f"More of job {job}").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    right = card.evaluate("card => card.getBoundingClientRect().right")
    assert right <= page.locator("#job-board").evaluate("b => b.getBoundingClientRect().right") + 1
    focused = page.get_by_role("button", name=f"Log of job {job}")
    focused.focus()
    page.keyboard.press("Enter")
    card.locator("pre").wait_for()
    card.locator("button[aria-expanded=true]", has_text="Log").wait_for()


@pytest.mark.slow
def test_what_was_cancelled_is_tried_again_and_a_reload_finds_everything_where_it_was(page, here):
    first, second = (
        here.render_timelapse(run="city", points=f"seed:{seed}", at="+1h").id for seed in (3, 4)
    )
    open_board(page, first, second)
    press(page, "Move up", second)
    page.wait_for_url("**tab=Jobs**")
    reload(page)
    card_of(page, second).wait_for()
    assert order(page, first, second) == [second, first]
    press(page, "Pause", first)
    status_of(page, first, "paused")
    page.get_by_role("button", name=f"Cancel job {second}").click()
    status_of(page, second, "cancelled")
    reload(page)
    status_of(page, first, "paused")
    status_of(page, second, "cancelled")
    press(page, "Run again", second)
    page.wait_for_function(
        "known => [...document.querySelectorAll('#job-board .job-card')]"
        ".some((card) => !known.includes(Number(card.dataset.job)))",
        arg=[first, second],
    )
    again = max(row.id for row in list_jobs(here.workspace))
    reload(page)
    card_of(page, again).wait_for()
    assert find_job(here.workspace, again).fields == find_job(here.workspace, second).fields
