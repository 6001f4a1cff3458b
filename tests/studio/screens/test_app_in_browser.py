"""The whole app, used as a person would: a real server, a real browser, real jobs."""

import shutil

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from checkpoints_index.storage.catalogue import open_catalogue
from latent.points import sample_points
from renderers.video.video_reader import count_frames
from studio.atlases.atlas_files import list_atlases
from studio.datasets.listing import list_datasets
from studio.runs.pins import list_pins
from studio.screens.render.film_list import list_films
from studio.specimens.passports import read_passport
from studio.specimens.points import SAMPLED, keep_points
from studio.specimens.specimens import list_specimens
from tests.studio.conftest import BATCHES

pytestmark = pytest.mark.browser


def open_tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def command_shown(page, command):
    """The command on the screen in view; cards of jobs, out of view, show some as well."""
    return page.get_by_text(command).locator("visible=true")


def number_field(page, label, value):
    field = page.get_by_label(label, exact=True).locator("visible=true").first
    field.fill(str(value))
    field.press("Tab")


def test_a_run_started_through_the_form_shows_its_first_picture(page):
    page.get_by_label("Name of the new run").fill("harbour")
    number_field(page, "Batches", 2)
    command_shown(page, "studio train streets --run harbour").wait_for()
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
    command_shown(page, "studio train streets --run city").wait_for()
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("Run 'city' exists already. Go on with it: studio resume city").wait_for()
    assert page.get_by_label("Name of the new run").input_value() == "city"


def look_at(page, batch):
    """Go to a batch on the timeline, and wait for its pictures."""
    field = page.get_by_label("Go to batch")
    field.fill(str(batch))
    field.press("Enter")
    page.locator(f".timeline-stage[data-batch='{batch}']").wait_for()


@pytest.mark.slow
def test_checkpoints_are_read_back_beside_the_timeline(page):
    open_tab(page, "Checkpoints")
    page.locator(f".timeline-stage[data-batch='{BATCHES}']").wait_for()
    page.get_by_role("tab", name="Verify").click()
    page.get_by_role("button", name="Verify the checkpoints").click()
    read_back = f"{BATCHES} checkpoints of run 'city' read back, 0 damaged"
    page.locator("#housekeeping-job", has_text=read_back).wait_for(timeout=60_000)


@pytest.mark.slow
def test_a_checkpoint_is_pinned_and_exported_and_the_others_thinned_out(
    page, served, copy_run, tmp_path
):
    workspace, run = served[0], copy_run("outskirts")
    page.locator("#runs").get_by_role("button", name=run).click()
    open_tab(page, "Checkpoints")
    look_at(page, 5)
    page.get_by_role("button", name="Pin batch 5").click()
    page.get_by_role("button", name="Unpin batch 5").wait_for()
    page.get_by_role("button", name="What is kept").click()
    page.locator("#pins").get_by_role("button", name="5").wait_for()
    assert list_pins(workspace, run) == [5]
    page.get_by_role("button", name="Export this checkpoint").click()
    with page.expect_download() as download:
        page.locator("#files a").click()
    download.value.save_as(tmp_path / "G.safetensors")
    assert load_file(tmp_path / "G.safetensors").keys()
    page.get_by_role("tab", name="Thin").click()
    page.get_by_label("only what is referred to").check()
    command_shown(page, f"studio thin {run} --keep-pinned").wait_for()
    page.get_by_role("button", name="Thin…").click()
    page.get_by_role("button", name=f"Let {BATCHES - 3} go").click()
    page.locator("#housekeeping-job", has_text="are gone, leaving").wait_for(timeout=60_000)
    assert open_catalogue(workspace.runs, run).batches == [1, 5, BATCHES]


