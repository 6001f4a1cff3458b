"""Weights, biases and updates stay within their caps, whatever the recipe and the optimiser."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from studio.runs.config import TrainingConfig
from studio.training.data.patches import PatchPair
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.machine.weight_limits import WeightLimits
from studio.training.recipes import build_recipe
from studio.training.recipes.upscale import Upscaling


@pytest.fixture(params=["gan", "upscale"])
def train(request, config):
    """Trains a recipe of each kind for some batches: train(2, weight_cap=0.1).modules"""
    rng = torch.Generator().manual_seed(0)
    reals = torch.rand(4, 3, 32, 32, generator=rng) * 2 - 1
    data = reals
    if request.param == "upscale":
        small = {"scale": 4, "channels": 16, "kernel": 3}
        options = {"generator_options": small, "recipe_options": {"patch_px": 8}}
        named = {"recipe": "upscale", "generator": "shufflemixer", "held_out": 2, **options}
        config = Upscaling.complete(replace(config, **named, augmentation=""))
        data = PatchPair(reals[:, :, ::4, ::4], reals)

    def run(batches, **changed):
        recipe = build_recipe(replace(config, **changed), Processes.single("cpu"))
        for _ in range(batches):
            recipe.step(iter([data] * 4), Stopwatch())
        return recipe

    return run


def learned(recipe):
    """The numbers that learn, by their names and the network's."""
    return {
        f"{name}.{key}": p.detach().clone()
        for name in set(recipe.modules) - {"G_ema"}
        for key, p in recipe.modules[name].named_parameters()
    }


def test_no_weight_is_larger_than_its_cap_and_no_bias_than_its_own(train):
    rates = {"learning_rate_g": 0.5, "learning_rate_d": 0.5}
    free = learned(train(2, **rates))
    capped = learned(train(2, **rates, weight_cap=0.25, bias_cap=0.125))
    weights = learned(train(2, **rates, weight_cap=0.25))
    biases = {name for name in free if name.endswith("bias")}
    for name, values in capped.items():
        assert values.abs().max() <= (0.125 if name in biases else 0.25)
    assert max(weights[name].abs().max() for name in biases) > 0.25
    assert max(weights[name].abs().max() for name in free.keys() - biases) == 0.25
    assert max(free[name].abs().max() for name in free.keys() - biases) > 0.25


def test_no_update_moves_a_number_farther_than_its_cap(train):
    before, cap = learned(train(0)), 1e-4
    moved = learned(train(1, update_cap=cap, learning_rate_g=1e-2, learning_rate_d=1e-2))
    free = learned(train(1, learning_rate_g=1e-2, learning_rate_d=1e-2))
    steps = {name: (moved[name] - before[name]).abs().max() for name in before}
    assert max(steps.values()) == pytest.approx(cap, rel=1e-2)
    assert max((free[name] - before[name]).abs().max() for name in before) > 50 * cap


def test_what_lies_within_its_caps_trains_as_without_them_to_the_bit(train):
    free, capped = train(3), train(3, weight_cap=50, bias_cap=50, update_cap=1)
    assert all(torch.equal(value, learned(capped)[n]) for n, value in learned(free).items())


def test_updates_of_another_optimiser_are_limited_too():
    network = nn.Linear(1, 2)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0], [3.0]]))
        network.bias.copy_(torch.tensor([0.0, 2.0]))
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    config = TrainingConfig(weight_cap=3.25, bias_cap=1.75, update_cap=0.5)
    WeightLimits(optimizer, [network], lambda: config)
    network.weight.grad = torch.tensor([[10.0], [-1.0]])
    network.bias.grad = torch.tensor([0.25, 0.0])
    optimizer.step()
    assert network.weight.flatten().tolist() == [0.5, 3.25]
    assert network.bias.tolist() == [-0.25, 1.75]


def test_an_independent_decay_multiplies_weights_whatever_the_rate_and_neither_biases_nor_gains(
    train,
):
    rates = {"learning_rate_g": 0, "learning_rate_d": 0}
    before, after = learned(train(0)), learned(train(3, **rates, independent_decay=0.25))
    for name, values in after.items():
        decays = values.ndim > 1 and not name.endswith("bias")
        expected = before[name] * 0.75**3 if decays else before[name]
        assert torch.allclose(values, expected, rtol=1e-6), name


def test_a_step_that_the_loss_scale_leaves_out_decays_nothing():
    network = nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.0, fused=True)
    WeightLimits(optimizer, [network], lambda: TrainingConfig(independent_decay=0.5))
    before = network.weight.detach().clone()
    network(torch.ones(1, 2)).sum().backward()
    for overflowed, share in ((1.0, 1.0), (0.0, 0.5)):
        optimizer.found_inf = torch.tensor(overflowed)
        optimizer.step()
        assert torch.equal(network.weight, before * share)


def test_what_is_no_number_stays_none_so_that_it_is_found():
    network = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    WeightLimits(optimizer, [network], lambda: TrainingConfig(weight_cap=1, update_cap=1))
    network.weight.grad = torch.full((1, 1), float("nan"))
    optimizer.step()
    assert network.weight.isnan().all()


def test_caps_may_change_while_it_trains(train):
    recipe = train(1, weight_cap=10)
    recipe.configure(replace(recipe.config, weight_cap=1e-3))
    shown = PatchPair(torch.zeros(4, 3, 8, 8), torch.zeros(4, 3, 32, 32))
    data = shown if recipe.config.recipe == "upscale" else shown.large
    recipe.step(iter([data] * 4), Stopwatch())
    sizes = [v.abs().max() for name, v in learned(recipe).items() if not name.endswith("bias")]
    assert max(sizes) <= 1e-3
