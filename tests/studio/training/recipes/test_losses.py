from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from studio.runs.config import TrainingConfig
from studio.training.recipes.labels import LABEL_DRAWS, draw_labels
from studio.training.recipes.losses import (
    Hinge,
    NonSaturating,
    Relativistic,
    Wasserstein,
    build_loss,
    reference_d_losses,
)

NAMES = ("non_saturating", "hinge", "wasserstein", "relativistic")
REAL, FAKE = torch.tensor([0.5, -2.0, 3.0]), torch.tensor([-0.75, 0.25, 0.0])
HARD = torch.ones(3), torch.zeros(3)


def test_smoothed_labels_want_real_logits_at_their_own_odds():
    logits = torch.tensor([0.9]).logit().requires_grad_()
    NonSaturating().cost(logits, torch.tensor([0.9])).backward()
    assert logits.grad.item() == pytest.approx(0, abs=1e-6)


def test_the_generator_learns_most_where_the_discriminator_is_surest():
    logits = torch.tensor([-8.0, 8.0], requires_grad=True)
    NonSaturating().g(logits).backward()
    assert logits.grad[0] == pytest.approx(-0.5, abs=1e-3)
    assert logits.grad[1] == pytest.approx(0, abs=1e-3)


def test_the_hinge_leaves_logits_beyond_the_margin_alone():
    real, fake = torch.tensor([1.0, 3.0, 9.0]), torch.tensor([-1.0, -3.0, -9.0])
    assert Hinge().d(real, fake, HARD) == (0, 0)
    assert Hinge().d(torch.zeros(3), torch.zeros(3), HARD) == (1, 1)


def test_the_critics_losses_add_up_to_the_distance_that_it_sees():
    d_real, d_fake = Wasserstein().d(REAL, FAKE, HARD)
    torch.testing.assert_close(-(d_real + d_fake), (REAL - FAKE).mean())
    torch.testing.assert_close(Wasserstein().g(FAKE), -FAKE.mean())


def test_the_relativistic_loss_is_the_papers_and_knows_pairs_alone():
    loss = Relativistic()
    torch.testing.assert_close(sum(loss.d(REAL, FAKE, HARD)), F.softplus(FAKE - REAL).mean())
    torch.testing.assert_close(loss.g(FAKE, REAL), F.softplus(REAL - FAKE).mean())
    torch.testing.assert_close(loss.d(REAL + 7, FAKE + 7, HARD), loss.d(REAL, FAKE, HARD))


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_label_turns_the_loss_around(name):
    loss, flipped = build_loss(TrainingConfig(loss=name)), HARD[::-1]
    d_real, d_fake = loss.d(REAL, FAKE, flipped)
    torch.testing.assert_close((d_fake, d_real), loss.d(FAKE, REAL, HARD))


@pytest.mark.parametrize("name", NAMES)
def test_g_and_d_pull_the_logits_of_generated_pictures_apart(name):
    loss, fake = build_loss(TrainingConfig(loss=name)), FAKE.clone().requires_grad_()
    (from_g,) = torch.autograd.grad(loss.g(fake, REAL), fake)
    (from_d,) = torch.autograd.grad(sum(loss.d(REAL, fake, HARD)), fake)
    assert (from_g < 0).all()
    assert (from_d > 0).all()


@pytest.mark.parametrize("name", ["non_saturating", "hinge", "relativistic"])
@pytest.mark.parametrize("labels", [{}, {"label_noise": 0.4, "label_flips": 0.1}])
def test_a_discriminator_that_always_wins_comes_to_the_floor(name, labels):
    config = TrainingConfig(loss=name, **labels)
    draws = torch.rand(50_000, LABEL_DRAWS, generator=torch.Generator().manual_seed(0))
    drawn, loss = draw_labels(config, draws), build_loss(config)
    certain = torch.linspace(0, 30, 301)[:, None]  # logits, one for all pictures
    losses = [loss.d(s.expand(50_000), -s.expand(50_000), drawn) for s in certain]
    found = torch.tensor(losses).amin(dim=0)
    floor, guess_loss = reference_d_losses(config)
    assert found.tolist() == pytest.approx(floor, abs=0.01)
    assert losses[0] == pytest.approx(guess_loss, abs=0.01)


def test_a_critic_has_no_way_to_win():
    assert reference_d_losses(TrainingConfig(loss="wasserstein")) is None


def test_r_t_counts_logits_only_where_the_loss_gives_them_a_sign():
    base = TrainingConfig()
    for name in NAMES:
        found = build_loss(replace(base, loss=name)).r_t_logits(REAL, FAKE)
        expected = REAL if name in ("non_saturating", "hinge") else REAL - FAKE
        assert torch.equal(found, expected), name