@pytest.mark.slow
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
    assert {s.origin for s in list_specimens(workspace, "city")} == {"fixed"}  # Looking keeps none.
    page.locator("#near").get_by_role("button", name="Star it").click()
    page.locator("#near").get_by_role("button", name="Starred").wait_for()
    kept = [s for s in list_specimens(workspace, "city") if s.origin != "fixed"]
    assert [(s.label, s.starred) for s in kept] == [(f"{BATCHES}.2", True)]
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
    page.locator(".atlas-field").wait_for(timeout=240_000)
    page.locator(".atlas-legend", has_text="clusters").wait_for(timeout=240_000)
    (atlas,) = list_atlases(workspace, "city")
    page.get_by_label("Find a city by its label or number").fill("7")
    page.get_by_label("Find a city by its label or number").press("Enter")
    page.locator("#near h3", has_text=f"City {atlas.labels[7]}").wait_for()
    assert page.get_by_text(atlas.trust.verdict).first.is_visible()
    page.get_by_text("Delete this atlas", exact=True).click()
    page.get_by_role("button", name="Delete this atlas …").click()
    page.locator("#lose-atlas").get_by_role("button", name="Delete it for good").click()
    page.get_by_text("No atlas yet").wait_for()
    assert list_atlases(workspace, "city") == []


def test_a_film_rendered_through_the_form_plays_in_the_page_and_is_checked(page, served):
    workspace, _ = served
    open_tab(page, "Render")
    said = "studio render timelapse city --grid --skip-missing --composition grid --show batch"
    page.get_by_text(said).wait_for()
    batches = page.get_by_label("Batches", exact=True).locator("visible=true")
    batches.fill(":7")
    batches.press("Tab")
    command_shown(page, "--batches :7").wait_for()
    page.get_by_role("button", name="Render the time-lapse").click()
    film = page.locator("#player video")
    film.wait_for(timeout=120_000)
    page.locator("#jobs .badge.done").wait_for()
    assert film.evaluate("film => film.play().then(() => film.videoWidth)") > 0
    page.get_by_role("button", name="Check", exact=True).click()
    (found,) = list_films(workspace, "city")
    frames = count_frames(found.path)
    assert frames > 6  # It has a frame around it, so that it is held for those who watch.
    verdict = f"Whole: {frames:,} frames, as planned."
    page.locator("#player", has_text=verdict).wait_for(timeout=60_000)


def test_a_film_that_cannot_be_is_refused_in_words_without_a_job(page):
    open_tab(page, "Render")
    page.get_by_role("tab", name="Path", exact=True).click()
    keys = page.get_by_role("textbox", name="Keys")
    keys.fill("3@0.0 -> 9@99.9")
    keys.press("Tab")
    command_shown(page, "studio render path city '3@0.0 -> 9@99.9'").wait_for()
    # Its plan says so, too, and has then moved the button to where it stays.
    page.locator("#films").get_by_text("Run 'city' has no specimen 99.9").wait_for()
    page.get_by_role("button", name="Render the path").click()
    page.get_by_test_id("toast-text").filter(has_text="has no specimen 99.9").wait_for()
    assert page.locator("#jobs code", has_text="render path").count() == 0


@pytest.mark.slow
def test_a_sheet_rendered_through_the_form_shows_in_the_page(page):
    open_tab(page, "Render")
    page.get_by_role("tab", name="Sheet", exact=True).click()
    assert page.get_by_label("Or at one batch", exact=True).input_value() == ""
    number_field(page, "Or at one batch", BATCHES)
    command_shown(page, f"studio render sheet city --batch {BATCHES}").wait_for()
    page.get_by_role("button", name="Render the sheet").click()
    sheet = page.locator("#player .sheet img")
    sheet.wait_for(timeout=60_000)
    assert sheet.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100


