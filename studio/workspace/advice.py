"""The next step that the studio adds to an error of a library, which tells only what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from latent.errors import TooFewFramesError
from renderers.errors import (
    CompilationError,
    FullDiskError,
    UnfinishedRenderError,
    UnknownVideoError,
    UnplannedVideoError,
)

# The first class that fits an error gives its advice; an empty one adds nothing.
ADVICE: dict[type[BaseException], Callable[[Any], str]] = {
    TooFewFramesError: lambda error: "Raise the seconds.",
    CompilationError: lambda error: "" if error.advice else "Leave out --compile.",
    FullDiskError: lambda error: "Give the same command again: it goes on where it was.",
    UnfinishedRenderError: lambda error: "Give the same command again: it goes on where it was.",
    UnknownVideoError: lambda error: "List what was rendered: studio jobs",
    UnplannedVideoError: lambda error: (
        "Give the command that began it again: it goes on where it was."
    ),
}


def explain(error: BaseException) -> str:
    """The text of an error, and what to do next where the studio knows more than the library."""
    for kind, advise in ADVICE.items():
        if isinstance(error, kind):
            return f"{error} {advise(error)}".rstrip()
    return str(error)
