"""Style sheets and scripts of the page: files that lie beside the module that uses them."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def read_asset(package: str, name: str) -> str:
    """The text of a style sheet or a script.

    Args:
        package: the folder in which the file lies, such as `studio.screens.parts`.
        name: of the file, such as `markup.js`.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    return resources.files(package).joinpath(name).read_text("utf-8")
