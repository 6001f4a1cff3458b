import logging
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes.gan import GAN
from studio.workspace.errors import EXPECTED_ERRORS

LOSSES = ("non_saturating", "hinge", "wasserstein", "relativistic")


@pytest.fixture
def build(config):
    """Makes a recipe whose networks have no batch norm, so that pictures are d_pass one by one."""

    def build_gan(**settings):
        few = {"generator": "residual", "generator_options": {"width": 0.05}, "batch_size": 6}
        changed = replace(config, **{**few, "discriminator_norm": "none", **settings})
        return GAN(changed, Processes.single("cpu"))

    return build_gan


def reals():
    rng = torch.Generator().manual_seed(0)
    while True:
        yield torch.rand(6, 3, 32, 32, generator=rng) * 2 - 1


def train(recipe, batches=2):
    pictures = reals()
    for _ in range(batches):
        metrics = recipe.step(pictures, Stopwatch())
    return metrics


def limit_memory(recipe, most, turns=("D", "G")):
    """Let D run out of memory, as a GPU would, with more pictures than so many at once.

    A stand-in, as a machine without a GPU cannot run out in a way that PyTorch tells. D is frozen
    in G's turn.
    """

    def check(D, pictures):
        turn = "D" if D.to_logit.weight.requires_grad else "G"
        if len(pictures[0]) > most and turn in turns:
            raise torch.OutOfMemoryError("out of memory")

    recipe.D.register_forward_pre_hook(check)
    return recipe


def gradients(recipe, name):
    return [p.grad for p in recipe.modules[name].parameters()]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("size", [1, 4])
def test_passes_add_up_to_the_batch(build, loss, size):
    settings = {"loss": loss, "learning_rate_d": 0.0, "label_noise": 0.3, "label_flips": 0.2}
    whole, parts = build(**settings), build(**settings)
    parts.numbers["micro_batch"] = size
    torch.testing.assert_close(train(parts, 1), train(whole, 1), rtol=1e-4, atol=1e-5)
    for name in ("G", "D"):
        torch.testing.assert_close(
            gradients(parts, name), gradients(whole, name), rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize("turns", [("D", "G"), ("G",)])
def test_an_update_that_runs_out_of_memory_is_repeated_in_passes_that_fit(build, turns, caplog):
    small, tight = build(fit_memory=True), limit_memory(build(fit_memory=True), 2, turns)
    if turns == ("D", "G"):
        small.numbers["micro_batch"] = 2
    with caplog.at_level(logging.WARNING):
        metrics = train(tight)
    assert tight.numbers["micro_batch"] == 2
    assert [record.args for record in caplog.records] == [(6, 3), (3, 2)]
    if turns == ("D", "G"):
        assert metrics == train(small)
        assert all(map(torch.equal, tight.G.parameters(), small.G.parameters()))
    else:
        assert all(metric.isfinite() for metric in metrics.values())


def test_without_leave_to_take_smaller_passes_the_person_is_told_how_to(build):
    recipe = limit_memory(build(), 2)
    before = [p.clone() for p in recipe.D.parameters()]
    with pytest.raises(EXPECTED_ERRORS, match=r"update of D with batch_size 6.*--batch-size auto"):
        train(recipe)
    assert all(map(torch.equal, before, recipe.D.parameters()))


def test_when_not_even_one_picture_fits_smaller_networks_are_advised(build):
    with pytest.raises(EXPECTED_ERRORS, match=r"1 pictures at once. Train narrower"):
        train(limit_memory(build(fit_memory=True), 0))


@pytest.mark.parametrize("name", ["G", "D"])
def test_a_parameter_that_would_never_learn_is_named(build, name):
    recipe = build()
    recipe.modules[name].register_parameter("idle", nn.Parameter(torch.zeros(1)))
    with pytest.raises(EXPECTED_ERRORS, match=f"{name}'s parameter 'idle' got no gradient"):
        train(recipe)
    assert recipe.batch == 0


def test_frozen_parameters_may_go_without_a_gradient(build):
    recipe = build()
    next(recipe.G.parameters()).requires_grad_(False)
    train(recipe)
    assert recipe.batch == 2


def test_a_network_that_cannot_be_compiled_is_told(build, monkeypatch):
    def refuse(*_):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=refuse))
    with pytest.raises(
        EXPECTED_ERRORS, match=r"D cannot be compiled here: no C.*\. Set compile=false\."
    ):
        train(build(compile=True), batches=1)
