"""Patches of pairs show the same place, however they are turned."""

import numpy as np
import pytest
import torch

from studio.training.data.patches import Patches
from studio.training.machine.processes import Processes

FACTOR, SMALL = 4, 10


@pytest.fixture
def pair():
    """Pictures whose colours say their row, their column and their number."""
    rows, columns = np.mgrid[:SMALL, :SMALL]
    small = np.stack(
        [np.stack([rows, columns, np.full_like(rows, n)], 2) for n in range(6)]
    ).astype(np.uint8)
    return small.repeat(FACTOR, 1).repeat(FACTOR, 2), small


def draw(pair, seed=0, flips=True, turns=True, among=(0, 2, 3, 5)):
    large, small = pair
    options = (FACTOR, 5, 8, seed, flips, turns, Processes.single("cpu"), np.array(among))
    return Patches(large, small, *options)


def levels(patches):
    return ((patches + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def test_each_pixel_of_a_small_patch_is_the_place_of_a_block_of_the_large_one(pair):
    patches = draw(pair)
    for _ in range(5):
        small, large = map(levels, next(patches))
        assert small.shape == (8, 5, 5, 3)
        assert np.array_equal(small.repeat(FACTOR, 1).repeat(FACTOR, 2), large)
    patches.close()


def test_patches_come_from_all_places_turned_and_mirrored_and_only_from_training_pictures(pair):
    patches = draw(pair)
    corners, ways, pictures = set(), set(), set()
    for _ in range(40):
        for patch in levels(next(patches).small).astype(int):
            corners.add((patch[..., 0].min(), patch[..., 1].min()))
            down, right = patch[1, 0, :2] - patch[0, 0, :2], patch[0, 1, :2] - patch[0, 0, :2]
            ways.add((*down, *right))
            pictures.update(patch[..., 2].flatten())
    patches.close()
    assert corners == {(top, left) for top in range(6) for left in range(6)}
    assert len(ways) == 8
    assert pictures == {0, 2, 3, 5}


def test_without_turns_and_flips_patches_stand_as_they_are(pair):
    patches = draw(pair, flips=False, turns=False)
    for patch in levels(next(patches).small).astype(int):
        assert (patch[1:, :, 0] - patch[:-1, :, 0] == 1).all()
        assert (patch[:, 1:, 1] - patch[:, :-1, 1] == 1).all()
    patches.close()


def test_the_state_alone_says_what_comes_next(pair):
    patches, other = draw(pair), draw(pair, seed=7)
    next(patches)
    other.state = patches.state
    for _ in range(3):
        one, two = next(patches), next(other)
        assert torch.equal(one.small, two.small)
        assert torch.equal(one.large, two.large)
    patches.close()
    other.close()
