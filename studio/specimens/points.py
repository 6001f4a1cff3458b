"""Labelled latent points of runs: kept in the database, found by label, seed or exported JPEG."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from checkpoints_index.run import CheckpointRun
from checkpoints_index.storage.catalogue import read_spec
from latent.maps.neighbourhood import parse_around
from latent.points import (
    LatentPoint,
    parse_label,
    parse_seed,
    parse_seeds,
    sample_point,
    sample_points,
    seeded_point,
)
from studio.specimens.drawing_rules import DrawingRule, can_draw, shape_of
from studio.specimens.passports import Passport, read_passport
from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.marks import query_marks
from studio.workspace.names import require_path, require_tag, shorten
from studio.workspace.paths import Workspace

# Origins of points: drawn when the run was made, to be filmed while it trains; drawn later; or
# brought in from a file.
FIXED, SAMPLED, IMPORTED = "fixed", "sampled", "imported"
TAG = "tag:"  # Before a tag, it names all specimens that have it;
NOT_TAG = "not tag:"  # and this all that do not.


def keep_points(workspace: Workspace, run: str, points: Sequence[LatentPoint], origin: str) -> None:
    """Keep labelled points of a run in the database; those that are there already stay unchanged.

    Args:
        points: each with a label such as `16500.28`.
        origin: FIXED, SAMPLED or IMPORTED.
    """
    with open_database(workspace.database) as db:
        insert_points(db, run, points, origin)


def draw_points(
    workspace: Workspace, run: str, batch: int, count: int, z_dim: int
) -> list[LatentPoint]:
    """Draw new points at a batch and keep them under its next free labels, which nobody else gets.

    Args:
        z_dim: length of the run's latent points.
    """
    shape = shape_of(workspace, run)
    with open_database(workspace.database, writing=True) as db:
        first = next_free_number(db, run, batch)
        points = sample_points(batch, range(first, first + count), z_dim, shape=shape)
        insert_points(db, run, points, SAMPLED)
    return points


def forget_points(workspace: Workspace, run: str) -> None:
    """Delete all points of a run, so that a new run of that name begins without any."""
    with open_database(workspace.database) as db:
        db.execute("DELETE FROM specimens WHERE run = ?", (run,))


def points_of(workspace: Workspace, run: str, origin: str | None = None) -> list[LatentPoint]:
    """The labelled points of a run in the order of their labels.

    Args:
        origin: FIXED, SAMPLED or IMPORTED; points of all by default.
    """
    with open_database(workspace.database) as db:
        return query_points(db, run, origin)


def query_points(db: sqlite3.Connection, run: str, origin: str | None = None) -> list[LatentPoint]:
    """What `points_of` gives, as it is within a transaction."""
    rows = db.execute(
        "SELECT batch, number, z FROM specimens WHERE run = ? AND origin = ifnull(?, origin) "
        "ORDER BY batch, number",
        (run, origin),
    ).fetchall()
    return [read_point(row["batch"], row["number"], row["z"]) for row in rows]


def points_at(
    workspace: Workspace, run: str, batch: int, numbers: range, z_dim: int
) -> list[LatentPoint]:
    """The points `BATCH.NUMBER` of a run: those that it keeps, and drawn ones for the others.

    Where a run's points are pictures, which cannot be drawn, they are those that it keeps, whatever
    the batch; behind the last of them the first ones come again.
    """
    own = points_of(workspace, run)
    if not can_draw(workspace, run):
        return own[numbers.start : numbers.stop] or own[: len(numbers)]
    kept = {point.label: point for point in own}
    drawn = sample_points(batch, numbers, z_dim, shape=shape_of(workspace, run))
    return [kept.get(point.label, point) for point in drawn]


def next_number(workspace: Workspace, run: str, batch: int) -> int:
    """The number behind all those of the specimens of a batch."""
    with open_database(workspace.database) as db:
        return next_free_number(db, run, batch)


def next_free_number(db: sqlite3.Connection, run: str, batch: int) -> int:
    """As `next_number`, for whoever has the database open."""
    (number,) = db.execute(
        "SELECT ifnull(max(number), -1) + 1 FROM specimens WHERE run = ? AND batch = ?",
        (run, batch),
    ).fetchone()
    return int(number)


def resolve_points(
    workspace: Workspace, run: str, texts: Sequence[str], z_dim: int | None = None
) -> list[LatentPoint]:
    """Find latent points by what a person may write.

    Args:
        texts: each a label such as `16500.28`, a name that somebody gave a specimen, `seed:123`,
            `seed:1-9` for nine points, `tag:river` for all specimens with a tag and `not tag:river`
            for all others, the label of a point of a neighbourhood (`around:...`), or the path of
            an exported picture. A label of a batch that the run has trained need not be kept: it
            stands for the point that is drawn under it.
        z_dim: length of the run's latent points; by default read from the run.

    Returns:
        Points with z float32 [z_dim], in the order of the texts.

    Raises:
        StudioError: an unknown specimen, or a JPEG that has no passport or another z_dim.
        CheckpointError: unknown run.
    """
    if z_dim is None:
        z_dim = read_spec(workspace.runs, run).z_dim
    rule = DrawingRule(workspace, run, z_dim)
    each = (name for text in texts for name in _spread(workspace, run, text.strip()))
    return [_resolve(rule, text) for text in each]


def resolve_point(
    workspace: Workspace, run: str, text: str, z_dim: int | None = None
) -> LatentPoint:
    """The one latent point that a text names; see `resolve_points`.

    Raises:
        StudioError: as `resolve_points`; or the text names several.
    """
    if len(_spread(workspace, run, text.strip())) > 1:
        raise StudioError(f"{text.strip()} names several points: name one here, such as seed:1.")
    return resolve_points(workspace, run, [text], z_dim)[0]


def compare_passports(
    checkpoints: CheckpointRun, workspace: Workspace, texts: Sequence[str]
) -> list[str]:
    """What exported JPEGs say that is not so in a run, a sentence each.

    Args:
        checkpoints: the run.
        texts: points as `resolve_points` takes them; those that are no paths say nothing.

    Raises:
        StudioError: as `resolve_points`.
    """
    remarks: list[str] = []
    for text in map(str.strip, texts):
        if find_label(workspace, checkpoints.name, text) is None and Path(text).is_file():
            passport = read_passport(Path(text))
            if len(passport.z) == checkpoints.spec.z_dim:
                remarks += compare_passport(workspace, checkpoints, passport, Path(text).name)
    return remarks


def compare_passport(
    workspace: Workspace, checkpoints: CheckpointRun, passport: Passport, file: str
) -> list[str]:
    """What a passport says that is not so in a run: its run, its numbers, its weights."""
    run, shown, remarks = checkpoints.name, shorten(file), []
    label = genuine_label(workspace, run, passport)
    if passport.run != run:
        remarks.append(f"{shown} says that it shows run '{passport.run}', not '{run}'.")
    if label != passport.label:
        remarks.append(
            f"{shown} has other numbers than {passport.label} of run '{run}': it is {label} here."
        )
    kept = passport.run == run and passport.batch in set(checkpoints.batches)
    if kept and checkpoints.digest([passport.batch]) != passport.weights_digest:
        remarks.append(
            f"{shown} was drawn by other weights than those of run '{run}' at batch "
            f"{passport.batch:,}."
        )
    return remarks


def points_or_fixed(
    workspace: Workspace, run: str, texts: Sequence[str], z_dim: int | None = None
) -> list[LatentPoint]:
    """The points that a person named, or the run's fixed points; see `resolve_points`."""
    return resolve_points(workspace, run, texts, z_dim) or points_of(workspace, run, FIXED)


