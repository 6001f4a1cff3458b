"""The sheet of keys says what a screen answers, and a screen answers what stands on the sheet."""

import string

import pytest

from benchmarks.made_up_atlas import make_up_atlas
from studio.screens.parts.browser.address import PARTS
from studio.screens.parts.browser.key_sheet import ATLAS, GALLERY, LARGE, PLACES, TIMELINE
from tests.studio.conftest import BATCHES
from tests.studio.screens.test_app_in_browser import open_tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Every key that a person could hope for.
TRIED = [
    *string.digits,
    *string.ascii_lowercase,
    *("+", "=", "-", "*", "/", ".", ",", ";", " "),
    *("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"),
    *("Enter", "Escape", "Delete", "Backspace", "Insert", "F2", "Control+a"),
]
# Whether the place has taken each key; what a key does beyond that is left to other tests.
ANSWERED = """(place, keys) => keys.filter((name) => {
  const key = name.replace('Control+', '');
  const options = { key, ctrlKey: key !== name, bubbles: true, cancelable: true };
  return !place.dispatchEvent(new KeyboardEvent('keydown', options));
})"""


def keys_on_sheet(place):
    return sorted(key for row in place.rows for key in row.keys)


def keys_answered(page, place):
    return sorted(page.locator(place.selector).first.evaluate(ANSWERED, TRIED))


def test_the_timeline_and_the_gallery_answer_the_keys_on_their_sheets_and_no_others(open_page):
    page = open_page("/?run=city&tab=Checkpoints&batch=5")
    page.locator(".timeline-stage[data-batch='5']").wait_for()
    assert keys_answered(page, TIMELINE) == keys_on_sheet(TIMELINE)
    open_tab(page, "Specimens")
    page.locator(GALLERY.selector).first.wait_for()
    assert keys_answered(page, GALLERY) == keys_on_sheet(GALLERY)
    page.locator(LARGE.selector).wait_for()  # One of the keys was Enter.
    assert keys_answered(page, LARGE) == keys_on_sheet(LARGE)


def test_the_map_answers_the_keys_on_its_sheet_and_no_others(open_page, served):
    make_up_atlas(served[0], "city", BATCHES, 60)
    page = open_page("/?run=city&tab=Explore&place=atlas")
    page.locator(".atlas-legend", has_text="60 cities").wait_for()
    assert keys_answered(page, ATLAS) == keys_on_sheet(ATLAS)


def test_every_screen_has_its_sheet_which_a_key_and_a_button_open_and_escape_closes(page):
    sheet = page.get_by_role("dialog", name="Keys of this screen")
    page.locator("#live .chart").wait_for()
    page.keyboard.press("]")
    page.locator("[role=tab][aria-selected=true]", has_text="Checkpoints").wait_for()
    page.keyboard.press("[")
    for tab in PARTS:
        open_tab(page, tab)
        page.locator(f"[role=tab][aria-selected=true]:text-is('{tab}')").first.wait_for()
        page.keyboard.press("?")
        shown = sheet.locator("section h3:visible").all_inner_texts()
        assert shown == [place.title for place in PLACES if place.tab in (tab, None)]
        page.keyboard.press("Escape")
        assert not sheet.is_visible()
    page.get_by_role("button", name="Keys of this screen").click()
    assert sheet.is_visible()
    sheet.get_by_role("button", name="Close").click()
    open_tab(page, "Train")
    page.get_by_label("Name of the new run").press_sequentially("a?[")
    assert not sheet.is_visible()
    assert page.get_by_label("Name of the new run").input_value() == "a?["
