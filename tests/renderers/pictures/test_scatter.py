"""Pictures that lie at places which move from frame to frame."""

import numpy as np
import pytest

from renderers.errors import RenderError
from renderers.pictures.scatter import ScatterView, scatter
from renderers.pictures.sheets import INK


def centre_of(frame, channel=0):
    """The middle of what is brighter than the ground, as x and y."""
    light = frame[..., channel].astype(float) - INK[channel]
    rows, columns = np.indices(light.shape)
    return (light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()


def test_a_picture_lies_where_it_belongs_to_a_part_of_a_pixel():
    picture = np.full((1, 8, 8, 3), 255, np.uint8)
    for x, y in ((20.0, 12.0), (20.25, 12.5), (20.75, 11.9)):
        at = centre_of(scatter(picture, np.array([[x, y]]), 40))
        assert np.allclose(at, (x - 0.5, y - 0.5), atol=0.03)  # Pixel 0 has its middle at 0.5.


def test_later_pictures_lie_on_top_and_what_reaches_over_the_edge_is_cut_off():
    pictures = np.stack([np.full((10, 10, 3), 60, np.uint8), np.full((10, 10, 3), 200, np.uint8)])
    frame = scatter(pictures, np.array([[15.0, 15.0], [18.0, 15.0]]), 30)
    assert frame[15, 18, 0] == 200
    assert frame[15, 11, 0] == 60
    far = scatter(pictures, np.array([[-500.0, 15.0], [0.0, 900.0]]), 30)
    assert np.array_equal(far, np.broadcast_to(np.uint8(INK), (30, 30, 3)))
    half = scatter(pictures[1:], np.array([[0.0, 15.0]]), 30)
    assert half[15, 2, 0] == 200


def test_places_pass_the_keys_and_go_on_smoothly():
    places = np.random.default_rng(0).random((4, 5, 2)) * 100
    view = ScatterView.of(100, 8, (0, 10, 25, 30), places)
    for key, known in zip(view.keys, places, strict=True):
        assert np.allclose(view.places_at(key), known, atol=1e-4)
    assert np.array_equal(view.places_at(99), view.places_at(30))
    even = ScatterView.of(100, 8, (0, 10, 20, 30), places)
    steps = np.diff([even.places_at(frame) for frame in range(31)], axis=0)
    turns = np.linalg.norm(np.diff(steps, axis=0), axis=2)
    assert turns.max() < 0.06 * 100  # Straight lines from key to key turn by up to 10 in a frame.


def test_one_key_is_a_map_that_stays():
    view = ScatterView.of(50, 8, (0,), np.full((1, 3, 2), 25.0))
    assert np.array_equal(view.places_at(0), view.places_at(7))
    assert view.compose(np.zeros((3, 8, 8, 3), np.uint8), 7).shape == (50, 50, 3)


def test_a_view_is_read_as_it_was_written():
    view = ScatterView.of(64, 8, (0, 4), np.random.default_rng(1).random((2, 6, 2)))
    document = {**vars(view), "keys": list(view.keys)}
    read = ScatterView.from_json({n: document[n] for n in ScatterView.__dataclass_fields__})
    assert read == view


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size_px": 10**6}, "out of range"),
        ({"picture_px": 0}, "out of range"),
        ({"keys": (0, 5, 5)}, "ascend"),
        ({"keys": (1, 5)}, "ascend"),
        ({"keys": (0, 1, 2, 3, 4)}, "not those of its keys"),
        ({"places": "????"}, "finite"),
        ({"places": ""}, "finite"),
        ({"keys": ("a", None)}, "ascend"),
    ],
)
def test_a_view_that_cannot_be_is_refused(changes, said):
    whole = ScatterView.of(64, 8, (0, 4), np.zeros((2, 6, 2)))
    fields = {name: getattr(whole, name) for name in ScatterView.__dataclass_fields__}
    with pytest.raises(RenderError, match=said):
        ScatterView(**{**fields, **changes})


def test_places_that_are_not_finite_are_refused():
    with pytest.raises(RenderError, match="finite"):
        ScatterView.of(64, 8, (0,), np.full((1, 2, 2), np.nan))
