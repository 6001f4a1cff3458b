import copy
import itertools
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.nn.utils import get_total_norm

from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes.augmentation import AUGMENT_DRAWS
from studio.training.recipes.blur import blur
from studio.training.recipes.gan import GAN

LOSSES = ("non_saturating", "hinge", "wasserstein", "relativistic")
EVERYTHING = {
    "augmentation_target": 0.6,
    "clip_norm": 1.0,
    "d_updates": 2,
    "label_flips": 0.1,
    "label_noise": 0.2,
    "mixed_phase": True,
    "weight_decay": 0.1,
}


@pytest.fixture
def build(config):
    """Makes a recipe from the smallest config with other settings."""

    def build_gan(negatives=None, **settings):
        return GAN(replace(config, **settings), Processes.single("cpu"), negatives)

    return build_gan


def reals(start=0):
    """Batches of 4 pictures, the same ones from the same start."""
    for seed in itertools.count(start):
        rng = torch.Generator().manual_seed(seed)
        yield torch.rand(4, 3, 32, 32, generator=rng) * 2 - 1


def step(recipe, batches=None, watch=None):
    return recipe.step(batches or reals(), watch or Stopwatch())


def weights(recipe, name):
    return [parameter.clone() for parameter in recipe.modules[name].parameters()]


def count_steps(recipe):
    """A counter of the optimizers' steps, by their names."""
    counts = Counter()
    for name, optimizer in recipe.optimizers.items():
        optimizer.register_step_post_hook(lambda *_, name=name: counts.update([name]))
    return counts


@pytest.mark.parametrize(
    ("loss", "norm"),
    [*((loss, "none") for loss in LOSSES), ("hinge", "batch"), (LOSSES[0], "spectral")],
)
def test_a_step_moves_all_networks_and_tells_what_each_did(build, loss, norm):
    recipe = build(loss=loss, discriminator_norm=norm)
    before = {name: weights(recipe, name) for name in recipe.modules}
    metrics = step(recipe)
    expected = {"d_real", "d_fake", "d_accuracy", "d_grad_norm", "g", "g_grad_norm"}
    expected |= {"gradient_penalty"} if loss in ("wasserstein", "relativistic") else set()
    expected |= {"earth_mover"} if loss == "wasserstein" else set()
    assert metrics.keys() == expected
    assert all(metric.shape == () and metric.isfinite() for metric in metrics.values())
    assert recipe.batch == 1
    for name in recipe.modules:
        moved = zip(before[name], recipe.modules[name].parameters(), strict=True)
        assert any(not torch.equal(old, new) for old, new in moved), name


@pytest.mark.parametrize(
    ("loss", "of_d"),
    [("non_saturating", 3), ("hinge", 3), ("wasserstein", 4), ("relativistic", 4)],
)
def test_no_network_runs_more_often_than_the_loss_needs(build, loss, of_d):
    recipe, passes = build(loss=loss), Counter()
    for name in ("G", "D"):
        hook = lambda *_, name=name: passes.update([name])  # noqa: E731
        recipe.modules[name].register_forward_hook(hook)
    step(recipe)
    assert passes == {"G": 1, "D": of_d}


@pytest.mark.parametrize(
    ("g", "d", "expected"),
    [(1, 1, [1] * 5), (1, 5, [5] * 5), (5, 1, [0, 0, 0, 0, 1]), (2, 3, [1, 2, 1, 2, 1])],
)
def test_the_optimizers_step_as_often_as_the_ratio_says(build, g, d, expected):
    recipe, batches = build(g_updates=g, d_updates=d), reals()
    steps, taken = count_steps(recipe), []
    for batch in range(1, 6):
        before = steps["optimizer_d"]
        metrics = step(recipe, batches)
        taken.append(steps["optimizer_d"] - before)
        assert steps["optimizer_g"] == batch
        assert ("d_real" in metrics) == (taken[-1] > 0)
    assert taken == expected
    assert torch.equal(next(batches), next(reals(sum(expected))))  # no batch was wasted


def test_a_ratio_that_changes_in_a_live_run_holds_from_the_next_batch_on(build):
    recipe, batches = build(), reals()
    steps = count_steps(recipe)
    step(recipe, batches)
    recipe.configure(replace(recipe.config, d_updates=3))
    step(recipe, batches)
    assert steps == {"optimizer_g": 2, "optimizer_d": 4}


