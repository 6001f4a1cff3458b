"""Two runs on the tab Compare, in a real browser."""

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_one_slider_moves_the_films_of_two_runs_to_the_same_batch(page, copy_run):
    copy_run("suburb")
    page.locator("#runs").get_by_role("button", name="suburb").wait_for()
    page.get_by_role("tab", name="Compare", exact=True).click()
    page.locator("#players video").nth(1).wait_for()
    batches = page.locator("#players [data-batch]")
    batches.nth(1).filter(has_text="batch 12").wait_for()
    slider = page.get_by_label("Move all films along the batch")
    slider.focus()
    slider.press("Home")
    for place in (0, 1):
        batches.nth(place).filter(has_text="batch 1").filter(has_not_text="12").wait_for()
    first = page.locator("#players video").first
    page.wait_for_function(
        "film => !film.seeking && film.currentTime < 0.02", arg=first.element_handle()
    )
    page.get_by_role("button", name="Play").click()
    for place in (0, 1):
        batches.nth(place).filter(has_text="batch 12").wait_for()
    page.get_by_role("button", name="Play").wait_for()
    page.get_by_label("the same time").check()
    page.get_by_label("Move all films along the time").wait_for()
    page.get_by_text("They were trained with the same settings.").wait_for()
    page.locator("#overlaid").get_by_role("button", name="Diversity").click()
    page.locator("#overlaid [aria-pressed=true]", has_text="Diversity").wait_for()
    tabs = [tab.inner_text() for tab in page.get_by_role("tab").all()]
    assert len(set(tabs)) == len(tabs), tabs
