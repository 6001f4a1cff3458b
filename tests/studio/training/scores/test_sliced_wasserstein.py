import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from studio.training.scores.sliced_wasserstein import (
    SlicedWasserstein,
    laplacian_pyramid,
    mean_distance,
    sliced_wasserstein,
)
from studio.workspace.errors import EXPECTED_ERRORS


@pytest.fixture(scope="module")
def streets():
    """uint8 [128, 64, 64, 3]: two streets that cross."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 120, (128, 1, 1, 3)) + rng.integers(0, 20, (128, 64, 64, 3))
    for picture in pictures:
        row, column = rng.integers(0, 60, 2)
        picture[row : row + 4] = picture[:, column : column + 4] = 240
    return pictures.astype(np.uint8)


def test_other_pictures_of_the_same_kind_are_nearer_than_blurred_ones(streets):
    real, other = streets[::2], streets[1::2]
    blurred = [Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1)) for picture in other]
    near, far = sliced_wasserstein(real, other), sliced_wasserstein(real, np.stack(blurred))
    assert list(near) == [64, 32, 16]
    assert far[64] > 2 * near[64]
    assert mean_distance(far) > mean_distance(near)


def test_a_changed_layout_shows_at_the_coarsest_level(streets):
    real, other = streets[::2], streets[1::2]
    half = other.copy()
    half[:, 32:] = half[:, :1, :1]
    near, far = sliced_wasserstein(real, other), sliced_wasserstein(real, half)
    assert far[16] > 2 * near[16]


def test_pictures_are_next_to_nothing_from_themselves(streets):
    itself, blank = sliced_wasserstein(streets, streets), np.zeros_like(streets)
    assert mean_distance(itself) < 0.1 * mean_distance(sliced_wasserstein(streets, blank))


def test_random_numbers_are_its_own_and_the_same_each_time(streets):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    distance = SlicedWasserstein(streets[::2], seed=3)
    assert distance(streets[1::2]) == sliced_wasserstein(streets[::2], streets[1::2], seed=3)
    assert distance(streets[1::2]) != sliced_wasserstein(streets[::2], streets[1::2], seed=4)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_pyramid_adds_up_to_the_picture():
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    *details, total = laplacian_pyramid(picture)
    for detail in reversed(details):
        total = detail + torch.nn.functional.interpolate(total, scale_factor=2, mode="bilinear")
    assert torch.allclose(total, picture, atol=1e-6)


def test_another_count_or_size_is_refused(streets):
    distance = SlicedWasserstein(streets[:10])
    with pytest.raises(EXPECTED_ERRORS, match="take as many, of the same size"):
        distance(streets[:9])
    with pytest.raises(EXPECTED_ERRORS, match="needs two"):
        SlicedWasserstein(streets[:1])
