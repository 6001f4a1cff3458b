"""Where the classes of other programs lie; finding that out runs none of their code."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


def is_loaded(name: str) -> bool:
    """Whether this process has imported the class `package.module:Class` already, of its own.

    Example:
        >>> is_loaded("checkpoints_index.generators.spec:GeneratorSpec"), is_loaded("evil:G")
        (True, False)
    """
    module, _, found = name.partition(":")
    return hasattr(sys.modules.get(module), found) if module and found else False


def find_place(name: str, folder: Path | None = None) -> Path | None:
    """The file or the folder of the top package of a class, as this process would import it.

    Args:
        name: `package.module:Class`.
        folder: where it is looked for after the installed packages; the current folder by default.

    Returns:
        None where there is no such package, or none that lies in a file.
    """
    package = name.partition(":")[0].partition(".")[0]
    if not package.isidentifier():
        return None
    importlib.invalidate_caches()
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # A program that was started as a file has no specification.
        file = getattr(sys.modules[package], "__file__", None)
        return Path(file).resolve() if file else None
    spec = spec or PathFinder.find_spec(package, [str(folder or Path.cwd())])
    return None if spec is None else _place_of(spec)


def _place_of(spec: ModuleSpec) -> Path | None:
    folders = list(spec.submodule_search_locations or ())
    if folders:
        return Path(folders[0]).resolve()
    return Path(spec.origin).resolve() if spec.has_location and spec.origin else None
