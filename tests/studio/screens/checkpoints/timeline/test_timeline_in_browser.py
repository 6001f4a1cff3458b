"""The timeline in a real browser: scrubbing, keys, playing, comparing, pinning and stars."""

import shutil

import pytest

from studio.runs.events import record_event
from studio.runs.pins import list_pins
from studio.specimens.specimens import list_specimens
from studio.upkeep.reindexing import restore_points
from tests.studio.conftest import BATCHES

pytestmark = [pytest.mark.browser, pytest.mark.slow]
RUN = "town"


@pytest.fixture(scope="module")
def opened(browser, served):
    """A page with the timeline of a run of its own, for all tests of this file."""
    workspace, url = served
    shutil.copytree(workspace.runs / "city", workspace.runs / RUN)
    restore_points(workspace, RUN, z_dim=16)
    record_event(workspace, RUN, 4, "alarm", "the loss is not finite")
    page, complaints = browser.new_page(viewport={"width": 1366, "height": 768}), []
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{url}/?run={RUN}&tab=Checkpoints")
    yield page
    page.close()
    shutil.rmtree(workspace.runs / RUN)
    assert complaints == []


@pytest.fixture
def page(opened):
    """The page at the last batch, with the axis in focus."""
    opened.locator(".timeline-stage[data-pictures]").wait_for(timeout=150_000)
    axis_of(opened).focus()
    axis_of(opened).press("End")
    at(opened, BATCHES)
    return opened


def at(page, batch):
    page.locator(f".timeline-stage[data-batch='{batch}']").wait_for()


def axis_of(page):
    return page.get_by_role("slider", name="Batch", exact=True)


def test_keys_walk_along_the_checkpoints_and_the_address_says_where(page):
    axis = axis_of(page)
    for key, batch in (("ArrowLeft", 11), ("Shift+ArrowLeft", 1), ("ArrowRight", 2), ("k", 4)):
        axis.press(key)
        at(page, batch)
    page.locator(".timeline-said", has_text="the loss is not finite").wait_for()
    assert axis.get_attribute("aria-valuetext") == "batch 4"
    page.wait_for_url("**batch=4**")
    for key, batch in (("Home", 1), ("End", BATCHES), ("j", 4), ("PageUp", 5)):
        axis.press(key)
        at(page, batch)
    axis.press("g")
    page.keyboard.type("999")
    page.keyboard.press("Enter")
    at(page, BATCHES)
    page.get_by_text("Batch 999 is not kept: this is the nearest.").wait_for()
    field = page.get_by_label("Go to batch")
    field.fill("3;x")
    field.press("Enter")
    assert not field.evaluate("field => field.validity.valid")


def test_a_drag_shows_the_picture_below_the_pointer_and_never_an_older_one(page):
    box = axis_of(page).bounding_box()
    page.evaluate(
        """() => {
          const stage = document.querySelector('.timeline-stage');
          window.seen = [];
          new MutationObserver(() => window.seen.push(Number(stage.dataset.batch)))
            .observe(stage, { attributeFilter: ['data-pictures'] });
        }"""
    )
    y = box["y"] + 20
    page.mouse.move(box["x"] + box["width"] - 8, y)
    page.mouse.down()
    for part in range(40):
        page.mouse.move(box["x"] + (box["width"] - 8) * (1 - part / 40), y)
    page.mouse.up()
    at(page, 1)
    seen = page.evaluate("window.seen")
    assert seen == sorted(seen, reverse=True), "the drag went to the left"
    page.mouse.click(box["x"] + box["width"] / 2, y)
    page.locator(".timeline-stage[data-batch='6'], .timeline-stage[data-batch='7']").wait_for()


def test_play_goes_from_in_to_out_and_two_batches_lie_beside_each_other(page):
    axis = axis_of(page)
    axis.press("Home")
    for _ in range(2):
        axis.press("ArrowRight")
    axis.press("i")
    for _ in range(3):
        axis.press("ArrowRight")
    axis.press("o")
    at(page, 6)
    page.get_by_label("Speed, in checkpoints a second").select_option("50")
    page.get_by_role("button", name="Play", exact=True).click()
    page.locator(".timeline-play:not(.playing)").wait_for()
    at(page, 6)
    axis.press("a")
    axis.press("Home")
    at(page, 1)
    page.locator(".timeline-stage[data-beside='6']").wait_for()
    page.get_by_label("Wipe between the two batches").fill("20")
    line = page.locator(".timeline-edge").evaluate("edge => getComputedStyle(edge).left")
    width = page.locator(".timeline-stage").evaluate("stage => stage.clientWidth")
    assert float(line.removesuffix("px")) == pytest.approx(0.2 * width, abs=1)
    page.get_by_role("button", name="Swap").click()
    at(page, 6)
    page.wait_for_url(f"**/?run={RUN}&tab=Checkpoints&batch=6&from=3&to=6&beside=1")
    page.reload()
    page.locator(".timeline-stage[data-batch='6'][data-beside='1']").wait_for()


def test_a_batch_is_pinned_and_a_city_becomes_a_specimen_where_one_looks(page, served):
    axis = axis_of(page)
    axis.press("ArrowLeft")
    at(page, 11)
    pin = page.get_by_role("button", name="Pin here")
    pin.click()
    page.locator("[data-tool=pin][aria-pressed=true]").wait_for()
    assert list_pins(served[0], RUN) == [11]
    cell = page.get_by_role("button", name="Star city 0.2")
    cell.evaluate("cell => { cell.kept = true; }")
    cell.click()
    page.locator(".timeline-cell[data-label='0.2'][aria-pressed=true]").wait_for()
    assert cell.evaluate("cell => cell.kept"), "no element was replaced under the pointer"
    assert [s.label for s in list_specimens(served[0], RUN) if s.starred] == ["0.2"]
    page.get_by_label("Show", exact=True).select_option("0.2")
    page.wait_for_function("document.querySelector('.timeline-now').width === 32")
    assert page.locator(".timeline-cell").count() == 1
    page.wait_for_url("**batch=11&point=0.2**")
