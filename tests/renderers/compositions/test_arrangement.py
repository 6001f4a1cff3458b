from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderers.compositions.arrangement import Rectangle, arrange
from renderers.compositions.composition import (
    GRID,
    KINDS,
    LARGE,
    MAP,
    MAX_CELLS,
    SHAPES,
    STRIP,
    WIPE,
    frame_size,
)

PANEL_PX = 100


def overlap(one: Rectangle, other: Rectangle) -> bool:
    apart_x = one.x + one.width <= other.x or other.x + other.width <= one.x
    return not (apart_x or one.y + one.height <= other.y or other.y + other.height <= one.y)


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([kind for kind in KINDS if kind != STRIP]),
    st.integers(2, MAX_CELLS),
    st.sampled_from(sorted(SHAPES)),
    st.sampled_from([1080, 2160]),
    st.sampled_from([0.5, 1.0, 4 / 3]),
    st.booleans(),
)
def test_everything_lies_in_the_frame_on_even_pixels_and_nothing_covers_another(
    kind, count, shape, short_px, aspect, labelled
) -> None:
    size = frame_size(shape, short_px)
    found = arrange(kind, count, size, aspect, PANEL_PX, labelled=labelled)
    places = [*found.cells, *found.labels, found.panel]
    assert len(found.cells) == {WIPE: 1, MAP: 2}.get(kind, count)
    assert len(found.labels) == (len(found.cells) if labelled else 0)
    for place in places:
        assert all(edge % 2 == 0 for edge in place)
        assert place.x >= 0
        assert place.y >= 0
        assert place.width >= 2
        assert place.height >= 2
        assert place.x + place.width <= size[0]
        assert place.y + place.height <= size[1]
    assert not any(overlap(one, other) for one, other in combinations(places, 2))
    assert all(abs(cell.width - aspect * cell.height) <= 4 for cell in found.cells)


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("count", range(1, 13))
def test_rows_of_a_grid_have_as_many_cells_or_stand_in_the_middle(shape, count) -> None:
    cells = arrange(GRID, count, frame_size(shape, 1080), 1.0, PANEL_PX).cells
    rows = [[c for c in cells if c.y == y] for y in sorted({cell.y for cell in cells})]
    middles = [row[0].x + row[-1].x + row[-1].width for row in rows]
    assert max(map(len, rows)) - min(map(len, rows)) <= 1
    assert max(middles) - min(middles) <= 2  # No corner is left empty.


@pytest.mark.parametrize(
    ("shape", "count", "columns", "rows"),
    [("16:9", 3, 3, 1), ("9:16", 3, 1, 3), ("16:9", 6, 3, 2), ("9:16", 6, 2, 3), ("1:1", 9, 3, 3)],
)
def test_a_grid_is_as_wide_as_its_frame(shape, count, columns, rows) -> None:
    cells = arrange(GRID, count, frame_size(shape, 1080), 1.0, PANEL_PX).cells
    assert len({cell.x for cell in cells}) == columns
    assert len({cell.y for cell in cells}) == rows


def test_columns_may_be_chosen() -> None:
    cells = arrange(GRID, 5, (1080, 1080), 1.0, PANEL_PX, columns=4).cells
    assert [sum(cell.y == y for cell in cells) for y in sorted({c.y for c in cells})] == [4, 1]


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("count", [3, 4, 5, 7, 9, 12])
def test_small_cells_are_not_lost_beside_the_large_one(shape, count) -> None:
    large, *small = arrange(LARGE, count, frame_size(shape, 1080), 1.0, PANEL_PX).cells
    assert all(cell.area < large.area for cell in small)
    assert small[0].width >= 80


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("count", [3, 5, 12, 40])
def test_a_strip_fills_its_frame_and_shows_each_point_in_one_row(shape, count) -> None:
    size = frame_size(shape, 1080)
    found = arrange(STRIP, count, size, 1.0, PANEL_PX)
    assert sorted(point for row in found.rows for point in row.points) == list(range(count))
    for row in found.rows:
        across, length = row.across, row.window.width if row.across else row.window.height
        assert across == (size[0] >= size[1])
        assert length >= (size[0] if across else found.panel.y - 60)
        assert not overlap(row.window, found.panel)


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 9, 12])
def test_little_of_a_frame_stays_empty(shape, count) -> None:
    size = frame_size(shape, 1080)
    found = arrange(GRID, count, size, 1.0, PANEL_PX)
    places = [*found.cells, *found.labels, found.panel]
    assert sum(place.area for place in places) > 0.42 * size[0] * size[1]
