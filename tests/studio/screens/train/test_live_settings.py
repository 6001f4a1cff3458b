from studio.runs.changes import change_settings, list_changes
from studio.runs.config import TrainingConfig
from studio.screens.train.live_settings import (
    LIVE_SETTINGS,
    asked_values,
    set_words,
    settings_now,
    show_asked,
    show_requests,
)


def typed(config, **changed):
    return tuple(changed.get(s.name, getattr(config, s.name)) for s in LIVE_SETTINGS)


def test_every_field_is_a_setting_that_may_change_in_a_run():
    assert {setting.name for setting in LIVE_SETTINGS} <= set(TrainingConfig.live_names())


def test_only_what_differs_from_what_is_in_force_is_asked_for():
    config = TrainingConfig()
    assert asked_values(config, typed(config, ema=None)) == {}
    assert asked_values(config, typed(config, learning_rate_g=1e-5, g_updates=2.0)) == {
        "learning_rate_g": 1e-5,
        "g_updates": 2,
    }


def test_the_command_beside_the_fields_makes_the_same_changes(studio, workspace):
    config, _ = settings_now(workspace, "city")
    fields = typed(config, learning_rate_g=1e-5, augmentation="color,cutout")
    words = set_words("city", asked_values(config, fields))
    assert words == ["set", "city", "learning_rate_g=1e-05", "augmentation=color,cutout"]
    assert "studio set city learning_rate_g=1e-05" in show_asked(workspace, "city", fields)
    assert studio(*words).status == 0
    asked = {change.name: change.value for change in list_changes(workspace, "city")}
    assert asked == {"learning_rate_g": 1e-5, "augmentation": "color,cutout"}


def test_a_change_that_waits_is_said_and_not_yet_in_force(workspace):
    change_settings(workspace, "city", {"ema": 0.5})
    config, waiting = settings_now(workspace, "city")
    assert config.ema == TrainingConfig.ema
    assert "When it goes on: ema 0.5" in show_requests("city", waiting, training=False)
    assert "With the next batch: ema 0.5" in show_requests("city", waiting, training=True)


def test_a_run_that_trains_is_asked_by_its_own_commands():
    shown = show_requests("city", [], training=True)
    for command in ("pause", "continue", "save", "stop"):
        assert f"<code>studio {command} city</code>" in shown
