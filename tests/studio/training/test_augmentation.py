import pytest
import torch

from studio.training.augmentation import AUGMENTATIONS, augment, translation


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


def test_no_policy_changes_nothing(rng):
    pictures = torch.randn(2, 3, 32, 32)
    assert augment(pictures, "", rng) is pictures


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_picture_is_changed_in_its_own_way(name, rng):
    pictures = torch.randn(1, 3, 32, 32).expand(2, 3, 32, 32)
    one, other = augment(pictures, name, rng)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_gradients_reach_the_pictures(name, rng):
    pictures = torch.randn(4, 3, 32, 32, requires_grad=True)
    augment(pictures, name, rng).square().sum().backward()
    assert (pictures.grad != 0).float().mean() > 0.3


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_same_random_state_gives_the_same_change(name):
    pictures = torch.randn(4, 3, 32, 32)
    one, other = (augment(pictures, name, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, other)


def test_translation_moves_whole_pixels_and_fills_with_zeros(rng):
    pictures = torch.arange(1.0, 32 * 32 + 1).view(1, 1, 32, 32).expand(16, 3, 32, 32)
    for moved in translation(pictures, rng):
        value = moved[0, 16, 16] - 1  # the pixel that came to the middle tells the way
        down, right = 16 - int(value) // 32, 16 - int(value) % 32
        expected = torch.zeros(3, 32, 32)
        rows = slice(max(0, down), 32 + min(0, down))
        columns = slice(max(0, right), 32 + min(0, right))
        from_rows = slice(max(0, -down), 32 - max(0, down))
        from_columns = slice(max(0, -right), 32 - max(0, right))
        expected[:, rows, columns] = pictures[0, :, from_rows, from_columns]
        assert torch.equal(moved, expected)
        assert max(abs(down), abs(right)) <= 4
