"""Held-out pictures are chosen by what they show."""

import numpy as np
import pytest

from studio.datasets.held_out import split_dataset
from studio.datasets.prepared import Manifest, PreparedDataset
from studio.workspace.errors import EXPECTED_ERRORS


def dataset_of(pixels, tmp_path):
    return PreparedDataset(tmp_path, Manifest("some", 32, len(pixels), "made up"), pixels)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (400, 32, 32, 3), dtype=np.uint8)


def test_every_picture_is_on_one_side_and_a_share_is_about_that_of_the_pictures(pixels, tmp_path):
    split = split_dataset(dataset_of(pixels, tmp_path), 0.25)
    assert sorted([*split.training, *split.held_out]) == list(range(400))
    assert 60 < len(split.held_out) < 140


def test_the_order_of_the_pictures_does_not_matter(pixels, tmp_path):
    order = np.random.default_rng(1).permutation(400)
    for held_out in (0.1, 37):
        split = split_dataset(dataset_of(pixels, tmp_path), held_out)
        mixed = split_dataset(dataset_of(pixels[order], tmp_path), held_out)
        assert sorted(order[mixed.held_out]) == split.held_out.tolist()


def test_a_number_holds_so_many_out(pixels, tmp_path):
    assert len(split_dataset(dataset_of(pixels, tmp_path), 37).held_out) == 37


def test_pictures_that_are_added_change_nothing_of_a_share(pixels, tmp_path):
    few = split_dataset(dataset_of(pixels[:300], tmp_path), 0.1)
    many = split_dataset(dataset_of(pixels, tmp_path), 0.1)
    assert few.held_out.tolist() == [number for number in many.held_out if number < 300]


def test_copies_of_a_picture_are_on_one_side(pixels, tmp_path):
    twice = np.concatenate([pixels[:50], pixels[:50]])
    for held_out in (0.3, 7):
        split = split_dataset(dataset_of(twice, tmp_path), held_out)
        assert {number % 50 for number in split.held_out}.isdisjoint(split.training % 50)


@pytest.mark.parametrize("held_out", [0.0001, 4.0, 9.0])
def test_a_split_with_an_empty_side_is_refused(pixels, tmp_path, held_out):
    with pytest.raises(EXPECTED_ERRORS, match="at least one has to be held out, and one be left"):
        split_dataset(dataset_of(pixels[:4], tmp_path), held_out)
