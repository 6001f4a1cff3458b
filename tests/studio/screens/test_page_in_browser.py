"""The page as a whole in a real browser: its address, its forms, its news, and what is pressed."""

import pytest

from studio.workspace.jobs import insert_job
from studio.workspace.queue.work import working_as_job
from tests.studio.conftest import BATCHES
from tests.studio.screens.test_app_in_browser import command_shown, open_tab

pytestmark = pytest.mark.browser


def test_an_address_opens_the_same_view_and_back_undoes_a_step(open_page):
    page = open_page("/?run=city&tab=Checkpoints&batch=5&point=0.2")
    page.locator(".timeline-stage[data-batch='5']").wait_for()
    assert page.get_by_label("Show", exact=True).input_value() == "0.2"
    open_tab(page, "Explore")
    page.locator("#gallery .thumbnail").nth(3).click()
    page.locator("#near h3", has_text=f"City {BATCHES}.3").wait_for()
    page.wait_for_url(f"**city={BATCHES}.3**")
    page.locator("#gallery .thumbnail").nth(5).click()
    page.wait_for_url(f"**city={BATCHES}.5**")
    page.go_back()
    page.locator("#near h3", has_text=f"City {BATCHES}.3").wait_for()


def test_an_address_without_a_run_opens_its_view_of_the_run_that_shows(open_page):
    page = open_page(f"/?tab=Explore&city={BATCHES}.5&seen={BATCHES}&shown=24")
    page.locator("#near h3", has_text=f"City {BATCHES}.5").wait_for()
    page.wait_for_url(f"**/?run=city&tab=Explore**city={BATCHES}.5**")


def test_a_wrong_address_opens_the_studio_as_usual_and_says_so(open_page):
    page = open_page("/?run=gone&tab=Explore")
    page.get_by_text("there is no run 'gone'").wait_for()
    page.locator("#home .home-card", has_text="city").wait_for()
    page.wait_for_url("**/?run=city&tab=Home")


@pytest.mark.slow
def test_what_was_written_is_there_when_the_page_opens_again(open_page):
    page = open_page("/?tab=Train")
    page.get_by_label("Name of the new run").fill("harbour")
    command_shown(page, "studio train streets --run harbour").wait_for()
    open_tab(page, "Render")
    batches = page.get_by_label("Batches", exact=True).locator("visible=true")
    batches.fill(":7")
    batches.press("Tab")
    command_shown(page, "--batches :7").wait_for()
    page.wait_for_url("**tab=Render*")
    again = open_page("/?run=city&tab=Render")
    command_shown(again, "--batches :7").wait_for()
    open_tab(again, "Train")
    command_shown(again, "studio train streets --run harbour").wait_for()


@pytest.mark.slow
def test_an_idle_page_asks_one_small_question_at_a_time(page):
    page.locator("#live .chart").wait_for()
    page.wait_for_timeout(6000)  # What the page opens with is there, also on a busy machine.
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(5000)
    assert 1 <= len(asked) <= 3, asked
    assert all("component_server" in url for url in asked)


def test_news_change_a_card_in_place_and_no_button_becomes_another(page, served):
    workspace, _ = served
    page.locator("#live .chart").wait_for()
    stop = page.locator("#live").get_by_role("button", name="Stop")
    assert stop.is_disabled()
    page.evaluate("document.querySelectorAll('#live button').forEach((b) => { b.kept = true; })")
    names = page.locator("#live .line button").all_inner_texts()
    with working_as_job(workspace, insert_job(workspace, "resume", {}, ["resume"], "city")):
        page.locator("#live .badge.training").wait_for()
        assert stop.is_enabled()
        assert page.locator("#live .line button").all_inner_texts() == names
        assert page.locator("#live button").evaluate_all("all => all.every((b) => b.kept)")
    page.locator("#live .badge.training").wait_for(state="detached")


def test_of_two_quick_presses_none_is_lost_and_a_star_moves_no_picture(page, served, copy_run):
    run = copy_run("town")
    page.locator("#runs").get_by_role("button", name=run).click()
    page.locator("#live h3", has_text=run).wait_for()
    open_tab(page, "Specimens")
    gallery = page.locator("#specimens")
    gallery.locator(".thumbnail").nth(1).click()
    gallery.get_by_text("1 chosen").wait_for()
    label = gallery.evaluate(
        """async (place) => {
          const fourth = place.querySelectorAll('.thumbnail')[3];
          place.querySelector('[data-action=none]').click();
          await new Promise((go) => setTimeout(go, 120));
          fourth.click();
          return fourth.dataset.label;
        }"""
    )
    gallery.locator(f".picture.chosen .thumbnail[data-label='{label}']").wait_for()
    assert gallery.get_by_text("1 chosen").is_visible()
    captions = gallery.locator("figcaption").all_inner_texts()
    gallery.get_by_label("Star city 0.5").click()
    gallery.locator("[aria-label='Star city 0.5'][aria-pressed=true]").wait_for()
    assert gallery.locator("figcaption").all_inner_texts() == captions


@pytest.mark.slow
def test_a_run_that_is_started_shows_at_once_that_it_is_being_made(page):
    page.get_by_label("Name of the new run").fill("quick")
    batches = page.get_by_label("Batches", exact=True).first
    batches.fill("2")
    batches.press("Tab")
    command_shown(page, "studio train streets --run quick --batches 2").wait_for()
    page.get_by_role("button", name="Start training").click()
    page.locator("#live h3", has_text="quick").wait_for(timeout=3000)
    page.locator("#live .working").wait_for(timeout=3000)
    page.locator("#live .line .badge.finished").wait_for(timeout=90_000)


@pytest.mark.slow
def test_a_page_says_that_the_studio_does_not_answer_and_opens_again(browser, served):
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.goto(f"{served[1]}/?tab=Train")
    page.locator("#live .chart").wait_for()
    context.set_offline(True)
    page.locator("#lost", has_text="The studio does not answer").wait_for(timeout=15_000)
    assert page.locator(".gradio-container").get_attribute("inert") is not None
    context.set_offline(False)
    page.locator("#lost").wait_for(state="detached", timeout=15_000)
    page.locator("#live .chart").wait_for()
    context.close()
