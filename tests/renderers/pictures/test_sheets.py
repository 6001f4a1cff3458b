from __future__ import annotations

import numpy as np
import pytest

from renderers.pictures.sheets import INK, Sheet, arrange_grid, cross_sheet, grid_columns


def flat_pictures(count: int, height: int = 20, width: int = 30) -> np.ndarray:
    levels = np.arange(1, count + 1, dtype=np.uint8) * 20
    return np.broadcast_to(levels[:, None, None, None], (count, height, width, 3)).copy()


def test_a_grid_is_the_squarest_and_fills_row_by_row() -> None:
    assert [grid_columns(n) for n in (1, 2, 4, 6, 9, 10)] == [1, 2, 2, 3, 3, 4]
    grid = arrange_grid(flat_pictures(5), gap_px=2)
    assert grid.shape == (2 * 20 + 2, 3 * 30 + 2 * 2, 3)
    assert [grid[10, 15, 0], grid[10, 47, 0], grid[10, 79, 0]] == [20, 40, 60]
    assert [grid[32, 15, 0], grid[32, 47, 0]] == [80, 100]


def test_gaps_and_empty_cells_show_the_background() -> None:
    grid = arrange_grid(flat_pictures(3), columns=2, gap_px=4, background=(1, 2, 3))
    assert grid[20:24].reshape(-1, 3).tolist() == [[1, 2, 3]] * (4 * 64)
    assert grid[30, 40].tolist() == [1, 2, 3]


def test_more_columns_than_pictures_make_one_row() -> None:
    assert arrange_grid(flat_pictures(2), columns=9, gap_px=0).shape == (20, 60, 3)


def test_a_sheet_has_text_beneath_each_picture() -> None:
    white = Sheet(1, 2, 40, 40, captions=["16500", "18000"], background=(255, 255, 255))
    for number, picture in enumerate(flat_pictures(2, 40, 40)):
        white.add(number, picture)
    sheet = white.picture
    left = np.argwhere((sheet == 20).all(2))
    top, first = left.min(0)
    bottom, last = left.max(0)
    assert (bottom - top, last - first) == (39, 39)
    caption = sheet[bottom + 1 :, first : last + 1]
    assert caption.min() < 150
    assert (sheet[top : bottom + 1, last + 1 : last + 5] == 255).all()


def test_a_sheet_enlarges_pixels_to_the_size_of_their_place() -> None:
    sheet = Sheet(1, 1, 80, 80)
    sheet.add(0, flat_pictures(1, 10, 10)[0])
    assert (sheet.picture == 20).all(2).sum() >= 80 * 80


def test_labels_that_do_not_match_the_pictures_are_our_mistake() -> None:
    with pytest.raises(ValueError, match="2 and 2 labels for 2 rows and 3 columns"):
        cross_sheet(flat_pictures(6).reshape(2, 3, 20, 30, 3), ["a", "b"], ["c", "d"])


def test_a_cross_has_rows_down_columns_across_and_text_on_two_sides() -> None:
    pictures = flat_pictures(6, 40, 40).reshape(2, 3, 40, 40, 3)
    sheet = cross_sheet(pictures, ["1.28", "1.3"], ["0", "10", "20"], background=INK)
    centres = [np.argwhere((sheet == 20 * i).all(2)).mean(0) for i in range(1, 7)]
    rows, columns = np.array(centres)[:, 0].round(), np.array(centres)[:, 1].round()
    assert rows[0] == rows[1] == rows[2] < rows[3] == rows[4] == rows[5]
    assert columns[0] == columns[3] < columns[1] == columns[4] < columns[2] == columns[5]
    top, left = np.argwhere((sheet == 20).all(2)).min(0)
    assert sheet[:top, left:].max() > 120
    assert sheet[top:, :left].max() > 120
