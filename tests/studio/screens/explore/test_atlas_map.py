"""The map of an atlas in a real browser: it zooms, finds, and lets cities be chosen."""

from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from benchmarks.made_up_atlas import make_up_atlas
from studio.atlases.atlas_files import atlas_folder
from studio.specimens.marking import mark_specimens, star_specimens
from studio.specimens.specimens import list_specimens
from tests.studio.conftest import BATCHES
from tests.studio.screens.conftest import reload

pytestmark = [pytest.mark.browser, pytest.mark.slow]
COUNT = 3000


@pytest.fixture
def atlas(served):
    workspace, _ = served
    folder = atlas_folder(workspace, "city", BATCHES, "activations", None)
    made = make_up_atlas(workspace, "city", BATCHES, COUNT)
    yield made
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


@pytest.fixture
def field(page, atlas):
    """The map, shown whole with its first pictures."""
    page.get_by_role("tab", name="Explore", exact=True).click()
    page.get_by_role("tab", name="Atlas", exact=True).click()
    found = page.locator(".atlas-field")
    found.wait_for()
    page.locator("#gallery .thumbnail").first.wait_for(state="attached")
    page.wait_for_function("+document.querySelector('.atlas-field').dataset.pictures > 5")
    return found


def pixels_of(field, atlas, middle=(0.5, 0.5), zoom=1.0):
    """Where the cities stand: float [N, 2].

    Args:
        middle: the place of the map in the middle of the field.
        zoom: how many times larger it is than where the whole map is in view.
    """
    box = field.bounding_box()
    whole = zoom * 0.92 * min(box["width"] - 2, box["height"] - 2)
    centre = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    return centre + (atlas.coordinates - middle) * [whole, -whole]


def test_a_city_is_found_by_its_number_and_its_neighbours_are_shown(page, field, atlas):
    page.get_by_label("Find a city by its label or number").fill("2345")
    page.get_by_label("Find a city by its label or number").press("Enter")
    page.locator("#near h3", has_text=f"City {BATCHES}.2345").wait_for()
    assert page.locator("#near .thumbnail").count() == 8
    # Neighbours are looked for in the space of the map.
    page.get_by_text(f"studio near city {BATCHES}.2345").filter(
        has_text="--space activations"
    ).wait_for()
    page.get_by_label("Find a city by its label or number").fill("99999")
    page.get_by_label("Find a city by its label or number").press("Enter")
    reason = "input => input.validationMessage"
    search = page.get_by_label("Find a city by its label or number")
    assert search.evaluate(reason) == "No city 99999 on this map."


def test_pressing_a_point_chooses_the_city_that_is_there(page, field, atlas):
    page.locator("[data-tool=pictures]").select_option("none")
    field.scroll_into_view_if_needed()
    apart = np.abs(atlas.coordinates[:, None] - atlas.coordinates[None, :200]).max(2)
    apart[np.arange(200), np.arange(200)] = 1
    alone = int(apart.min(0).argmax())  # The city of the first 200 that is farthest from all.
    page.mouse.click(*pixels_of(field, atlas)[alone])
    page.locator("#near h3", has_text=f"City {BATCHES}.{alone}").wait_for()


def test_the_keyboard_moves_zooms_and_chooses(page, field, atlas):
    field.focus()
    before = int(field.get_attribute("data-frames"))
    for key in ("+", "+", "ArrowLeft", "ArrowUp", "-", "0"):
        field.press(key)
    page.wait_for_function(f"+document.querySelector('.atlas-field').dataset.frames > {before}")
    page.wait_for_timeout(500)  # The map has flown back to show all.
    field.press("Enter")
    middle = int(np.hypot(*(atlas.coordinates - 0.5).T).argmin())
    page.locator("#near h3", has_text=f"City {BATCHES}.{middle}").wait_for()


