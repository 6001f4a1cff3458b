"""Letters as latent points, and the pictures that perfect networks would make of them."""

from __future__ import annotations

import string

import numpy as np
import torch
from torch import Tensor

from checkpoints_index.generators.letters.bodies import ALPHABET, INPUTS
from checkpoints_index.generators.letters.strip import draw_picture
from renderers.frames.passes import round_pictures
from studio.training.data.letter_pairs import levels_to_fields


def letter_point(font: np.ndarray, character: str, image_size: int) -> tuple[Tensor, np.ndarray]:
    """A letter of a font, and the picture that the networks ought to make of it.

    Args:
        font: uint8 [52, 36, 36].
        character: a to z, or A to Z.

    Returns:
        float32 [1296] in -1..1, and uint8 [S, S, 3].
    """
    letter, is_upper = string.ascii_lowercase.index(character.lower()), character.isupper()
    lower, upper = (
        levels_to_fields(np.array(font[place])).view(1, INPUTS)
        for place in (letter, ALPHABET + letter)
    )
    truth = round_pictures(draw_ideal(lower, upper, image_size, is_upper))[0].numpy()
    return (upper if is_upper else lower)[0] * 2 - 1, truth


def draw_ideal(lower: Tensor, upper: Tensor, image_size: int, is_upper: bool) -> Tensor:
    """The pictures of letters, were the networks perfect: float [N, 3, S, S] in -1..1.

    What a network ought to make of a letter that has its case already is not known, and left out.

    Args:
        lower, upper: the same letters in both cases, float [N, 1296] in 0..1.
        is_upper: which of them are the points.
    """
    letter, unknown = upper if is_upper else lower, torch.zeros_like(lower)
    if is_upper:
        cells = (letter, lower, upper, letter, unknown, letter)
    else:
        cells = (letter, unknown, letter, letter, upper, lower)
    return draw_picture(cells, image_size)
