"""What the cities of clusters share, measured of their pictures and read off their tags."""

import numpy as np

from studio.atlases.cluster_traits import find_shared
from studio.atlases.picture_traits import WORDS, measure_traits
from studio.specimens.marking import mark_specimens


def striped(across):
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[::2] = 255
    return picture if across else picture.transpose(1, 0, 2)


def test_traits_are_what_their_words_say():
    flat = np.zeros((5, 8, 8, 3), np.uint8)
    for number, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (250, 250, 250)]):
        flat[number] = colour
    pictures = np.stack([*flat, striped(True), striped(False)])
    traits = measure_traits(pictures)
    assert set(traits) == set(WORDS)
    assert [int(traits[name].argmax()) for name in ("red", "green", "blue")] == [0, 1, 2]
    assert (traits["brightness"].argmax(), traits["brightness"].argmin()) == (3, 4)
    assert traits["saturation"][3] == 0
    assert (traits["upright"][5], traits["upright"][6]) == (-1, 1)
    assert traits["detail"][5] > traits["detail"][0] == 0
    assert traits["contrast"][0] < 1e-9 < traits["contrast"][5]


def test_a_cluster_is_told_by_its_pictures_and_its_tags(workspace):
    stream = np.random.default_rng(0)
    pictures = stream.integers(60, 120, (60, 8, 8, 3)).astype(np.uint8)
    pictures[:20, :, :, 2] += 100
    members = np.repeat([0, 1], [20, 40])
    labels = [f"12.{number}" for number in range(60)]
    mark_specimens(workspace, "city", labels[:15], ["sea"])
    mark_specimens(workspace, "city", labels[30:45], ["land"])
    first, second = find_shared(workspace, "city", labels, members, pictures)
    assert [trait.words for trait in first][-1] == "tagged sea"
    assert "bluer" in [trait.words for trait in first]
    assert "less blue" in [trait.words for trait in second]
    assert "tagged land" in [trait.words for trait in second]


def test_an_atlas_says_of_each_cluster_what_it_shares_or_that_it_is_nothing(studio):
    words = ("atlas", "city", "--count", "150", "--json")
    for cluster in studio(*words).json["clusters"]:
        assert all(abs(trait["effect"]) >= 0.8 for trait in cluster["shared"])
