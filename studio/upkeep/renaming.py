"""Renaming runs and datasets, with all that knows them by name.

What is to be done is written down first, in the trash: whatever step a process is killed at, the
next start goes on from there; see `studio.upkeep.unfinished`.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from checkpoints_index.storage.catalogue import list_runs, open_catalogue
from checkpoints_index.storage.files import create_whole, sync_folder
from checkpoints_index.storage.locks import lock_run
from checkpoints_index.storage.seals import read_sealed_json, seal_json
from renderers.files import note_path, read_json, write_json
from studio.datasets.prepared import read_manifest, write_manifest
from studio.runs.config import TrainingConfig
from studio.runs.lineage.parentage import follow_renaming
from studio.upkeep.removal import TABLES, list_beside, part_of_dataset
from studio.workspace.claims import EXCLUSIVE, WRITE, Claim, claiming
from studio.workspace.database import open_database
from studio.workspace.errors import EditedFileError, StudioError
from studio.workspace.marks import save_marks
from studio.workspace.names import require_dataset_name, require_part, require_run_name
from studio.workspace.paths import Workspace

RENAME = "rename"  # What is written down has a name that begins so.
RUN, DATASET = "run", "dataset"
DATASET_FIELDS = ("dataset", "negatives")  # Settings of a run that name datasets.


@dataclass(frozen=True)
class Renaming:
    """What is to be renamed, and how far that reaches.

    Attributes:
        kind: RUN or DATASET.
        asked_at: seconds since 1970; the event of the renaming has this time.
        moves: folders and files to rename, in this order: (old, new) below the workspace.
    """

    kind: str
    old: str
    new: str
    asked_at: float
    moves: list[list[str]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What was written down; None where it is done, or no such thing can be read."""
        try:
            renaming = cls(**read_sealed_json(path.read_bytes()))
            named = require_run_name if renaming.kind == RUN else require_dataset_name
            named(renaming.old)
            named(renaming.new)
            for part in (
                part for move in renaming.moves for end in move for part in end.split("/")
            ):
                require_part(part)
        except (OSError, ValueError, TypeError):
            return None
        return renaming

    def claims(self, workspace: Workspace) -> list[Claim]:
        """What nobody else may work on meanwhile."""
        names = dict.fromkeys((self.old, self.new))
        if self.kind == RUN:
            return [Claim("run", name, EXCLUSIVE) for name in names]
        return [Claim("dataset", name, EXCLUSIVE) for name in names]

    def finish(self, workspace: Workspace) -> None:
        """Do what is left of it; doing it again changes nothing."""
        (_finish_run if self.kind == RUN else _finish_dataset)(workspace, self)


def rename_run(workspace: Workspace, old: str, new: str) -> None:
    """Give a run another name; whoever calls holds both names alone.

    Raises:
        StudioError: there is no such run, or the name is taken or cannot be one.
    """
    open_catalogue(workspace.runs, old)
    if workspace.run(new).exists():
        raise StudioError(f"There is a run '{new}' already. Choose another name.")
    with lock_run(old, workspace.run(old) / "checkpoints"):
        _carry_out(
            workspace, Renaming(RUN, old, new, time.time(), _list_moves(workspace, old, new))
        )


def rename_dataset(workspace: Workspace, old: str, new: str) -> None:
    """Give a dataset another name, also in the settings of the runs that are trained on it.

    Raises:
        StudioError: there is no such dataset, or the name is taken.
        InUseError: somebody trains one of these runs, or uses the dataset.
    """
    part_of_dataset(workspace, old)
    require_dataset_name(new)
    renaming = Renaming(DATASET, old, new, time.time())
    with claiming_all(workspace, renaming, f"studio rename dataset {old} {new}"):
        part_of_dataset(workspace, old)  # It was there before it was claimed.
        if workspace.dataset(new).exists():
            raise StudioError(f"There is a dataset '{new}' already. Choose another name.")
        _refuse_edited(workspace, old)
        _carry_out(workspace, renaming)


@contextmanager
def claiming_all(workspace: Workspace, renaming: Renaming, purpose: str) -> Iterator[None]:
    """Hold what a renaming works on; runs first, as whoever trains one does.

    Raises:
        InUseError: somebody else holds a part of it.
    """
    runs = []
    if renaming.kind == DATASET:
        named = (renaming.old, renaming.new)
        runs = [Claim("run", run, WRITE) for run in _runs_on(workspace, named)]
    with (
        claiming(workspace, runs, purpose),
        claiming(workspace, renaming.claims(workspace), purpose),
    ):
        yield


def _carry_out(workspace: Workspace, renaming: Renaming) -> None:
    """Write down what is to be done, do it, and take the note away."""
    workspace.trash.mkdir(exist_ok=True)
    note = workspace.trash / f"{RENAME}-{secrets.token_hex(4)}.json"
    create_whole(note, seal_json(asdict(renaming)))
    renaming.finish(workspace)
    note.unlink()


def _list_moves(workspace: Workspace, old: str, new: str) -> list[list[str]]:
    """All that lies under the name of a run: each folder, then what in it begins with the name."""
    moves = [(workspace.run(old), workspace.run(new))]
    for folder in list_beside(workspace, old):
        renamed = folder.with_name(_begin(folder.name, old, new))
        moves.append((folder, renamed))
        moves += [
            (renamed / path.name, renamed / _begin(path.name, old, new))
            for path in sorted(folder.iterdir())
            if path.name.startswith(f"{old}-")
        ]
    root = workspace.root
    return [[str(path.relative_to(root)) for path in move] for move in moves]


