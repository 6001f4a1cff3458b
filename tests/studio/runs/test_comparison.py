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
    measured(pair, run, {"swd": swd}, loss=loss)


def measured(pair, run, scores, **settings):
    """A copy of `city` with other settings, whose only scores were measured at batch 5."""
    shutil.copytree(pair.runs / "city", pair.runs / run)
    config = pair.run_config(run)
    replace(TrainingConfig.read(config), **settings).write(config)
    pair.metrics(run).unlink()
    log = MetricsLog(pair.metrics(run))
    for batch in range(1, 7):
        log.append(batch, {"g": 1.0, **(scores if batch == 5 else {})})
    log.close()


def enlarging(pair, run, fft_weight, psnr):
    """A run of `upscale` that reached so many dB."""
    options = {"patch_px": 8, "fft_weight": fft_weight}
    measured(pair, run, {"psnr": psnr}, recipe="upscale", recipe_options=options)


def test_options_of_a_recipe_are_settings_of_their_own_and_decibels_no_shares(workspace):
    enlarging(workspace, "with", 0.1, 26.78)
    enlarging(workspace, "without", 0.0, 26.93)
    found = compare_runs(workspace, ["with", "without"])
    assert [s.name for s in found.settings if s.differs] == ["recipe_options.fft_weight"]
    (outcome,) = found.outcomes
    assert outcome.settings == ("recipe_options.fft_weight 0.0, not 0.1",)
    assert "psnr 26.78 -> 26.93 (+0.15 dB)" in outcome.words


def test_scores_in_the_table_are_the_last_ones(workspace):
    measured(workspace, "one", {"psnr": 20.0})
    enlarging(workspace, "two", 0.1, 24.0)
    log = MetricsLog(workspace.metrics("two"))
    log.append(7, {"l1": 0.5, "psnr": 26.0})
    log.append(8, {"l1": 0.3})
    log.close()
    two = compare_runs(workspace, ["one", "two"]).runs[1]
    assert two.figures["psnr"] == 26.0
    assert two.figures["l1"] == 0.4


def test_the_best_run_is_the_one_that_its_recipe_judges_best(workspace, studio):
    enlarging(workspace, "large-1", 0.1, 24.0)
    enlarging(workspace, "large-2", 0.5, 26.0)
    measured(workspace, "large-3", {}, recipe="upscale")
    scored(workspace, "small-1", "hinge", 20.0)
    scored(workspace, "small-2", "hinge", 15.0)
    told = studio("compare", "small-*", "large-*", "--best-first").out
    names = ["small-2", "small-1", "large-2", "large-1", "large-3"]
    table = told.split("setting")[0]
    assert [word for word in table.split() if word in names] == names


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
