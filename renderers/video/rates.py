"""How many frames a second a film has: a whole number, or an exact fraction."""

from __future__ import annotations

import re
from fractions import Fraction

MIN_RATE, MAX_RATE = 1, 240
RATE = re.compile(r"(\d{1,6})(\.\d{1,4}|/\d{1,5})?")
# The rates of television are these by 1000/1001, and people write their first two or three digits.
TELEVISION = (24, 30, 48, 60, 120)

Rate = int | Fraction


def parse_rate(value: str | float | Fraction) -> Rate:
    """A rate as people write it; a whole one is an int.

    Raises:
        ValueError: it is no rate.

    Example:
        >>> parse_rate("60"), parse_rate("23.976"), parse_rate("25/2")
        (60, Fraction(24000, 1001), Fraction(25, 2))
    """
    text = str(value).strip().removesuffix(".0")
    if not RATE.fullmatch(text) or re.search(r"/0+$", text):
        raise ValueError(
            f"'{text[:40]}' is no rate. Use a number such as 24, 23.976 or 24000/1001."
        )
    rate = _television_rate(text) or Fraction(text)
    return int(rate) if rate.denominator == 1 else rate


def write_rate(rate: Rate) -> int | str:
    """A rate as JSON, and as `parse_rate` reads it.

    Example:
        >>> write_rate(60), write_rate(Fraction(24000, 1001))
        (60, '24000/1001')
    """
    return int(rate) if rate.denominator == 1 else str(rate)


def _television_rate(text: str) -> Fraction | None:
    """The exact rate that a text such as 29.97 stands for; None where it stands for itself."""
    exact = (Fraction(1000 * whole, 1001) for whole in TELEVISION)
    return next((r for r in exact if text in (f"{float(r):.2f}", f"{float(r):.3f}")), None)
