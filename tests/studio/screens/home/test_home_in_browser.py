"""Home in a real browser: what is pressed opens, what changes does so in its place."""

import pytest

from studio.workspace.jobs import insert_job
from studio.workspace.queue.work import working_as_job

pytestmark = pytest.mark.browser


def tab_is_open(page, name):
    page.locator(f"[role=tab][aria-selected=true]:text-is('{name}')").first.wait_for()


def test_a_page_opens_at_home_whose_links_lead_to_what_they_show_and_back(open_page):
    page = open_page("/?__theme=dark")
    card = page.locator("#home .home-card", has_text="city")
    card.wait_for()
    page.wait_for_url("**tab=Home**")
    assert card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    card.focus()
    page.keyboard.press("Enter")
    page.locator("#live h3", has_text="city").wait_for()
    page.wait_for_url("**run=city&tab=Train**")
    assert "__theme=dark" in page.url
    page.go_back()
    card.wait_for()
    tab_is_open(page, "Home")
    page.locator("#home").get_by_role("link", name="Import checkpoints").click()
    page.get_by_label("A folder of checkpoints").wait_for()
    tab_is_open(page, "Checkpoints")
    page.wait_for_url("**tab=Checkpoints&batch=**")
    page.go_back()
    page.locator("#home").get_by_role("link", name="New run").click()
    page.locator("#start").wait_for()


@pytest.mark.slow
def test_what_changes_on_home_does_so_in_its_place_at_any_width(open_page, served, copy_run):
    workspace, _ = served
    page = open_page()
    cards = page.locator("#home .home-card:not(.new)")
    cards.first.wait_for()
    page.locator("#home-latest h3", has_text="Newest specimens").wait_for()
    cards.first.evaluate("card => { card.isTheSame = true; }")
    cards.first.hover()
    with working_as_job(workspace, insert_job(workspace, "resume", {}, ["resume"], "city")):
        copy_run("town")  # It is newer, and comes last while somebody points at the list.
        page.locator("#home .home-card", has_text="town").wait_for()
        card = page.locator("#home .home-card", has_text="city")
        card.locator(".badge.training").wait_for()
        page.locator("#home .work-row", has_text="resume · city").wait_for()
        assert card.evaluate("card => card.isTheSame && card.matches(':hover')")
        assert cards.first.get_attribute("data-key") == "run city"
    card.locator(".badge.finished").wait_for()
    for width in (820, 390):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_link_from_an_address_without_a_run_leads_to_one_with_the_chosen_run(open_page):
    page = open_page("/?run=city&tab=Home")
    page.locator("#home .home-card", has_text="city").wait_for()
    page.evaluate("history.replaceState(null, '', '?tab=Home')")
    page.locator("#home").get_by_role("link", name="Import checkpoints").click()
    page.wait_for_url("**/?run=city&tab=Checkpoints&batch=**")
