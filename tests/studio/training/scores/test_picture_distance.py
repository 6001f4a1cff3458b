"""A generator that learned its pictures by heart is nearer to them than to held-out ones."""

import numpy as np
import pytest
import torch
from torch import nn

from studio.datasets.held_out import split_dataset
from studio.datasets.prepared import Manifest, PreparedDataset
from studio.training.scores.picture_distance import PictureDistance


class Parrot(nn.Module):
    """Shows pictures that it was given, whatever it is asked for."""

    def __init__(self, pictures):
        super().__init__()
        levels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float()
        self.pictures = nn.Parameter(levels / 127.5 - 1)

    def forward(self, z):
        return self.pictures[: len(z)]


@pytest.fixture
def split(tmp_path):
    """Forty pictures of one colour each, a quarter of them held out."""
    colours = np.random.default_rng(0).integers(0, 256, (40, 1, 1, 3), dtype=np.uint8)
    pixels = np.broadcast_to(colours, (40, 40, 40, 3)).copy()
    dataset = PreparedDataset(tmp_path, Manifest("colours", 40, 40, "made up"), pixels)
    return split_dataset(dataset, 10)


def test_memorising_shows_in_the_scores(split):
    distance = PictureDistance(split, 32)
    assert distance.count == 10
    seen = split.pixels[split.spread(split.training, 10)][:, :32, :32]
    unseen = split.pixels[split.held_out][:, :32, :32]
    z = torch.zeros(10, 2)
    parrot, honest = distance.measure(Parrot(seen), z), distance.measure(Parrot(unseen), z)
    assert parrot["swd"] < 0.5 * parrot["swd_held_out"]
    assert honest["swd_held_out"] < 0.5 * honest["swd"]


def test_without_held_out_pictures_there_is_one_distance_of_as_many_as_there_are(split):
    everything = split_dataset(split.dataset, 0)
    distance = PictureDistance(everything, 32)
    assert distance.count == 40
    assert list(distance.measure(Parrot(split.pixels[:, :32, :32]), torch.zeros(40, 2))) == ["swd"]
