"""For how long each picture of a folder is shown, and what lacks between its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from renderers.plan.pacing import spread
from studio.workspace.errors import StudioError

Pace = Literal["picture", "number"]
MAX_FRAMES = 1_000_000
MAX_NAMED = 3  # Gaps.


def choose_frames_shown(
    places: Sequence[int], pictures: int, pace: Pace, frames: int | None
) -> list[int]:
    """The position of the picture that each frame shows, ascending.

    Args:
        places: where the pictures stand, not descending, as numbers or as microseconds; empty
            where that is not known.
        pictures: how many there are.
        pace: `picture` shows each for as long as the others; `number` holds each until the place
            of the next one.
        frames: of the film; None for as many as there are pictures, or usual steps of places.

    Raises:
        StudioError: the places are not known, or the film would be too long.

    Example:
        >>> choose_frames_shown([10, 20, 50], 3, "number", None)
        [0, 1, 1, 1, 2]
        >>> choose_frames_shown([10, 20, 50], 3, "picture", 6)
        [0, 0, 1, 1, 2, 2]
    """
    if pace == "picture":
        return list(map(int, spread(pictures, frames or pictures)))
    if not places:
        raise StudioError(
            "The order of the pictures tells no distances between them, so all are shown for as "
            "long: leave out --pace number, or choose the number by --number."
        )
    if len(places) < 2 or places[-1] == places[0]:
        return list(map(int, spread(pictures, frames or pictures)))
    starts = [place - places[0] for place in places]
    step = usual_step(places) if frames is None else starts[-1] / max(1, frames - 1)
    count = frames or round(starts[-1] / step) + 1
    if count > MAX_FRAMES:
        raise StudioError(
            f"At that pace the film has {count:,} frames, and at most {MAX_FRAMES:,} are "
            "possible. Give its length by --duration, or leave out --pace number."
        )
    # The first picture has the first frame for itself, however near the next ones are.
    begins = np.array([min(1, position) for position in range(len(starts))])
    begins = np.maximum(begins, [round(start / step) for start in starts])
    shown = np.searchsorted(begins, np.arange(count), side="right") - 1
    return [int(position) for position in shown]


def usual_step(places: Sequence[int]) -> int:
    """The distance that most neighbours have; of several, the least.

    Example:
        >>> usual_step([0, 100, 200, 300, 700])
        100
    """
    steps = Counter(after - before for before, after in pairwise(places) if after > before)
    if not steps:
        return 1
    (_, most), *_ = steps.most_common(1)
    # Dates that are nearly even have hardly two equal distances: the middle one is usual then.
    if most == 1 and len(steps) > 2:
        return sorted(steps)[len(steps) // 2]
    return min(step for step, count in steps.items() if count == most)


def describe_gaps(numbers: Sequence[int]) -> str | None:
    """What lacks between numbers that mostly go up by one step; None where nothing does.

    Example:
        >>> describe_gaps([1, 2, 3, 7, 8])
        '3 numbers lack between 1 and 8: 4 to 6.'
        >>> describe_gaps([0, 100, 200])
    """
    step = usual_step(numbers)
    gaps = [
        (before + step, after - step, (after - before) // step - 1)
        for before, after in pairwise(numbers)
        if after - before >= 2 * step
    ]
    if not gaps or sum(b - a == step for a, b in pairwise(numbers)) * 2 < len(numbers) - 1:
        return None
    count = sum(lacking for _, _, lacking in gaps)
    told = [f"{first:,}" if first == last else f"{first:,} to {last:,}" for first, last, _ in gaps]
    more = ["..."] * (len(told) > MAX_NAMED)
    what = "number lacks" if count == 1 else "numbers lack"
    named = ", ".join([*told[:MAX_NAMED], *more])
    return f"{count:,} {what} between {numbers[0]:,} and {numbers[-1]:,}: {named}."
