"""Two people at one studio, each with a browser: both see the same, and neither is disturbed."""

import pytest

import studio as studio_package
from studio.workspace.jobs import find_job
from tests.studio.screens.test_app_in_browser import choose_run, command_shown, open_tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def two_pages(browser, served, copy_run):
    """A page in each of two browsers, which share neither cookies nor what they remember."""
    contexts = [browser.new_context(viewport={"width": 1366, "height": 768}) for _ in range(2)]
    pages = []
    for context in contexts:
        context.set_default_timeout(30_000)
        pages.append(context.new_page())
    yield pages
    for context in contexts:
        context.close()


def test_what_one_does_the_other_sees_and_keeps_the_own_choice(two_pages, served, copy_run):
    workspace, url = served
    town = copy_run("town")
    film = studio_package.open(workspace.root).render_timelapse(run="city", at="+1h")
    one, other = two_pages
    one.goto(f"{url}/?run={town}&tab=Specimens")
    other.goto(f"{url}/?run={town}&tab=Specimens")
    mine = other.locator("#specimens")
    mine.get_by_label("City 0.5", exact=True).click()
    mine.get_by_text("1 chosen").wait_for()

    one.locator("#specimens").get_by_label("Star city 0.3").click()
    mine.locator("[aria-label='Star city 0.3'][aria-pressed=true]").wait_for()

    for page in two_pages:
        page.get_by_role("button", name="1 waiting").wait_for()
    one.locator("#light button").click()
    card = one.locator(f"#job-board [data-job='{film.id}']")
    card.wait_for()
    one.wait_for_timeout(800)  # A card that has just come takes no press yet.
    one.get_by_role("button", name=f"Cancel job {film.id}").click()
    other.get_by_role("button", name="1 waiting").wait_for(state="detached")
    assert find_job(workspace, film.id).status == "cancelled"

    # All that while the other one's choice, tab and run stayed.
    assert mine.get_by_text("1 chosen").is_visible()
    assert "tab=Specimens" in other.url
    assert "chosen=0.5" in other.url
    assert "chosen" not in one.url


def test_a_run_that_one_renames_has_its_new_name_with_the_other_whose_form_stays(
    two_pages, served, copy_run
):
    _, url = served
    town = copy_run("town")
    one, other = two_pages
    one.goto(f"{url}/?run=city&tab=Train")
    other.goto(f"{url}/?run=city&tab=Train")
    name = other.get_by_label("Name of the new run")
    name.fill("half written")
    command_shown(other, "--run 'half written'").wait_for()
    choose_run(one, town)
    one.get_by_text("Rename or delete this run").click()
    field = one.get_by_label("Its new name").locator("visible=true").first
    field.fill("village")
    field.press("Enter")
    one.locator("#live h3", has_text="village").wait_for()
    other.locator("#runs").get_by_role("button", name="village").wait_for()
    assert other.locator("#runs").get_by_role("button", name=town).count() == 0
    assert name.input_value() == "half written"
    assert other.locator("#live h3", has_text="city").is_visible()
    open_tab(other, "Home")
    other.locator("#home .home-card", has_text="village").wait_for()
