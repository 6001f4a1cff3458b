"""Which classes of other programs the owner of a folder of runs has named, and where they lay.

A run's folder may come from somebody else, and naming a class means to run its module's code. The
list lies beside the runs, in none of them; whoever creates a run, or names a class, writes it, with
a checksum. A class that was named in one folder is not taken from another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checkpoints_index.errors import CheckpointError, UntrustedClassError
from checkpoints_index.generators.class_places import find_place, is_loaded
from checkpoints_index.storage.files import create_whole
from checkpoints_index.storage.locks import FileLock
from checkpoints_index.storage.seals import read_sealed_json, seal_json

FILE = "trusted_classes.json"


def list_trusted(runs_folder: Path) -> dict[str, Path]:
    """The classes that were named, sorted, each with the file or folder of its package.

    Names in a list of an earlier version, which kept no places, are not among them.

    Raises:
        CheckpointError: the list cannot be read.
    """
    try:
        content = (runs_folder / FILE).read_bytes()
        named = {} if isinstance(json.loads(content), list) else read_sealed_json(content)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"The list {runs_folder / FILE} cannot be read: {error}. Delete it, and name again the "
            "classes that you trust."
        ) from error
    return {name: Path(place) for name, place in sorted(named.items()) if isinstance(place, str)}


def trust_class(runs_folder: Path, name: str) -> None:
    """Add a class to the list, as it is found now; one of this package needs no place in it."""
    place = find_place(name) if ":" in name else None
    if place is not None and trusted_place(runs_folder, name) != place:
        with _changing_list(runs_folder) as known:
            known[name] = place


def distrust_class(runs_folder: Path, name: str) -> None:
    """Take a class off the list, if it stands there."""
    if name in list_trusted(runs_folder):
        with _changing_list(runs_folder) as known:
            known.pop(name, None)


def trusted_place(runs_folder: Path, name: str) -> Path | None:
    """Where a class lay when it was named; None for one that nobody named, and for ours."""
    return list_trusted(runs_folder).get(name) if ":" in name else None


def import_trusted(runs_folder: Path, name: str) -> None:
    """Import a class from where it lay when it was named, for all that this process builds of it.

    Raises:
        UntrustedClassError: nobody named it here, or it lies elsewhere now; the text names it.
        CheckpointError: it cannot be imported.
    """
    if ":" not in name or is_loaded(name):
        return
    place = trusted_place(runs_folder, name)
    if place is None:
        raise UntrustedClassError(name)
    from checkpoints_index.generators.foreign import import_class

    import_class(name, place)


@contextmanager
def _changing_list(runs_folder: Path) -> Iterator[dict[str, Path]]:
    """The list, which nobody else changes meanwhile, and which is written at the end."""
    with FileLock(runs_folder, wait=True):
        known = list_trusted(runs_folder)
        yield known
        named = {name: str(place) for name, place in sorted(known.items())}
        create_whole(runs_folder / FILE, seal_json(named, indent=1))