@pytest.mark.slow
def test_an_exported_specimen_is_downloaded_and_finds_its_way_back(page, tmp_path):
    open_tab(page, "Specimens")
    page.locator("#specimens .thumbnail").nth(1).click()
    page.locator("#specimens", has_text="1 chosen").wait_for()
    page.locator("#exports").get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.locator("#exports a").click()
    picture = tmp_path / "found.jpg"
    download.value.save_as(picture)
    origin = read_passport(picture)
    page.locator("#origin-file input[type=file]").set_input_files(picture)
    where = f"City {origin.label} of run city, seen at batch {origin.batch}"
    page.locator("#origin", has_text=where).wait_for()
    assert origin.run == "city"
    link = page.locator("#origin").get_by_role("link", name="Explore from here")
    there = f"?run=city&tab=Explore&city={origin.label}&seen={origin.batch}&shown=24"
    assert link.get_attribute("href") == there
    page.locator("#origin").get_by_role("button", name="Keep it").click()
    page.locator("#origin", has_text="It is starred.").wait_for()
    mine = tmp_path / "0.77.npy"
    np.save(mine, -origin.z.numpy())
    page.locator("#own-points input[type=file]").set_input_files(mine)
    page.locator("#brought", has_text="1 points of run city are kept").wait_for()
    page.get_by_role("radio", name="Imported").check()
    page.locator("#specimens", has_text="0.77").wait_for()


def test_runs_that_come_and_go_from_elsewhere_show_without_a_restart(page, served, copy_run):
    workspace, _ = served
    page.locator("#runs").get_by_role("button", name="city").wait_for()
    copy_run("town")
    town = page.locator("#runs").get_by_role("button", name="town")
    town.wait_for()
    shutil.rmtree(workspace.runs / "town")
    town.wait_for(state="detached")
    assert page.locator("#runs").get_by_role("button", name="city").count() == 1


@pytest.mark.slow
def test_a_page_is_idle_when_nobody_does_anything(page):
    """Gradio tells components of events; had each form been told of each, none could be pressed."""
    inputs_told = """async () => {
        const seen = performance.getEntriesByType("resource").map((entry) => entry.name);
        const tracker = await import(seen.find((name) => /statustracker-.*js/.test(name)));
        const kind = Object.values(tracker).find((part) => part?.prototype?.resolve_args);
        const statuses = new kind();
        statuses.register(1, [7], [8, 9], "hidden");
        statuses.update({ fn_index: 1, status: "pending", stream_state: null });
        statuses.update({ fn_index: 1, status: "complete", stream_state: "closed" });
        return Object.keys(statuses.current);
    }"""
    for name in ("Checkpoints", "Render", "Specimens", "Checkpoints"):
        open_tab(page, name)
    look_at(page, 1)
    assert page.evaluate(inputs_told) == ["7"]
    page.wait_for_timeout(4000)  # What was pressed is answered.
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(6000)  # Three ticks of each clock.
    assert len(asked) <= 20, asked


def choose_run(page, name):
    page.locator("#runs").get_by_role("button", name=name).click()
    page.locator("#live h3", has_text=name).wait_for()


@pytest.mark.slow
def test_a_run_is_renamed_and_deleted_once_it_was_said_what_goes(page, served, copy_run):
    workspace, _ = served
    copy_run("town")
    choose_run(page, "town")
    page.get_by_text("Rename or delete this run").click()
    field = page.get_by_label("Its new name").locator("visible=true").first
    field.fill("village")
    field.press("Enter")
    page.locator("#live h3", has_text="village").wait_for()
    assert not workspace.run("town").exists()
    page.get_by_role("button", name="Delete this run …").click()
    question = page.locator("#lose-run", has_text="Run 'village' has 12 checkpoints")
    question.wait_for()
    choose_run(page, "city")  # Another run is not what was asked about.
    question.wait_for(state="detached")
    choose_run(page, "village")
    page.get_by_role("button", name="Delete this run …").click()
    question.get_by_role("button", name="Keep it").click()
    question.wait_for(state="detached")
    page.get_by_role("button", name="Delete this run …").click()
    question.get_by_role("button", name="Delete it for good").click()
    page.locator("#live h3", has_text="city").wait_for()
    assert not workspace.run("village").exists()
    assert workspace.run("city").exists()


