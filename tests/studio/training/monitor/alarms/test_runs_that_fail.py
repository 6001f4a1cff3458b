"""Real training runs, made to fail in each way, and healthy ones."""

import copy
import math

import pytest
import torch


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_healthy_run_sets_off_no_alarm(begin, seed):
    assert begin(seed=seed).train(250) == []


def test_a_generator_that_does_not_learn_loses_to_d_and_goes_nowhere(begin):
    assert begin(learning_rate_g=0.0).train(280) == ["No visible progress", "D wins"]


def test_huge_rates_let_the_loss_of_g_run_away_and_d_win(begin):
    session = begin()
    assert session.train(145) == []
    session.configure(learning_rate_d=0.03, learning_rate_g=0.0)
    assert session.train(75) == ["G's loss runs away", "D wins"]


def test_rates_that_nothing_holds_back_send_losses_out_of_range(begin):
    session = begin(discriminator_norm="none", learning_rate_d=1.0, learning_rate_g=1.0)
    assert "Out of range" in session.train(40)


def test_a_generator_that_comes_to_ignore_z_has_collapsed(begin):
    session = begin()
    assert session.train(130) == []
    for name in ("G", "G_ema"):
        session.recipe.modules[name].register_forward_pre_hook(lambda G, z: (z[0] * 1e-3,))
    assert session.train(30) == ["Mode collapse"]


def test_weights_that_swing_are_flopping_and_the_period_is_named(begin):
    session = begin()
    session.train(30)
    before = copy.deepcopy(session.recipe.rendered.state_dict())
    session.train(60)
    after = copy.deepcopy(session.recipe.rendered.state_dict())
    for step in range(220):
        blend = 0.75 + 0.25 * math.sin(2 * math.pi * step / 40)
        session.recipe.rendered.load_state_dict(
            {name: torch.lerp(before[name].float(), after[name].float(), blend) for name in after}
        )
        session.recipe.batch += 1
        session.check({})
    (alarm,) = (alarm for alarm in session.seen if alarm.name == "Flopping")
    said = int(alarm.text.partition("period of about ")[2].split()[0])
    assert said == pytest.approx(40, abs=4)
