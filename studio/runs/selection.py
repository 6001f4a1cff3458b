"""Reads a choice of batches, such as `0:1000:10`, and finds the checkpoints for them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal, NamedTuple

from checkpoints_index.errors import name_some
from studio.workspace.errors import StudioError
from studio.workspace.names import read_whole, shorten

MAX_GAPS_NAMED = 5
MAX_END = 10**60  # Of a range, which is cut to the checkpoints that there are.
Missing = Literal["refuse", "skip", "hold"]


class Choice(NamedTuple):
    """The frames of a film along training.

    Attributes:
        numbers: the batch that each frame is asked for, in the order that was asked for.
        batches: the checkpoint that each frame shows.
    """

    numbers: list[int]
    batches: list[int]


class NoCheckpointsError(StudioError):
    """A run has no checkpoint yet."""

    def __init__(self, run: str) -> None:
        self.run = run
        super().__init__(f"Run '{run}' has no checkpoints yet. Train it first.")

    def __reduce__(self) -> tuple[type[NoCheckpointsError], tuple[str]]:
        return type(self), (self.run,)


def choose_batches(
    kept: Sequence[int], text: str, run: str, skip_missing: bool = False
) -> list[int]:
    """The batches that a text chooses.

    Args:
        kept: the batches that have a checkpoint, ascending.
        text: empty for all, `FROM:TO` or `FROM:TO:STEP` (half-open, as in Python), or `1,50,200`.
            A range is cut to what lies between the first and the last checkpoint; a list keeps
            its order.
        run: its name in messages.
        skip_missing: whether batches without a checkpoint are left out rather than refused.

    Raises:
        StudioError: the text cannot be read, chooses nothing, or some batches have no checkpoint.

    Example:
        >>> choose_batches([1, 2, 3, 4, 5], "0:5:2", "city")
        [2, 4]
    """
    return choose_frames(kept, text, run, "skip" if skip_missing else "refuse").batches


def choose_frames(kept: Sequence[int], text: str, run: str, missing: Missing = "refuse") -> Choice:
    """The batches that a text chooses, and the checkpoint that each of them shows.

    Args:
        kept, text, run: see `choose_batches`.
        missing: whether a batch without a checkpoint is refused, skipped, or shows the checkpoint
            before it (`hold`).

    Raises:
        StudioError: see `choose_batches`.

    Example:
        >>> choose_frames([1, 2, 5], "1:6", "city", "hold")
        Choice(numbers=[1, 2, 3, 4, 5], batches=[1, 2, 2, 2, 5])
    """
    last = last_batch(kept, run)
    text = text.strip() or (":" if missing == "hold" else "")
    wanted = parse_batches(text, kept[0], last) if text else kept
    there = set(kept)
    if missing == "refuse":
        _refuse_gaps([batch for batch in wanted if batch not in there], run)
    if missing == "hold":
        numbers = [batch for batch in wanted if kept[0] <= batch <= last]
    else:
        numbers = [batch for batch in wanted if batch in there]
    if not numbers:
        raise StudioError(
            f"No checkpoint of run '{run}' lies in '{text}': it has {kept[0]} to {last}."
        )
    return Choice(numbers, [kept[bisect_right(kept, batch) - 1] for batch in numbers])


def describe_cut(kept: Sequence[int], text: str) -> str | None:
    """What to tell a person whose range reaches beyond the checkpoints; None where none does.

    Example:
        >>> describe_cut([1, 2, 800], "0:1200:100")
        'The range 0:1200:100 ends at batch 800, the last checkpoint.'
    """
    parts = text.strip().split(":")
    stop = parts[1].strip() if len(parts) > 1 else ""
    end = read_whole(stop, MAX_END)
    if not kept or end is None or end - 1 <= kept[-1]:
        return None
    return f"The range {text.strip()} ends at batch {kept[-1]}, the last checkpoint."


def last_batch(kept: Sequence[int], run: str) -> int:
    """The newest batch that has a checkpoint.

    Raises:
        StudioError: there is none.
    """
    if not kept:
        raise NoCheckpointsError(run)
    return kept[-1]


def nearest_batch(kept: Sequence[int], batch: float) -> int:
    """The checkpoint that is nearest to a batch.

    Args:
        kept: ascending, at least one.
        batch: any number, also between two checkpoints.

    Example:
        >>> nearest_batch([1, 5, 9], 6.5)
        5
    """
    after = min(max(1, bisect_right(kept, batch)), len(kept) - 1)
    return min(kept[max(0, after - 1) : after + 1], key=lambda there: abs(there - batch))


def _refuse_gaps(gaps: Sequence[int], run: str) -> None:
    if gaps:
        named = name_some(list(map(str, gaps)), MAX_GAPS_NAMED)
        raise StudioError(
            f"Run '{run}' has no checkpoint {named}. Leave them out: --skip-missing. Show "
            f"the one before: --hold-missing. See what there is: studio checkpoints {run}"
        )


def parse_batches(text: str, first: int, last: int) -> Sequence[int]:
    """The numbers that a text chooses; a range is cut to first..last.

    Args:
        text: see `choose_batches`; not empty.

    Raises:
        StudioError: it cannot be read.
    """
    listed = ":" not in text
    parts = [part.strip() for part in text.split("," if listed else ":")]
    numbers = [read_whole(part, MAX_END) for part in parts]
    if any(part and number is None for part, number in zip(parts, numbers, strict=True)):
        raise StudioError(_batches_hint(text))
    if listed:
        return list(dict.fromkeys(number for number in numbers if number is not None))
    if len(numbers) > 3 or numbers[2:] == [0]:
        raise StudioError(_batches_hint(text))
    start, stop, step = [*numbers, None][:3]
    step = step or 1
    start = first if start is None else start + max(0, -(-(first - start) // step)) * step
    return range(start, last + 1 if stop is None else min(stop, last + 1), step)


def _batches_hint(text: str) -> str:
    return f"{shorten(text)} is no choice of batches. Use FROM:TO, FROM:TO:STEP, or 1,50,200."
