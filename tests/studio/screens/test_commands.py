"""What the forms submit is an action that does what they say."""

from dataclasses import dataclass
from typing import Literal

import gradio as gr
import pytest

from benchmarks.training_parts.made_up_fonts import add_letters
from checkpoints_index import CheckpointIndex
from studio.actions.action import words_of
from studio.actions.declared.archive_actions import Archive
from studio.actions.submission import perform
from studio.runs.config import TrainingConfig
from studio.runs.setting_fields import setting
from studio.screens.checkpoints.checkpoint_panels import _export, _verify, pin_action
from studio.screens.checkpoints.thin_panel import BUDGET, EVERY, PINNED, read_thin
from studio.screens.explore.atlas_view import read_atlas_form
from studio.screens.parts.form import Form
from studio.screens.parts.number_field import NumberField
from studio.screens.specimens.specimens_tab import spell_sample
from studio.screens.train.own_presets_panel import save_action
from studio.screens.train.train_tab import read_resume
from studio.screens.train.training_form import CHOSEN, TrainForm, shown_values
from studio.screens.train.training_layout import lay_out_settings
from studio.training.recipes import RECIPES, check_recipe
from studio.training.recipes.gan import GAN
from studio.training.setup.presets import NO_PRESET
from studio.training.setup.run_request import choose_settings
from studio.workspace.errors import EXPECTED_ERRORS
from tests.studio.conftest import BATCHES

TINY = "generator_options={width=0.125}\ndiscriminator_width=0.125\nz_dim=16"


@dataclass(frozen=True)
class OwnOptions:
    """One option of each kind."""

    steep: bool = setting(False, "Whether it is steep")
    rounds: int = setting(3, "How often", minimum=1, maximum=9)
    share: float = setting(0.5, "How much", minimum=0, maximum=1)
    body: Literal["dense", "sparse"] = setting("dense", "Which one")
    words: str = setting("", "What is said")
    pair: tuple[float, float] = setting((0.0, 1.0), "From, to")


class OwnRecipe(GAN):
    """A recipe that the studio does not know by name."""

    options_type = OwnOptions


@pytest.fixture
def own_recipe(monkeypatch):
    monkeypatch.setitem(RECIPES, "own", OwnRecipe)


@pytest.fixture
def written(workspace):
    """written(run="new", ...): the training form, and the values that a person wrote into it."""

    def call(preset=NO_PRESET, **given):
        with gr.Blocks():
            form = TrainForm(workspace)
            lay_out_settings(form)
        base = TrainingConfig() if preset == NO_PRESET else None
        shown = (
            dict(zip(form.settings, shown_values(base, list(form.settings)), strict=True))
            if base
            else {name: None for name in form.settings}
        )
        shown |= {"dataset": "streets", "run": "new", "preset": preset, **given}
        names = [*form.laid, *form.settings]
        return form, [shown[name] if name in shown else form.laid[name].value for name in names]

    return call


@pytest.fixture
def fill(written):
    """fill(run="new", ...): the action of the training form, filled in by a person."""

    def call(**given):
        form, values = written(**given)
        return form.read(*values)

    return call


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"branch": "tow"}, "studio train streets --run new --from tow"),
        ({"settings": "see"}, "studio train streets --run new --preset none --set see"),
        (
            {"duration": "8 h o"},
            "studio train streets --run new --preset none --for &#39;8 h o&#39;",
        ),
    ],
)
def test_a_form_that_is_half_written_shows_its_command_as_far_as_it_goes(written, given, shown):
    form, values = written(**given)
    assert f"<code>{shown}</code>" in form.preview(*values)


def test_the_training_form_trains(fill, workspace):
    filled = fill(run=" new ", storage="exact", batches=2, batch_size=4, settings=TINY)
    report = perform(workspace, filled)
    assert (report.run, report.status, report.batch) == ("new", "finished", 2)


def test_what_the_preset_says_already_stays_unsaid(fill):
    assert words_of(fill(quality=0.1)) == ["train", "streets", "--run", "new", "--preset", "none"]
    assert words_of(fill(preset=CHOSEN)) == ["train", "streets", "--run", "new"]


def test_every_setting_of_the_training_form_is_in_its_command(fill, workspace):
    filled = fill(
        duration=" 85m ",
        fit_memory=True,
        batch_size=4,
        loss="hinge",
        precision="bf16",
        augmentation=["cutout", "color"],
    )
    words = words_of(filled)[4:]
    assert {"loss=hinge", "batch_size=4", "augmentation=color,cutout"} <= set(words)
    assert words[-4:] == ["--batch-size", "auto", "--for", "85m"]
    assert "fit_memory=true" not in words
    filled.check(workspace)


