import pytest
import torch

from studio.training.config import TrainingConfig
from studio.training.losses import Hinge, NonSaturating, build_loss


def test_smoothed_labels_want_real_logits_at_their_own_odds():
    loss, logits = NonSaturating(0.1), torch.tensor([0.9]).logit().requires_grad_()
    loss.d_real(logits).backward()
    assert logits.grad.item() == pytest.approx(0, abs=1e-6)


def test_the_generator_learns_most_where_the_discriminator_is_surest():
    logits = torch.tensor([-8.0, 8.0], requires_grad=True)
    NonSaturating(0.1).g(logits).backward()
    assert logits.grad[0] == pytest.approx(-0.5, abs=1e-3)
    assert logits.grad[1] == pytest.approx(0, abs=1e-3)


def test_the_hinge_leaves_logits_beyond_the_margin_alone():
    loss = Hinge()
    assert loss.d_real(torch.tensor([1.0, 3.0])) == 0
    assert loss.d_fake(torch.tensor([-1.0, -3.0])) == 0
    assert loss.d_real(torch.tensor([0.0])) == loss.d_fake(torch.tensor([0.0])) == 1


def test_the_config_chooses_the_loss():
    assert isinstance(build_loss(TrainingConfig(loss="hinge")), Hinge)
    assert build_loss(TrainingConfig(label_smoothing=0.25)).real_label == 0.75
