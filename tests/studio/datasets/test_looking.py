import numpy as np
import pytest

from studio.datasets.looking import draw_dataset, draw_titled, measure_dataset
from studio.datasets.prepared import PreparedDataset
from studio.datasets.writer import write_dataset


def make_dataset(folder, pictures):
    with write_dataset(folder, pictures.shape[1], "made by hand", attribution="© nobody") as writer:
        for picture in pictures:
            writer.append(picture)
    return PreparedDataset.open(folder)


def test_numbers_are_those_of_the_pictures(tmp_path):
    tones = np.zeros((4, 32, 32, 3), np.uint8)
    tones[1], tones[2:, ..., 0] = 255, 200  # The last two are the same.
    numbers = measure_dataset(make_dataset(tmp_path / "tones", tones))
    assert numbers.looked_at == 4
    assert numbers.twins == 1
    assert numbers.colour == "#a44040"
    luma = np.array([0, 255, 59.8, 59.8])
    assert numbers.brightness == pytest.approx(luma.mean(), abs=1e-6)
    assert numbers.variety == pytest.approx(luma.std(), abs=1e-6)
    assert numbers.contrast == pytest.approx(0, abs=1e-6)


def test_contrast_is_that_within_a_picture(tmp_path):
    halves = np.zeros((2, 32, 32, 3), np.uint8)
    halves[:, 16:] = 100
    numbers = measure_dataset(make_dataset(tmp_path / "halves", halves))
    assert numbers.contrast == pytest.approx(50, abs=1e-6)
    assert numbers.variety == pytest.approx(0, abs=1e-6)


def test_a_sheet_shows_the_first_to_the_last_row_by_row(tmp_path):
    tones = np.arange(100, dtype=np.uint8).repeat(32 * 32 * 3).reshape(100, 32, 32, 3)
    sheet = draw_dataset(make_dataset(tmp_path / "tones", tones), columns=3)
    assert sheet.shape == (2 * 34 - 2, 3 * 34 - 2, 3)
    shown = [sheet[y, x, 0] for y in (0, 34) for x in (0, 34, 68)]
    assert shown == [0, 20, 40, 59, 79, 99]


def test_a_sheet_of_fewer_pictures_has_no_more_places(tmp_path):
    sheet = draw_dataset(make_dataset(tmp_path / "one", np.full((1, 32, 32, 3), 7, np.uint8)))
    assert sheet.shape == (32, 32, 3)
    assert (sheet == 7).all()


def test_large_pictures_are_shown_smaller(tmp_path):
    sheet = draw_dataset(make_dataset(tmp_path / "large", np.zeros((9, 1024, 1024, 3), np.uint8)))
    assert max(sheet.shape) <= 1024 + 8 * 2


def test_a_titled_sheet_says_what_it_is_around_the_pictures(tmp_path):
    dataset = make_dataset(tmp_path / "tones", np.zeros((32, 32, 32, 3), np.uint8))
    titled, plain = draw_titled(dataset), draw_dataset(dataset)
    assert titled.shape[0] > plain.shape[0]
    assert titled.shape[1] > plain.shape[1]
    assert (titled != 0).any()
