"""Every city has the same menu: what its entries do, and where it opens."""

import time

import gradio as gr
import pytest

from studio.screens.explore.city_actions import MENU
from studio.screens.explore.city_menu import CityMenu
from studio.screens.explore.near_view import Chosen
from studio.specimens.specimens import list_specimens
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.jobs import ACTIVE, list_jobs
from tests.studio.conftest import BATCHES

SKIPPED = gr.skip()


@pytest.fixture
def ask(view_of):
    """ask(what, ...): what the menu gives back, with the city 5.1 seen at batch 5."""
    menu = view_of(CityMenu)

    def call(what, chosen=None, run="city", **values):
        sent = {"label": "5.1", "batch": "5", "tag": "", "what": what, **values}
        return menu._do(run, chosen, 3, gr.EventData(None, sent))

    return call


def find(workspace, label="5.1"):
    return next((s for s in list_specimens(workspace, "city") if s.label == label), None)


@pytest.mark.parametrize("what", ["look", "near"])
def test_looking_at_a_city_chooses_it_at_the_batch_at_which_it_is_shown(ask, what):
    assert ask(what) == (Chosen("5.1", 5, 24), *(SKIPPED,) * 4)
    among = Chosen("5.0", 5, 48)
    assert ask(what, among)[0].shown == 48  # It is compared with what was shown there.


def test_walking_from_a_city_begins_the_walk_anew(ask):
    chosen, lately, places, place, _ = ask("walk", Chosen("9.9", 9, 0))
    assert (chosen, lately, place) == (Chosen("5.1", 5, 24), ["5.1"], "walk")
    assert places.selected == "walk"


def test_a_star_is_given_and_taken_and_whoever_shows_it_is_told(ask, workspace):
    assert ask("star")[-1] == 4
    assert find(workspace).starred
    ask("star")
    assert not find(workspace).starred


def test_a_city_is_tagged_and_exported(ask, workspace, monkeypatch):
    ask("tag", tag="river")
    assert find(workspace).tags == ("river",)
    with pytest.raises(EXPECTED_ERRORS, match="There is no tag"):
        ask("tag", tag=" ")
    ask("export", label="0.3", batch=BATCHES)
    assert [path.name for path in workspace.specimens("city").iterdir()] == [
        f"city-0.3-at-{BATCHES}.jpg"
    ]


@pytest.mark.slow
def test_the_life_of_a_city_is_filmed_as_a_job(ask, workspace):
    ask("life")
    while (job := list_jobs(workspace)[0]).status in ACTIVE:
        time.sleep(0.2)
    assert (job.action, job.status, job.fields["points"]) == ("render timelapse", "done", ["5.1"])


@pytest.mark.parametrize(
    "sent",
    [
        {"what": "delete"},
        {"label": "/etc/passwd.jpg"},
        {"label": "<b>"},
        {"batch": "-1"},
        {"batch": "9" * 20},
        {"batch": "7777"},
    ],
)
def test_what_no_menu_has_is_refused(ask, sent):
    with pytest.raises(EXPECTED_ERRORS):
        ask(**{"what": "look", **sent})


def test_a_page_without_a_run_asks_for_nothing(ask):
    assert ask("star", run=None) == (SKIPPED,) * 5


@pytest.mark.browser
@pytest.mark.slow
def test_the_menu_opens_wherever_a_city_is_shown(open_page, served):
    workspace, _ = served
    page = open_page("/?tab=Explore")
    gallery = page.locator("#gallery .picture")
    gallery.nth(2).hover()
    gallery.nth(2).locator(".more").click()
    entries = page.get_by_role("menuitem")
    assert entries.all_inner_texts() == list(MENU.values())
    page.keyboard.press("Escape")
    entries.first.wait_for(state="detached")
    page.keyboard.press("Enter")  # The button has the focus again.
    page.get_by_role("menuitem", name="What is near it").click()
    page.locator("#near h3", has_text=f"City {BATCHES}.2").wait_for()
    page.locator("#near .city-line .more").click()
    page.get_by_role("menuitem", name="Star it").click()
    page.locator("#near").get_by_text("★ Starred").wait_for()
    page.locator("#near .city-line .more").click()
    page.get_by_role("menuitem", name="Walk from here").click()
    page.locator("#interpolation", has_text=f"From {BATCHES}.2 to").wait_for()
    page.locator("#near .thumbnail").first.click()
    page.locator("#interpolation h3", has_text=f"From {BATCHES}.2 to").wait_for()
    page.locator("#interpolation .picture").first.hover()
    page.locator("#interpolation .more").first.click()
    page.get_by_role("menuitem", name="Tag it").click()
    page.get_by_label("Tag", exact=True).last.fill("harbour")
    page.keyboard.press("Enter")
    page.locator(".toast-body", has_text="is tagged harbour").wait_for()
    assert find(workspace, f"{BATCHES}.2").tags == ("harbour",)
