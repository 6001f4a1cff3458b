"""The whole app, used as a person would: a real server, a real browser, real jobs."""

import shutil

import pytest
from safetensors.torch import load_file

from checkpoints_index.storage.catalogue import open_catalogue
from renderers.video.video_reader import count_frames
from studio.runs.pins import list_pins
from studio.screens.render.film_list import list_films
from studio.specimens.atlases import list_atlases
from studio.specimens.passports import read_passport
from studio.specimens.specimens import list_specimens
from tests.studio.conftest import BATCHES

pytestmark = pytest.mark.browser


def open_tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def number_field(page, label, value):
    field = page.get_by_label(label, exact=True).locator("visible=true").first
    field.fill(str(value))
    field.press("Tab")


def test_a_run_started_through_the_form_shows_its_first_picture(page):
    page.get_by_label("Name of the new run").fill("harbour")
    number_field(page, "Batches", 2)
    page.get_by_text("studio train streets --run harbour").wait_for()
    page.get_by_role("button", name="Start training").click()
    picture = page.locator("#live img[alt='The fixed points of harbour']")
    picture.wait_for(timeout=120_000)
    page.locator("#live .line .badge.finished").wait_for(timeout=60_000)
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    assert page.locator("#runs tbody tr").count() == 2
    page.locator("#runs").get_by_role("button", name="city").click()
    page.locator("#live h3", has_text="city").wait_for()


def test_what_cannot_be_is_told_in_words_and_changes_nothing(page):
    page.get_by_label("Name of the new run").fill("city")
    page.get_by_text("studio train streets --run city").wait_for()
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("Run 'city' exists already. Go on with it: studio resume city").wait_for()
    assert page.get_by_label("Name of the new run").input_value() == "city"


def test_the_slider_shows_the_fixed_points_at_any_batch(page):
    open_tab(page, "Checkpoints")
    page.locator("#sheet h3", has_text=f"at batch {BATCHES}").wait_for()
    last = page.locator("#sheet img").first.get_attribute("src")
    page.locator("#strip .thumbnail").first.click()
    page.locator("#sheet h3", has_text="at batch 1").filter(has_not_text=str(BATCHES)).wait_for()
    assert page.locator("#sheet img").first.get_attribute("src") != last
    page.get_by_role("tab", name="Verify").click()
    page.get_by_role("button", name="Verify the checkpoints").click()
    read_back = f"{BATCHES} checkpoints of run 'city' read back, 0 damaged"
    page.locator("#housekeeping-job", has_text=read_back).wait_for(timeout=60_000)


def test_a_checkpoint_is_pinned_and_exported_and_the_others_thinned_out(
    page, served, copy_run, tmp_path
):
    workspace, run = served[0], copy_run("outskirts")
    page.locator("#runs").get_by_role("button", name=run).click()
    open_tab(page, "Checkpoints")
    page.locator("#strip .thumbnail").nth(3).click()
    page.get_by_role("button", name="Pin batch 5").click()
    page.get_by_role("button", name="Unpin batch 5").wait_for()
    page.locator("#pins").get_by_role("button", name="5").wait_for()
    assert list_pins(workspace, run) == [5]
    page.get_by_role("button", name="Export this checkpoint").click()
    with page.expect_download() as download:
        page.locator("#files a").click()
    download.value.save_as(tmp_path / "G.safetensors")
    assert load_file(tmp_path / "G.safetensors").keys()
    page.get_by_role("tab", name="Thin").click()
    page.get_by_label("only what is referred to").check()
    page.get_by_text(f"studio thin {run} --keep-pinned").wait_for()
    page.get_by_role("button", name="Thin…").click()
    page.get_by_role("button", name=f"Let {BATCHES - 3} go").click()
    page.locator("#housekeeping-job", has_text="are gone, leaving").wait_for(timeout=60_000)
    assert open_catalogue(workspace.runs, run).batches == [1, 5, BATCHES]


def test_the_form_says_what_a_run_will_take(page):
    page.locator("#forecast", has_text="batches take").wait_for()
    page.get_by_label("exact").check()
    page.locator("#forecast", has_text="Visual storage would take").wait_for()
    number_field(page, "Batches", 10**9)
    page.locator("#forecast .warning", has_text="The disk will be full at batch").wait_for()


def test_a_pressed_city_shows_its_neighbours_and_can_be_starred(page, served):
    workspace, _ = served
    open_tab(page, "Explore")
    page.locator("#gallery .thumbnail").nth(2).click()
    page.locator("#near h3", has_text=f"City {BATCHES}.2").wait_for()
    assert page.locator("#near .thumbnail").count() == 8
    page.locator("#near").get_by_role("button", name="Star it").click()
    page.locator("#near").get_by_role("button", name="Starred").wait_for()
    assert [s.label for s in list_specimens(workspace, "city") if s.starred] == [f"{BATCHES}.2"]
    page.locator("#near .thumbnail").first.click()
    page.get_by_role("tab", name="Walk between two").click()
    page.locator("#interpolation h3", has_text=f"From {BATCHES}.2 to").wait_for()
    assert page.locator("#interpolation img").count() == 3


