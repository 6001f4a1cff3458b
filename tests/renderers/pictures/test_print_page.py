"""Pages to print: pictures as large as they can be, none over another, all on the paper."""

import itertools

import numpy as np
import pytest
from PIL import Image

from renderers.errors import RenderError
from renderers.pictures.paper import pixels_of
from renderers.pictures.print_page import PrintPage, lay_out_page


@pytest.mark.parametrize("count", [1, 2, 3, 9, 24, 100])
@pytest.mark.parametrize(("paper", "landscape"), [("a3", False), ("a2", True)])
def test_pictures_lie_beside_each_other_on_the_page(count, paper, landscape):
    page = lay_out_page(count, 1.5, paper, landscape=landscape)
    assert len(page.boxes) == count
    for box in page.boxes:
        assert box.left >= 0
        assert box.top >= 0
        assert box.left + box.width <= page.width
        assert box.top + box.height <= page.height
        assert box.width == pytest.approx(1.5 * box.height, abs=1e-6)
    for one, other in itertools.combinations(page.boxes, 2):
        beside = one.left + one.width < other.left or other.left + other.width < one.left
        below = one.top + one.height < other.top or other.top + other.height < one.top
        assert beside or below


def test_a_page_has_the_size_of_its_paper():
    page = lay_out_page(4, 1.0, "a3")
    assert (page.width, page.height) == (297, 420)


def test_no_other_number_of_columns_makes_pictures_larger():
    chosen = lay_out_page(12, 1.0, "a4")
    assert chosen.columns == 3
    assert chosen.boxes[0].width > chosen.width / 4


def test_pictures_that_nobody_could_see_are_refused():
    with pytest.raises(RenderError, match="smaller than 8 mm on A4"):
        lay_out_page(2000, 1.0, "a4")
    with pytest.raises(RenderError, match="no paper 'a9'"):
        lay_out_page(1, 1.0, "a9")


def test_a_long_caption_ends_before_the_next_picture(tmp_path):
    layout = lay_out_page(2, 1.0, "a4")
    page = PrintPage(layout, ["w" * 500, ""], "t" * 500, "c" * 500)
    for number in range(2):
        page.add(number, np.full((8, 8, 3), 200, np.uint8))
    with Image.open(page.save(tmp_path / "page.png")) as image:
        written = (np.asarray(image) < 190).any(2)
    first, second = layout.boxes
    gap = slice(pixels_of(first.left + first.width) + 2, pixels_of(second.left))
    below = slice(pixels_of(first.top), pixels_of(first.top + first.height + 5))
    assert not written[below, gap].any()
    assert not written[:, : pixels_of(first.left)].any()
    assert not written[:, pixels_of(layout.width - first.left) + 1 :].any()
