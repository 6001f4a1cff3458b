"""From cities that were chosen: the way between two, the grid between four, and steering one."""

import pytest

from studio.specimens.specimens import list_specimens
from studio.workspace.jobs import list_jobs
from tests.studio.conftest import BATCHES
from tests.studio.screens.test_app_in_browser import command_shown

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_cities_are_joined_steered_and_kept(open_page, served):
    workspace, _ = served
    page = open_page("/?tab=Explore")
    for number in range(4):
        page.locator("#gallery .thumbnail").nth(number).click()
        page.locator("#near h3", has_text=f"City {BATCHES}.{number}").wait_for()

    page.get_by_role("tab", name="Between four").click()
    labels = [f"{BATCHES}.{number}" for number in range(4)]
    page.locator("#corners h3", has_text=f"Between {', '.join(labels)} at batch").wait_for()
    assert page.locator("#corners img").count() == 25
    captions = page.locator("#corners figcaption").all_inner_texts()
    assert [text for text in captions if text] == labels

    page.get_by_role("tab", name="Walk between two").click()
    page.get_by_label("Straight line").click()
    a, b = labels[2:]
    told = f"studio render interpolation city --points {a},{b} --batch {BATCHES} --kind linear"
    page.get_by_text(told).wait_for()
    page.get_by_role("button", name="Film this way").click()
    page.locator(".toast-body", has_text=f"The way from {a} to {b} is filmed").wait_for()
    assert list_jobs(workspace)[0].fields["points"] == [a, b]

    page.get_by_role("tab", name="Steer").click()
    page.get_by_label("Dimension", exact=True).fill("3")
    slider = page.get_by_role("slider", name="How far along it")
    slider.focus()
    slider.press("End")
    command_shown(page, f"studio steer city {b} --batch {BATCHES} --along z:3=4").wait_for()
    page.locator("#steered figcaption", has_text="z:3=4 · batch").wait_for()
    page.wait_for_url("**along=z*3*4*")
    steered = open_page(page.url.removeprefix(served[1]))
    steered.locator("#steered figcaption", has_text="z:3=4 · batch").wait_for()
    steered.close()
    before = {s.label for s in list_specimens(workspace, "city")}
    page.get_by_role("button", name="Keep it as a city").click()
    page.locator(".toast-body", has_text="is kept").wait_for()
    (kept,) = (s for s in list_specimens(workspace, "city") if s.label not in before)
    page.locator("#near h3", has_text=f"City {kept.label}").wait_for()
    page.wait_for_function(f"location.search.includes('city={kept.label}')")
    again = open_page(page.url.removeprefix(served[1]))
    again.locator("#steered h3", has_text=f"City {kept.label}, steered").wait_for()