def find_label(workspace: Workspace, run: str, text: str) -> str | None:
    """The label that a text is, or that of the specimen which has it as its name; else None.

    Args:
        text: as `resolve_points` takes it; seeds are labels.
    """
    if any(parse(text) is not None for parse in (parse_seed, parse_label, parse_around)):
        return text
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT batch, number, name FROM specimens WHERE run = ? AND name != ''", (run,)
        ).fetchall()
    found = (row for row in rows if row["name"].casefold() == text.casefold())
    return next((f"{row['batch']}.{row['number']}" for row in found), None)


def find_tagged(workspace: Workspace, run: str, tag: str, *, without: bool = False) -> list[str]:
    """The labels of the specimens that have a tag, in their order.

    Args:
        without: those of all other specimens of the run instead.

    Raises:
        StudioError: none has it; or all have it, and the others are asked for.
    """
    wanted = require_tag(tag)
    with open_database(workspace.database) as db:
        tagged = query_marks(db, run).tags
    labels = [label for label, tags in tagged.items() if wanted in tags]
    if not labels:
        known = ", ".join(sorted({tag for tags in tagged.values() for tag in tags})) or "none yet"
        raise StudioError(
            f"No specimen of run '{run}' has the tag {shorten(wanted)}. Known: {known}. "
            f"Give it: studio specimens mark {run} LABEL --tag '{wanted}'"
        )
    if not without:
        return labels
    others = [p.label for p in points_of(workspace, run) if p.label not in labels]
    if not others:
        raise StudioError(f"All specimens of run '{run}' have the tag {shorten(wanted)}.")
    return others


def _spread(workspace: Workspace, run: str, text: str) -> list[str]:
    """The points that a text names, one by one."""
    if text.startswith(TAG):
        return find_tagged(workspace, run, text.removeprefix(TAG))
    if text.startswith(NOT_TAG):
        return find_tagged(workspace, run, text.removeprefix(NOT_TAG), without=True)
    seeds = parse_seeds(text)
    return [text] if seeds is None else [f"seed:{seed}" for seed in seeds]


