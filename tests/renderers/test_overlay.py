from __future__ import annotations

import numpy as np
import pytest

from renderers.overlay import BatchNumber


def corner(frame: np.ndarray) -> np.ndarray:
    height, width, _ = frame.shape
    return frame[-height // 8 :, : width // 4].astype(int)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_the_number_can_be_read_on_any_picture(level) -> None:
    frame = np.full((512, 512, 3), level, np.uint8)
    drawn = BatchNumber(512, 512, 19000).draw(frame, 16500)
    ground = drawn[-20, 10].astype(int).max()  # the plate, left of the digits
    assert corner(drawn).max() == 255
    assert 255 - ground > 110


def test_only_the_corner_changes_and_the_frame_given_stays() -> None:
    frame = np.full((512, 512, 3), 200, np.uint8)
    drawn = BatchNumber(512, 512, 19000).draw(frame, 7)
    assert (frame == 200).all()
    assert (drawn[:440] == 200).all()
    assert (drawn[:, 128:] == 200).all()
    assert (corner(drawn) != 200).any()


def test_digits_keep_their_places_while_numbers_grow() -> None:
    number = BatchNumber(512, 512, 9999)
    frame = np.zeros((512, 512, 3), np.uint8)
    small, large = number.draw(frame, 5), number.draw(frame, 1115)
    same = (small == large).all(2)
    last_digit = np.argwhere(small.max(2) > 128)
    top, left = last_digit.min(0)
    assert same[top:, left:].all()
    assert not same.all()


def test_each_number_looks_different() -> None:
    number = BatchNumber(256, 256, 99)
    frame = np.full((256, 256, 3), 90, np.uint8)
    assert len({number.draw(frame, n).tobytes() for n in range(100)}) == 100


@pytest.mark.parametrize("size", [8, 16, 33])
def test_a_tiny_frame_shows_what_fits(size) -> None:
    frame = np.full((size, size, 3), 100, np.uint8)
    drawn = BatchNumber(size, size, 19000).draw(frame, 19000)
    assert drawn.shape == frame.shape
    assert (drawn != frame).any()
