"""What the forms submit is what the command line takes."""

import pytest

from studio.runs.config import TrainingConfig
from studio.screens.checkpoints.checkpoint_panels import export_words, pin_words, verify_words
from studio.screens.checkpoints.checkpoints_tab import spread
from studio.screens.checkpoints.import_panel import import_words
from studio.screens.checkpoints.thin_panel import BUDGET, EVERY, PINNED, thin_request, thin_words
from studio.screens.explore.atlas_view import atlas_words
from studio.screens.specimens.specimens_tab import sample_words
from studio.screens.train.dataset_panel import folder_words
from studio.screens.train.train_tab import resume_words
from studio.screens.train.training_form import NO_PRESET, TrainForm, shown_values, train_words
from studio.upkeep.thinning import ThinRequest
from studio.workspace.errors import EXPECTED_ERRORS
from tests.studio.conftest import BATCHES, write_pictures


def form(**values):
    return TrainForm(**{"dataset": "streets", "name": "new", "preset": NO_PRESET, **values})


def test_the_training_form_trains(studio, workspace):
    filled = form(name=" new ", preset="small-and-quick", storage="exact", batches=2, batch_size=4)
    words = train_words(filled, filled.base(workspace))
    report = studio(*words, "--json").json
    assert (report["run"], report["status"], report["batch"]) == ("new", "finished", 2)
    (run,) = [run for run in studio("runs", "--json").json if run["name"] == "new"]
    assert run["storage"] == "exact"


def test_what_the_preset_says_already_stays_unsaid(workspace):
    filled = form(quality=0.1, **shown_values(TrainingConfig()))
    assert train_words(filled, filled.base(workspace)) == ["train", "streets", "--run", "new"]


def test_every_setting_of_the_training_form_is_in_its_command(workspace):
    filled = form(
        time_box=" 85m ",
        fit_memory=True,
        loss="hinge",
        precision="bf16",
        augmentation=["cutout", "color"],
    )
    words = train_words(filled, filled.base(workspace))
    assert words[4:8] == ["--for", "85m", "--batch-size", "auto"]
    assert words[8:] == [
        *("--set", "loss=hinge", "--set", "precision=bf16"),
        *("--set", "augmentation=color,cutout"),
    ]
    filled.check(workspace)


def test_another_generator_leaves_the_options_of_the_presets_behind(workspace):
    filled = form(preset="small-and-quick", generator="skyline")
    words = train_words(filled, filled.base(workspace))
    assert words[-4:] == ["--set", "generator=skyline", "--set", "generator_options={}"]


def test_a_run_that_goes_on_from_another_begins_with_its_settings(workspace):
    filled = form(preset="small-and-quick", begin_from="city@5", learning_rate_g=1e-5)
    assert filled.config(workspace).z_dim == 16
    words = train_words(filled, filled.base(workspace))
    assert words[4:] == ["--from", "city@5", "--set", "learning_rate_g=1e-05"]
    with pytest.raises(EXPECTED_ERRORS, match="town"):
        form(begin_from="town@5").base(workspace)


def test_a_time_that_cannot_be_read_is_refused_at_once(workspace):
    with pytest.raises(EXPECTED_ERRORS, match="85 minutez"):
        form(time_box="85 minutez").check(workspace)


def test_any_other_setting_can_be_written_and_has_the_last_word(workspace):
    filled = form(batches=5, processes=2, others=" seed=7\n\nbatches = 9\n")
    words = train_words(filled, filled.base(workspace))
    assert words[4:] == ["--processes", "2", "--set", "seed=7", "--set", "batches = 9"]
    config = filled.config(workspace)
    assert (config.seed, config.batches) == (7, 9)
    for others, sentence in [("sed=7", "Did you mean seed"), ("seed", "Use NAME=VALUE")]:
        wrong = form(others=others)
        assert train_words(wrong, wrong.base(workspace))[-2:] == ["--set", others]
        with pytest.raises(EXPECTED_ERRORS, match=sentence):
            wrong.check(workspace)


