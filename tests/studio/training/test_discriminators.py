import pytest
import torch

from studio.training.discriminators import DCGANDiscriminator


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


def test_a_discriminator_reaches_1024_pixels():
    with torch.device("meta"):
        assert DCGANDiscriminator(1024)(torch.empty(2, 3, 1024, 1024)).shape == (2,)
