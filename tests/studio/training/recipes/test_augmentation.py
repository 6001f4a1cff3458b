import pytest
import torch

from studio.training.recipes.augmentation import (
    AUGMENT_DRAWS,
    AUGMENTATIONS,
    DRAWS_EACH,
    adapt_p,
    augment,
    translation,
)

EVERYTHING = ",".join(AUGMENTATIONS)


def draws(count, each=AUGMENT_DRAWS):
    return torch.rand(count, each, generator=torch.Generator().manual_seed(0))


def test_no_policy_changes_nothing():
    pictures = torch.randn(2, 3, 32, 32)
    assert augment(pictures, "", draws(2)) is pictures


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_picture_is_changed_in_its_own_way(name):
    pictures = torch.randn(1, 3, 32, 32).expand(2, 3, 32, 32)
    one, other = augment(pictures, name, draws(2))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_gradients_reach_the_pictures(name):
    pictures = torch.randn(4, 3, 32, 32, requires_grad=True)
    augment(pictures, name, draws(4)).square().sum().backward()
    assert (pictures.grad != 0).float().mean() > 0.3


def test_what_is_done_to_a_picture_does_not_depend_on_the_others():
    pictures, drawn = torch.randn(6, 3, 32, 32), draws(6)
    whole = augment(pictures, EVERYTHING, drawn, p=0.5)
    parts = [augment(pictures[n : n + 2], EVERYTHING, drawn[n : n + 2], p=0.5) for n in (0, 2, 4)]
    assert torch.equal(whole, torch.cat(parts))


@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
def test_a_change_is_made_as_often_as_p_says(p):
    pictures = torch.randn(1, 3, 8, 8).expand(2000, 3, 8, 8)
    changed = augment(pictures, "color", draws(2000), p) != pictures
    assert changed.flatten(1).any(1).float().mean() == pytest.approx(p, abs=0.03)


def test_p_rises_while_d_is_surer_than_its_target_and_falls_while_it_is_not():
    assert adapt_p(0.5, 0.7, target=0.6, pictures=500) == pytest.approx(0.501)
    assert adapt_p(0.5, 0.5, target=0.6, pictures=500) == pytest.approx(0.499)
    assert adapt_p(0.5, 0.6, target=0.6, pictures=500) == 0.5
    assert adapt_p(0.0, -1.0, target=0.6, pictures=500) == 0
    assert adapt_p(1.0, 1.0, target=0.6, pictures=500) == 1


def test_translation_moves_whole_pixels_and_fills_with_zeros():
    pictures = torch.arange(1.0, 32 * 32 + 1).view(1, 1, 32, 32).expand(16, 3, 32, 32)
    for moved in translation(pictures, draws(16, DRAWS_EACH)):
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