def test_the_warm_up_is_of_d_alone(build):
    recipe = build()
    g, d, steps = weights(recipe, "G"), weights(recipe, "D"), count_steps(recipe)
    metrics = recipe.warm_up(reals(), Stopwatch())
    assert steps == {"optimizer_d": 1}
    assert recipe.batch == 0
    assert "g" not in metrics
    assert "d_real" in metrics
    assert all(map(torch.equal, g, recipe.G.parameters()))
    assert not any(map(torch.equal, d, recipe.D.parameters()))


def test_each_network_has_a_learning_rate_of_its_own_on_its_schedule(build):
    recipe = build(learning_rate_g=0.0, learning_rate_d=0.1, schedule="linear", batches=4)
    g, batches = weights(recipe, "G"), reals()
    for expected in (0.0875, 0.075, 0.0625, 0.05):
        step(recipe, batches)
        assert recipe.optimizer_d.param_groups[0]["lr"] == pytest.approx(expected)
    assert all(map(torch.equal, g, recipe.G.parameters()))


def test_the_discriminator_learns_nothing_from_the_generators_turn(build):
    recipe = build()
    inputs = recipe.draw_inputs(reals(), Stopwatch())
    inputs.for_g = True
    recipe.update_d(inputs)
    d, d_pass = weights(recipe, "D"), [p.grad.clone() for p in recipe.D.parameters()]
    recipe.update_g(inputs)
    assert all(map(torch.equal, d, recipe.D.parameters()))
    assert all(torch.equal(p.grad, j) for p, j in zip(recipe.D.parameters(), d_pass, strict=True))


def test_a_third_phase_shows_d_both_kinds_in_one_batch(build):
    recipe, sizes = build(mixed_phase=True, batch_size=6), []
    steps = count_steps(recipe)
    recipe.D.register_forward_pre_hook(lambda D, pictures: sizes.append(len(pictures[0])))
    recipe.warm_up((torch.cat([batch, batch[:2]]) for batch in reals()), Stopwatch())
    assert sizes == [6, 6, 6]
    assert steps == {"optimizer_d": 2}


def test_negatives_are_learned_to_be_fake(build):
    negatives = next(reals(99)) * 0.1  # grey, where the real ones are loud
    settings = {"augmentation": "", "learning_rate_d": 0.01, "discriminator_norm": "none"}
    plain, warned = build(**settings), build(itertools.repeat(negatives), **settings)
    for recipe in (plain, warned):
        for batch in range(20):
            metrics = recipe.warm_up(reals(batch), Stopwatch())
    assert metrics["d_null"] < 0.3
    assert warned.discriminate(negatives).max() < plain.discriminate(negatives).min()


def test_weight_decay_is_decoupled_from_the_gradient(build):
    rates = {"learning_rate_g": 0.1, "learning_rate_d": 0.0}
    plain, decayed = build(**rates), build(**rates, weight_decay=0.5)
    before = weights(plain, "G")
    step(plain)
    step(decayed)
    for old, kept, shrunk in zip(before, plain.G.parameters(), decayed.G.parameters(), strict=True):
        torch.testing.assert_close(shrunk, kept - 0.1 * 0.5 * old)


def test_a_long_gradient_is_clipped_and_reported_as_it_was(build):
    free, clipped = build(), build(clip_norm=0.01)
    metrics, clipped_metrics = step(free), step(clipped)
    assert clipped_metrics["d_grad_norm"] == metrics["d_grad_norm"] > 0.01
    for recipe, name in itertools.product((free, clipped), ("G", "D")):
        norm = get_total_norm([p.grad for p in recipe.modules[name].parameters()])
        assert (norm < 0.0101) == (recipe is clipped)


def test_augmentation_adapts_by_the_pictures_that_d_has_seen(build):
    recipe, batches = build(augmentation_target=0.6), reals()
    recipe.numbers["augment_p"] = 0.5
    p = [step(recipe, batches)["augment_p"].item() for _ in range(4)]
    moves = torch.tensor([0.5, *p]).diff().abs()
    torch.testing.assert_close(moves, torch.full((4,), 4 / 500_000), atol=1e-7, rtol=0)
    assert recipe.numbers["augment_p"] == pytest.approx(p[-1])


def test_a_run_that_is_shorter_than_the_fade_of_its_blur_ends_with_sharp_pictures(build):
    recipe = build(batches=10, blur_sigma_px=4, blur_fade_batches=500, augmentation="")
    pictures = next(reals())
    recipe.batch = 5
    assert torch.equal(recipe.augment(pictures, torch.zeros(4, AUGMENT_DRAWS)), blur(pictures, 2.0))
    recipe.batch = 10
    assert torch.equal(recipe.augment(pictures, torch.zeros(4, AUGMENT_DRAWS)), pictures)


