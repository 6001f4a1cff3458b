"""Rates as people write them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from renderers.video.rates import parse_rate, write_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("60", 60),
        (24.0, 24),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("24000/1001", Fraction(24000, 1001)),
        ("12.5", Fraction(25, 2)),
    ],
)
def test_a_rate_is_exact_and_is_read_as_it_was_written(text, rate) -> None:
    assert parse_rate(text) == rate
    assert parse_rate(write_rate(rate)) == rate
    assert type(parse_rate(text)) is type(rate)


@pytest.mark.parametrize("text", ["", "fast", "-5", "1/0", "1e9", "nan", "9" * 5000, "1/2/3"])
def test_what_is_no_rate_is_refused(text) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        parse_rate(text)
