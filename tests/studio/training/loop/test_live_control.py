import pytest

from checkpoints_index import CheckpointIndex
from studio.runs.changes import ask, change_settings, list_changes
from studio.runs.events import list_events
from studio.training.loop.live_control import LiveControl
from studio.workspace.paths import Workspace
from tests.studio.conftest import at_work


@pytest.fixture
def workspace(tmp_path, config):
    workspace = Workspace.open(tmp_path / "workspace")
    CheckpointIndex(workspace.runs).create("city", config.generator_spec(), "exact").close()
    workspace.run_config("city").write_text(config.to_toml())
    return workspace


def test_a_change_holds_from_the_next_batch_on_and_is_an_event(workspace, config):
    control = LiveControl(workspace, "city", config)
    assert control.poll(1).config == config
    change_settings(workspace, "city", {"ema": 0.5})
    assert control.poll(2).config.ema == 0.5
    assert control.poll(3).config.ema == 0.5
    (event,) = list_events(workspace, "city")
    assert (event.batch, event.kind, event.text) == (2, "changed", "ema: 0.999 -> 0.5")


def test_a_run_that_goes_back_repeats_a_change_where_it_was_made(workspace, config):
    control = LiveControl(workspace, "city", config)
    control.poll(1)
    change_settings(workspace, "city", {"ema": 0.5})
    control.poll(5)
    again = LiveControl(workspace, "city", config)
    assert again.settings_after(3).ema == config.ema
    assert [again.poll(batch).config.ema for batch in (4, 5, 6)] == [config.ema, 0.5, 0.5]
    assert LiveControl(workspace, "city", config).settings_after(5).ema == 0.5
    assert len(list_events(workspace, "city")) == 1


def test_each_request_is_answered_once_and_not_by_a_later_session(workspace, config):
    with at_work(workspace, "city"):
        control = LiveControl(workspace, "city", config)
        ask(workspace, "city", "pause")
        assert control.poll(1).requests == ("pause",)
        assert control.poll(1).requests == ()
        ask(workspace, "city", "save")
        ask(workspace, "city", "continue")
        assert control.poll(1).requests == ("save", "continue")
    assert LiveControl(workspace, "city", config).poll(2).requests == ()


def test_going_back_lowers_the_rates_also_below_changes_made_since(workspace, config):
    control = LiveControl(workspace, "city", config)
    change_settings(workspace, "city", {"learning_rate_g": 0.5})
    control.poll(8)
    lowered = control.go_back(from_batch=10, to_batch=4, factor=0.1)
    assert lowered.learning_rate_g == pytest.approx(0.05)
    assert lowered.learning_rate_d == pytest.approx(config.learning_rate_d * 0.1)
    rates = [control.poll(batch).config.learning_rate_g for batch in (5, 8, 11)]
    assert rates == pytest.approx([0.05] * 3)
    assert {change.batch for change in list_changes(workspace, "city")} == {4}
    assert LiveControl(workspace, "city", config).settings_after(3).learning_rate_g == 2e-4
