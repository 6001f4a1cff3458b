"""Near-duplicates among specimens are stacked, with the best of them on top."""

import numpy as np
import pytest
from PIL import Image

from latent.points import sample_point


@pytest.fixture
def doubled(studio, tmp_path):
    """The run with three points that lie beside 3.0, and one that is the same as 3.1."""
    assert studio("specimens", "sample", "city", "--batch", "3", "--count", "6").status == 0
    near = sample_point(3, 0, 16).z.numpy()
    for number, step in enumerate((0.002, 0.001, 0.003)):
        np.save(tmp_path / f"{number}.npy", near + np.float32(step))
        label = f"4.{number}"
        words = ["specimens", "import", "city", tmp_path / f"{number}.npy", "--label", label]
        assert studio(*words).status == 0
    np.save(tmp_path / "same.npy", sample_point(3, 1, 16).z.numpy())
    words = ["specimens", "import", "city", tmp_path / "same.npy", "--label", "4.9"]
    assert studio(*words).status == 0
    return studio


def stacks_of(studio, *words):
    said = studio("specimens", "duplicates", "city", *words, "--json")
    assert said.status == 0, said.err
    return [
        (stack["point"], [each["label"] for each in stack["duplicates"]])
        for stack in said.json["stacks"]
    ]


@pytest.mark.parametrize("space", ["z", "pictures", "activations"])
def test_duplicates_lie_in_stacks_nearest_first(doubled, space):
    words = ["--space", space, *(["--within", "0.05"] if space == "z" else [])]
    stacks = stacks_of(doubled, *words)
    assert ("3.1", ["4.9"]) in stacks
    if space == "z":
        assert stacks == [("3.0", ["4.1", "4.0", "4.2"]), ("3.1", ["4.9"])]


def test_the_best_lies_on_top(doubled):
    exact = ["--space", "z", "--within", "0.05"]
    assert doubled("rename", "specimen", "city", "4.2", "Harbour").status == 0
    assert stacks_of(doubled, *exact)[0][0] == "4.2"
    assert doubled("specimens", "mark", "city", "4.1", "--rating", "2").status == 0
    assert stacks_of(doubled, *exact)[0][0] == "4.1"
    assert doubled("specimens", "star", "city", "4.0").status == 0
    assert stacks_of(doubled, *exact)[0][0] == "4.0"


def test_no_distance_at_all_leaves_what_is_the_same(doubled):
    assert stacks_of(doubled, "--space", "z", "--within", "0") == [("3.1", ["4.9"])]


def test_stacks_are_told_and_drawn(doubled, tmp_path):
    picture = tmp_path / "stacks.png"
    words = ["--space", "z", "--within", "0.05", "--picture", picture]
    told = doubled("specimens", "duplicates", "city", *words)
    assert "4.1 (" in told.out
    assert "at the median" in " ".join(told.out.split())
    with Image.open(picture) as image:
        assert image.width > 4 * 128
        assert image.height > 2 * 128


def test_where_there_are_none_that_is_said_and_nothing_is_drawn(studio, tmp_path):
    picture = tmp_path / "stacks.png"
    words = ["--space", "z", "--within", "0.001", "--picture", picture]
    told = studio("specimens", "duplicates", "city", *words)
    assert told.status == 0
    assert "No two are that near." in told.out
    assert not picture.exists()


def test_a_negative_distance_is_refused(studio):
    told = studio("specimens", "duplicates", "city", "--within", "-1")
    assert told.status in (1, 2)
    assert "within" in told.err