def test_a_warm_start_is_said_and_excludes_going_on(workspace):
    filled = form(warm_from=" city ")
    assert train_words(filled, filled.base(workspace))[4:] == ["--init-from", "city"]
    filled.check(workspace)
    with pytest.raises(EXPECTED_ERRORS, match="town"):
        form(warm_from="town").check(workspace)
    with pytest.raises(EXPECTED_ERRORS, match="exclude each other"):
        form(warm_from="city", begin_from="city@5").check(workspace)


def test_a_quality_is_said_with_visual_storage_alone(workspace):
    base = form().base(workspace)
    assert train_words(form(quality=0.25), base)[-2:] == ["--quality", "0.25"]
    exact = form(storage="exact", quality=0.25)
    assert train_words(exact, base)[-2:] == ["--storage", "exact"]


def test_the_housekeeping_forms_do_what_they_say(studio):
    assert studio(*verify_words("city", True, "20%"), "--json").json["checked"] == 3  # of 12
    assert studio(*pin_words("city", 5, pinned=False)).status == 0
    assert studio("checkpoints", "city", "--json").json["pinned"] == [5]
    assert studio(*export_words("city", 5), "--json").json["batch"] == 5
    thinned = studio(*thin_words("city", EVERY, 4, "2", " 9 ", ""), "--json").json
    assert thinned["dropped"] == 3  # 3, 6 and 7
    assert studio(*pin_words("city", 5, pinned=True)).status == 0
    studio(*thin_words("city", PINNED, None, "", "", ""))
    assert studio("checkpoints", "city", "--json").json["checkpoints"] == 2


def test_the_thin_form_asks_for_what_its_command_does():
    assert thin_request(EVERY, 10, "", "15000", "") == ThinRequest(every=10, end=15_000)
    assert thin_request(BUDGET, 10, "3", "", " 2 GB ") == ThinRequest(budget_bytes=2 * 10**9)
    assert thin_request(PINNED, 10, "3", "", "") == ThinRequest(keep_pinned=True)
    assert thin_words("city", BUDGET, 10, "3", "", " 2 GB ") == ["thin", "city", "--budget", "2 GB"]
    for form in [(EVERY, 1, "", "", ""), (EVERY, 10, "x", "", ""), (BUDGET, 10, "", "", "much")]:
        with pytest.raises(EXPECTED_ERRORS, match="Write"):
            thin_request(*form)


def test_the_import_form_says_only_what_was_written():
    assert import_words(" /old ", " mine ", "", "") == ["import", "/old", "--run", "mine"]
    words = import_words("/old", "mine", "nets:G", r"step_(\d+)")
    assert words[4:] == ["--generator", "nets:G", "--pattern", r"step_(\d+)"]


def test_resuming_to_a_later_batch_trains_on(studio):
    report = studio(*resume_words("city", f" {BATCHES + 1} "), "--json").json
    assert (report["status"], report["batch"]) == ("finished", BATCHES + 1)
    with pytest.raises(EXPECTED_ERRORS, match="ten"):
        resume_words("city", "ten")


def test_the_folder_form_prepares_pictures(studio, tmp_path):
    folder = write_pictures(tmp_path / "more pictures", count=3)
    assert studio(*folder_words(f" {folder} ", "more", 32), "--json").json["pictures"] == 3


def test_the_other_forms_do_what_they_say(studio):
    drawn = studio(*sample_words("city", 3, 5), "--json").json
    assert [specimen["label"] for specimen in drawn] == [f"3.{i}" for i in range(5)]
    assert studio(*verify_words("city", True), "--json").json["ok"]


@pytest.mark.slow
def test_the_atlas_form_draws_one(studio):
    atlas = studio(*atlas_words("city", 3, 12, "z"), "--json").json
    assert (atlas["batch"], atlas["count"], atlas["space"]) == (3, 12, "z")


def test_a_strip_goes_from_the_first_batch_to_the_last():
    assert spread(list(range(1, 101)), 10) == [1, 12, 23, 34, 45, 56, 67, 78, 89, 100]
    assert spread([3, 5], 10) == [3, 5]
