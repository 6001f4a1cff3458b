"""The gallery of specimens, used as a person would, with three hundred of them."""

import zipfile

import pytest

from latent.points import sample_points
from studio.specimens.marking import mark_specimens, star_specimens
from studio.specimens.points import SAMPLED, forget_points, keep_points
from studio.specimens.specimen_pages import read_specimens
from tests.studio.conftest import BATCHES

pytestmark = [pytest.mark.browser, pytest.mark.slow]
COUNT = 300


@pytest.fixture
def town(served, copy_run):
    """A run with three hundred specimens of its last batch, besides its fixed points."""
    workspace, run = served[0], copy_run("town")
    keep_points(workspace, run, sample_points(BATCHES, range(COUNT), 16), SAMPLED)
    yield run
    forget_points(workspace, run)


@pytest.fixture
def gallery(town, open_page):  # The page goes before its specimens do.
    """A page with the gallery open, in the order of labels."""
    page = open_page(f"?run={town}&tab=Specimens&order=latest")
    cell(page, 0).wait_for()
    return page


def cell(page, number):
    return page.locator(f".specimen[data-label='{BATCHES}.{number}']")


def thumbnail(page, number):
    return cell(page, number).locator(".thumbnail")


def marks(served, town, number):
    ((found, _),) = read_specimens(served[0], town, [f"{BATCHES}.{number}"])
    return found


def eventually(page, is_so):
    for _ in range(100):
        if is_so():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it did not come so")


def test_of_many_specimens_only_those_in_sight_are_on_the_page_and_any_is_one_jump_away(gallery):
    assert gallery.locator(".specimen").count() < 120
    image = cell(gallery, 0).locator("img[src]")
    assert image.evaluate("i => i.decode().then(() => i.naturalWidth)") == 32
    gallery.get_by_label("Go to a number or a label").fill(f"{BATCHES}.250")
    gallery.keyboard.press("Enter")
    cell(gallery, 250).locator("img[src]").wait_for()
    assert thumbnail(gallery, 250).evaluate("node => node === document.activeElement")
    assert cell(gallery, 0).count() == 0
    gallery.get_by_label("Go to a number or a label").fill("99999")
    gallery.keyboard.press("Enter")
    gallery.get_by_text("There is no specimen 99999 among those that are shown.").wait_for()
    thumbnail(gallery, 250).press("Home")
    thumbnail(gallery, 0).wait_for()
    gallery.keyboard.press("ArrowRight")
    assert thumbnail(gallery, 1).evaluate("node => node === document.activeElement")


def test_a_choice_survives_scrolling_and_another_page_and_is_rated_tagged_and_exported(
    gallery, open_page, served, town, tmp_path
):
    thumbnail(gallery, 2).click()
    thumbnail(gallery, 5).click(modifiers=["Shift"])
    gallery.get_by_text("4 chosen").wait_for()
    gallery.locator(".specimen-field").evaluate("field => { field.scrollTop = 1e6; }")
    cell(gallery, 2).wait_for(state="detached")
    gallery.wait_for_url(f"**chosen={BATCHES}.2,*")
    gallery.wait_for_url("**place=*")
    gallery = open_page(gallery.url.removeprefix(served[1]))
    gallery.get_by_text("4 chosen").wait_for()
    assert cell(gallery, 2).count() == 0  # It opens where it was.
    gallery.get_by_label("Add a tag").locator("visible=true").fill("river")
    gallery.keyboard.press("Enter")
    gallery.get_by_role("button", name="Remove the tag river").wait_for()
    gallery.get_by_role("button", name="Rate 4 of 5").locator("visible=true").click()
    eventually(gallery, lambda: marks(served, town, 5).rating == 4)
    assert marks(served, town, 3).tags == ("river",)
    gallery.get_by_label("Search", exact=True).fill("tag:river")
    gallery.get_by_text("4 specimens", exact=True).wait_for()
    gallery.get_by_label("Export as").select_option("zip")
    gallery.locator("#exports").get_by_role("button", name="Export").click()
    with gallery.expect_download() as download:
        gallery.locator("#exports a").click()
    download.value.save_as(tmp_path / "some.zip")
    assert len(zipfile.ZipFile(tmp_path / "some.zip").namelist()) == 4


def test_specimens_are_judged_in_the_large_view_and_nothing_moves_until_it_is_asked_for(
    gallery, served, town
):
    gallery.get_by_label("Order").select_option("rating")
    thumbnail(gallery, 0).wait_for()
    thumbnail(gallery, 3).focus()
    gallery.keyboard.press("Enter")
    large = gallery.locator(".large-view")
    large.get_by_text(f"{BATCHES}.3", exact=True).wait_for()
    for key in ("5", "ArrowRight", "3", "s", "ArrowRight"):
        gallery.keyboard.press(key)
    large.get_by_text(f"{BATCHES}.5", exact=True).wait_for()
    eventually(gallery, lambda: marks(served, town, 4).starred)
    assert (marks(served, town, 3).rating, marks(served, town, 4).rating) == (5, 3)
    large.get_by_label("Name", exact=True).fill("Old harbour")
    gallery.keyboard.press("Enter")
    large.get_by_text(f"{BATCHES}.5 Old harbour").wait_for()
    gallery.wait_for_url(f"**open={BATCHES}.5*")
    gallery.keyboard.press("Escape")
    gallery.keyboard.press("Escape")
    large.wait_for(state="hidden")
    again = gallery.get_by_role("button", name="Sort again")
    again.wait_for()
    places = "cells => cells.map((cell) => [cell.dataset.label, cell.style.transform]).sort()"
    before = gallery.locator(".specimen").evaluate_all(places)
    star_specimens(served[0], town, [f"{BATCHES}.7"])
    cell(gallery, 7).locator(".star[aria-pressed=true]").wait_for()
    assert gallery.locator(".specimen").evaluate_all(places) == before
    again.click()
    gallery.wait_for_function(
        "(label) => document.querySelector(`.specimen[data-label='${label}']`)"
        "?.style.transform === 'translate(0px, 0px)'",
        arg=f"{BATCHES}.3",
    )


@pytest.mark.parametrize("width", [820, 390])
def test_the_gallery_fits_and_what_is_said_is_text(gallery, served, town, width):
    evil = "<img src=x onerror=alert(1)>"
    mark_specimens(served[0], town, [f"{BATCHES}.1"], note=evil)
    gallery.set_viewport_size({"width": width, "height": 800})
    thumbnail(gallery, 1).click()
    note = gallery.get_by_label("Note").locator("visible=true")
    eventually(gallery, lambda: note.input_value() == evil)
    assert gallery.locator("img[src=x]").count() == 0
    assert gallery.evaluate("document.documentElement.scrollWidth") <= width
    inside = """() => {
        const { right } = document.querySelector('.specimen-gallery').getBoundingClientRect();
        return [...document.querySelectorAll('.specimen-tools > *, .specimen-foot > *')]
            .every((node) => node.getBoundingClientRect().right <= right + 1);
    }"""
    assert gallery.evaluate(inside)
