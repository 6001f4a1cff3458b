"""Finishing at the next start what a killed process began to delete, to rename or to replace."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from checkpoints_index.storage.catalogue import list_runs
from checkpoints_index.storage.files import remove_leftovers
from studio.upkeep.removal import RUN, finish_run
from studio.upkeep.renaming import RENAME, Renaming, claiming_all
from studio.upkeep.replacing import FORMER, NEW, REPLACE, Replacement
from studio.workspace.claims import EXCLUSIVE, Claim, InUseError, claiming
from studio.workspace.paths import Workspace

PURPOSE = "finishing what was begun"


def finish_removals(workspace: Workspace) -> None:
    """Finish deleting, renaming and replacing; what somebody is at work on is left to them."""
    remove_leftovers(workspace.trash)
    for path in sorted(workspace.trash.glob("[!.]*")):
        kind, _, rest = path.name.partition("-")
        with suppress(InUseError):
            if kind == RENAME:
                _finish_renaming(workspace, path)
            elif kind == REPLACE:
                _finish_replacement(workspace, path)
            elif kind == RUN:
                _finish_deletion(workspace, path, rest.rpartition("-")[0])
            else:
                _remove(path)


def _finish_renaming(workspace: Workspace, note: Path) -> None:
    renaming = Renaming.read(note)
    if renaming is None:
        _remove(note)
        return
    with claiming_all(workspace, renaming, PURPOSE):
        if note.exists():  # Nobody else has finished it meanwhile.
            renaming.finish(workspace)
            _remove(note)


def _finish_replacement(workspace: Workspace, folder: Path) -> None:
    replacement = Replacement.read(folder)
    if replacement is None:
        # Without its note, only what cannot be half of a replacement is taken away.
        if not ((folder / FORMER).exists() and list_runs(folder / NEW)):
            _remove(folder)
        return
    with claiming(workspace, replacement.claims(), PURPOSE):
        if folder.exists():  # Nobody else has finished it meanwhile.
            replacement.finish(workspace, folder)


def _finish_deletion(workspace: Workspace, moved: Path, run: str) -> None:
    with claiming(workspace, [Claim("run", run, EXCLUSIVE)], PURPOSE):
        if moved.exists() and not workspace.run(run).exists():
            for path in finish_run(workspace, run):
                _remove(path)
        _remove(moved)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
