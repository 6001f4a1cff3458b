from dataclasses import replace

import pytest
import torch

from checkpoints_index import CheckpointIndex
from studio.runs.changes import ask, change_settings, list_changes
from studio.runs.events import list_events
from studio.training.loop.live_control import LiveControl
from studio.training.loop.state import list_states, read_state
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


def test_what_is_planned_holds_from_its_batch_on_and_is_an_event(workspace, config):
    config = replace(config, planned_changes="ema=0.5@3; learning_rate=1e-3@3; ema=0.25@5")
    control = LiveControl(workspace, "city", config)
    assert [control.poll(b).config.ema for b in range(1, 7)] == [0.999, 0.999, 0.5, 0.5, 0.25, 0.25]
    assert control.config.learning_rate_d == 1e-3
    texts = [(e.batch, e.text) for e in reversed(list_events(workspace, "city"))]
    assert texts[0] == (3, "ema: 0.999 -> 0.5, as planned")
    assert texts[-1] == (5, "ema: 0.5 -> 0.25, as planned")
    again = LiveControl(workspace, "city", config)
    assert again.settings_after(4).ema == 0.5
    assert [again.poll(b).config.ema for b in (5, 5, 6)] == [0.25] * 3
    assert again.settings_after(2).ema == 0.999
    assert [again.poll(b).config.ema for b in range(3, 7)] == [0.5, 0.5, 0.25, 0.25]
    assert len(list_events(workspace, "city")) == len(texts) == 4


def test_a_person_wins_over_a_plan_for_the_same_batch_also_when_it_is_repeated(workspace, config):
    config = replace(config, planned_changes="ema=0.5@3; clip_norm=1@3")
    control = LiveControl(workspace, "city", config)
    control.poll(2)
    change_settings(workspace, "city", {"ema": 0.75})
    for each in (control, LiveControl(workspace, "city", config)):
        each.settings_after(2)
        assert [each.poll(b).config.ema for b in (3, 3, 4)] == [0.75] * 3
        assert each.config.clip_norm == 1


def test_a_plan_may_change_while_a_run_trains_and_says_nothing_of_the_past(workspace, config):
    control = LiveControl(workspace, "city", replace(config, planned_changes="ema=0.5@6"))
    control.poll(3)
    change_settings(workspace, "city", {"planned_changes": "ema=0.1@2; ema=0.25@4; clip_norm=1@5"})
    seen = [control.poll(batch).config for batch in (4, 5, 6)]
    assert [(c.ema, c.clip_norm) for c in seen] == [(0.25, 0), (0.25, 1), (0.25, 1)]


def test_going_back_lowers_rates_that_are_planned_for_later(workspace, config):
    plan = "learning_rate_g=0.5@2; learning_rate_g=0.25@6; learning_rate_g=0.125@9; ema=0.5@9"
    control = LiveControl(workspace, "city", replace(config, planned_changes=plan))
    for batch in range(1, 8):
        control.poll(batch)
    control.go_back(from_batch=7, to_batch=4, factor=0.5)
    rates = [control.poll(batch).config.learning_rate_g for batch in (5, 6, 8, 9)]
    assert rates == [0.125, 0.125, 0.125, 0.0625]
    assert control.config.ema == 0.5


def test_settings_that_only_go_together_change_together_in_any_order(workspace, config):
    config = replace(config, augmentation="")
    workspace.run_config("city").write_text(config.to_toml())
    control = LiveControl(workspace, "city", config)
    change_settings(workspace, "city", {"augmentation_target": 0.5, "augmentation": "color"})
    for each in (control, LiveControl(workspace, "city", config)):
        assert each.poll(2).config.augmentation_target == 0.5
        assert each.config.augmentation == "color"


@pytest.mark.parametrize("until", [2, 4])
def test_a_run_with_a_plan_ends_the_same_to_the_bit_when_it_is_resumed(
    workspace, start, config, until
):
    plan = "independent_decay=0.25@3; independent_decay=0@5; weight_cap=0.01@6"
    planned = replace(config, planned_changes=plan)
    start("plain", config=config)
    start("whole", config=planned)
    for last in (until, 6):
        start("parts", config=planned, until=last)
    plain, whole, parts = (
        read_state(list_states(workspace.training_states(name))[-1])[1]
        for name in ("plain", "whole", "parts")
    )
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    size = whole["G.stem.weight"].abs().max()
    assert size == pytest.approx(0.01)
    assert size < plain["G.stem.weight"].abs().max()


def test_a_plan_that_no_longer_fits_is_an_event_and_the_run_goes_on(workspace, config):
    plan = "augmentation=color@2; augmentation_target=0.5@4"
    control = LiveControl(workspace, "city", replace(config, planned_changes=plan))
    control.poll(2)
    change_settings(workspace, "city", {"augmentation": ""})
    assert [control.poll(batch).config.augmentation_target for batch in (3, 4)] == [0, 0]
    assert list_events(workspace, "city")[0].kind == "alarm"
