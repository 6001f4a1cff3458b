"""Read sums of latent points as a person writes them: `16500.28 + 0.5*seed:4 - 16500.3`."""

from __future__ import annotations

import re
from typing import NamedTuple

from latent.errors import LatentError

MAX_CHARACTERS, MAX_TERMS, MAX_WEIGHT = 8_000, 64, 1_000.0
SHOWN = 60  # So many characters of a term that is refused are shown.
# A sign is one between spaces: names and paths may hold a dash. In quotation marks it is none.
_QUOTED_OR_SIGN = re.compile(r'"[^"]*"|(?<=\s)(?P<sign>[+-])(?=\s)')
_WEIGHTED = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})\s*\*\s*(\S.*)", re.DOTALL)


class Term(NamedTuple):
    """A share of a latent point.

    Args:
        weight: below 0 where the point is taken away.
        point: what a person may write for a latent point.
    """

    weight: float
    point: str

    def __str__(self) -> str:
        share = "" if abs(self.weight) == 1 else f"{abs(self.weight):g}*"
        return f"{'-' if self.weight < 0 else '+'} {share}{self.point}"


def parse_expression(text: str) -> list[Term]:
    """Read a sum of latent points.

    Points stand between + and -, which have a space on either side, each with a weight before it
    if it is not to count once. Quotation marks stand around a point in which there are such signs.

    Raises:
        LatentError: it is none, is too long, or a weight is out of range.

    Example:
        >>> parse_expression("16500.28 + 16500.3 - 0.5*seed:4")[2]
        Term(weight=-0.5, point='seed:4')
    """
    if len(text) > MAX_CHARACTERS:
        raise LatentError(
            f"A sum of {len(text):,} characters is too long: use at most {MAX_CHARACTERS:,}."
        )
    body = text.strip()
    sign, body = (body[0], body[1:]) if body[:1] in ("+", "-") else ("+", body)
    body += " "  # A sign at the end is one as well.
    terms, start = [], 0
    for match in _QUOTED_OR_SIGN.finditer(body):
        if match["sign"]:
            terms.append(_parse_term(sign, body[start : match.start()]))
            sign, start = match["sign"], match.end()
    terms.append(_parse_term(sign, body[start:]))
    if len(terms) > MAX_TERMS:
        raise LatentError(f"A sum of {len(terms):,} points is too long: use at most {MAX_TERMS}.")
    return terms


def _parse_term(sign: str, text: str) -> Term:
    text = text.strip()
    match = None if text.startswith('"') else _WEIGHTED.fullmatch(text)
    weight, point = (float(match[1]), match[2].strip()) if match else (1.0, text)
    if not point:
        raise LatentError(
            "A point is missing in the sum: write points with + or - between them, such as "
            "16500.28 + 0.5*seed:4."
        )
    if not 0 < weight <= MAX_WEIGHT:
        raise LatentError(
            f"The weight {weight:g} is out of range: use more than 0, up to {MAX_WEIGHT:g}, "
            "before its point, as in 0.5*16500.28."
        )
    return Term(-weight if sign == "-" else weight, _read_point(point))


def _read_point(text: str) -> str:
    quoted = re.fullmatch(r'"([^"]*\S[^"]*)"', text)
    if quoted:
        return quoted[1].strip()
    if re.search(r'["*+]', text):
        shown = ascii(text[:SHOWN])
        raise LatentError(
            f"{shown} is no part of a sum: write a weight before its point and a space on either "
            'side of + and -, such as 0.5*16500.28 + seed:4, and a path with such signs in "".'
        )
    return text
