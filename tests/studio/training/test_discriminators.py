from dataclasses import replace

import pytest
import torch

from studio.runs.config import TrainingConfig
from studio.training.discriminators import build_discriminator
from studio.training.discriminators.dcgan import DCGANDiscriminator
from studio.training.discriminators.residual import Halving, ResidualDiscriminator
from studio.workspace.errors import EXPECTED_ERRORS


@pytest.mark.parametrize("norm", ["batch", "spectral", "none"])
@pytest.mark.parametrize("minibatch_stddev", [False, True])
@pytest.mark.parametrize("image_size", [32, 128])
def test_every_picture_gets_one_logit(image_size, norm, minibatch_stddev):
    D = DCGANDiscriminator(image_size, 0.03, norm=norm, minibatch_stddev=minibatch_stddev)
    assert D(torch.randn(5, 3, image_size, image_size)).shape == (5,)


def test_the_minibatch_stddev_tells_a_collapsed_batch_from_a_varied_one():
    D = DCGANDiscriminator(32, 0.03, norm="none", minibatch_stddev=True)
    varied = torch.randn(4, 3, 32, 32)
    collapsed = varied[:1].expand(4, 3, 32, 32)
    assert not torch.isclose(D(varied)[0], D(collapsed)[0])


@pytest.mark.parametrize("network", [DCGANDiscriminator, ResidualDiscriminator])
def test_a_discriminator_reaches_1024_pixels(network):
    with torch.device("meta"):
        assert network(1024)(torch.empty(2, 3, 1024, 1024)).shape == (2,)


@pytest.mark.parametrize("network", [DCGANDiscriminator, ResidualDiscriminator])
@pytest.mark.parametrize("image_size", [16, 48, 2048])
def test_a_size_that_is_not_offered_is_refused_with_those_that_are(network, image_size):
    with pytest.raises(EXPECTED_ERRORS, match=f"64, 128.*not {image_size}"):
        network(image_size)


@pytest.mark.parametrize(("blocks", "group_width"), [(1, 0), (2, 4), (3, 16)])
def test_a_residual_discriminator_judges_each_picture_by_itself(blocks, group_width):
    D = ResidualDiscriminator(32, 0.1, blocks=blocks, group_width=group_width)
    pictures = torch.randn(5, 3, 32, 32)
    logits = D(pictures)
    assert logits.shape == (5,)
    torch.testing.assert_close(logits[3:], D(pictures[3:]))


def test_an_untrained_residual_discriminator_already_tells_pictures_apart():
    torch.manual_seed(0)
    D = ResidualDiscriminator(32, 0.25)
    colours = torch.randn(64, 3, 1, 1).expand(-1, -1, 32, 32)
    assert 0.1 < D(colours).std() < 10


def test_every_weight_of_a_residual_discriminator_hears_of_a_gradient_penalty():
    D = ResidualDiscriminator(32, 0.1)
    for parameter in D.parameters():  # the last layer of every block begins as zero
        torch.nn.init.normal_(parameter, 0, 0.1)
    reals = torch.randn(2, 3, 32, 32, requires_grad=True)
    (slope,) = torch.autograd.grad(D(reals).sum(), reals, create_graph=True)
    slope.square().sum().backward()
    weights = [p for name, p in D.named_parameters() if name.endswith("weight")]
    assert all(p.grad.abs().sum() > 0 for p in weights)


def test_halving_is_bilinear():
    x = torch.randn(2, 3, 8, 8)
    bilinear = torch.nn.functional.interpolate(x, scale_factor=0.5, mode="bilinear")
    torch.testing.assert_close(Halving(3, 3)(x), bilinear)


@pytest.mark.parametrize("network", ["dcgan", "residual"])
def test_the_config_says_which_discriminator_is_built_and_how_wide(config, network):
    config = replace(config, discriminator=network, discriminator_norm="none")
    counts = [
        sum(p.numel() for p in build_discriminator(wide).parameters())
        for wide in (config, replace(config, discriminator_width=1.0))
    ]
    assert build_discriminator(config)(torch.zeros(2, 3, 32, 32)).shape == (2,)
    assert counts[0] < counts[1] / 10


def test_a_residual_pair_shares_its_depth_and_its_groups():
    options = {"width": 0.5, "blocks": 3, "group_width": 8, "max_channels": 64}
    config = TrainingConfig(
        generator="residual",
        generator_options=options,
        discriminator="residual",
        discriminator_norm="none",
    )
    G, D = config.generator_spec().build(), build_discriminator(config)
    assert [len(stage) for stage in (G.stages[0], D.stages[0])] == [3, 3]
    assert G.stages[0][0].mix.weight.shape == (64, 8, 3, 3)
    assert D.stages[-1][1][0].mix.weight.shape == (128, 8, 3, 3)


@pytest.mark.parametrize("settings", [{"discriminator_norm": "batch"}, {"minibatch_stddev": True}])
def test_what_a_residual_discriminator_has_nothing_for_is_refused(config, settings):
    plain = replace(config, discriminator="residual", discriminator_norm="none")
    with pytest.raises(EXPECTED_ERRORS, match="Set them to auto and false"):
        build_discriminator(replace(plain, **settings))


@pytest.mark.parametrize(
    ("network", "norm"), [("dcgan", "none"), ("dcgan", "spectral"), ("residual", "none")]
)
def test_the_last_layer_is_stored_under_the_name_that_states_have(config, network, norm):
    config = replace(config, discriminator=network, discriminator_norm=norm)
    D, other = build_discriminator(config), build_discriminator(config)
    weights = D.state_dict()
    assert any(name.startswith("judge.") for name in weights)
    assert not any(name.startswith("to_logit.") for name in weights)
    other.load_state_dict(weights)
    assert all(map(torch.equal, D.parameters(), other.parameters()))
