"""Deleting runs, datasets, films and specimens.

Whatever goes is first moved into the trash, in one step, and then removed. What a killed process
left half done is finished at the next start; see `studio.upkeep.unfinished`.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from checkpoints_index.errors import UnknownRunError
from checkpoints_index.storage.catalogue import (
    checkpoints_folder,
    list_runs,
    open_catalogue,
)
from checkpoints_index.storage.files import sync_folder
from checkpoints_index.storage.locks import lock_run
from latent.points import parse_label
from studio.datasets.listing import list_datasets, open_dataset
from studio.runs.lineage.parentage import follow_removal
from studio.runs.status import read_config
from studio.specimens.own_points import write_own_points
from studio.specimens.picture_metadata import list_pictures
from studio.specimens.points import FIXED, find_label
from studio.specimens.specimens import list_specimens
from studio.upkeep.film_names import find_film
from studio.workspace.advice import explain
from studio.workspace.database import open_database
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.marks import save_marks
from studio.workspace.paths import Workspace

TABLES = ("specimens", "pins", "changes", "events", "parentage")  # Each has a column `run`.
# The folder of a film or a sheet is called by its run, its kind (and batch), and a mark.
FILM, MARK = r"[a-z]+(?:-\d+)?", r"-[0-9a-f]{6}"
BESIDE = rf"{FILM}{MARK}|live|atlas-\d+-\w+|growth-[a-z]+"
RUN, FOLDER = "run", "folder"  # What lies in the trash has a name that begins so.


def size_of(paths: Sequence[Path]) -> int:
    """Bytes of all files below some paths."""
    files = [file for path in paths for file in (path, *path.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file())


def parts_of_run(workspace: Workspace, run: str) -> list[Path]:
    """The folders that belong to a run: its own first, its exports, its films and atlases.

    A run that is damaged, of whatever kind its damage is, has them as well; one whose folder
    somebody took away has what is left of it.

    Raises:
        CheckpointError: there is no such run, and nothing is known of one.
    """
    checkpoints_folder(workspace.runs, run)  # It refuses what is no name of a run.
    if workspace.run(run).is_dir():
        return [workspace.run(run), *list_beside(workspace, run)]
    if run not in runs_with_specimens(workspace):
        raise UnknownRunError(run, list_runs(workspace.runs))
    return list_beside(workspace, run)


def runs_with_specimens(workspace: Workspace) -> list[str]:
    """The runs of which the database has specimens, whether their folders are there or not."""
    if not workspace.database.exists():
        return []
    with open_database(workspace.database) as db:
        return [row["run"] for row in db.execute("SELECT DISTINCT run FROM specimens ORDER BY run")]


def describe_run(workspace: Workspace, run: str) -> str:
    """What belongs to a run, in words, such as `12 checkpoints, 2 films and atlases, 9 specimens`.

    Of a damaged one, the words say what is wrong and what may mend it.
    """
    try:
        checkpoints, harm = len(open_catalogue(workspace.runs, run).batches), []
    except EXPECTED_ERRORS as error:
        said = explain(error).rstrip(".")
        checkpoints, harm = 0, [f"checkpoints that cannot be read ({said})"]
    beside = list_beside(workspace, run)
    specimens = list_specimens(workspace, run)
    starred = sum(specimen.starred for specimen in specimens)
    exported = workspace.specimens(run)
    counts = {
        "checkpoints": checkpoints,
        "training states": len(list(workspace.training_states(run).rglob("*.safetensors"))),
        "films and atlases": len([folder for folder in beside if folder != exported]),
        f"specimens ({starred:,} starred)": len(specimens),
        "exported files": len(list(exported.iterdir())) if exported.exists() else 0,
    }
    counted = [f"{count:,} {what}" for what, count in counts.items() if count]
    return ", ".join([*harm, *counted]) or "nothing"


def describe_dataset(workspace: Workspace, name: str) -> str:
    """What a dataset has, in words; one that is damaged can be deleted as well."""
    try:
        return open_dataset(workspace, name, kind=None).manifest.describe()
    except EXPECTED_ERRORS as error:
        return f"pictures that cannot be read ({error})"


def runs_of_dataset(workspace: Workspace, name: str) -> list[str]:
    """The runs that are trained on a dataset, or with it as negatives.

    A run whose settings cannot be read cannot be gone on with in any case, and is left out.
    """
    found = []
    for run in list_runs(workspace.runs):
        with suppress(*EXPECTED_ERRORS):
            config = read_config(workspace, run)
            found += [run] if name in (config.dataset, config.negatives) else []
    return found


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

    Args:
        name: that of the folder, or the one that somebody gave it.

    Raises:
        StudioError: there is no such folder.
    """
    return find_film(workspace, name)


