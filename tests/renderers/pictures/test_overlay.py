from __future__ import annotations

from dataclasses import replace
from math import nan

import numpy as np
import pytest

from renderers.pictures.display_options import DisplayOptions
from renderers.pictures.overlay import Overlay, OverlayBox
from renderers.video.formats import format_of
from renderers.video.frame_encoding import NumberedFrame, encode_frames
from renderers.video.video_reader import read_frames
from tests.renderers.tiny import number_frames

NUMBER = Overlay(largest=19_000)
ALL = Overlay("city", "16500.28", True, 19_000, tuple(np.linspace(2, 0, 100)))


def drawn(frame: np.ndarray, overlay: Overlay, position: int = 0, number: int = 0) -> np.ndarray:
    """The frame with the box on it, float [height, width, 3]."""
    box = OverlayBox(overlay, frame.shape[1], frame.shape[0])
    result = frame.astype(float)
    grey, opacity = box.draw(position, number)
    (x, y), (rows, columns) = box.place, box.shape
    alpha = opacity[:, :, None] / 255
    spot = result[y : y + rows, x : x + columns]
    spot[:] = spot * (1 - alpha) + grey[:, :, None] * alpha
    return result


def flat(level: int, height: int = 512, width: int = 512) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def corner(frame: np.ndarray) -> np.ndarray:
    height, width, _ = frame.shape
    return frame[-height // 8 :, : width // 4].astype(int)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize(("height", "width"), [(512, 512), (1080, 1920)])
def test_the_number_can_be_read_on_any_picture(level, height, width) -> None:
    frame = drawn(flat(level, height, width), NUMBER, number=16_500)
    box = OverlayBox(NUMBER, width, height)
    (x, y), (rows, _) = box.place, box.shape
    ground = frame[y + rows // 2, x + 3].max()  # left of the digits
    assert corner(frame).max() >= 254
    assert 255 - ground > 110
    assert 9 <= box.draw(0, 88_888)[0].max(1).astype(bool).sum() <= height // 30


def test_only_the_corner_changes() -> None:
    frame = drawn(flat(200), NUMBER, number=7)
    assert (frame[:440] == 200).all()
    assert (frame[:, 128:] == 200).all()
    assert (corner(frame) != 200).any()


def test_digits_keep_their_places_while_numbers_grow() -> None:
    overlay = Overlay(largest=9999)
    small, large = drawn(flat(0), overlay, number=5), drawn(flat(0), overlay, number=1115)
    same = (small == large).all(2)
    last_digit = np.argwhere(small.max(2) > 128)
    top, left = last_digit.min(0)
    assert same[top:, left:].all()
    assert not same.all()


def test_each_number_looks_different() -> None:
    box = OverlayBox(Overlay(largest=99), 256, 256)
    assert len({box.draw(0, number)[0].tobytes() for number in range(100)}) == 100


def test_run_and_label_stand_beside_the_number_and_stay() -> None:
    box = OverlayBox(Overlay("city", "16500.28", True, 19_000), 512, 512)
    first, last = box.draw(0, 1)[0], box.draw(99, 19_000)[0]
    middle = box.shape[1] // 2
    np.testing.assert_array_equal(first[:, :middle], last[:, :middle])
    assert (first[:, :middle] > 150).sum() > 50
    assert (first[:, middle:] != last[:, middle:]).any()
    other = OverlayBox(Overlay("town", "16500.28", True, 19_000), 512, 512)
    assert other.draw(0, 1)[0].tobytes() != first.tobytes()


def test_a_long_name_is_cut_and_leaves_the_number_its_room() -> None:
    box = OverlayBox(Overlay("name " * 40, None, True, 19_000), 512, 512)
    assert box.place[0] + box.shape[1] <= 512
    right = box.draw(0, 19_000)[0][:, -60:]
    assert (right != box.draw(0, 11_111)[0][:, -60:]).any()


def cursor(box: OverlayBox, position: int) -> np.ndarray:
    """The columns of the box with a bright line from far above to far below."""
    grey = box.draw(position, 0)[0]
    return np.flatnonzero((grey > 150).sum(0) > 0.4 * box.shape[0])


def test_the_cursor_moves_from_the_left_to_the_right_end_of_the_curve() -> None:
    box = OverlayBox(ALL, 512, 512)
    places = [cursor(box, position).mean() for position in (0, 25, 50, 75, 99)]
    assert places[0] < box.shape[1] * 0.1
    assert places[-1] > box.shape[1] * 0.9
    assert np.ptp(np.diff(places)) < 4


def test_a_falling_curve_falls_and_what_was_played_is_brighter() -> None:
    box = OverlayBox(Overlay(numbers=False, curve=ALL.curve), 512, 512)
    grey = box.draw(50, 0)[0].astype(int)
    early, late = grey[:, box.shape[1] // 5], grey[:, -box.shape[1] // 5]
    assert early.argmax() < late.argmax()
    assert early.max() > 1.2 * late.max() > 50


@pytest.mark.parametrize("curve", [(nan,) * 10, (1.0,), (2.0,) * 10, (nan, 1.0, nan, 2.0, 3.0)])
def test_curves_with_gaps_or_without_change_can_be_drawn(curve) -> None:
    box = OverlayBox(Overlay(curve=curve, numbers=False), 512, 512)
    grey, opacity = box.draw(len(curve) - 1, 0)
    assert grey.shape == opacity.shape == box.shape
    assert len(cursor(box, 0)) >= 1


def test_one_spike_does_not_flatten_the_curve() -> None:
    wave = np.sin(np.linspace(0, 20, 2000))
    spiked = wave.copy()
    spiked[1000] = 1e6
    a, b = (
        OverlayBox(Overlay(curve=tuple(v), numbers=False), 512, 512).draw(0, 0)[0]
        for v in (wave, spiked)
    )
    assert (a == b).mean() > 0.9


MOMENTS = ((10, "learning rate 1e-05"), (50, "Mode collapse: the pictures display alike"))
TOLD = replace(ALL, notices=MOMENTS, notice_frames=20)


def test_an_event_is_told_from_its_frame_on_for_a_while_and_changes_nothing_else() -> None:
    silent, still = replace(TOLD, notices=()), replace(TOLD, curve=())
    assert (drawn(flat(128), still, 9) == drawn(flat(128), replace(silent, curve=()), 9)).all()
    for position in (10, 29, 50, 69):
        told, untold = (drawn(flat(128), overlay, position) for overlay in (TOLD, silent))
        changed = np.argwhere((told != untold).any(2))
        above = 512 - OverlayBox(silent, 512, 512).shape[0] - OverlayBox(silent, 512, 512).place[0]
        assert changed[:, 0].min() < above - 10
        assert changed[:, 0].max() >= above, "the marks on the curve"
    for position in (9, 30, 49, 70):
        told, untold = (drawn(flat(128), o, position) for o in (still, replace(silent, curve=())))
        assert (told == untold).all()


def test_a_newer_event_takes_the_place_of_the_one_before() -> None:
    both = replace(TOLD, curve=(), notices=((10, "one"), (15, "two"), (15, "three")))
    alone = replace(both, notices=((15, "three"),))
    assert (drawn(flat(128), both, 20) == drawn(flat(128), alone, 20)).all()


def test_a_long_event_is_cut_to_fit_the_picture() -> None:
    long = replace(TOLD, curve=(), notices=((0, "Mode collapse " * 99),))
    box = OverlayBox(long, 512, 512)
    assert box.place[0] + box.shape[1] <= 512
    assert (drawn(flat(128), long, 0)[:, -10:] == 128).all()
    assert (drawn(flat(128), long, 0)[:, 400:] != 128).any()


def test_each_event_has_a_mark_on_the_curve() -> None:
    flat_line = Overlay(curve=(1.0,) * 100, numbers=False)
    marked = replace(flat_line, notices=((25, "a"), (75, "b")), notice_frames=1)
    told, untold = (drawn(flat(0), overlay, 99) for overlay in (marked, flat_line))
    columns = np.flatnonzero((told != untold).any(2).any(0))
    strip = OverlayBox(flat_line, 512, 512).shape[1]
    np.testing.assert_allclose(
        [columns.min() / strip, columns.max() / strip], [0.28, 0.73], atol=0.05
    )
    assert len(columns) <= 4


@pytest.mark.parametrize("size", [2, 8, 16, 33, 64])
@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.mov"])
def test_a_tiny_film_shows_what_fits(tmp_path, size, name) -> None:
    path = tmp_path / name
    frames = iter([NumberedFrame(0, 19_000, flat(200, size, size))])
    encode_frames(frames, path, 24, DisplayOptions(scale=1), ALL, format_of(path).encoder())
    (frame,) = read_frames(path)
    assert size <= frame.shape[0] <= size + 1
    assert (abs(frame.astype(int) - 200) > 20).any()


def test_an_overlay_with_nothing_to_write_leaves_the_picture_alone(tmp_path) -> None:
    path = tmp_path / "film.mkv"
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    nothing = Overlay(numbers=False)
    encode_frames(
        number_frames([picture]),
        path,
        24,
        DisplayOptions(scale=1),
        nothing,
        format_of(path).encoder(),
    )
    np.testing.assert_array_equal(next(read_frames(path)), picture)


@pytest.mark.parametrize("name", ["film.mp4", "film.webm", "film.mov", "film.mkv"])
@pytest.mark.parametrize(
    "display", [DisplayOptions(), DisplayOptions(size=(640, 360), scaling="lanczos")]
)
def test_the_film_shows_the_box_where_it_belongs(tmp_path, name, display) -> None:
    path = tmp_path / name
    frames = [
        NumberedFrame(i, 150 * i, flat(level, 64, 64)) for i, level in enumerate((30, 128, 220))
    ]
    encode_frames(iter(frames), path, 24, display, ALL, format_of(path).encoder())
    for (position, number, picture), frame in zip(frames, read_frames(path), strict=True):
        height, width, _ = frame.shape
        beside = frame.astype(float)
        box = OverlayBox(ALL, width, height)
        (x, y), (rows, columns) = box.place, box.shape
        beside[y : y + rows, x : x + columns] = 17 if display.size else picture[0, 0]
        difference = abs(frame - drawn(beside.round().astype(np.uint8), ALL, position, number))
        assert difference[y : y + rows, x : min(x + columns, width // 5)].mean() < 6
        assert abs(beside[: height // 2, width // 2] - picture[0, 0]).max() <= 3
