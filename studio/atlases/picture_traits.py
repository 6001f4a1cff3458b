"""What can be measured of small pictures and said in words: how bright, how colourful, ..."""

from __future__ import annotations

import numpy as np

CHUNK = 2_000  # Pictures that are measured at a time.
# Of each trait: what a group is called that has more of it, and one that has less.
WORDS = {
    "brightness": ("brighter", "darker"),
    "contrast": ("more contrast", "more even"),
    "saturation": ("more colourful", "greyer"),
    "red": ("redder", "less red"),
    "green": ("greener", "less green"),
    "blue": ("bluer", "less blue"),
    "detail": ("more detail", "smoother"),
    "upright": ("lines up and down", "lines across"),
}


def measure_traits(pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Measure pictures.

    Args:
        pictures: uint8 [N, H, W, 3].

    Returns:
        The traits in WORDS, float64 [N] each: brightness and its standard deviation, 0..1 (Rec.
        709); the mean difference of the largest and the smallest colour; each colour less the mean
        of the three; the mean difference of neighbouring pixels; and how much of that is from left
        to right, -1..1.
    """
    parts = [_measure(pictures[start : start + CHUNK]) for start in range(0, len(pictures), CHUNK)]
    return {name: np.concatenate([part[name] for part in parts]) for name in WORDS}


def _measure(pictures: np.ndarray) -> dict[str, np.ndarray]:
    colours = pictures.astype(np.float64) / 255
    light = colours @ [0.2126, 0.7152, 0.0722]
    means = colours.mean((1, 2))
    across = np.abs(np.diff(light, axis=2)).mean((1, 2))
    down = np.abs(np.diff(light, axis=1)).mean((1, 2))
    tinted = means - means.mean(1, keepdims=True)
    return {
        "brightness": light.mean((1, 2)),
        "contrast": light.std((1, 2)),
        "saturation": (colours.max(3) - colours.min(3)).mean((1, 2)),
        "red": tinted[:, 0],
        "green": tinted[:, 1],
        "blue": tinted[:, 2],
        "detail": (across + down) / 2,
        "upright": (across - down) / np.maximum(across + down, 1e-9),
    }


def name_trait(trait: str, effect: float) -> str:
    """What a group with such an effect is called.

    Example:
        >>> name_trait("brightness", -1.2)
        'darker'
    """
    return WORDS[trait][effect < 0]
