"""Curves are zoomed by hand in a real browser, and their numbers are saved."""

import pytest

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
