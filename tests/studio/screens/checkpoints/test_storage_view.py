import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.screens.checkpoints.storage_view import WIDTH, draw_kept, pressed_batch


def columns(picture):
    """(x, width, height) of what is drawn as kept."""
    found = re.findall(r'<rect x="([\d.]+)" width="([\d.]+)" y="[\d.]+" height="([\d.]+)"', picture)
    return [tuple(map(float, numbers)) for numbers in found]


def test_a_gap_is_empty_in_the_picture_and_what_is_kept_is_whole():
    picture = draw_kept([*range(1, 51), *range(76, 101)])
    assert [(x, width) for x, width, _ in columns(picture)] == [(0, 500), (750, 250)]
    assert "75 kept" in picture


def test_thinned_batches_are_drawn_as_high_as_the_fraction_that_is_kept():
    whole, tenth = list(range(1, 3001)), list(range(3001, 6001, 10))
    drawn = columns(draw_kept([*whole, *tenth, 6000]))
    heights = [height for x, _, height in drawn if x >= WIDTH / 2]
    assert drawn[0][2] == pytest.approx(10 * heights[0], rel=0.05)
    assert len(drawn) < 20


def test_a_picture_of_a_long_run_stays_small():
    assert len(draw_kept(range(1, 20_001), pinned=range(1, 20_001, 5))) < 20_000


def test_pins_and_specimens_are_marked_where_they_are():
    picture = draw_kept(range(100), pinned=[0, 99], specimens=[50, 1000])
    assert 'class="pin" d="M 5 ' in picture
    assert "M 995 " in picture
    assert picture.count('class="specimen" d="M 505 ') == 1


def test_a_run_of_one_checkpoint_can_be_drawn():
    assert columns(draw_kept([7])) == [(0, WIDTH, 22)]


def test_a_press_means_the_batch_below_it():
    picture = SimpleNamespace(action="place", first="1", last="100", x=0.5)
    assert pressed_batch(picture) == pytest.approx(50.5)
    assert pressed_batch(SimpleNamespace(action="go", batch="33")) == 33


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.data())
def test_a_press_on_the_middle_of_a_batch_means_that_batch(first, more, data):
    last, batch = first + more, first + data.draw(st.integers(0, more))
    middle = (batch - first + 0.5) / (more + 1)
    event = SimpleNamespace(action="place", first=str(first), last=str(last), x=middle)
    assert round(pressed_batch(event)) == batch


@given(st.sets(st.integers(0, 5000), min_size=1, max_size=50))
def test_columns_cover_as_much_as_is_kept(batches):
    kept = sorted(batches)
    scale = WIDTH / (kept[-1] + 1 - kept[0])
    drawn = columns(draw_kept(kept))
    assert all(0 <= x <= x + width <= WIDTH + 0.2 for x, width, _ in drawn)
    area = sum(width * height / 22 for _, width, height in drawn)
    assert area == pytest.approx(len(kept) * scale, rel=0.1, abs=len(drawn))