def test_another_generator_leaves_the_options_of_the_presets_behind(fill, workspace):
    filled = fill(preset="small-and-quick", generator="skyline")
    assert filled.settings == {"generator": "skyline"}
    assert choose_settings(workspace, filled.request).generator_options == {}


def test_a_run_that_goes_on_from_another_begins_with_its_settings(fill):
    filled = fill(preset="small-and-quick", branch="city@5", learning_rate_g=1e-5)
    assert (filled.branch, filled.preset) == ("city@5", None)
    assert filled.settings == {"learning_rate_g": 1e-5}
    with pytest.raises(EXPECTED_ERRORS, match="town"):
        fill(branch="town@5")


def test_a_time_that_cannot_be_read_is_refused_at_once(fill):
    with pytest.raises(EXPECTED_ERRORS, match="85 minutez"):
        fill(duration="85 minutez")


def test_any_other_setting_can_be_written_and_has_the_last_word(fill, workspace):
    filled = fill(batches=5, processes=2, settings=" seed=7\n\nbatches = 9\n")
    assert filled.settings == {"seed": 7, "batches": 9}
    assert (filled.processes, filled.batches) == (2, None)
    with pytest.raises(EXPECTED_ERRORS, match="Use NAME=VALUE"):
        fill(settings="seed")
    with pytest.raises(EXPECTED_ERRORS, match="Did you mean seed"):
        fill(settings="sed=7").check(workspace)


def test_a_warm_start_is_said_and_excludes_going_on(fill, workspace):
    filled = fill(preset=CHOSEN, init_from=" city ")
    assert words_of(filled)[4:] == ["--init-from", "city"]
    with pytest.raises(EXPECTED_ERRORS, match="town"):
        fill(init_from="town").check(workspace)
    with pytest.raises(EXPECTED_ERRORS, match="give one"):
        fill(init_from="city", branch="city@5").check(workspace)


def test_the_device_is_asked_for_where_there_is_a_choice(workspace, monkeypatch):
    def lay_out(devices):
        monkeypatch.setattr("studio.screens.parts.form.known_devices", lambda: devices)
        with gr.Blocks():
            form = TrainForm(workspace)
            lay_out_settings(form)
        return form.laid.get("device")

    assert lay_out(["cpu"]) is None
    offered = [value for _, value in lay_out(["cpu", "cuda:0"]).choices]
    assert offered == ["", "cpu", "cuda:0"]


def test_a_quality_is_said_with_visual_storage_alone(fill):
    assert words_of(fill(quality=0.25))[-2:] == ["--quality", "0.25"]
    assert words_of(fill(storage="exact", quality=0.25))[-2:] == ["--storage", "exact"]


def test_the_archive_form_says_its_command(workspace):
    with gr.Blocks():
        form = Form(Archive)
        form.field("batches")
        form.field("as_run")
    shown = form.preview(["3", "0:9:4"], "few", run="city")
    assert "<code>studio archive city --batches 3,0:9:4 --run few</code>" in shown
    perform(workspace, form.read(["3", "0:9:4"], "few", run="city"))
    assert CheckpointIndex(workspace.runs)["few"].batches == [3, 4, 8]


def test_the_housekeeping_forms_do_what_they_say(studio, workspace):
    assert perform(workspace, _verify("city", True, "20%")).checked == 3  # of 12
    perform(workspace, pin_action("city", 5, pinned=False))
    assert studio("checkpoints", "city", "--json").json["pinned"] == [5]
    assert perform(workspace, _export("city", 5)).batch == 5
    thinned = perform(workspace, read_thin("city", EVERY, 4, "2", " 9 ", ""))
    assert thinned.dropped == 3  # 3, 6 and 7
    perform(workspace, pin_action("city", 5, pinned=True))
    perform(workspace, read_thin("city", PINNED, None, "", "", ""))
    assert studio("checkpoints", "city", "--json").json["checkpoints"] == 2


def test_the_thin_form_asks_for_what_its_command_does():
    words = ["thin", "city", "--every", "10", "--to", "15000"]
    assert words_of(read_thin("city", EVERY, 10, "", "15000", "")) == words
    budget = read_thin("city", BUDGET, 10, "3", "", " 2 GB ")
    assert words_of(budget) == ["thin", "city", "--budget", "2GB"]
    assert words_of(read_thin("city", PINNED, 10, "3", "", "")) == ["thin", "city", "--keep-pinned"]
    for form, said in [
        ((EVERY, 1, "", "", ""), "'Keep one of' 1 is out of range: use 2 or more"),
        ((EVERY, 10, "x", "", ""), "'From batch' 'x' will not do: it is a whole number"),
        ((BUDGET, 10, "", "", "much"), "'much' is no size"),
    ]:
        with pytest.raises(EXPECTED_ERRORS, match=said):
            read_thin("city", *form)


