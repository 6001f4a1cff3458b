"""What runs code here or calls an address, and whether the owner of the workspace has named it.

A run's folder, a file of settings or a picture may come from somebody else, and what they name is
not used because its owner goes on with a run. It is used once the owner has named it, in words of
their own: in the command that trains or sets, in Python, or by `studio trust`. The lists lie
beside the runs, in none of them, and each carries a checksum.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from checkpoints_index.errors import UntrustedClassError
from checkpoints_index.generators.class_places import is_loaded
from checkpoints_index.storage.files import create_whole
from checkpoints_index.storage.seals import read_sealed_json, seal_json
from checkpoints_index.storage.trusted_classes import (
    distrust_class,
    list_trusted,
    trust_class,
    trusted_place,
)
from studio.workspace.claims import changing
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.records.declarations import Risk, is_risky

LISTED: tuple[Risk, ...] = ("command", "address")  # Classes have a list of their own.


@dataclass(frozen=True)
class Named:
    """Something that an action names which runs code here, or calls an address.

    Attributes:
        name: the field or the setting that names it.
        risk: command, address or class.
        value: what it names; a class of ours, or an empty text, is no risk.
        source: the file that says so, in words; empty where the action itself does.
    """

    name: str
    risk: Risk
    value: str
    source: str = ""

    @property
    def is_risky(self) -> bool:
        """Whether it runs code or calls an address at all."""
        return is_risky(self.risk, self.value)


class UntrustedError(StudioError):
    """A file names a command or an address that the owner of the workspace has not named."""


def trust(workspace: Workspace, risk: Risk, value: str) -> None:
    """Note that the owner has named a command, an address or a class.

    A command is run in the folder in which it was named, and a class is imported from where it lay,
    so that another folder cannot put something else under their names.

    Raises:
        StudioError: a class of a package that is not found.
    """
    if risk == "class":
        trust_class(workspace.runs, value)
        if not is_trusted(workspace, risk, value) and not is_loaded(value):
            package = value.partition(":")[0].partition(".")[0]
            raise StudioError(
                f"'{value}' cannot be used: there is no '{package}' in {Path.cwd()}, nor among the "
                "installed packages. Go to where it lies, or name that folder in PYTHONPATH."
            )
    elif not is_trusted(workspace, risk, value):
        with _changing_list(workspace) as known:
            known[risk].setdefault(value, str(Path.cwd()) if risk == "command" else "")


def distrust(workspace: Workspace, risk: Risk, value: str) -> None:
    """Take a command, an address or a class off the list, if it stands there."""
    if risk == "class":
        distrust_class(workspace.runs, value)
    elif is_trusted(workspace, risk, value):
        with _changing_list(workspace) as known:
            known[risk].pop(value, None)


def list_named(workspace: Workspace) -> list[tuple[Risk, str, str]]:
    """What the owner has named: (risk, value, where it lies or is run)."""
    listed = [
        (risk, *pair) for risk, named in read_listed(workspace).items() for pair in named.items()
    ]
    classes = list_trusted(workspace.runs).items()
    return [*listed, *(("class", name, str(place)) for name, place in classes)]


def is_trusted(workspace: Workspace, risk: Risk, value: str) -> bool:
    """Whether the owner has named a command, an address or a class."""
    if risk == "class":
        return trusted_place(workspace.runs, value) is not None
    return value in read_listed(workspace)[risk]


def command_folder(workspace: Workspace, command: str) -> Path | None:
    """The folder in which a command is run; None for one that the owner has not named."""
    folder = read_listed(workspace)["command"].get(command)
    return None if folder is None else Path(folder)


def require_trusted(workspace: Workspace, named: Named) -> None:
    """Refuse what runs code or calls an address, and was not named by the owner.

    Raises:
        UntrustedError: a command or an address; the text says how to name it.
        UntrustedClassError: a class.
    """
    if not named.is_risky or is_trusted(workspace, named.risk, named.value):
        return
    if named.risk != "class":
        raise UntrustedError(
            f"{named.name} of {named.source or 'this run'} is '{named.value}', and nobody here has "
            f"named that {named.risk}, so it is not used. If you trust it: studio trust "
            f"--{named.risk} {shlex.quote(named.value)}"
        )
    if not is_loaded(named.value):
        raise UntrustedClassError(named.value)


def read_listed(workspace: Workspace) -> dict[Risk, dict[str, str]]:
    """The list by risk: value -> folder of a command, empty for an address.

    Raises:
        StudioError: it cannot be read.
    """
    try:
        named = read_sealed_json(workspace.trusted.read_bytes())
        return {risk: {str(v): str(f) for v, f in named[risk].items()} for risk in LISTED}
    except FileNotFoundError:
        return {risk: {} for risk in LISTED}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudioError(
            f"The list {workspace.trusted} cannot be read: {error}. Delete it, and name again what "
            "you trust: studio trust"
        ) from error


@contextmanager
def _changing_list(workspace: Workspace) -> Iterator[dict[Risk, dict[str, str]]]:
    """The list, which nobody else changes meanwhile, and which is written at the end."""
    with changing(workspace, workspace.trusted.name):
        known = read_listed(workspace)
        yield known
        create_whole(workspace.trusted, seal_json(dict(sorted(known.items())), indent=1))
