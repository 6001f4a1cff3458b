"""Names of films, sheets and atlases, which people give them beside the names of their folders.

The folder's name stays, since what is asked for again finds its film by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from renderers.files import read_json, write_json
from studio.workspace.claims import changing
from studio.workspace.errors import StudioError
from studio.workspace.names import require_given_name
from studio.workspace.paths import Workspace

RECORD = "name.json"


def find_film(workspace: Workspace, name: str) -> Path:
    """The folder of a film, a sheet or an atlas.

    Args:
        name: that of the folder, or the one that somebody gave it, in any case of letters.

    Raises:
        StudioError: there is no such folder.
    """
    known = {folder.name: given for folder, given in _list_named(workspace)}
    given = [folder for folder, own in known.items() if own.casefold() == name.casefold()]
    if name in known or given:
        return workspace.render(name if name in known else given[0])
    listed = ", ".join(f"{folder} ({own})" if own else folder for folder, own in known.items())
    raise StudioError(f"There is no film '{name}'. Known: {listed or 'none yet'}.")


def name_film(workspace: Workspace, film: str, name: str) -> str:
    """Give a film, a sheet or an atlas a name, by which it is found as by that of its folder.

    Args:
        film: as `find_film` takes it.
        name: one that no other has, in any case of letters.

    Returns:
        The name of its folder.

    Raises:
        StudioError: no such film, or the name is taken or cannot be one.
        RenderError: it cannot be written down.
    """
    require_given_name(name)
    with changing(workspace, "film-names"):
        folder = find_film(workspace, film)
        for other, given in _list_named(workspace):
            if other != folder and name.casefold() in (other.name.casefold(), given.casefold()):
                raise StudioError(f"The film {other.name} has the name '{name}'. Choose another.")
        write_json({"name": name}, folder / RECORD)
    return folder.name


def given_name(folder: Path) -> str:
    """The name that somebody gave a film; empty where nobody did, or it cannot be read.

    Args:
        folder: the film's.
    """
    try:
        return require_given_name((read_json(folder / RECORD) or {})["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _list_named(workspace: Workspace) -> Iterator[tuple[Path, str]]:
    """Each folder of a film, and the name that somebody gave it."""
    for folder in sorted(workspace.renders.iterdir()):
        if folder.is_dir() and not folder.name.startswith("."):
            yield folder, given_name(folder)
