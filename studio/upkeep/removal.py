"""Deleting and renaming runs and datasets, deleting films and specimens.

Whatever goes is first moved into the trash, in one step, and then removed. What a killed process
left half done is finished by `finish_removals` at the next start.
"""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from checkpoints_index.storage.catalogue import list_runs, open_catalogue
from checkpoints_index.storage.files import create_whole, sync_folder
from checkpoints_index.storage.locks import lock_run
from checkpoints_index.storage.seals import read_sealed_json, seal_json
from studio.datasets.listing import list_datasets
from studio.specimens.own_points import save_own_points
from studio.workspace.claims import EXCLUSIVE, Claim, InUseError, claiming
from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

TABLES = ("specimens", "pins", "changes", "events")  # Each has a column `run`.
RENAME = "rename"
KINDS = r"(?:timelapse|interpolation(?:-\d+)?|path|sheet)-[0-9a-f]{6}|live|atlas-\d+-\w+"


def size_of(paths: Sequence[Path]) -> int:
    """Bytes of all files below some paths."""
    files = [file for path in paths for file in (path, *path.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file())


def parts_of_run(workspace: Workspace, run: str) -> list[Path]:
    """The folders that belong to a run: its own first, its exports, its films and atlases.

    Raises:
        CheckpointError: there is no such run.
    """
    open_catalogue(workspace.runs, run)
    return [workspace.run(run), *list_beside(workspace, run)]


def part_of_dataset(workspace: Workspace, name: str) -> Path:
    """The folder of a dataset.

    Raises:
        StudioError: there is no such dataset.
    """
    known = list_datasets(workspace)
    if name not in known:
        raise StudioError(f"There is no dataset '{name}'. Known: {', '.join(known) or 'none yet'}.")
    return workspace.dataset(name)


def part_of_film(workspace: Workspace, name: str) -> Path:
    """The folder of a film, a sheet or an atlas.

    Raises:
        StudioError: there is no such folder.
    """
    known = sorted(path.name for path in workspace.renders.iterdir() if path.is_dir())
    if name not in known:
        raise StudioError(f"There is no film '{name}'. Known: {', '.join(known) or 'none yet'}.")
    return workspace.render(name)


def delete_run(workspace: Workspace, run: str) -> None:
    """Delete a run with all that belongs to it; whoever calls holds it alone."""
    parts_of_run(workspace, run)
    with lock_run(
        run, workspace.run(run) / "checkpoints"
    ):  # Programs outside the studio write too.
        _move_to_trash(workspace, workspace.run(run), f"run-{run}")
        finish_run(workspace, run)
    empty_trash(workspace)


def delete_folder(workspace: Workspace, folder: Path) -> None:
    """Delete a dataset or a film; whoever calls holds it alone."""
    _move_to_trash(workspace, folder, f"folder-{folder.name}")
    empty_trash(workspace)


def delete_specimens(workspace: Workspace, run: str, labels: Sequence[str]) -> int:
    """Delete specimens and their pictures, so that nothing holds their batches any more.

    Returns:
        How many there were.

    Raises:
        StudioError: one of them is none of the run's; nothing was deleted.
    """
    from latent.points import parse_label

    places = [(label, parse_label(label)) for label in labels]
    with open_database(workspace.database) as db:
        for label, place in places:
            gone = place and db.execute(
                "DELETE FROM specimens WHERE run = ? AND batch = ? AND number = ? "
                "AND origin != 'fixed'",
                (run, *place),
            )
            if not gone or not gone.rowcount:
                raise StudioError(
                    f"Run '{run}' has no specimen {label} that can be deleted; fixed points stay. "
                    f"List them: studio specimens list {run}"
                )
    save_own_points(workspace, run)
    for label, _ in places:
        folder = workspace.specimens(run)
        for path in (folder / f"{run}-{label}.jpg", *folder.glob(f"{run}-{label}-at-*.jpg")):
            path.unlink(missing_ok=True)
    return len(places)


def rename_run(workspace: Workspace, old: str, new: str) -> None:
    """Give a run another name; whoever calls holds both names alone.

    Raises:
        StudioError: there is no such run, or the name is taken or cannot be one.
    """
    open_catalogue(workspace.runs, old)
    if workspace.run(new).exists():
        raise StudioError(f"There is a run '{new}' already. Choose another name.")
    workspace.trash.mkdir(exist_ok=True)
    intent = workspace.trash / f"{RENAME}-{secrets.token_hex(4)}.json"
    with lock_run(old, workspace.run(old) / "checkpoints"):
        create_whole(intent, json.dumps({"old": old, "new": new}).encode())
        finish_rename(workspace, intent)


def rename_dataset(workspace: Workspace, old: str, new: str) -> None:
    """Give a dataset another name, also in the settings of the runs that are trained on it.

    Raises:
        StudioError: there is no such dataset, or the name is taken.
    """
    from studio.runs.config import TrainingConfig
    from studio.workspace.names import require_dataset_name

    folder = part_of_dataset(workspace, old)
    require_dataset_name(new)
    if workspace.dataset(new).exists():
        raise StudioError(f"There is a dataset '{new}' already. Choose another name.")
    folder.rename(workspace.dataset(new))
    manifest = workspace.dataset(new) / "manifest.json"
    described = read_sealed_json(manifest.read_bytes())
    create_whole(manifest, seal_json({**described, "name": new}, indent=2))
    for run in list_runs(workspace.runs):
        path = workspace.run_config(run)
        if path.exists():
            config = TrainingConfig.read(path)
            named: dict[str, Any] = {
                f: new for f in ("dataset", "negatives") if getattr(config, f) == old
            }
            if named:
                create_whole(path, dataclasses.replace(config, **named).to_toml().encode())


def finish_removals(workspace: Workspace) -> None:
    """Finish what a killed process began to delete or to rename; what is in use is left to it."""
    for path in sorted(workspace.trash.iterdir()):
        kind, _, rest = path.name.partition("-")
        names: list[str] = []
        if kind == RENAME:
            names = list(json.loads(path.read_bytes()).values())
        elif kind == "run":
            names = [rest.rpartition("-")[0]]
        try:
            claims = [Claim("run", name, EXCLUSIVE) for name in names]
            with claiming(workspace, claims, "studio delete"):
                if kind == RENAME:
                    finish_rename(workspace, path)
                elif kind == "run" and not workspace.run(names[0]).exists():
                    finish_run(workspace, names[0])
        except InUseError:
            continue
        if path.exists():
            shutil.rmtree(path, ignore_errors=True)


def finish_run(workspace: Workspace, run: str) -> None:
    """Forget a run whose folder is gone already; doing it again changes nothing."""
    for path in list_beside(workspace, run):
        _move_to_trash(workspace, path, f"folder-{path.name}")
    with open_database(workspace.database) as db:
        for table in TABLES:
            db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
        db.execute("DELETE FROM former_names WHERE run = ?", (run,))
        db.execute("UPDATE jobs SET run = NULL WHERE run = ?", (run,))


def finish_rename(workspace: Workspace, intent: Path) -> None:
    """Do what is left of renaming a run; doing it again changes nothing."""
    if not intent.exists():
        return
    names = json.loads(intent.read_bytes())
    old, new = names["old"], names["new"]
    beside = list_beside(workspace, old)
    if workspace.run(old).exists() and not workspace.run(new).exists():
        workspace.run(old).rename(workspace.run(new))
    for folder in beside:
        folder.rename(folder.with_name(new + folder.name.removeprefix(old)))
    for folder in list_beside(workspace, new):
        _rename_files(folder, old, new)
    with open_database(workspace.database) as db:
        for table in (*TABLES, "jobs", "former_names"):
            db.execute(f"UPDATE OR IGNORE {table} SET run = ? WHERE run = ?", (new, old))
        db.execute(
            "UPDATE jobs SET fields = json_set(fields, '$.run', ?) "
            "WHERE fields IS NOT NULL AND json_extract(fields, '$.run') = ?",
            (new, old),
        )
        db.execute("INSERT OR IGNORE INTO former_names (run, former) VALUES (?, ?)", (new, old))
        db.execute(
            "INSERT INTO events (run, kind, text, created_at) VALUES (?, 'changed', ?, ?)",
            (new, f"name: {old} -> {new}", time.time()),
        )
    sync_folder(workspace.runs)
    intent.unlink()


def empty_trash(workspace: Workspace) -> None:
    """Remove what lies in the trash, but for renames that are under way."""
    for path in workspace.trash.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def list_beside(workspace: Workspace, run: str) -> list[Path]:
    """The exports of a run, and the folders of its films and atlases."""
    named = re.compile(rf"{re.escape(run)}-(?:{KINDS})")
    renders = (path for path in sorted(workspace.renders.iterdir()) if named.fullmatch(path.name))
    return [path for path in (workspace.specimens(run), *renders) if path.exists()]


def _rename_files(folder: Path, old: str, new: str) -> None:
    """Let the files of a folder, and what is recorded of them there, begin with the new name."""
    for path in folder.iterdir():
        if path.name.startswith(f"{old}-"):
            path.rename(path.with_name(new + path.name.removeprefix(old)))
    for name in ("videos.json", "atlas.json", "joined.json"):
        record = folder / name
        if record.exists():
            text = record.read_text("utf-8")
            text = re.sub(rf'(?<=[/"]){re.escape(old)}(?=[-"])', new, text)
            create_whole(record, text.encode())


def _move_to_trash(workspace: Workspace, path: Path, name: str) -> None:
    workspace.trash.mkdir(exist_ok=True)
    path.rename(workspace.trash / f"{name}-{secrets.token_hex(4)}")
    sync_folder(workspace.trash)
    sync_folder(path.parent)
