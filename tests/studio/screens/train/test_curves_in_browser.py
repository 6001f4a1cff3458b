"""Curves are zoomed by hand in a real browser, and their numbers are saved."""

import pytest

from studio.runs.metrics import read_metrics
from tests.studio.conftest import BATCHES

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_curves_zoom_by_dragging_and_by_keys_and_stand_in_the_address(open_page):
    page = open_page("/?tab=Train&run=city")
    box = page.locator("#live .plot svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 60, steps=4)
    page.mouse.up()
    page.wait_for_function("() => location.search.includes('seen=5,')")
    page = open_page("/" + page.evaluate("() => location.search"))
    page.locator("#live .zoom", has_text="batches 5 to").wait_for()
    page.locator("#live [data-by=all]").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => !location.search.includes('seen=')")
    with page.expect_download() as saved:
        page.locator("#live .curve-tools a").click()
    assert saved.value.path().read_text().startswith("batch,d_real")


def test_curves_are_read_by_pointing_and_by_keys_and_lie_over_time_at_a_press(open_page, served):
    workspace, _ = served
    metrics = read_metrics(workspace.metrics("city"))
    page = open_page("/?tab=Train&run=city")
    chart, readout = page.locator("#live .plot"), page.locator(".readout")
    box = chart.locator("svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.97, box["y"] + 80)
    readout.get_by_text(f"batch {BATCHES}", exact=True).wait_for()
    assert f"G: {metrics[-1]['g']:.4g}" in readout.inner_text()
    page.mouse.move(5, 5)
    readout.wait_for(state="detached")
    chart.focus()
    page.keyboard.press("Home")
    readout.get_by_text("batch 1", exact=True).wait_for()
    page.keyboard.press("ArrowRight")
    readout.get_by_text("batch 2", exact=True).wait_for()
    assert f"G: {metrics[1]['g']:.4g}" in readout.inner_text()
    page.keyboard.press("Escape")
    readout.wait_for(state="detached")
    page.get_by_role("button", name="pictures seen", exact=True).click()
    page.wait_for_function("() => location.search.includes('over=pictures')")
    chart.focus()
    page.keyboard.press("End")
    readout.locator("b", has_text="pictures").wait_for()
    page.get_by_role("button", name="Speed", exact=True).click()
    page.locator("#live .plot[aria-label^='Speed over pictures seen']").wait_for()
    page.wait_for_function("() => location.search.includes('curves=speed')")
    opened = open_page("/" + page.evaluate("() => location.search"))
    opened.locator("#live .plot[aria-label^='Speed over pictures seen']").wait_for()