@pytest.mark.slow
def test_a_place_on_the_atlas_leads_to_its_city(page, served):
    workspace, _ = served
    open_tab(page, "Explore")
    page.get_by_role("tab", name="Atlas", exact=True).click()
    number_field(page, "Cities", 12)
    page.get_by_role("button", name="Draw an atlas").click()
    sheet = page.locator("#atlas-sheet img")
    sheet.wait_for(timeout=240_000)
    (atlas,) = list_atlases(workspace, "city")
    box, side = sheet.bounding_box(), 5  # ceil(sqrt(12 * 1.6)) cells along each side
    row, column = atlas.cells[7]
    x, y = (column + 0.5) / side * box["width"], (row + 0.5) / side * box["height"]
    sheet.click(position={"x": x, "y": y})
    page.locator("#near h3", has_text=f"City {atlas.labels[7]}").wait_for()
    assert page.get_by_text("on a random map it would be").is_visible()


def test_a_film_rendered_through_the_form_plays_in_the_page_and_is_checked(page, served):
    workspace, _ = served
    open_tab(page, "Render")
    said = "studio render timelapse city --grid --skip-missing --show batch"
    page.get_by_text(said).wait_for()
    batches = page.get_by_label("Batches", exact=True).locator("visible=true")
    batches.fill(":7")
    batches.press("Tab")
    page.get_by_text("--batches :7").wait_for()
    page.get_by_role("button", name="Render the time-lapse").click()
    film = page.locator("#player video")
    film.wait_for(timeout=120_000)
    page.locator("#jobs .badge.done").wait_for()
    assert film.evaluate("film => film.play().then(() => film.videoWidth)") > 0
    page.get_by_role("button", name="Check", exact=True).click()
    page.locator("#player", has_text="Whole: 6 frames, as planned.").wait_for(timeout=60_000)
    (found,) = list_films(workspace, "city")
    assert count_frames(found.path) == 6


def test_a_film_that_cannot_be_is_refused_in_words_without_a_job(page):
    open_tab(page, "Render")
    page.get_by_role("tab", name="Path", exact=True).click()
    keys = page.get_by_label("Keys")
    keys.fill("3@0.0 -> 9@9.9")
    keys.press("Tab")
    page.get_by_text("studio render path city '3@0.0 -> 9@9.9'").wait_for()
    page.get_by_role("button", name="Render the path").click()
    page.get_by_text("Run 'city' has no specimen 9.9").wait_for()
    assert page.locator("#jobs code", has_text="render path").count() == 0


def test_a_sheet_rendered_through_the_form_shows_in_the_page(page):
    open_tab(page, "Render")
    page.get_by_role("tab", name="Sheet", exact=True).click()
    assert page.get_by_label("Or at one batch", exact=True).input_value() == ""
    number_field(page, "Or at one batch", BATCHES)
    page.get_by_text(f"studio render sheet city --batch {BATCHES}").wait_for()
    page.get_by_role("button", name="Render the sheet").click()
    sheet = page.locator("#player .sheet img")
    sheet.wait_for(timeout=60_000)
    assert sheet.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100


def test_an_exported_specimen_is_downloaded_and_finds_its_way_back(page, tmp_path):
    open_tab(page, "Specimens")
    page.locator("#specimens .thumbnail").nth(1).click()
    page.locator("#specimens", has_text="1 chosen").wait_for()
    page.get_by_role("button", name="Export the chosen as JPEG").click()
    with page.expect_download() as download:
        page.locator("#exports a").click()
    picture = tmp_path / "found.jpg"
    download.value.save_as(picture)
    origin = read_passport(picture)
    page.locator("#origin-file input[type=file]").set_input_files(picture)
    where = f"City {origin.label} of run city, seen at batch {origin.batch}"
    page.locator("#origin", has_text=where).wait_for()
    assert origin.run == "city"


def test_runs_that_come_and_go_from_elsewhere_show_without_a_restart(page, served, copy_run):
    workspace, _ = served
    page.locator("#runs").get_by_role("button", name="city").wait_for()
    copy_run("town")
    town = page.locator("#runs").get_by_role("button", name="town")
    town.wait_for()
    shutil.rmtree(workspace.runs / "town")
    town.wait_for(state="detached")
    assert page.locator("#runs").get_by_role("button", name="city").count() == 1