def _resolve(rule: DrawingRule, text: str) -> LatentPoint:
    workspace, run, seed = rule.workspace, rule.run, parse_seed(text)
    if seed is not None:
        return rule.draw_seed(seed)
    around = parse_around(text)
    if around is not None:
        return rule.draw_around(_resolve(rule, around[0].centre).z, *around)
    place = parse_label(find_label(workspace, run, text) or "")
    if place is None:
        return _from_picture(workspace, run, Path(text), rule.z_dim)
    found = _find_kept(workspace, run, *place) or rule.draw_shown(*place)
    if found is None and not can_draw(workspace, run):
        raise StudioError(
            f"Run '{run}' has no specimen {text}, and its latent points are pictures, which cannot "
            f"be drawn. List those that it has: studio specimens list {run}"
        )
    if found is None:
        raise StudioError(
            f"Run '{run}' has no specimen {text}. List them: studio specimens list {run}. Draw new "
            f"ones: studio specimens sample {run} --batch {_drawable(rule.batches, place[0])}"
        )
    return found


def _drawable(kept: Sequence[int], batch: int) -> int:
    """A batch at which specimens can be drawn: this one if it has a checkpoint, else the last."""
    return batch if batch in kept or not kept else kept[-1]


def genuine_label(workspace: Workspace, run: str, passport: Passport) -> str:
    """The label of a passport, with a mark where the run has other numbers under that label.

    A point that was not kept is compared with the one that would be drawn under its label, so that
    neither a file nor a point of the run is ever mistaken for another.

    Example: `40.77-0a1b2c3d`
    """
    seed, place = parse_seed(passport.label), parse_label(passport.label)
    z_dim, draws = len(passport.z), can_draw(workspace, run)
    around = parse_around(passport.label)
    own: LatentPoint | None
    if seed is not None:
        own = seeded_point(seed, z_dim, shape_of(workspace, run)) if draws else None
    elif place is not None:
        own = _find_kept(workspace, run, *place)
        if own is None and draws:
            own = sample_point(*place, z_dim, shape=shape_of(workspace, run))
    elif around is not None:
        own = _find_around(workspace, run, passport.label, z_dim)
    else:  # It has a mark already.
        return passport.label
    if own is not None and torch.equal(own.z, passport.z):
        return passport.label
    digest = hashlib.sha256(passport.z.numpy().astype("<f4").tobytes()).hexdigest()
    return f"{passport.label}-{digest[:8]}"


def _find_around(workspace: Workspace, run: str, label: str, z_dim: int) -> LatentPoint | None:
    """The run's own point of a neighbourhood; None where the run does not know its centre."""
    try:
        return _resolve(DrawingRule(workspace, run, z_dim), label)
    except StudioError:
        return None


def insert_points(
    db: sqlite3.Connection, run: str, points: Sequence[LatentPoint], origin: str
) -> None:
    """Do what `keep_points` does, in a transaction that does more."""
    rows, now = [], time.time()  # Points that are kept together have one age.
    for point in points:
        place = parse_label(point.label)
        assert place is not None, "points are kept by a label such as 16500.28"
        rows.append((run, *place, point.z.numpy().astype("<f4").tobytes(), origin, now))
    db.executemany(
        "INSERT OR IGNORE INTO specimens (run, batch, number, z, origin, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        rows,
    )


def _find_kept(workspace: Workspace, run: str, batch: int, number: int) -> LatentPoint | None:
    with open_database(workspace.database) as db:
        row = db.execute(
            "SELECT z FROM specimens WHERE run = ? AND batch = ? AND number = ?",
            (run, batch, number),
        ).fetchone()
    return None if row is None else read_point(batch, number, row["z"])


def _from_picture(workspace: Workspace, run: str, path: Path, z_dim: int) -> LatentPoint:
    if not require_path(path).is_file():
        raise StudioError(
            f"{shorten(str(path))} is no latent point: use a label such as 16500.28, seed:123, or "
            "the path of a JPEG that was exported here. A path with a comma stands between "
            "quotation marks."
        )
    passport = read_passport(path)
    if len(passport.z) != z_dim:
        raise StudioError(
            f"{shorten(path.name)} holds a latent point of {len(passport.z)} numbers; this run's "
            f"have {z_dim}."
        )
    return LatentPoint(genuine_label(workspace, run, passport), passport.z)


def read_point(batch: int, number: int, z: bytes) -> LatentPoint:
    """The point of a row of the database; `z` is little-endian float32."""
    values = np.frombuffer(z, "<f4").astype(np.float32)
    return LatentPoint(f"{batch}.{number}", torch.from_numpy(values))
