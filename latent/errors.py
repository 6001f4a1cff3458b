"""The one error that a person is meant to read, and words for it."""

from __future__ import annotations

from collections.abc import Sequence


class UserError(Exception):
    """Something a person can put right: what happened, what was expected, what to do next.

    The command line prints its text on one line; the screens show the same words.
    """


def name_some(names: Sequence[str], most: int) -> str:
    """Many things in a sentence: the first of them, and how many there are besides.

    Example:
        >>> name_some(["1", "3", "4", "9"], 2)
        '1, 3 and 2 more'
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
