"""Atlases over training on the map: what it is told, what is pressed on it, and its slider."""

import shutil
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest

from benchmarks.made_up_atlas import make_up_atlas, make_up_growth
from studio.screens.explore.atlas_view import AtlasView, read_growth_form
from studio.screens.explore.map.atlas_map import (
    CityMarks,
    _read_stand,
    describe_growth,
    find_settled,
)
from studio.screens.explore.near_view import Chosen
from studio.screens.explore.shown_atlas import find_shown, list_shown, name_of
from studio.workspace.errors import StudioError
from tests.studio.conftest import BATCHES

MAPS, COUNT = [3, 7, BATCHES], 40
SKIPPED = gr.skip()


@pytest.fixture
def growth(workspace):
    return make_up_growth(workspace, "city", MAPS, COUNT)


@pytest.fixture
def view(view_of):
    return view_of(AtlasView)


def pressed(**values):
    return gr.EventData(None, values)


def test_the_map_is_told_of_every_batch(growth):
    told = describe_growth(growth, CityMarks([f"{BATCHES}.7", "3.3", "river"]))
    assert [each["batch"] for each in told["maps"]] == MAPS
    assert told["starred"] == [7]
    assert (told["prefix"], told["labels"]) == (f"{BATCHES}.", None)
    further = replace(growth, labels=(*growth.labels[:-1], "seed:7"))
    assert describe_growth(further)["labels"][-1] == "seed:7"
    assert told["reach"] == pytest.approx(
        max(np.abs(growth.read_places(each)[:, :2]).max() for each in growth.maps)
    )
    assert "map-000000003-40/places.bin?v=" in told["maps"][0]["points"]
    assert "map-000000003-40/near.bin?v=" in told["maps"][0]["near"]
    assert len(told["maps"][0]["sheets"]) == 1


def test_a_city_is_settled_when_it_stays_where_it_lies_at_last():
    places = np.zeros((4, 3, 2))
    places[0, 0] = 1  # Comes at the second map.
    places[1, 1, 0] = 1  # Was there, left, and came back at the third.
    assert find_settled(places, 0.5).tolist() == [1, 2, 0]


def test_the_map_is_told_when_cities_settled(growth):
    told = describe_growth(growth)
    assert told["settled_at"] == MAPS
    assert len(told["settled"]) == COUNT
    assert set(told["settled"]) <= {0, 1, 2}


def test_it_is_one_of_the_atlases_that_can_be_shown(view, workspace, growth):
    atlas = make_up_atlas(workspace, "city", BATCHES, COUNT)
    assert list(map(name_of, list_shown(workspace, "city"))) == [
        atlas.path.parent.name,
        growth.folder.name,
    ]
    said, told = view._show("city", growth.folder.name)
    assert f"40 cities over training, batch 3 to {BATCHES} on 3 maps" in said
    assert len(told["maps"]) == 3
    assert "maps" not in view._show("city", atlas.path.parent.name)[1]


def test_a_city_is_chosen_at_the_batch_of_its_map(view, growth):
    name, label = growth.folder.name, f"{BATCHES}.5"
    chosen = view._choose("city", name, pressed(action="choose", label=label, batch=7))
    assert chosen == Chosen(label, 7, 0, "activations")
    elsewhere = pressed(action="choose", label=label, batch="x")
    assert view._choose("city", name, elsewhere).batch == BATCHES
    for unknown in (pressed(action="choose", label="9.9", batch=7), pressed(action="select")):
        assert view._choose("city", name, unknown) == SKIPPED


def test_one_with_a_single_map_or_a_damaged_record_is_passed_over(workspace, growth):
    record = growth.folder / "growth.json"
    written = record.read_text()
    record.write_text(written.replace('"seed": 0', '"seed": 1'))
    assert find_shown(workspace, "city", growth.folder.name) is None
    shutil.rmtree(growth.folder)
    make_up_growth(workspace, "city", [3], COUNT)
    assert list_shown(workspace, "city") == []


def test_the_address_opens_the_atlas_that_was_picked_and_else_the_newest(view, workspace, growth):
    make_up_atlas(workspace, "city", BATCHES, COUNT)
    name = growth.folder.name
    opened = view._refresh("city", None, None, name)
    assert (opened[1].value, opened[-1]) == (name, name)
    newest = view._refresh("city", None, None, "gone")
    assert newest[1].value == f"city-atlas-{BATCHES}-activations"
    assert newest[-1] is None
    assert view._refresh("city", opened[2], name, name)[1:] == (SKIPPED,) * 6


def test_where_one_looks_is_read_from_the_page_and_nothing_else():
    assert _read_stand(pressed(zoom="0.5,0.25,3", moment=7)) == {
        "zoom": (0.5, 0.25, 3.0),
        "moment": 7,
    }
    assert _read_stand(pressed(zoom="", moment="")) == {}
    for wrong in ("1,2", "nan,0,1", "0,0,-1", "0,0,1&tab=Home", "<b>"):
        assert _read_stand(pressed(zoom=wrong, moment="")) == SKIPPED


def test_the_form_says_the_command_and_needs_two_checkpoints(view):
    asked = read_growth_form("city", 7, 30, "z")
    assert (asked.batches, asked.count, asked.space) == (":8", 30, "z")
    with pytest.raises(StudioError, match="two checkpoints"):
        view._grow(None, None, 30, "z", "")


@pytest.mark.browser
@pytest.mark.slow
def test_the_slider_moves_the_map_and_the_address_keeps_where_one_is(open_page, served):
    workspace, home = served
    growth = make_up_growth(workspace, "city", MAPS, COUNT)
    try:
        page = open_page("/?run=city&tab=Explore&place=atlas")
        slider = page.get_by_role("slider", name="Through training")
        said = page.locator("[data-growth=said]")
        said.get_by_text(f"batch {BATCHES}").wait_for()
        slider.focus()
        slider.press("Home")
        said.get_by_text("batch 3", exact=True).wait_for()
        for _ in range(4):
            slider.press("ArrowRight")
        said.get_by_text("batch 3 to 7").wait_for()
        field = page.locator(".atlas-field")
        field.focus()
        for key in (".", "+", "+"):
            field.press(key)
        page.wait_for_url("**zoom=0.5,0.5,1.96*moment=7*")
        field.press("Enter")
        page.locator("#near", has_text="batch 7").wait_for()
        page.wait_for_url("**seen=7*")
        again = open_page(page.url.removeprefix(home))
        again.locator("[data-growth=said]", has_text="batch 7").wait_for()
        again.wait_for_timeout(1500)  # Whatever it says of itself has been said.
        assert again.url == page.url
        page.bring_to_front()
        frames = int(field.get_attribute("data-frames"))
        field.press(" ")
        said.get_by_text(f"batch {BATCHES}", exact=True).wait_for()
        page.get_by_role("button", name="Play through training").wait_for()
        assert int(field.get_attribute("data-frames")) > frames + 2
    finally:
        shutil.rmtree(growth.folder)
