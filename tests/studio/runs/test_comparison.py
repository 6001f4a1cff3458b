"""Runs side by side, as a table, as JSON and on the screen."""

import shutil
from dataclasses import replace

import pytest

from studio.runs.changes import record_change
from studio.runs.comparison import compare_runs
from studio.runs.config import TrainingConfig
from studio.runs.metrics import MetricsLog
from studio.screens.compare.compare_tab import (
    first_pair,
    known_metrics,
    show_outcomes,
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


def test_epochs_and_latent_points_are_told(pair):
    city = compare_runs(pair, ["city", "suburb"]).runs[0]
    assert city.epochs == 12 * 4 / 24, "batches of 4 of 24 pictures"
    assert city.z_dim == 16
    shutil.rmtree(pair.dataset("streets"))
    assert compare_runs(pair, ["city", "suburb"]).runs[0].epochs is None


def scored(pair, run, loss, swd):
    """A copy of `city` with another loss, whose only score was measured at batch 5."""
    shutil.copytree(pair.runs / "city", pair.runs / run)
    config = pair.run_config(run)
    replace(TrainingConfig.read(config), loss=loss).write(config)
    pair.metrics(run).unlink()
    log = MetricsLog(pair.metrics(run))
    for batch in range(1, 7):
        log.append(batch, {"g": 1.0, **({"swd": swd} if batch == 5 else {})})
    log.close()


def test_which_difference_went_with_which_in_scores_is_told(workspace, studio):
    scored(workspace, "sweep-1", "non_saturating", 20.0)
    scored(workspace, "sweep-2", "hinge", 15.0)
    found = compare_runs(workspace, ["sweep-1", "sweep-2"]).outcomes
    assert [(o.run, o.than, o.batch, o.scores) for o in found] == [
        ("sweep-2", "sweep-1", 6, {"swd": (20.0, 15.0)})
    ]
    assert found[0].settings == ("loss hinge, not non_saturating",)
    told = " ".join(studio("compare", "sweep-*", "--best-first").out.split())
    assert "swd 20 -> 15 (-25 %)" in told
    assert told.index("sweep-2") < told.index("sweep-1")
    (outcome,) = studio("compare", "sweep-*", "--json").json["outcomes"]
    assert outcome["scores"] == {"swd": [20.0, 15.0]}
    assert "swd 20 -&gt; 15" in show_outcomes(found)


def test_a_run_is_held_against_the_one_that_is_most_like_it(workspace):
    scored(workspace, "a", "hinge", 1.0)
    scored(workspace, "b", "wasserstein", 2.0)
    scored(workspace, "c", "hinge", 3.0)
    found = compare_runs(workspace, ["a", "b", "c"]).outcomes
    assert [(o.run, o.than, len(o.settings)) for o in found] == [("b", "a", 1), ("c", "a", 0)]


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
