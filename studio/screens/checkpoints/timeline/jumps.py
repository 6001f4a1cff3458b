"""Where the pictures of a run jump: batches that changed them far more than those around."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

WINDOW = 64  # A change is held against the median of so many batches before and after.
TIMES = 4.0  # So many times as large as that, it is a jump.
VISIBLE = 6.0  # Smaller changes are none, however calm it is around: root mean square of 255.
APART = 25  # Of jumps that lie nearer to each other, the largest is told.
MAX_JUMPS = 40  # The largest are told.
MIN_BATCHES = 16  # Of fewer batches nobody knows what is usual.


def find_jumps(metrics: Sequence[Mapping[str, Any]]) -> list[int]:
    """Find the batches at which pictures changed visibly more than is usual around them.

    Args:
        metrics: those of the batches of a run, ascending; `change` is how far its pictures are from
            those of the batch before, root mean square of 255.

    Returns:
        Batches, ascending.

    Example:
        >>> calm = [{"batch": n, "change": 2.0} for n in range(40)]
        >>> find_jumps([*calm, {"batch": 40, "change": 30.0}])
        [40]
    """
    pairs = [(entry["batch"], entry["change"]) for entry in metrics if _has_change(entry)]
    if len(pairs) < MIN_BATCHES:
        return []
    batches, changes = np.array([b for b, _ in pairs]), np.array([c for _, c in pairs], float)
    usual = _medians(changes)
    jumps = np.flatnonzero((changes > TIMES * usual) & (changes > VISIBLE))
    told: list[int] = []
    for i in jumps[np.argsort(-changes[jumps], kind="stable")]:
        if all(abs(int(batches[i]) - other) >= APART for other in told):
            told.append(int(batches[i]))
        if len(told) == MAX_JUMPS:
            break
    return sorted(told)


def _has_change(entry: Mapping[str, Any]) -> bool:
    change = entry.get("change")
    return isinstance(change, int | float) and bool(np.isfinite(change))


def _medians(changes: np.ndarray) -> np.ndarray:
    """What is usual around each of changes, float [N]: medians of blocks, and lines between."""
    starts = range(0, len(changes), WINDOW)
    blocks = [changes[start : start + 2 * WINDOW] for start in starts]
    middles = [start + len(block) / 2 for start, block in zip(starts, blocks, strict=True)]
    medians = [float(np.median(block)) for block in blocks]
    return np.interp(np.arange(len(changes)), middles, medians)