@pytest.mark.slow
def test_chosen_specimens_are_deleted_and_fixed_ones_stay(page, served, copy_run):
    workspace, _ = served
    copy_run("town")
    points = sample_points(BATCHES, range(2), 16)
    keep_points(workspace, "town", points, SAMPLED)
    choose_run(page, "town")
    open_tab(page, "Specimens")
    page.get_by_text("Rename or delete the chosen specimens").click()
    ask = page.get_by_role("button", name="Delete the chosen specimens …")
    page.locator("#specimens").get_by_label("City 0.1", exact=True).click()
    page.wait_for_url("**chosen=0.1**")
    ask.click()
    page.get_by_text("fixed points stay").wait_for()
    page.locator("#specimens").get_by_role("button", name="Choose none").click()
    page.wait_for_url(lambda url: "chosen=" not in url)
    page.locator("#specimens").get_by_label(f"City {BATCHES}.1", exact=True).click()
    page.wait_for_url(f"**chosen={BATCHES}.1**")
    ask.click()
    page.locator("#lose-specimens").get_by_role("button", name="Delete it for good").click()
    page.locator("#specimens").get_by_label(f"City {BATCHES}.1", exact=True).wait_for(
        state="detached"
    )
    labels = [s.label for s in list_specimens(workspace, "town")]
    assert f"{BATCHES}.1" not in labels
    assert f"{BATCHES}.0" in labels


def rename_to(page, panel, new):
    page.get_by_text(panel).click()
    field = page.get_by_label("Its new name").locator("visible=true").first
    field.fill(new)
    field.press("Enter")


@pytest.mark.slow
def test_a_dataset_is_renamed_and_deleted(page, served):
    workspace, _ = served
    shutil.copytree(workspace.dataset("streets"), workspace.dataset("alleys"))
    choice = page.get_by_label("Pictures to train on")
    choice.click()
    page.get_by_role("option", name="alleys").click(timeout=30_000)
    rename_to(page, "Rename or delete this dataset", "lanes")
    page.get_by_text("'alleys' is now 'lanes'.").wait_for()
    assert choice.input_value() == "lanes"
    page.get_by_role("button", name="Delete this dataset …").click()
    question = page.locator("#lose-dataset", has_text="Dataset 'lanes' has 24 pictures")
    question.get_by_role("button", name="Delete it for good").click()
    page.get_by_text("Dataset 'lanes' is gone").wait_for()
    assert list_datasets(workspace) == ["streets"]
    assert choice.input_value() == "streets"


@pytest.mark.slow
def test_a_film_and_a_specimen_are_renamed_and_the_film_deleted(page, served, copy_run):
    workspace, _ = served
    run = copy_run("town")
    keep_points(workspace, run, sample_points(BATCHES, range(1), 16), SAMPLED)
    sheet = workspace.renders / f"{run}-sheet-0a1b2c"
    sheet.mkdir()
    Image.new("RGB", (32, 32)).save(sheet / f"{run}-sheet.png")
    choose_run(page, run)
    open_tab(page, "Render")
    page.locator("#player h3", has_text="Sheet").wait_for()
    rename_to(page, "Rename or delete this film", "overview")
    page.locator("#player h3", has_text="overview: Sheet").wait_for()
    page.get_by_role("button", name="Delete this film …").click()
    page.locator("#lose-film").get_by_role("button", name="Delete it for good").click()
    page.locator("#player", has_text="No film yet").wait_for()
    assert not sheet.exists()
    open_tab(page, "Specimens")
    page.locator("#specimens").get_by_label(f"City {BATCHES}.0", exact=True).click()
    page.wait_for_url(f"**chosen={BATCHES}.0**")
    rename_to(page, "Rename or delete the chosen specimens", "old-town")
    page.locator("#specimens", has_text="old-town").wait_for()
    assert "old-town" in [s.name for s in list_specimens(workspace, run)]