def _begin(name: str, old: str, new: str) -> str:
    return new + name.removeprefix(old)


def _finish_run(workspace: Workspace, renaming: Renaming) -> None:
    moves = [(workspace.root / old, workspace.root / new) for old, new in renaming.moves]
    for old, new in moves:
        if old.exists() and not new.exists():
            old.rename(new)
    for folder in list_beside(workspace, renaming.new):
        _rewrite_records(folder, renaming, dict(moves))
    old_name, new_name = renaming.old, renaming.new
    with open_database(workspace.database, writing=True) as db:
        for table in (*TABLES, "jobs", "former_names"):
            db.execute(f"UPDATE OR IGNORE {table} SET run = ? WHERE run = ?", (new_name, old_name))
        follow_renaming(db, workspace, old_name, new_name)
        _rename_in_jobs(db, "run", renaming)
        db.execute(
            "INSERT OR IGNORE INTO former_names (run, former) VALUES (?, ?)", (new_name, old_name)
        )
        event = (new_name, "changed", f"name: {old_name} -> {new_name}", renaming.asked_at)
        db.execute(
            "INSERT INTO events (run, kind, text, created_at) SELECT ?, ?, ?, ? WHERE NOT EXISTS "
            "(SELECT 1 FROM events WHERE run = ? AND kind = ? AND text = ? AND created_at = ?)",
            event * 2,
        )
        save_marks(db, workspace, new_name)
    for folder in (workspace.runs, workspace.renders, workspace.exports):
        sync_folder(folder)


def _finish_dataset(workspace: Workspace, renaming: Renaming) -> None:
    old, new = workspace.dataset(renaming.old), workspace.dataset(renaming.new)
    if old.exists() and not new.exists():
        old.rename(new)
        sync_folder(workspace.datasets)
    write_manifest(new, dataclasses.replace(read_manifest(new), name=renaming.new))
    for run in _runs_on(workspace, (renaming.old,)):
        path = workspace.run_config(run)
        config = TrainingConfig.read(path)
        named: dict[str, Any] = {
            name: renaming.new for name in DATASET_FIELDS if getattr(config, name) == renaming.old
        }
        dataclasses.replace(config, **named).write(path)
    with open_database(workspace.database) as db:
        _rename_in_jobs(db, "dataset", renaming)


def _refuse_edited(workspace: Workspace, dataset: str) -> None:
    """Refuse to write a new name into files that somebody edited.

    Raises:
        EditedFileError: the manifest, or the settings of a run, are not what was written.
    """
    read_manifest(workspace.dataset(dataset))
    for path in map(workspace.run_config, list_runs(workspace.runs)):
        try:
            if path.exists():
                TrainingConfig.read(path)
        except EditedFileError:
            raise
        except StudioError:
            continue  # Settings that cannot be read name no dataset; `studio verify` names them.


def _rename_in_jobs(db: Any, name: str, renaming: Renaming) -> None:
    """Jobs that are given again are given on the new name."""
    db.execute(
        "UPDATE jobs SET fields = json_set(fields, ?, ?) "
        "WHERE fields IS NOT NULL AND json_extract(fields, ?) = ?",
        (f"$.{name}", renaming.new, f"$.{name}", renaming.old),
    )


def _runs_on(workspace: Workspace, datasets: Iterable[str]) -> list[str]:
    """The runs whose settings name one of some datasets; settings that cannot be read name none."""
    wanted, found = {*datasets}, []
    for run in list_runs(workspace.runs):
        path = workspace.run_config(run)
        try:
            config = TrainingConfig.read(path) if path.exists() else None
        except StudioError:
            continue  # `studio verify` says what is wrong with them.
        if config is not None and wanted & {getattr(config, name) for name in DATASET_FIELDS}:
            found.append(run)
    return found


def _rewrite_records(folder: Path, renaming: Renaming, moves: Mapping[Path, Path]) -> None:
    """Let what is recorded in the folder of a render name its files as they are called now."""
    former = renaming.old + folder.name.removeprefix(renaming.new)

    def place(text: str) -> str:
        """A path, wherever the workspace was when it was written."""
        parts = Path(text).parts
        if former in parts[:-1]:
            below = folder.joinpath(*parts[len(parts) - parts[::-1].index(former) :])
        elif Path(text).is_absolute():
            return text  # It lies elsewhere, or is renamed already.
        else:
            below = folder / text
        first = folder / below.relative_to(folder).parts[0]
        return note_path(folder, moves.get(first, first) / below.relative_to(first))

    def rewrite(document: dict[str, Any]) -> dict[str, Any]:
        if "videos" in document:
            videos = [{**video, "path": place(video["path"])} for video in document["videos"]]
            return {**document, "videos": videos}
        return {**document, "paths": [place(path) for path in document["paths"]]}

    # What is damaged is left as it is: `studio verify` names it.
    for name in ("videos.json", "claim.json"):
        if document := read_json(folder / name):
            write_json(rewrite(document), folder / name)
    if joined := read_json(folder / "joined.json"):
        write_json({place(path): known for path, known in joined.items()}, folder / "joined.json")
    if document := read_json(folder / "atlas.json"):
        picture = folder / document["path"]
        document |= {"run": renaming.new, "path": moves.get(picture, picture).name}
        write_json(document, folder / "atlas.json")
    if document := read_json(folder / "growth.json"):
        write_json({**document, "run": renaming.new}, folder / "growth.json")
