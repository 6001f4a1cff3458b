"""Sheets of paper: what is laid on them is there, in pixels and as SVG."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from renderers.errors import RenderError
from renderers.pictures.paper import Paper, fit_text, pixels_of

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def paper():
    made = Paper(60, 40, "#ffffff")
    made.write("<Helsinki> & more", (5, 3), 4, "#112233")
    made.draw([(5, 30), (30, 20), (55, 30)], "#ff0000", 0.5)
    made.lay(np.full((8, 8, 3), (0, 128, 0), np.uint8), (20, 10, 10, 8))
    return made


def test_everything_is_painted_where_it_was_laid(paper):
    page = np.asarray(paper.paint())
    assert page.shape == (pixels_of(40), pixels_of(60), 3)
    assert tuple(page[pixels_of(14), pixels_of(25)]) == (0, 128, 0)
    assert tuple(page[pixels_of(19), pixels_of(25)]) == (255, 255, 255)
    written = page[pixels_of(3) : pixels_of(7), pixels_of(5) : pixels_of(30)]
    assert (written < 100).any()
    red = (page[..., 0] > 200) & (page[..., 1] < 60)
    assert red[:, pixels_of(5) : pixels_of(55)].any(0).all()
    assert not red[: pixels_of(18)].any()


def test_an_svg_holds_the_same_and_fetches_nothing(paper, tmp_path):
    root = ET.parse(paper.save(tmp_path / "a.svg")).getroot()
    assert root.get("viewBox") == "0 0 60 40"
    assert root.find(f"{SVG}text").text == "<Helsinki> & more"
    assert root.find(f"{SVG}image").get("href").startswith("data:image/png;base64,")
    assert len(root.find(f"{SVG}polyline").get("points").split()) == 3


def test_a_png_and_a_pdf_have_the_size_of_the_paper(paper, tmp_path):
    with Image.open(paper.save(tmp_path / "a.png")) as image:
        assert image.size == (pixels_of(60), pixels_of(40))
        assert round(float(image.info["dpi"][0])) == 300
    assert paper.save(tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_what_cannot_be_written_leaves_nothing(paper, tmp_path):
    with pytest.raises(RenderError, match=r"'a\.gif'"):
        paper.save(tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []


def test_text_that_is_too_long_ends_in_an_ellipsis():
    short = fit_text("W" * 100, 4, 30)
    assert short.endswith("…")
    assert 5 < len(short) < 12
    assert fit_text("short", 4, 30) == "short"
