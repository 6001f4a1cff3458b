"""Runs side by side, as a table, as JSON and on the screen."""

import shutil
from dataclasses import replace

import pytest

from studio.runs.changes import record_change
from studio.runs.comparison import compare_runs
from studio.runs.config import TrainingConfig
from studio.screens.compare.compare_tab import (
    first_pair,
    known_metrics,
    show_settings,
    trained_runs,
)
from studio.upkeep.reindexing import restore_points
from studio.workspace.errors import EXPECTED_ERRORS


@pytest.fixture
def pair(workspace):
    """The workspace with `suburb`, which is `city` with another loss and a change at batch 5."""
    shutil.copytree(workspace.runs / "city", workspace.runs / "suburb")
    restore_points(workspace, "suburb", z_dim=16)
    config = workspace.run_config("suburb")
    replace(TrainingConfig.read(config), loss="hinge").write(config)
    record_change(workspace, "suburb", "ema", 0.5, 0.999, 5)
    return workspace


def test_settings_that_differ_are_marked_and_changes_are_among_them(pair):
    settings = {s.name: s for s in compare_runs(pair, ["city", "suburb"]).settings}
    assert {name for name, setting in settings.items() if setting.differs} == {"loss", "ema"}
    assert settings["loss"].values == ("non_saturating", "hinge")
    assert settings["ema"].text(1) == "0.999, 0.5 from batch 5"


def test_how_far_runs_came_is_told_from_their_metrics(pair):
    city, suburb = compare_runs(pair, ["city", "suburb"]).runs
    assert (city.batch, city.figures) == (12, suburb.figures)
    assert city.seconds > 0
    assert city.figures["g"] > 0


def test_one_run_or_the_same_twice_cannot_be_compared(pair):
    for names in (["city"], ["city", "city"]):
        with pytest.raises(EXPECTED_ERRORS, match="Two different runs"):
            compare_runs(pair, names)
    with pytest.raises(EXPECTED_ERRORS, match="town"):
        compare_runs(pair, ["city", "town"])


def test_the_command_prints_a_table_of_differences_and_one_json_document(pair, studio):
    table = studio("compare", "city", "suburb").out
    assert "hinge" in table
    assert "batch_size" not in table
    assert "batch_size" in studio("compare", "city", "suburb", "--all").out
    document = studio("compare", "city", "suburb", "--json").json
    assert [run["name"] for run in document["runs"]] == ["city", "suburb"]
    (ema,) = [setting for setting in document["settings"] if setting["name"] == "ema"]
    assert (ema["differs"], ema["changes"]) == (True, [[], [[5, 0.5]]])


def test_the_screen_marks_what_differs_and_folds_the_rest_away(pair):
    comparison = compare_runs(pair, ["city", "suburb"])
    shown = show_settings(["city", "suburb"], comparison.settings)
    assert shown.count('class="differs"') == 2
    assert shown.index("hinge") < shown.index("<details") < shown.index("batch_size")


def test_the_run_that_is_looked_at_is_compared_first(pair):
    assert trained_runs(pair) == ["city", "suburb"]
    assert first_pair(["a", "b", "c"], "c") == ["c", "a"]
    assert first_pair(["a"], None) == ["a"]


def test_only_metrics_that_were_written_down_are_offered():
    assert known_metrics([[{"batch": 1, "g": 1.0}], [{"batch": 1, "swd": 2.0}]]) == ["g", "swd"]
