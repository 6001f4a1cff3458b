"""One training from its start to a branch, in a real browser that is reloaded in between."""

import pytest

from checkpoints_index import CheckpointIndex
from studio.runs.changes import list_changes
from studio.runs.status import read_config
from tests.studio.screens.conftest import reload
from tests.studio.screens.test_app_in_browser import command_shown, number_field

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
RUN, BRANCH = "harbour", "quay"


def live(page, status):
    """Wait until the run that is shown has a status."""
    page.locator(f"#live .line .badge.{status}").wait_for(timeout=90_000)


def press(page, name):
    page.locator("#live").get_by_role("button", name=name, exact=True).click()


def reload_at(page, run):
    page.wait_for_url(f"**run={run}&tab=Train**")
    reload(page)
    page.locator("#live h3", has_text=run).wait_for()
    assert f"run={run}" in page.url
    assert "tab=Train" in page.url


def test_a_run_is_changed_paused_stopped_resumed_and_branched_off(page, served):
    workspace, _ = served
    page.get_by_label("Name of the new run").fill(RUN)
    number_field(page, "Batches", 100_000)
    command_shown(page, f"studio train streets --run {RUN} --batches 100000").wait_for()
    page.get_by_role("button", name="Start training").click()
    live(page, "training")
    reload_at(page, RUN)
    live(page, "training")

    page.get_by_role("button", name="Change it while it trains").click()
    rate = page.locator("#controls").get_by_label("Learning rate of G")
    page.wait_for_function("field => field.value !== ''", arg=rate.element_handle())
    rate.fill("1e-5")
    command_shown(page, f"studio set {RUN} learning_rate_g=1e-05").wait_for()
    rate.press("Enter")
    changed = page.locator("#live .events li", has_text="learning_rate_g")
    changed.wait_for()
    reload_at(page, RUN)
    changed.wait_for()
    (change,) = list_changes(workspace, RUN)
    assert (change.name, change.value) == ("learning_rate_g", 1e-5)

    press(page, "Pause")
    live(page, "paused")
    reload_at(page, RUN)
    live(page, "paused")
    press(page, "Go on")
    live(page, "training")
    press(page, "Stop")
    live(page, "stopped")
    reload_at(page, RUN)
    live(page, "stopped")
    done = CheckpointIndex(workspace.runs)[RUN].batches[-1]
    assert done < 100_000

    page.get_by_label("Train to batch").fill(str(done + 5))
    press(page, "Resume")
    live(page, "finished")
    assert CheckpointIndex(workspace.runs)[RUN].batches == list(range(1, done + 6))

    page.get_by_label("Name of the new run").fill(BRANCH)
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("Go on from").fill(f"{RUN}@{done}")
    page.get_by_label("Go on from").press("Tab")
    batches = page.get_by_label("Batches", exact=True).first
    planned = [batches.element_handle(), str(done + 5)]  # The settings of the run come first.
    page.wait_for_function("([field, planned]) => field.value === planned", arg=planned)
    number_field(page, "Batches", done + 8)
    words = f"--from {RUN}@{done}"
    command_shown(page, words).filter(has_text=f"--batches {done + 8}").wait_for()
    reload_at(page, RUN)
    command_shown(page, words).wait_for()  # The form is as it was left.
    page.get_by_role("button", name="Start training").click()
    page.locator("#live h3", has_text=BRANCH).wait_for(timeout=60_000)
    live(page, "finished")
    reload_at(page, BRANCH)
    assert CheckpointIndex(workspace.runs)[BRANCH].batches[-1] == done + 8
    assert read_config(workspace, BRANCH).learning_rate_g == 1e-5
