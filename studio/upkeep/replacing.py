"""Replacing the checkpoints of a run by those of another import, under the same name.

The new run is whole before anything of the old one is touched. It lies in a folder of the trash
with a note of what is to be done, which appears there in one step: whatever step a process is
killed at, the next start goes on from there; see `studio.upkeep.unfinished`.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from checkpoints_index import GeneratorSpec
from checkpoints_index.importing.transfer import find_difference
from checkpoints_index.storage.catalogue import Catalogue, open_catalogue
from checkpoints_index.storage.files import build_folder, create_whole, sync_folder
from checkpoints_index.storage.locks import lock_run
from checkpoints_index.storage.seals import read_sealed_json, seal_json
from latent.points import sample_point
from studio.specimens.own_points import write_own_points
from studio.specimens.points import FIXED, SAMPLED
from studio.workspace.claims import EXCLUSIVE, Claim
from studio.workspace.database import open_database
from studio.workspace.marks import save_marks
from studio.workspace.names import require_run_name
from studio.workspace.paths import Workspace

REPLACE = "replace"  # A replacement's folder in the trash has a name that begins so.
NOTE, NEW, FORMER = "note.json", "new", "former"  # What lies in it; the last one after the swap.
Z_BYTES = 4  # Each number of a latent point.


@dataclass(frozen=True)
class Replacement:
    """A run that takes the place of another one.

    Attributes:
        run: the name of both.
        asked_at: seconds since 1970; the event of the replacement has this time.
        text: what changes, in a line.
        redraw: whether drawn points are drawn anew, as latent points are distributed otherwise.
    """

    run: str
    asked_at: float
    text: str
    redraw: bool

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """What was written down in a folder of the trash; None where no such thing can be read."""
        try:
            replacement = cls(**read_sealed_json((folder / NOTE).read_bytes()))
            require_run_name(replacement.run)
        except (OSError, ValueError, TypeError):
            return None
        return replacement

    def claims(self) -> list[Claim]:
        """What nobody else may work on meanwhile."""
        return [Claim("run", self.run, EXCLUSIVE)]

    def finish(self, workspace: Workspace, folder: Path) -> None:
        """Do what is left of it; doing it again changes nothing.

        Args:
            folder: its folder in the trash, which is removed at the end.
        """
        new, place = folder / NEW / self.run, workspace.run(self.run)
        if new.exists():
            self._fit_records(workspace, new)
            if place.exists():
                place.rename(folder / FORMER)
                sync_folder(folder)
            new.rename(place)
            sync_folder(workspace.runs)
        shutil.rmtree(folder)

    def _fit_records(self, workspace: Workspace, new: Path) -> None:
        """Let go what does not fit the new run, and write beside it what the old one was given."""
        catalogue = open_catalogue(new.parent, self.run)
        with open_database(workspace.database, writing=True) as db:
            kept = set(catalogue.batches)
            pins = db.execute("SELECT batch FROM pins WHERE run = ?", (self.run,)).fetchall()
            db.executemany(
                "DELETE FROM pins WHERE run = ? AND batch = ?",
                [(self.run, row["batch"]) for row in pins if row["batch"] not in kept],
            )
            _fit_points(db, self.run, catalogue.spec, self.redraw)
            event = (self.run, "changed", self.text, self.asked_at)
            db.execute(
                "INSERT INTO events (run, kind, text, created_at) SELECT ?, ?, ?, ? WHERE NOT "
                "EXISTS (SELECT 1 FROM events WHERE run = ? AND kind = ? AND text = ? "
                "AND created_at = ?)",
                event * 2,
            )
            write_own_points(db, workspace, self.run, new)
            save_marks(db, workspace, self.run, new)


@contextmanager
def replacing_run(workspace: Workspace, run: str) -> Iterator[Path]:
    """A folder of runs to make the new run in, which takes the old one's place at the end.

    Whoever calls holds the run alone. Where the block ends with an error, the old run is untouched.

    Raises:
        CheckpointError: there is no such run, or the block made none.
        RunLockedError: another program writes to the old run.
    """
    old = open_catalogue(workspace.runs, run)
    workspace.trash.mkdir(exist_ok=True)
    folder = workspace.trash / f"{REPLACE}-{secrets.token_hex(4)}"
    with lock_run(run, old.folder):
        with build_folder(folder) as made:
            (made / NEW).mkdir()
            yield made / NEW
            new = open_catalogue(made / NEW, run)
            text = f"imported again: {describe_change(old, new.spec, new.batches)}"
            redraw = old.spec.z_distribution != new.spec.z_distribution
            replacement = Replacement(run, time.time(), text, redraw)
            create_whole(made / NOTE, seal_json(asdict(replacement)))
        replacement.finish(workspace, folder)


def describe_change(old: Catalogue, spec: GeneratorSpec, batches: Sequence[int]) -> str:
    """What an import changes of a run, in a line.

    Args:
        spec, batches: those of the run that takes its place.
    """
    difference = find_difference(old.spec, spec)
    changes = ["{} was {} and is {}".format(*difference)] if difference else []
    count, former = len(batches), len(old.batches)
    changes.append(f"{count:,} checkpoints" + (f" rather than {former:,}" * (count != former)))
    return ", ".join(changes)


def describe_loss(
    workspace: Workspace, run: str, spec: GeneratorSpec, batches: Sequence[int]
) -> list[str]:
    """What people gave a run that does not fit another import, a sentence each.

    Args:
        spec, batches: those of the run that takes its place.
    """
    with open_database(workspace.database) as db:
        pins = [row["batch"] for row in db.execute("SELECT batch FROM pins WHERE run = ?", (run,))]
        question = "SELECT count(*) FROM specimens WHERE run = ? AND length(z) != ? AND origin != ?"
        (unfit,) = db.execute(question, (run, Z_BYTES * spec.z_dim, FIXED)).fetchone()
    gone = [f"{batch:,}" for batch in pins if batch not in set(batches)]
    said = [f"Its pins of batch {', '.join(gone)} go: there is no checkpoint."] if gone else []
    if unfit:
        said.append(f"Its {unfit:,} specimens go: they have another length than {spec.z_dim}.")
    if spec.z_distribution != open_catalogue(workspace.runs, run).spec.z_distribution:
        become = "become {} ones" if spec.can_draw else "go: its points are {}s, which none draws"
        said.append(f"Its fixed points and drawn specimens {become.format(spec.z_distribution)}.")
    return said


def _fit_points(db: sqlite3.Connection, run: str, spec: GeneratorSpec, redraw: bool) -> None:
    """Delete latent points of another length, and draw those anew that follow the distribution."""
    rows = db.execute(
        "SELECT batch, number, z, origin FROM specimens WHERE run = ?", (run,)
    ).fetchall()
    which = "WHERE run = ? AND batch = ? AND number = ?"
    for batch, number, z, origin in map(tuple, rows):
        is_unfit = len(z) != Z_BYTES * spec.z_dim
        if (is_unfit and origin != FIXED) or ((is_unfit or redraw) and not spec.can_draw):
            db.execute(f"DELETE FROM specimens {which}", (run, batch, number))
        elif origin in (FIXED, SAMPLED) and (redraw or is_unfit):
            drawn = sample_point(batch, number, spec.z_dim, shape=spec.shape_z)
            content = drawn.z.numpy().astype("<f4").tobytes()
            db.execute(f"UPDATE specimens SET z = ? {which}", (content, run, batch, number))
