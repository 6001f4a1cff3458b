"""The recipe `letters`: its loss, its inversions and their queue, what it shows and refuses."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.training_parts.made_up_fonts import add_letters
from checkpoints_index import CheckpointIndex
from studio.actions.declared.training_actions import Train
from studio.datasets.held_out import split_dataset
from studio.datasets.prepared import PreparedDataset
from studio.runs.config import TrainingConfig
from studio.runs.metrics import read_metrics
from studio.runs.status import read_config
from studio.specimens.points import FIXED, points_of
from studio.training.data.letter_inversions import QUEUE, InversionQueue, invert, replace_first
from studio.training.data.letter_pairs import LetterPairs, Letters
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.machine.updater import MICRO_BATCH
from studio.training.recipes import RECIPES, build_recipe, usual_recipe
from studio.training.recipes.letters import LetterTraining
from studio.training.scores.letter_errors import differ, remap_fields
from studio.training.setup.creation import create_run
from studio.training.setup.run_request import RunRequest, choose_settings
from studio.training.surgery.looked_at import choose_inputs
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.paths import Workspace
from tests.studio.conftest import call_on_copy, train_until

CONFIG = LetterTraining.complete(
    TrainingConfig(
        dataset="fonts",
        recipe="letters",
        recipe_options={"inversions_from": 2},
        held_out=4,
        generator="letters",
        generator_options={"units": [4, 6, 16, 6, 4]},
        image_size=216,
        batch_size=8,
        batches=6,
        learning_rate_g=2e-3,
        betas=(0.9, 0.99),
        score_every=3,
        histograms_every=3,
        state_every=2,
    )
)


@pytest.fixture(scope="module")
def root(trained_root, tmp_path_factory):
    """A workspace with made-up fonts, and the run `abc` that learned from them."""
    root = tmp_path_factory.mktemp("letters") / "workspace"
    shutil.copytree(trained_root, root)
    workspace = Workspace.open(root)
    add_letters(workspace, "fonts", 16)
    train_until(workspace, "abc", CONFIG)
    return root


@pytest.fixture
def there(root):
    """The workspace, which no test may change."""
    return Workspace.open(root)


@pytest.fixture
def call(root, tmp_path, capsys, monkeypatch):
    """The command line on a copy of that workspace."""
    return call_on_copy(root, tmp_path / "workspace", capsys, monkeypatch)


def split(workspace):
    return split_dataset(PreparedDataset.open(workspace.dataset("fonts")), CONFIG.held_out)


def build(**changed):
    return build_recipe(replace(CONFIG, **changed), Processes.single("cpu"))


def draws(workspace, config=CONFIG):
    return LetterTraining.open_data(config, split(workspace), 0, Processes.single("cpu"))


def test_fields_are_compared_three_times_as_steeply_near_edges_without_a_step():
    fields = torch.linspace(0, 1, 2001, dtype=torch.float64)
    remapped = remap_fields(fields)
    slopes = (remapped.diff() / fields.diff()).tolist()
    assert [slopes[100], slopes[-50]] == pytest.approx([0.5714, 0.5714])
    assert slopes[int(0.8627 * 2000)] == pytest.approx(3.0)
    assert max(slopes) == pytest.approx(3.0), "no step where one part begins"
    assert remap_fields(torch.tensor(0.9510)).item() == pytest.approx(0.9720, abs=1e-3)


@pytest.mark.parametrize("kind", ["linear", "squared"])
def test_the_loss_is_that_of_all_outputs_of_both_networks(there, kind):
    recipe = build(recipe_options={"loss": kind, "inversions": 0.0, "letter_weight": 3.0})
    pairs = next(draws(there))
    inputs = recipe.mix(pairs)
    total, errors = recipe.losses(inputs)
    with torch.no_grad():
        lower = recipe.G.make_lowercase(pairs.upper).double()
        upper = recipe.G.make_uppercase(pairs.lower).double()
    known = torch.eye(26)[pairs.letters].double()
    expected = []
    for made, field in ((lower, pairs.lower), (upper, pairs.upper)):
        fields = remap_fields(made[:, :1296]) - remap_fields(field.double())
        expected.append(torch.cat((fields, made[:, 1296:] - known), 1))
    power = 1 if kind == "linear" else 2
    wanted = sum(
        (each[:, :1296].abs().pow(power).sum(1) + 3 * each[:, 1296:].square().sum(1)).mean().item()
        for each in expected
    )
    assert total.item() == pytest.approx(wanted, rel=1e-5)
    assert errors["error_lower"].item() == pytest.approx(
        expected[0].abs().sum(1).mean().item(), rel=1e-5
    )


def test_the_26_letters_are_never_remapped():
    made, wanted = torch.zeros(1, 1322), torch.ones(1, 1322)
    assert torch.equal(differ(made, wanted, True)[:, 1296:], -torch.ones(1, 26))
    assert not torch.equal(differ(made, wanted, True), differ(made, wanted, False))


def test_an_inversion_is_what_one_network_makes_of_a_letter_that_has_its_case():
    def network(letters):
        made = torch.full((len(letters), 1322), 0.5)
        made[:, 0], made[:, 1], made[:, 2] = float("nan"), 7.0, -7.0
        return made

    letters = torch.rand(3, 1296)
    seen, wanted = invert(network, letters)
    assert seen[:, :4].tolist() == [[0.0, 1.0, 0.0, 0.5]] * 3, "clamped, and no number is 0"
    assert torch.equal(wanted[:, :1296], letters)
    assert (wanted[:, 1296:] == 0.5).all(), "which letter the other network took it for"


def test_a_queue_gives_the_freshest_first_and_forgets_the_oldest():
    numbers = {}
    queue = InversionQueue(numbers, "waiting")
    for first in (0, 100):
        values = torch.arange(first, first + 100.0)[:, None]
        queue.put(values.expand(-1, 1296), values.expand(-1, 1322))
    assert queue.count == numbers["waiting"] == QUEUE
    assert queue.take(3)[0][:, 0].tolist() == [100.0, 101.0, 102.0]
    rest = queue.take(500)[1][:, 0].tolist()
    assert len(rest) == QUEUE - 3
    assert rest[-1] == QUEUE - 101.0, "the last ones of the first hundred are gone"
    assert queue.take(1)[0].shape == (0, 1296)


def test_inversions_replace_the_first_examples_of_the_batch_of_all_processes():
    inputs, targets = torch.zeros(4, 1296), torch.zeros(4, 1322)
    taken = torch.arange(1.0, 4.0)[:, None].expand(3, 1296), torch.ones(3, 1322)
    shard = torch.tensor([0, 2, 4, 6])
    mixed, wanted = replace_first(shard, taken, inputs, targets)
    assert mixed[:, 0].tolist() == [1.0, 3.0, 0.0, 0.0]
    assert wanted[:, 0].tolist() == [1.0, 1.0, 0.0, 0.0]


def test_inversions_begin_at_their_batch_and_no_gradient_goes_to_their_maker(there):
    recipe, batches = build(recipe_options={"inversions_from": 2, "inversions": 0.5}), draws(there)
    for batch in range(4):
        recipe.step(batches, Stopwatch())
        assert ("inversions_for_lower" in recipe.numbers) == (batch >= 2)
    inputs = recipe.mix(next(batches))
    recipe.G.zero_grad(set_to_none=True)
    made = recipe.G.make_lowercase(inputs.upper)
    differ(made, inputs.to_lower, True).square().sum().backward()
    assert all(p.grad is None for p in recipe.G.make_uppercase.parameters())


def test_it_learns(there):
    config = replace(CONFIG, learning_rate_g=5e-3, batch_size=16)
    recipe, batches = build_recipe(config, Processes.single("cpu")), draws(there, config)
    errors = [recipe.step(batches, Stopwatch()) for _ in range(60)]
    for case in ("error_lower", "error_upper"):
        assert errors[-1][case] < 0.5 * errors[0][case]
    weights = recipe.rendered.state_dict()["make_lowercase.to_field.weight"]
    assert not torch.equal(weights, recipe.G.state_dict()["make_lowercase.to_field.weight"])


def test_smaller_passes_have_the_gradient_of_the_batch(there):
    whole, parted = build(fit_memory=True), build(fit_memory=True)
    parted.numbers[MICRO_BATCH] = 3
    for recipe in (whole, parted):
        recipe.step(draws(there), Stopwatch())
    for one, other in zip(whole.G.parameters(), parted.G.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=1e-3, atol=1e-3)


def test_draws_are_training_letters_in_both_cases_and_their_shards_make_the_batch(there):
    data = split(there)
    pairs = next(draws(there))
    assert isinstance(pairs, LetterPairs)
    letters = data.pixels[data.training].reshape(-1, 52, 1296)
    for lower, upper, letter in zip(pairs.lower, pairs.upper, pairs.letters, strict=True):
        levels = (lower * 255).round().numpy()
        (font,) = (letters[:, letter] == levels).all(1).nonzero()
        assert (letters[font[0], 26 + letter] == (upper * 255).round().numpy()).all()
    assert len(pairs.tried_lower) == 3, "a third more letters are tried than are used"
    shards = []
    for rank in range(2):
        processes = Processes(rank, 2, torch.device("cpu"))
        shards.append(next(Letters(data.pixels, 8, 0.25, 0, processes, data.training)))
    rows = torch.cat([shard.rows for shard in shards])
    lower = torch.cat([shard.lower for shard in shards])[rows.argsort()]
    assert torch.equal(lower, pairs.lower)
    assert torch.equal(shards[0].tried_upper, shards[1].tried_upper)


def test_a_run_keeps_scores_histograms_and_points_of_held_out_fonts(there):
    lines = read_metrics(there.metrics("abc"))
    scored = [line for line in lines if "held_out_error" in line]
    assert [line["batch"] for line in scored] == [3, 6]
    last = scored[-1]
    assert last["held_out_error"] == pytest.approx(
        (last["held_out_lower"] + last["held_out_upper"]) / 2
    )
    assert 0 <= last["letters_known"] <= 1
    assert last["average_lower"] > 0
    points = points_of(there, "abc", FIXED)
    data = split(there)
    held_out = {
        (2 * (letter.astype(np.float32) / 255) - 1).tobytes()
        for letter in data.pixels[data.held_out].reshape(-1, 1296)
    }
    assert len(points) == 9
    assert all(point.z.numpy().tobytes() in held_out for point in points)
    assert len({point.z.numpy().tobytes() for point in points}) == 9
    histograms = there.histograms("abc").read_text()
    assert '"lower"' in histograms
    assert '"upper"' in histograms


def test_the_film_shows_strips_and_below_what_the_font_has(there):
    points = LetterTraining.choose_points(CONFIG, split(there), 5)
    pictures = np.stack([point.truth for point in points])
    shown = LetterTraining.show(CONFIG, pictures, points)
    assert shown.shape == (5, 216 // 2 + 216 // 3, 5 * 72, 3)
    assert np.array_equal(shown[:, :72], shown[:, 108:]), "a perfect network draws the font"
    without = [replace(point, truth=None) for point in points]
    assert (LetterTraining.show(CONFIG, pictures, without)[:, 108:] == 250).all()


def test_the_ideal_of_a_letter_has_its_other_case_and_itself_again(there):
    """A disc, which is the lower-case letter, becomes a square and a disc again."""
    upper, lower = LetterTraining.choose_points(CONFIG, split(there), 2)
    corner = np.s_[18:54, 18:54]

    def ink(truth, row, column):
        cell = truth[row * 108 : row * 108 + 72, column * 72 : column * 72 + 72]
        return int((cell.max(2) < 200).sum())

    assert ink(upper.truth, 0, 0) > ink(upper.truth, 0, 1), "a square is larger than its disc"
    assert ink(upper.truth, 0, 0) == pytest.approx(ink(upper.truth, 0, 2), rel=0.1)
    assert ink(upper.truth, 1, 1) == 0, "nobody knows the upper case of an upper-case letter"
    assert ink(lower.truth, 0, 1) == 0
    assert ink(lower.truth, 1, 1) > ink(lower.truth, 1, 0)
    assert upper.truth[corner].shape == (36, 36, 3)


def test_a_resumed_run_is_the_same_bit_for_bit(there, tmp_path):
    root = tmp_path / "workspace"
    shutil.copytree(there.root, root)
    workspace = Workspace.open(root)
    for until in (1, 4, None):
        train_until(workspace, "parts", CONFIG, until)
    train_until(workspace, "whole", CONFIG)
    whole, parts = (CheckpointIndex(workspace.runs)[run] for run in ("whole", "parts"))
    assert whole.batches == parts.batches == [1, 2, 3, 4, 5, 6]
    for batch in whole.batches:
        weights = parts.weights(batch)
        for name, tensor in whole.weights(batch).items():
            assert torch.equal(tensor, weights[name]), (batch, name)


def test_letters_are_trained_by_their_recipe_where_nobody_names_one(call):
    assert usual_recipe("letters") == "letters"
    said = call("train", "fonts", "--run", "plain", "--batches", "1", *SMALLER)
    assert said.status == 0, said.err
    config = read_config(call.workspace, "plain")
    assert (config.recipe, config.generator, config.z_dim) == ("letters", "letters", 1296)
    assert config.image_size == 432
    frames = call("render", "grid", "plain", "--batch", "1", "--seconds", "0")
    assert "Traceback" not in frames.err


def test_their_networks_are_reshaped_on_held_out_letters_and_learn_on(call):
    workspace = call.workspace
    seen = choose_inputs(workspace, CONFIG.generator_spec(), CONFIG, 60)
    held_out = split(workspace).pixels[split(workspace).held_out].reshape(-1, 1296)
    letters = {(2 * (each.astype(np.float32) / 255) - 1).tobytes() for each in held_out}
    assert {each.numpy().tobytes() for each in seen} <= letters
    assert len({each.numpy().tobytes() for each in seen}) == 60, "each of them once"
    wide = call("widen", "abc@6", "--run", "wide", "--by", "0.5", "--points", "16", "--json")
    assert wide.status == 0, wide.err
    assert all(layer["after"] > layer["before"] for layer in wide.json["layers"])
    assert wide.json["largest"] < 1e-3
    layer = "make_uppercase.code"
    deep = call("deepen", "wide", "--run", "deep", "--layers", layer, "--points", "16", "--json")
    assert (deep.status, deep.json["largest"]) == (0, 0.0), deep.err
    cull = call("cull", "deep@6", "--run", "few", "--share", "0.25", "--points", "16", "--json")
    assert cull.json["after"]["weights"] < cull.json["before"]["weights"]
    assert call("resume", "few", "--batches", "8").status == 0
    assert CheckpointIndex(workspace.runs)["few"].batches == [6, 7, 8]
    assert read_config(workspace, "few").generator_options["lowercase_units"] == [4, 7, 18, 7, 4]


def test_runs_are_compared_by_their_errors_on_held_out_fonts(call):
    train_until(call.workspace, "squared", replace(CONFIG, recipe_options={"loss": "squared"}))
    said = call("compare", "abc", "squared", "--best-first")
    assert said.status == 0, said.err
    assert "held_out_error" in said.out
    assert "letters_known" in said.out


SMALLER = ("--set", "generator_options={units=[2,2,4,2,2]}", "--set", "held_out=4")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"held_out": 0}, "fonts that it never sees"),
        ({"generator": "dcgan"}, "trains the generator 'letters', not 'dcgan'"),
        ({"recipe_options": {"inversion": 0.1}}, "Did you mean inversions?"),
        ({"recipe_options": {"inversions": 2}}, "inversions"),
        ({"recipe_options": {"loss": "cubic"}}, "loss"),
        ({"generator_options": {"units": [1, 2]}}, "a list of 5 whole numbers"),
        ({"negatives": "fonts"}, "learns from one dataset alone"),
        ({"dataset": "streets"}, "holds pictures, and letters are wanted"),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_a_sentence(there, settings, said):
    config = replace(CONFIG, **settings)
    with pytest.raises(EXPECTED_ERRORS, match=said.replace("?", "[?]")):
        create_run(there, "refused", config, "exact")
    assert not there.run("refused").exists()


def test_other_recipes_are_told_which_one_learns_from_letters(there):
    wanted = RunRequest("fonts", None, None, settings={"recipe": "gan"})
    with pytest.raises(StudioError, match="the recipe letters"):
        create_run(there, "refused", choose_settings(there, wanted), "exact")


def test_the_command_that_trains_names_every_recipe():
    said = str(Train.model_fields["recipe"].description)
    assert not [name for name in RECIPES if name not in said]
