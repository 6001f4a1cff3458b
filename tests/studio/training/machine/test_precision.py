from dataclasses import replace

import pytest
import torch

from studio.training.machine.precision import choose_precision
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes.gan import GAN


@pytest.fixture
def build(config):
    return lambda **settings: GAN(replace(config, **settings), Processes.single("cpu"))


def reals():
    rng = torch.Generator().manual_seed(0)
    while True:
        yield torch.rand(4, 3, 32, 32, generator=rng) * 2 - 1


def seen_by_d(recipe):
    """The types that D's first convolution gives, in the order of its passes."""
    types = []
    first = next(m for m in recipe.D.modules() if isinstance(m, torch.nn.Conv2d))
    first.register_forward_hook(lambda module, given, made: types.append(made.dtype))
    return types


@pytest.mark.parametrize(
    ("precision", "penalty", "in_ds_turn", "in_gs_turn"),
    [
        ("float32", 0, torch.float32, torch.float32),
        ("bf16", 0, torch.bfloat16, torch.bfloat16),
        ("bf16", 1, torch.bfloat16, torch.bfloat16),
        ("fp16", 0, torch.float16, torch.float16),
        ("fp16", 1, torch.float32, torch.float16),
    ],
)
def test_networks_run_in_the_precision_that_was_asked_for_and_weights_stay_whole(
    build, precision, penalty, in_ds_turn, in_gs_turn
):
    recipe = build(precision=precision, gradient_penalty=penalty)
    types = seen_by_d(recipe)
    metrics = recipe.step(reals(), Stopwatch())
    assert types == [in_ds_turn, in_ds_turn, in_gs_turn]
    assert {metric.dtype for metric in metrics.values()} == {torch.float32}
    assert {p.dtype for m in recipe.modules.values() for p in m.parameters()} == {torch.float32}


def test_a_step_whose_gradients_overflow_is_left_out_and_halves_the_scale(build):
    recipe = build(precision="fp16")
    recipe.numbers.update({"loss_scale": 2.0**120, "loss_scale_steady": 0})
    before = [p.clone() for p in [*recipe.G.parameters(), *recipe.D.parameters()]]
    metrics = recipe.step(reals(), Stopwatch())
    assert recipe.numbers["loss_scale"] == 2.0**118
    assert metrics["d_grad_norm"] == metrics["g_grad_norm"] == 0
    after = [*recipe.G.parameters(), *recipe.D.parameters()]
    assert all(map(torch.equal, before, after))


def test_the_scale_goes_on_from_the_numbers_that_were_saved(build):
    recipe = build(precision="fp16")
    recipe.numbers.update({"loss_scale": 1024.0, "loss_scale_steady": 1999})
    recipe.step(reals(), Stopwatch())
    assert recipe.numbers == {"loss_scale": 2048.0, "loss_scale_steady": 1}


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True}, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": True}, "bf16"),
        ({"avx512_f": True, "avx512_bf16": False}, "float32"),
        ({}, "float32"),
    ],
)
def test_a_processor_takes_bf16_by_itself_where_it_has_instructions_for_it(
    monkeypatch, capabilities, expected
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert choose_precision("auto", "cpu") == expected
    assert choose_precision("fp16", "cpu") == "fp16"


@pytest.mark.parametrize(("generation", "expected"), [((7, 5), "float32"), ((8, 0), "bf16")])
def test_a_gpu_takes_bf16_by_itself_from_ampere_on(monkeypatch, generation, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: generation)
    assert choose_precision("auto", "cuda:0") == expected
