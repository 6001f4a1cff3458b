import numpy as np
import pytest

from studio.datasets.maps.city import MAX_COLOUR_SHARE, prepare_city
from studio.datasets.prepared import PreparedDataset
from studio.workspace.errors import EXPECTED_ERRORS


def share_of_the_commonest_colour(picture):
    _, counts = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
    return counts.max() / counts.sum()


def test_a_city_becomes_pictures_with_their_attribution(tmp_path):
    reported = []
    prepare_city(
        "helsinki",
        tmp_path / "helsinki",
        64,
        count=20,
        on_progress=lambda done, total: reported.append((done, total)),
    )
    dataset = PreparedDataset.open(tmp_path / "helsinki")
    assert dataset.pixels.shape == (20, 64, 64, 3)
    assert dataset.manifest.attribution == "© OpenStreetMap contributors, ODbL"
    assert "helsinki" in dataset.manifest.source
    assert reported == [(done, 20) for done in range(1, 21)]


def test_no_picture_is_empty(tmp_path):
    dataset = prepare_city("suburb", tmp_path / "suburb", 32, count=100)
    assert max(map(share_of_the_commonest_colour, dataset.pixels)) <= MAX_COLOUR_SHARE


def test_a_seed_gives_the_same_pictures_and_another_seed_others(tmp_path):
    options = {"image_size": 32, "metres_per_pixel": 4.0, "count": 12}
    first = prepare_city("helsinki", tmp_path / "a", seed=1, **options).pixels
    again = prepare_city("helsinki", tmp_path / "b", seed=1, **options).pixels
    other = prepare_city("helsinki", tmp_path / "c", seed=2, **options).pixels
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_map_too_small_for_the_window_says_by_how_much(tmp_path):
    with pytest.raises(
        EXPECTED_ERRORS, match=r"1280 m wide, and the map of 'helsinki' only 10\d\d m"
    ):
        prepare_city("helsinki", tmp_path / "a", 256, metres_per_pixel=5.0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"city": "atlantis"}, "Known: helsinki, suburb"),
        ({"metres_per_pixel": 100.0}, "metres per pixel"),
        ({"count": 0}, "one or more"),
        ({"seed": -1}, "0 or more"),
        ({"image_size": 60}, "32, 64, 128"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(tmp_path, options, message):
    arguments = {"city": "helsinki", "destination": tmp_path / "a", "image_size": 64} | options
    with pytest.raises(EXPECTED_ERRORS, match=message):
        prepare_city(**arguments)
    assert list(tmp_path.iterdir()) == []
