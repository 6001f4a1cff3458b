import pytest
import torch

from studio.training.recipes.blur import blur, fading_sigma


@pytest.mark.parametrize("sigma_px", [1.0, 4.0, 10.0])
def test_a_dot_becomes_a_gaussian_of_the_sigma_asked_for(sigma_px):
    dot = torch.zeros(1, 3, 65, 65)
    dot[..., 32, 32] = 1
    spread = blur(dot, sigma_px)[0, 0]
    offsets = torch.arange(65.0) - 32
    assert spread.sum() == pytest.approx(1, abs=1e-4)
    variance = (spread.sum(0) * offsets**2).sum()
    assert variance.sqrt().item() == pytest.approx(sigma_px, rel=0.1)


def test_a_flat_picture_stays_as_it_is_up_to_its_edges():
    flat = torch.full((2, 3, 32, 32), 0.25)
    torch.testing.assert_close(blur(flat, 10.0), flat)


def test_no_blur_gives_the_pictures_themselves():
    pictures = torch.randn(1, 3, 32, 32)
    assert blur(pictures, 0.0) is pictures


def test_the_blur_fades_in_a_straight_line_and_then_is_gone():
    assert [fading_sigma(4.0, batch, 100) for batch in (0, 50, 100, 5000)] == [4.0, 2.0, 0.0, 0.0]
