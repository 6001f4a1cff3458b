"""A film is composed of pictures in a real browser, previewed, and stands still out of sight."""

import pytest

from studio.actions.declared.film_actions import RenderTimelapse
from studio.actions.submission import perform

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_film_is_composed_previewed_and_found_again_in_another_page(open_page):
    page = open_page("/?tab=Render&run=city")
    cities = page.locator(".composer .city:visible")
    cities.nth(1).click()
    page.locator('.composer .city[aria-pressed="true"]:visible').wait_for()
    slider = page.locator('.composer input[data-field="from"]:visible')
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    plan = page.locator(".film-plan").filter(has_text="82 frames").locator("visible=true").first
    plan.wait_for()
    page.get_by_role("button", name="Preview").locator("visible=true").click()
    page.locator(".film-plan img:visible").wait_for()
    command = page.locator(".command code").filter(has_text="--points 0.1 --batches 4:")
    command.first.wait_for()
    page = open_page("/" + page.evaluate("() => location.search"))
    page.locator('.composer .city[data-label="0.1"][aria-pressed="true"]:visible').wait_for()
    page.locator(".command code").filter(has_text="--points 0.1 --batches 4:").first.wait_for()


def test_a_key_frame_is_a_batch_and_a_pressed_city(open_page):
    page = open_page("/?tab=Render&run=city&form=Path")
    slider = page.locator('.composer input[data-field="at"]:visible')
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    page.locator(".composer :visible", has_text="at batch 8").first.wait_for()
    page.locator('.composer .city[data-label="0.2"]:visible').click()
    page.locator(".command code").filter(has_text="8@0.2").first.wait_for()
    page.locator('.composer [data-action="drop"]:visible').click()
    page.locator(".composer .key:visible").wait_for(state="detached")


def test_a_film_plays_beside_another_and_rests_when_its_tab_is_left(open_page, served):
    workspace, _ = served
    for films, points in (("grid", ()), ("each", ("0.0",))):
        perform(workspace, RenderTimelapse(run="city", films=films, points=points))
    page = open_page("/?tab=Render&run=city")
    page.locator("#player [data-action=beside]").first.click()
    page.locator("#player .pair video").nth(1).wait_for()
    playing = "[...document.querySelectorAll('#player video')].filter((v) => !v.paused).length"
    page.wait_for_function(f"() => {playing} === 2")
    page.get_by_role("tab", name="Jobs").click()
    page.wait_for_function(f"() => {playing} === 0")
    page.get_by_role("tab", name="Render").click()
    page.wait_for_function(f"() => {playing} === 2")
    page.wait_for_url("**beside=**")
