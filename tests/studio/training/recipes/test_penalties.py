import pytest
import torch

from studio.runs.config import TrainingConfig
from studio.training.recipes.penalties import (
    DiscriminatorPass,
    OneCentred,
    ZeroCentred,
    build_penalty,
    penalty_weight,
    r3gan_gamma,
)

MIXING = torch.tensor([[0.0], [0.25], [1.0]])


@pytest.fixture
def slope():
    """Weights of a linear D, so that the gradient of each logit is them."""
    rng = torch.Generator().manual_seed(0)
    return torch.randn(3, 8, 8, generator=rng).requires_grad_()


@pytest.fixture
def d_pass(slope):
    reals, fakes = torch.ones(3, 3, 8, 8).requires_grad_(), torch.zeros(3, 3, 8, 8).requires_grad_()
    return DiscriminatorPass(
        reals, fakes, discriminate_with(slope)(reals), discriminate_with(slope)(fakes)
    )


def discriminate_with(slope):
    return lambda pictures: (pictures * slope).sum(dim=(1, 2, 3))


def test_r1_is_half_gamma_times_the_squared_slope_and_r2_is_as_much_again(slope, d_pass):
    squared_gradients = slope.detach().square().sum()
    r1 = ZeroCentred(4.0, of_fakes=False)(discriminate_with(slope), d_pass, MIXING)
    both = ZeroCentred(4.0, of_fakes=True)(discriminate_with(slope), d_pass, MIXING)
    torch.testing.assert_close(r1.detach(), 2 * squared_gradients)
    torch.testing.assert_close(both.detach(), 4 * squared_gradients)


def test_d_can_learn_to_be_flat(slope, d_pass):
    ZeroCentred(4.0, of_fakes=False)(discriminate_with(slope), d_pass, MIXING).backward()
    torch.testing.assert_close(slope.grad, 4 * slope.detach())


def test_the_slope_is_held_at_one_between_real_and_generated_pictures(slope, d_pass):
    seen = []

    def discriminate(pictures):
        seen.append(pictures)
        return discriminate_with(slope)(pictures)

    penalty = OneCentred(10.0)(discriminate, d_pass, MIXING)
    length = slope.detach().square().sum().sqrt()
    torch.testing.assert_close(penalty.detach(), 10 * (length - 1) ** 2)
    assert torch.equal(seen[0][:, 0, 0, 0], MIXING[:, 0])


def test_a_flat_critic_is_pulled_up_without_dividing_by_zero(d_pass):
    flat = torch.zeros(3, 8, 8, requires_grad=True)
    OneCentred(10.0)(discriminate_with(flat), d_pass, MIXING).backward()
    assert flat.grad.isfinite().all()


@pytest.mark.parametrize(
    ("loss", "given", "weight"),
    [
        ("non_saturating", -1, 0),
        ("hinge", -1, 0),
        ("wasserstein", -1, 10),
        ("relativistic", -1, 2),
        ("non_saturating", 0.5, 0.5),
        ("hinge", 3, 3),
        ("wasserstein", 0, 0),
        ("relativistic", 7, 7),
    ],
)
def test_each_loss_has_a_penalty_of_its_own_unless_told_otherwise(loss, given, weight):
    config = TrainingConfig(loss=loss, gradient_penalty=given, image_size=64)
    assert penalty_weight(config) == pytest.approx(weight)
    kinds = {"wasserstein": OneCentred(weight)}
    expected = kinds.get(loss, ZeroCentred(weight, of_fakes=loss == "relativistic"))
    assert build_penalty(config) == (expected if weight else None)


def test_r3gans_gamma_goes_through_the_papers_values_and_no_further():
    assert [r3gan_gamma(size) for size in (64, 256, 1024)] == pytest.approx([2, 150, 150])
    assert 0.05 < r3gan_gamma(32) < 0.5  # the paper's on CIFAR-10 and on ImageNet-32
