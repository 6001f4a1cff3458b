"""Which fonts are of use: those whose two cases look different, each of them once."""

from __future__ import annotations

import numpy as np
from PIL import Image

from studio.datasets.fonts.glyphs import BOX_PX, LETTERS, LOWER

# Letters whose two cases differ in nearly every font, however they are moved and scaled.
TOLD_APART = "abdeghnqrt"
ALIGNED_PX = 24  # Letters are compared at this width and height.
MIN_DIFFERENCE = 0.23  # The share of ink in which the two cases of a telling letter differ.
SIGNATURE_PX = 9  # A letter's mean over squares of so many pixels tells fonts apart quickly.
SAME_SIGNATURE, SAME_FIELDS = 4.0, 1.0  # Levels of 255 up to which fonts count as one.


def has_one_case(drawn: np.ndarray) -> bool:
    """Whether lower and upper letters look the same, such as those of a font of small capitals.

    Args:
        drawn: bool [52, 36 * SCALE, 36 * SCALE].
    """
    return case_difference(drawn) < MIN_DIFFERENCE


def case_difference(drawn: np.ndarray) -> float:
    """How much the two cases of telling letters differ when one is moved and scaled to the other.

    Args:
        drawn: bool [52, 36 * SCALE, 36 * SCALE].

    Returns:
        The median over the letters of the share that only one of both has of their ink, 0..1.
    """
    shares = []
    for letter in TOLD_APART:
        number = LETTERS.index(letter)
        lower, upper = _align(drawn[number]), _align(drawn[number + len(LOWER)])
        shares.append(float(np.abs(lower - upper).sum() / np.maximum(lower, upper).sum()))
    return float(np.median(shares))


def _align(drawn: np.ndarray) -> np.ndarray:
    """A letter cut at its borders and scaled to a square: float32 [24, 24], 0..1."""
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    cut = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    image = Image.fromarray(cut.astype(np.uint8) * 255)
    scaled = image.resize((ALIGNED_PX, ALIGNED_PX), Image.Resampling.BOX)
    return np.asarray(scaled, np.float32) / 255


class SeenFonts:
    """Finds fonts whose letters are those of an earlier one, also where a few levels differ.

    Many fonts come twice, as TrueType and as OpenType, and one that is trained on must not be held
    out under another name.
    """

    def __init__(self) -> None:
        self._signatures: list[np.ndarray] = []
        self._fields: list[np.ndarray] = []

    def add(self, fields: np.ndarray) -> bool:
        """Take in the letters of a font, uint8 [52, 36, 36]; whether they are those of another."""
        side = BOX_PX // SIGNATURE_PX
        squares = fields.reshape(len(fields), side, SIGNATURE_PX, side, SIGNATURE_PX)
        signature = squares.mean((2, 4)).astype(np.float32).ravel()
        if self._signatures:
            apart = np.abs(np.stack(self._signatures) - signature).max(1)
            for near in np.flatnonzero(apart <= SAME_SIGNATURE):
                levels = np.abs(self._fields[near].astype(np.int16) - fields).mean()
                if levels <= SAME_FIELDS:
                    return True
        self._signatures.append(signature)
        self._fields.append(fields)
        return False