def test_a_penalty_can_be_turned_on_in_a_live_run(build):
    recipe, batches = build(), reals()
    assert "gradient_penalty" not in step(recipe, batches)
    recipe.configure(replace(recipe.config, gradient_penalty=1.0))
    assert step(recipe, batches)["gradient_penalty"] > 0


def test_a_penalty_on_every_third_update_of_d_weighs_three_times_as_much(build):
    one, lazy = build(gradient_penalty=1.0), build(gradient_penalty=1.0, penalty_every=3)
    first = [step(recipe, reals())["gradient_penalty"] for recipe in (one, lazy)]
    assert first[1] == pytest.approx(3 * first[0])
    penalised = ["gradient_penalty" in step(lazy) for _ in range(6)]
    assert penalised == [False, False, True, False, False, True]


def test_the_penalty_is_due_by_updates_of_d_whatever_their_ratio_to_those_of_g(build):
    recipe = build(gradient_penalty=1.0, penalty_every=2, g_updates=2)
    penalised = ["gradient_penalty" in step(recipe) for _ in range(8)]
    assert penalised == [False, True, False, False, False, True, False, False]


def test_an_update_without_a_penalty_takes_no_gradient_of_pictures(build, monkeypatch):
    recipe = build(loss="relativistic", penalty_every=4)
    step(recipe)
    monkeypatch.setattr(torch.autograd, "grad", None)
    for _ in range(3):
        step(recipe)
    with pytest.raises(TypeError):
        step(recipe)


def test_without_averaging_the_rendered_generator_is_the_live_one(build):
    recipe = build(ema=0.0)
    step(recipe)
    live, rendered = recipe.G.state_dict(), recipe.rendered.state_dict()
    assert all(torch.equal(live[name], rendered[name]) for name in live)


def test_the_average_lies_between_what_was_and_what_is(build):
    recipe = build()
    old = recipe.G.stem.weight.clone()
    step(recipe)
    average = recipe.rendered.state_dict()["stem.weight"]
    torch.testing.assert_close(average, old.lerp(recipe.G.stem.weight, 1 - 2 / 11))


@pytest.mark.parametrize(
    ("loss", "precision", "penalty_every"),
    [
        *((loss, "float32", 1) for loss in LOSSES),
        ("relativistic", "bf16", 1),
        ("relativistic", "float32", 3),
        ("wasserstein", "fp16", 1),
    ],
)
def test_the_same_state_goes_on_to_the_same_bits(build, loss, precision, penalty_every):
    settings = {"loss": loss, "precision": precision, "penalty_every": penalty_every, **EVERYTHING}
    one, other = build(reals(50), **settings), build(reals(51), **settings, seed=1)
    for _ in range(2):
        step(one, reals(3))
    copy_state(one, other)
    metrics = [step(recipe, reals(7)) for recipe in (one, other)]
    assert metrics[0] == metrics[1]
    assert one.numbers == other.numbers
    for name in one.modules:
        assert all(map(torch.equal, weights(one, name), weights(other, name))), name


def copy_state(one, other):
    other.batch, other.negatives = one.batch, reals(52)
    other.numbers.update(one.numbers)
    other.rng.set_state(one.rng.get_state())
    for name in one.modules:
        other.modules[name].load_state_dict(one.modules[name].state_dict())
    for name in one.optimizers:
        other.optimizers[name].load_state_dict(copy.deepcopy(one.optimizers[name].state_dict()))
    one.negatives = reals(52)


@pytest.mark.parametrize("generator", ["skyline", "residual"])
def test_other_generators_train_as_well(build, generator):
    recipe = build(generator=generator, generator_options={"width": 0.05})
    assert all(metric.isfinite() for metric in step(recipe).values())


def test_the_time_of_a_step_is_told_by_phase(build):
    watch = Stopwatch()
    step(build(), watch=watch)
    spent = watch.take()
    assert min(spent["data_s"], spent["d_s"], spent["g_s"]) > 0


@pytest.mark.slow
def test_compiled_networks_learn_the_same_and_keep_their_names(build, monkeypatch):
    # Every stage but the last, which takes minutes to make C++ of the graphs.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    plain, compiled = build(), build(compile=True)
    assert plain.modules["G"].state_dict().keys() == compiled.modules["G"].state_dict().keys()
    torch.testing.assert_close(step(compiled), step(plain), rtol=1e-3, atol=1e-5)