def delete_run(workspace: Workspace, run: str) -> None:
    """Delete a run with all that belongs to it; whoever calls holds it alone."""
    parts_of_run(workspace, run)
    folder, moved = workspace.run(run), list[Path]()
    # Programs outside the studio write to runs as well, and hold this lock.
    checkpoints = checkpoints_folder(workspace.runs, run)
    with lock_run(run, checkpoints) if checkpoints.is_dir() else nullcontext():
        if folder.is_dir():
            moved = [_move_to_trash(workspace, folder, f"{RUN}-{run}")]
        beside = finish_run(workspace, run)
    # While the first one is there, a killed process is known not to have finished.
    for path in [*beside, *moved]:
        shutil.rmtree(path, ignore_errors=True)


def finish_run(workspace: Workspace, run: str) -> list[Path]:
    """Forget a run whose folder is gone already; doing it again changes nothing.

    Returns:
        What it moved into the trash.
    """
    beside = list_beside(workspace, run)
    moved = [_move_to_trash(workspace, path, f"{FOLDER}-{path.name}") for path in beside]
    with open_database(workspace.database, writing=True) as db:
        follow_removal(db, workspace, run)
        for table in (*TABLES, "former_names"):
            db.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
        db.execute("UPDATE jobs SET run = NULL WHERE run = ?", (run,))
    return moved


def delete_folder(workspace: Workspace, folder: Path) -> None:
    """Delete a dataset or a film; whoever calls holds it alone."""
    moved = _move_to_trash(workspace, folder, f"{FOLDER}-{folder.name}")
    shutil.rmtree(moved, ignore_errors=True)


def delete_specimens(workspace: Workspace, run: str, texts: Sequence[str]) -> int:
    """Delete specimens and their pictures, so that nothing holds their batches any more.

    Args:
        texts: labels, or names that somebody gave them.

    Returns:
        How many there were.

    Raises:
        StudioError: one of them is none of the run's; nothing was deleted.
    """
    labels = [find_label(workspace, run, text) or text for text in texts]
    # The rows are gone last, so that a killed process leaves what can be deleted again.
    with open_database(workspace.database, writing=True) as db:
        for text, label in zip(texts, labels, strict=True):
            gone = (place := parse_label(label)) and db.execute(
                "DELETE FROM specimens WHERE run = ? AND batch = ? AND number = ? AND origin != ?",
                (run, *place, FIXED),
            )
            if not gone or not gone.rowcount:
                raise StudioError(
                    f"Run '{run}' has no specimen {text} that can be deleted; fixed points stay. "
                    f"List them: studio specimens list {run}"
                )
        for path in pictures_of(workspace, run, labels):
            path.unlink(missing_ok=True)
        write_own_points(db, workspace, run)
        save_marks(db, workspace, run)
    return len(labels)


def pictures_of(workspace: Workspace, run: str, labels: Sequence[str]) -> list[Path]:
    """The exported pictures of specimens: at any batch, of any size, and further ones of a name."""
    which = "|".join(map(re.escape, labels))
    # A mark of eight digits behind the label would make it the name of another point.
    name = re.compile(rf"{re.escape(run)}-(?:{which})(?:-at-\d+)?(?:-\d{{1,7}})?")
    pictures = list_pictures(workspace.specimens(run))
    return [path for path in pictures if name.fullmatch(path.stem)]


def list_beside(workspace: Workspace, run: str) -> list[Path]:
    """The exports of a run, and the folders of its films and atlases."""
    named = re.compile(rf"{re.escape(run)}-(?:{BESIDE})")
    renders = (path for path in sorted(workspace.renders.iterdir()) if named.fullmatch(path.name))
    return [path for path in (workspace.specimens(run), *renders) if path.exists()]


def _move_to_trash(workspace: Workspace, path: Path, name: str) -> Path:
    workspace.trash.mkdir(exist_ok=True)
    moved = path.rename(workspace.trash / f"{name}-{secrets.token_hex(4)}")
    sync_folder(workspace.trash)
    sync_folder(path.parent)
    return moved
