import pytest

from checkpoints_index import CheckpointIndex
from studio.runs.changes import (
    ask,
    change_settings,
    list_changes,
    mark_applied,
    record_change,
    settings_at,
)
from studio.runs.config import TrainingConfig
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from tests.studio.conftest import at_work

CONFIG = TrainingConfig(z_dim=4, image_size=32, generator_options={"width": 0.02})


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace.open(tmp_path)
    CheckpointIndex(workspace.runs).create("city", CONFIG.generator_spec(), "exact").close()
    workspace.run_config("city").write_text(CONFIG.to_toml())
    return workspace


def in_order(workspace):
    return [(c.name, c.before, c.value, c.batch) for c in list_changes(workspace, "city")]


def test_a_change_waits_until_the_run_takes_it_up(workspace):
    said = change_settings(workspace, "city", {"ema": 0.5})
    assert said == ["ema: 0.999 -> 0.5, when it goes on."]
    assert in_order(workspace) == [("ema", None, 0.5, None)]
    mark_applied(workspace, list_changes(workspace, "city")[0], batch=7, before=0.999)
    assert in_order(workspace) == [("ema", 0.999, 0.5, 7)]


def test_learning_rate_means_those_of_both_networks(workspace):
    change_settings(workspace, "city", {"learning_rate": 1e-5})
    assert [(name, value) for name, _, value, _ in in_order(workspace)] == [
        ("learning_rate_g", 1e-5),
        ("learning_rate_d", 1e-5),
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"learning_rat": 1}, "Did you mean learning_rate?"),
        ({"batch_size": 64}, "batch_size is fixed when a run begins.*--from RUN@BATCH"),
        ({"generator_options.width": 2}, "generator_options decides on the networks"),
        ({"ema": 2.0}, "ema is from 0 to 0.999999, not 2"),
        ({"augmentation": "colour"}, "augmentation is any of color"),
        ({"alarm_webhook": "example"}, "alarm_webhook is an address such as"),
        ({"ema": "much"}, "ema is of type float, not 'much'"),
    ],
)
def test_what_cannot_be_changed_is_refused_and_nothing_is_kept(workspace, values, words):
    with pytest.raises(EXPECTED_ERRORS, match=words):
        change_settings(workspace, "city", {"learning_rate": 1e-5, **values})
    assert in_order(workspace) == []


def test_a_run_that_does_not_train_cannot_be_asked_to_pause(workspace):
    with pytest.raises(
        EXPECTED_ERRORS, match=r"not training, so it cannot pause.*studio resume city"
    ):
        ask(workspace, "city", "pause")
    with at_work(workspace, "city"):
        ask(workspace, "city", "pause")
    assert in_order(workspace) == [("pause", None, None, None)]


def test_an_unknown_run_is_named(workspace):
    with pytest.raises(EXPECTED_ERRORS, match=r"Run 'town' is not in the index\. Known: city"):
        change_settings(workspace, "town", {"ema": 0.5})


def test_settings_of_a_batch_are_those_that_had_taken_effect_by_then(workspace):
    record_change(workspace, "city", "learning_rate_g", 1e-4, 2e-4, batch=10)
    record_change(workspace, "city", "learning_rate_g", 1e-5, 1e-4, batch=20)
    change_settings(workspace, "city", {"learning_rate_g": 1e-6})
    changes = list_changes(workspace, "city")
    rates = {b: settings_at(CONFIG, changes, b).learning_rate_g for b in (9, 10, 20, None)}
    assert rates == {9: 2e-4, 10: 1e-4, 20: 1e-5, None: 1e-6}