def test_resuming_to_a_later_batch_trains_on(workspace):
    report = perform(workspace, read_resume("city", f" {BATCHES + 1} "))
    assert (report.status, report.batch) == ("finished", BATCHES + 1)
    with pytest.raises(EXPECTED_ERRORS, match="ten"):
        read_resume("city", "ten")


def test_the_other_forms_do_what_they_say(studio, workspace):
    drawn = studio(*spell_sample("city", 3, 5), "--json").json
    assert [specimen["label"] for specimen in drawn] == [f"3.{i}" for i in range(5)]


@pytest.mark.slow
def test_the_atlas_form_draws_one(workspace):
    atlas = perform(workspace, read_atlas_form("city", 3, 12, "z"))
    assert (atlas.batch, atlas.count, atlas.space) == (3, 12, "z")


def test_each_option_of_a_recipe_has_a_field_of_its_kind(own_recipe, written):
    form, _ = written()
    kinds = [gr.Checkbox, NumberField, NumberField, gr.Dropdown, gr.Textbox, gr.Textbox]
    names = [f"recipe_options.own.{name}" for name in OwnOptions.__dataclass_fields__]
    for name, kind in zip(names, kinds, strict=True):
        assert isinstance(form.settings[name], kind), name
    rounds, share, body = (form.settings[name] for name in names[1:4])
    assert (rounds.minimum, rounds.maximum, rounds.precision, share.precision) == (1, 9, 0, None)
    assert [value for _, value in body.choices] == ["dense", "sparse"]
    assert rounds.info == "How often"
    assert "own" in form.option_groups
    assert "gan" not in form.option_groups, "it has no options"


def test_options_of_the_shown_recipe_that_differ_are_in_its_command(own_recipe, fill, workspace):
    options = {
        "steep": True,
        "rounds": 7,
        "share": 0.5,
        "body": "sparse",
        "words": "",
        "pair": "[1, 3]",
    }
    given = {f"recipe_options.own.{name}": value for name, value in options.items()}
    unlike = {"recipe_options.upscale.patch_px": 99}
    filled = fill(preset=CHOSEN, recipe="own", **given, **unlike)
    assert filled.recipe == "own"
    assert filled.settings == {
        "recipe_options.steep": True,
        "recipe_options.rounds": 7,
        "recipe_options.body": "sparse",
        "recipe_options.pair": [1, 3],
    }
    config = choose_settings(workspace, filled.request)
    check_recipe(config)
    assert config.recipe_options["pair"] == [1, 3]
    assert "recipe_options.rounds=7" in words_of(filled)
    assert fill(preset=CHOSEN, recipe="gan", **given).settings == {}


def test_an_option_that_is_written_as_another_setting_has_the_last_word(own_recipe, fill):
    given = {"recipe_options.own.rounds": 7, "recipe_options.own.steep": True}
    filled = fill(preset=CHOSEN, recipe="own", settings="recipe_options.rounds=5", **given)
    assert filled.settings == {"recipe_options.steep": True, "recipe_options.rounds": 5}


def test_another_recipe_begins_with_its_own_preset(written, workspace):
    form, values = written(
        preset=CHOSEN, recipe="upscale", **{"recipe_options.upscale.turns": False}
    )
    base = form.base(*values)
    assert (base.recipe, base.generator) == ("upscale", "shufflemixer")
    shown = dict(zip(form.settings, shown_values(base, list(form.settings)), strict=True))
    assert shown["recipe_options.upscale.fft_weight"] == 0.1
    filled = form.read(*values)
    assert words_of(filled)[-4:] == ["--recipe", "upscale", "--set", "recipe_options.turns=false"]


def test_a_dataset_of_letters_brings_the_recipe_that_learns_from_them(written, workspace):
    add_letters(workspace, "fonts", 8)
    form, values = written(preset=CHOSEN, recipe="gan", dataset="fonts")
    assert form.base(*values).recipe == "letters"
    assert form.base(*values).batches == 6500
    form, values = written(preset=CHOSEN, recipe="letters", dataset="streets")
    assert form.base(*values).recipe == "gan"


def test_a_preset_of_ones_own_keeps_the_options_and_shows_them_again(
    own_recipe, written, workspace
):
    given = {"recipe_options.own.rounds": 7, "recipe_options.own.pair": "[1, 3]"}
    form, values = written(preset=CHOSEN, recipe="own", **given)
    perform(workspace, save_action(workspace, form, "mine", False, tuple(values)))
    form, values = written(preset="mine", recipe="own", **given)
    base = form.base(*values)
    shown = dict(zip(form.settings, shown_values(base, list(form.settings)), strict=True))
    assert shown["recipe"] == "own"
    assert shown["recipe_options.own.rounds"] == 7
    assert shown["recipe_options.own.pair"] == "[1, 3]"
    assert form.read(*values).settings == {}, "the preset says it already"
