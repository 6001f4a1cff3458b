"""Which classes of other programs the owner of a folder of runs has named.

A run's folder may come from somebody else, and naming a class means to run its module's code. The
list lies beside the runs, in none of them; whoever creates a run, or names a class, writes it.
"""

from __future__ import annotations

import json
from pathlib import Path

from checkpoints_index.errors import CheckpointError, UntrustedClassError
from checkpoints_index.generators.spec import is_loaded
from checkpoints_index.storage.files import create_whole

FILE = "trusted_classes.json"


def list_trusted(runs_folder: Path) -> list[str]:
    """The classes that were named, sorted.

    Raises:
        CheckpointError: the list cannot be read.
    """
    try:
        named = json.loads((runs_folder / FILE).read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"The list {runs_folder / FILE} cannot be read: {error}.") from error
    if not isinstance(named, list):
        raise CheckpointError(f"The list {runs_folder / FILE} is no list. Delete it.")
    return sorted(name for name in named if isinstance(name, str))


def trust_class(runs_folder: Path, name: str) -> None:
    """Add a class to the list; an architecture of this package needs no place in it."""
    known = list_trusted(runs_folder)
    if ":" in name and name not in known:
        content = json.dumps(sorted([*known, name]), indent=1).encode()
        create_whole(runs_folder / FILE, content)


def is_trusted(runs_folder: Path, name: str) -> bool:
    """Whether a generator may be built by its name: ours, named here, or loaded by this process."""
    return ":" not in name or is_loaded(name) or name in list_trusted(runs_folder)


def require_trusted(runs_folder: Path, name: str) -> None:
    """Refuse a class that nobody named here.

    Raises:
        UntrustedClassError: the text names it.
    """
    if not is_trusted(runs_folder, name):
        raise UntrustedClassError(name)
