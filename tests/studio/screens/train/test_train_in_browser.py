"""A run steered on the tab Train, in a real browser."""

import pytest

from studio.runs.changes import list_changes
from tests.studio.screens.conftest import reload
from tests.studio.screens.test_app_in_browser import command_shown

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_enter_in_a_field_changes_the_run_as_its_command_would(page, served, copy_run):
    workspace, run = served[0], copy_run("steered")
    page.locator("#runs").get_by_role("button", name=run).click()
    page.locator("#live h3", has_text=run).wait_for()
    page.get_by_role("button", name="Change it while it trains").click()
    rate = page.locator("#controls").get_by_label("Learning rate of G")
    page.wait_for_function("field => field.value === '0.0002'", arg=rate.element_handle())
    rate.fill("1e-5")
    command_shown(page, f"studio set {run} learning_rate_g=1e-05").wait_for()
    rate.press("Enter")
    page.get_by_text("When it goes on: learning_rate_g 1e-05").wait_for()
    (change,) = list_changes(workspace, run)
    assert (change.name, change.value) == ("learning_rate_g", 1e-5)


def test_another_view_of_the_curves_is_chosen_with_the_keyboard(page):
    page.locator("#live .chart").wait_for()
    speed = page.locator("#live").get_by_role("button", name="Speed", exact=True)
    speed.focus()
    page.keyboard.press("Enter")
    page.locator("#live svg[aria-label='Speed over batches']").wait_for()
    assert speed.evaluate("button => button === document.activeElement")


def test_a_preset_is_chosen_and_said_and_another_one_fills_the_form(page):
    page.locator("#forecast", has_text="Preset small-and-quick, for 24 pictures").wait_for()
    page.get_by_label("Settings", exact=True).click()
    page.get_by_role("option", name="none").click()
    page.locator("#forecast", has_text="Every setting has its default").wait_for()
    page.wait_for_function(
        "field => field.value === '20000'",
        arg=page.get_by_label("Batches", exact=True).first.element_handle(),
    )


def test_another_origin_fills_the_form_and_passing_by_it_keeps_what_was_typed(page):
    page.get_by_role("button", name="More settings").click()
    origin = page.get_by_label("Go on from")
    origin.fill("city@5")
    origin.press("Enter")
    batches = page.get_by_label("Batches", exact=True).first
    is_it = "([field, value]) => field.value === value"
    page.wait_for_function(is_it, arg=[batches.element_handle(), "12"])
    batches.fill("14")
    for field in (origin, page.get_by_label("Networks of")):
        field.focus()
        field.press("Tab")
    told = command_shown(page, "studio train streets --run NAME --batches 14 --from city@5")
    told.wait_for()
    page.wait_for_timeout(1000)  # An answer that would fill the form again has come.
    assert batches.input_value() == "14"


@pytest.mark.slow
def test_a_list_of_presets_that_is_opened_and_left_keeps_what_was_typed(page):
    page.locator("#forecast", has_text="batches take").wait_for()
    batches = page.get_by_label("Batches", exact=True).first
    batches.fill("60")
    batches.press("Tab")
    page.keyboard.press("Tab")  # Through the list of presets, which opens on the way.
    page.get_by_label("Settings", exact=True).click()
    page.get_by_label("Name of the new run").click()
    command_shown(page, "studio train streets --run NAME --batches 60").wait_for()
    page.wait_for_timeout(1000)
    assert batches.input_value() == "60"


def test_what_lies_folded_away_opens_and_shows_the_layers(page):
    page.get_by_role("button", name="Weights and activations").click()
    page.locator("#layers table, #layers .empty").first.wait_for()
    tabs = [tab.inner_text() for tab in page.get_by_role("tab").all()]
    assert len(set(tabs)) == len(tabs), tabs


@pytest.mark.slow
def test_a_training_is_tried_before_it_begins_and_no_run_is_made(page, served):
    workspace, _ = served
    page.locator("#forecast", has_text="batches take").wait_for()
    page.get_by_role("button", name="Try it first").click()
    card = page.locator("#dry-run .card")
    card.get_by_text("Trying it").wait_for()
    card.get_by_text("no run was made").wait_for(timeout=120_000)
    card.get_by_text("a batch of").wait_for()
    sheet = card.locator("img")
    assert sheet.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    assert [folder.name for folder in workspace.runs.iterdir()] == ["city"]
    card.get_by_role("button", name="Close").click()
    card.wait_for(state="detached")


@pytest.mark.slow
def test_a_recipe_is_chosen_with_the_keyboard_and_shows_its_options(page, served):
    options = page.locator("#options-of-upscale")
    assert not options.is_visible()
    recipe = page.get_by_label("Recipe", exact=True)
    page.locator("#forecast", has_text="batches take").wait_for()
    recipe.focus()
    recipe.press("ArrowDown")
    recipe.fill("upscale")
    recipe.press("Enter")
    options.get_by_label("Patch px").wait_for()
    command_shown(page, "studio train streets --run NAME --recipe upscale").wait_for()
    page.wait_for_function(
        "field => field.value === '0.1'",
        arg=options.get_by_label("Fft weight").element_handle(),
    )
    options.get_by_label("Patch px").fill("16")
    turns = options.get_by_label("Turns", exact=True)
    turns.focus()
    page.keyboard.press("Space")
    said = "--set recipe_options.patch_px=16 --set recipe_options.turns=false"
    command_shown(page, f"studio train streets --run NAME --recipe upscale {said}").wait_for()
    page.set_viewport_size({"width": 390, "height": 844})
    box = options.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    page.set_viewport_size({"width": 1366, "height": 768})
    reload(page)
    options.get_by_label("Patch px").wait_for()
    assert options.get_by_label("Patch px").input_value() == "16", "it was kept in this browser"
    page.get_by_label("Settings", exact=True).click()
    page.get_by_role("option", name="small-and-quick").click()
    options.wait_for(state="hidden")
    assert recipe.input_value() == "gan"
