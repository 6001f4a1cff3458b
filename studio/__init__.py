"""What a person does with generative networks: train, keep, film, explore, export.

`studio.open("workspace")` gives every action as a method.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from studio.actions.studio import Studio

__all__ = ["__version__", "open"]


def open(folder: str | Path | None = None) -> Studio:
    """The workspace in a folder, with actions as methods: `studio.open("workspace").runs()`.

    Args:
        folder: made if it is new; by default $STUDIO_WORKSPACE, else ./workspace.

    Raises:
        StudioError: there can be no workspace.
    """
    from studio.actions.studio import Studio

    return Studio(folder)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("latent-city-studio")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
