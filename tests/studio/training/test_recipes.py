from dataclasses import replace

import pytest
import torch

from latent.errors import UserError
from studio.training.batches import Batches
from studio.training.recipes import build_recipe

CPU = torch.device("cpu")


@pytest.fixture
def batches(config, pixels):
    return Batches(pixels, config.image_size, config.batch_size, 0, True, CPU)


@pytest.mark.parametrize("loss", ["non_saturating", "hinge"])
@pytest.mark.parametrize("norm", ["batch", "spectral"])
def test_a_step_moves_both_networks_and_tells_the_losses_apart(config, batches, loss, norm):
    recipe = build_recipe(replace(config, loss=loss, discriminator_norm=norm), CPU)
    before = {
        name: [p.clone() for p in recipe.modules[name].parameters()] for name in recipe.modules
    }
    metrics = recipe.step(next(batches))
    assert list(metrics) == ["d_real", "d_fake", "g"]
    for name, module in recipe.modules.items():
        moved = zip(before[name], module.parameters(), strict=True)
        assert any(not torch.equal(old, new) for old, new in moved), name


def test_each_network_has_a_learning_rate_of_its_own(config, batches):
    recipe = build_recipe(replace(config, learning_rate_g=0.0), CPU)
    g = [p.clone() for p in recipe.modules["G"].parameters()]
    d = [p.clone() for p in recipe.modules["D"].parameters()]
    recipe.step(next(batches))
    assert all(map(torch.equal, g, recipe.modules["G"].parameters()))
    assert not all(map(torch.equal, d, recipe.modules["D"].parameters()))


def test_the_discriminator_learns_nothing_from_the_generators_turn(config, batches):
    recipe = build_recipe(replace(config, learning_rate_d=0.0), CPU)
    recipe.step(next(batches))
    judged = {n: p.grad.clone() for n, p in recipe.D.named_parameters()}
    recipe.loss.g(recipe.judge(recipe.G(torch.randn(4, config.z_dim)))).backward()
    assert all(torch.equal(p.grad, judged[n]) for n, p in recipe.D.named_parameters())


def test_without_averaging_the_rendered_generator_is_the_live_one(config, batches):
    recipe = build_recipe(replace(config, ema=0.0), CPU)
    recipe.step(next(batches))
    live, rendered = recipe.G.state_dict(), recipe.rendered.state_dict()
    assert all(torch.equal(live[name], rendered[name]) for name in live)


def test_the_average_lies_between_what_was_and_what_is(config, batches):
    recipe = build_recipe(config, CPU)
    name = "stem.weight"
    old = recipe.G.state_dict()[name].clone()
    recipe.step(next(batches))
    new, average = recipe.G.state_dict()[name], recipe.rendered.state_dict()[name]
    torch.testing.assert_close(average, old.lerp(new, 1 - 2 / 11))


def test_the_same_seed_builds_the_same_networks_and_leaves_global_randomness_alone(config):
    state = torch.get_rng_state()
    one, same, other = (build_recipe(replace(config, seed=s), CPU) for s in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.G.stem.weight, same.G.stem.weight)
    assert not torch.equal(one.G.stem.weight, other.G.stem.weight)


def test_skyline_trains_as_well(config, batches):
    sky = replace(config, generator="skyline", generator_options={"width": 0.01})
    metrics = build_recipe(sky, CPU).step(next(batches))
    assert all(metric.isfinite() for metric in metrics.values())


def test_an_unknown_recipe_is_refused_with_the_known_ones(config):
    with pytest.raises(UserError, match=r"'diffuse'. Known: gan"):
        build_recipe(replace(config, recipe="diffuse"), CPU)