def test_a_line_around_cities_chooses_them_and_they_are_starred_and_tagged(
    page, field, atlas, served
):
    workspace, _ = served
    field.scroll_into_view_if_needed()
    page.get_by_role("button", name="Draw around").click()
    box = field.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 40, y - 40)
    page.mouse.down()
    for right, down in ((40, -40), (40, 40), (-40, 40), (-40, -30)):
        page.mouse.move(x + right, y + down, steps=4)
    page.mouse.up()
    page.locator("#selection h3", has_text="cities chosen").wait_for()
    legend = page.locator(".atlas-legend").inner_text()
    chosen = int(legend.partition(" of ")[0])
    inside = (np.abs(pixels_of(field, atlas) - [x, y]) < 40).all(1).sum()
    assert abs(chosen - inside) <= 3  # Cities on the line itself.
    page.get_by_placeholder("river").fill("middle")
    page.get_by_role("button", name="Tag them").click()
    page.get_by_text("They are tagged.").wait_for()
    page.get_by_role("button", name="Star them").click()
    page.get_by_text("They are starred.").wait_for()
    kept = [s for s in list_specimens(workspace, "city") if "middle" in s.tags]
    assert len(kept) == chosen
    assert all(specimen.starred for specimen in kept)
    assert {s.label for s in kept} <= {atlas.labels[i] for i in range(COUNT)}
    field.focus()
    field.press("Escape")
    page.locator("#selection").wait_for(state="hidden")


def test_a_city_is_zoomed_to_joined_with_a_neighbour_and_the_way_is_filmed_and_played(
    page, field, atlas, served
):
    page.locator("[data-tool=pictures]").select_option("none")
    field.scroll_into_view_if_needed()
    x, y = pixels_of(field, atlas)[0]
    page.mouse.move(x, y)
    for _ in range(8):
        page.mouse.wheel(0, -240)
        page.wait_for_timeout(60)
    page.wait_for_url("**zoom=**")
    page.wait_for_timeout(1000)  # The map and its address have come to rest.
    at = [float(part) for part in parse_qs(urlsplit(page.url).query)["zoom"][0].split(",")]
    assert at[2] > 10
    page.mouse.click(*pixels_of(field, atlas, at[:2], at[2])[0])
    page.locator("#near h3", has_text=f"City {BATCHES}.0").wait_for()
    page.wait_for_url(f"**city={BATCHES}.0**")
    reload(page)
    page.locator("#near h3", has_text=f"City {BATCHES}.0").wait_for()
    page.locator(".atlas-field[data-frames]").wait_for()

    page.locator("#near .thumbnail").first.click()
    page.get_by_role("tab", name="Walk between two").click()
    way = page.locator("#interpolation h3", has_text=f"From {BATCHES}.0 to")
    way.wait_for()
    told = way.inner_text()
    page.wait_for_url("**ends=**place=walk**")
    reload(page)
    page.locator("#interpolation h3", has_text=told).wait_for()
    page.get_by_role("button", name="Film this way").click()
    page.locator(".toast-body", has_text="is filmed").wait_for()
    page.get_by_role("tab", name="Render", exact=True).click()
    page.wait_for_url("**tab=Render**")
    reload(page)
    page.locator("#jobs .badge.done").first.wait_for(timeout=120_000)
    film = page.locator("#player video").first
    film.wait_for()
    assert film.evaluate("film => film.play().then(() => film.videoWidth)") > 0
    page.wait_for_function("document.querySelector('#player video').currentTime > 0.2")


def test_tagged_cities_have_the_colours_that_the_legend_names(page, field, atlas, served):
    workspace, _ = served
    labels = [f"{BATCHES}.{number}" for number in (1, 2)]
    page.locator("[data-tool=colour]").select_option("tag")
    legend = page.locator(".atlas-legend")
    legend.filter(has_text="no city has a tag").wait_for()
    star_specimens(workspace, "city", labels)
    mark_specimens(workspace, "city", labels, tags=["harbour"])
    page.locator(".tag-told", has_text="harbour 2").wait_for()
    page.locator("[data-tool=colour]").select_option("batch")
    legend.filter(has_text=f"all at batch {BATCHES}").wait_for()
