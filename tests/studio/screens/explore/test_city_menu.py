"""Every city has the same menu: what its entries do, and where it opens."""

import time

import gradio as gr
import pytest

from studio.actions.declared.specimen_actions import SpecimensStar
from studio.actions.submission import perform
from studio.screens.explore.city_choice import CityChoice
from studio.screens.explore.near_view import Chosen
from studio.screens.menu.city_actions import MENU
from studio.screens.menu.city_menu import CityMenu
from studio.specimens.specimens import list_specimens
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.jobs import ACTIVE, list_jobs
from tests.studio.conftest import BATCHES

SKIPPED = gr.skip()


@pytest.fixture
def sent():
    """sent(what, ...): what the page sends of the city 5.1 seen at batch 5."""

    def call(what, **values):
        asked = {"run": "city", "label": "5.1", "batch": "5", "tag": "", "what": what, **values}
        return gr.EventData(None, asked)

    return call


@pytest.fixture
def ask(view_of, sent):
    """ask(what, ...): what the menu gives back, which has seen 3 stars given or taken."""
    menu = view_of(CityMenu)
    return lambda what, **values: menu._do(3, sent(what, **values))


@pytest.fixture
def choose(view_of, sent):
    """choose(what, ...): what Explore gives back."""
    explore = view_of(CityChoice)
    return lambda what, chosen=None, **values: explore._choose("city", chosen, sent(what, **values))


def find(workspace, label="5.1"):
    return next((s for s in list_specimens(workspace, "city") if s.label == label), None)


@pytest.mark.parametrize("what", ["look", "near"])
def test_looking_at_a_city_chooses_it_at_the_batch_at_which_it_is_shown(choose, what):
    assert choose(what) == (Chosen("5.1", 5, 24), *(SKIPPED,) * 3)
    among = Chosen("5.0", 5, 48)
    assert choose(what, among)[0].shown == 48  # It is compared with what was shown there.


def test_walking_from_a_city_begins_the_walk_anew(choose):
    chosen, lately, places, place = choose("walk", Chosen("9.9", 9, 0))
    assert (chosen, lately, place) == (Chosen("5.1", 5, 24), ["5.1"], "walk")
    assert places.selected == "walk"


def test_a_city_that_is_shown_at_no_batch_in_particular_is_shown_at_its_own(choose):
    assert choose("look", batch="")[0].batch == 5
    assert choose("look", label="0.3", batch="")[0].batch == BATCHES  # Batch 0 has no checkpoint.


def test_a_star_is_given_and_taken_and_whoever_shows_it_is_told(ask, view_of, workspace):
    menu = view_of(CityMenu)
    five = {"run": "city", "label": "5.1"}
    assert not menu.is_starred(five)
    assert ask("star") == 4
    assert find(workspace).starred
    assert menu.is_starred(five)
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
    "values",
    [
        {"what": "delete"},
        {"run": "../city"},
        {"run": "no-such"},
        {"run": ""},
        {"label": "/etc/passwd.jpg"},
        {"label": "<b>"},
        {"batch": "-1"},
        {"batch": "9" * 20},
        {"batch": "7777"},
    ],
)
def test_what_no_menu_has_is_refused(ask, choose, values):
    with pytest.raises(EXPECTED_ERRORS):
        ask(**{"what": "star", **values})
    with pytest.raises(EXPECTED_ERRORS):
        choose(**{"what": "look", **values})


@pytest.mark.parametrize(
    "sent", [None, [], "5.1", {}, {"run": "../x", "label": "5.1"}, {"run": "city"}]
)
def test_what_is_no_city_has_no_star(view_of, sent):
    assert not view_of(CityMenu).is_starred(sent)


def test_each_part_of_the_page_does_its_own(ask, choose):
    with pytest.raises(EXPECTED_ERRORS, match="Explore does that"):
        ask("walk")
    with pytest.raises(EXPECTED_ERRORS, match="without choosing"):
        choose("star")


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


@pytest.mark.browser
@pytest.mark.slow
def test_a_city_has_its_menu_on_every_screen(open_page, served):
    workspace, _ = served
    perform(workspace, SpecimensStar(run="city", labels=(f"{BATCHES}.7",)))
    page = open_page("/?run=city&tab=Specimens")
    cell = page.locator(".specimen").first
    label = cell.get_attribute("data-city")
    cell.hover()
    cell.locator(".more").click()
    was_starred = find(workspace, label).starred
    star = "Take its star away" if was_starred else "Star it"
    page.get_by_role("menuitem", name=star).click()
    page.locator(".toast-body", has_text=f"City {label}").first.wait_for()
    assert find(workspace, label).starred != was_starred
    cell.locator(".thumbnail").focus()
    page.keyboard.press("m")
    page.get_by_role("menuitem", name="What is near it").click()
    page.locator("#near h3", has_text=f"City {label}").wait_for()
    page.get_by_role("tab", name="Home", exact=True).click()
    tile = page.locator(".specimens-row .picture").first
    tile.hover()
    tile.locator(".more").click()
    page.get_by_role("menuitem", name="Walk from here").click()
    page.locator("#interpolation", has_text="From ").wait_for()
    page.get_by_role("tab", name="Render", exact=True).click()
    page.locator(".composer .city").first.click(button="right")
    page.get_by_role("menuitem", name="Look at it").click()
    page.locator("#near h3").wait_for()
    page.get_by_role("tab", name="Checkpoints", exact=True).click()
    page.locator(".timeline-stage[data-pictures] .timeline-cell").first.click(button="right")
    page.get_by_role("menuitem", name="Look at it").click()
    page.locator("#near h3").wait_for()
