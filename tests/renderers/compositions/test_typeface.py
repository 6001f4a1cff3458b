from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from renderers.compositions.typeface import (
    NumberLine,
    blank,
    fitting_size,
    in_letters,
    text_width,
    wrap_text,
    write,
)


def test_no_letter_is_a_box() -> None:
    assert in_letters("Zürich – Łódź 北京") == "Zurich - ?odz ??"
    assert in_letters("© OpenStreetMap contributors, ODbL") == "© OpenStreetMap contributors, ODbL"


@given(st.text(max_size=40))
def test_any_text_is_written_without_an_error(text) -> None:
    write(blank(64, 32), text, (0, 20), 16)


@given(st.integers(0, 10**7), st.integers(8, 60))
def test_a_number_is_never_wider_than_the_room_of_the_largest(number, size_px) -> None:
    line = NumberLine(size_px, 10**7)
    drawn = line.draw(number)
    assert drawn.shape[1] <= line.width
    assert drawn.shape[0] == line.height


def test_digits_are_equally_wide() -> None:
    line = NumberLine(40, 99_999)
    assert line.draw(11_111).shape == line.draw(88_888).shape
    assert (line.draw(11_111) != line.draw(88_888)).any()


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=8), max_size=9), st.integers(60, 400))
def test_wrapped_lines_keep_all_words(words, width) -> None:
    lines = wrap_text(" ".join(words), width, 20)
    assert " ".join(lines).split() == words
    assert all(text_width(line, 20) <= width or " " not in line for line in lines)


def test_a_text_that_has_no_room_has_no_size() -> None:
    assert fitting_size("16500.28", 1000, 32, 18) == 32
    found = fitting_size("16500.28", 100, 32, 18)
    assert found is not None
    assert found < 32
    assert text_width("16500.28", found) <= 100
    assert fitting_size("16500.28", 20, 32, 18) is None


def test_a_text_stands_on_its_baseline() -> None:
    drawn = blank(200, 60)
    write(drawn, "Hx", (0, 40), 30)
    rows = np.flatnonzero((drawn != blank(200, 60)).any((1, 2)))
    assert rows.max() in (39, 40)
