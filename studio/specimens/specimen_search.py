"""Specimens found by what was said of them, and sorted: the one rule of lists and of the gallery.

The database looks for them, so that a gallery need not read all that it does not show.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from studio.specimens.points import NOT_TAG, TAG
from studio.specimens.specimens import COLUMNS, Specimen, read_specimen
from studio.workspace.database import open_database
from studio.workspace.errors import StudioError
from studio.workspace.names import MAX_BATCH, require_tag, shorten
from studio.workspace.paths import Workspace

# Each order breaks its ties by the label; what has no name comes last.
ORDERS = {
    "created": "created_at DESC, batch, number",
    "batch": "batch, number",
    "latest": "batch DESC, number",
    "rating": "rating DESC, batch, number",
    "starred": "starred DESC, batch, number",
    "offered": "starred DESC, origin != 'fixed', batch, number",
    "name": "name = '', casefold(name), batch, number",
}
_RANGE = re.compile(r"\s*(\d{0,15})\s*(?:(:)\s*(\d{0,15})\s*)?")
_SAID = "batch || '.' || number || char(10) || name || char(10) || note || char(10) || tags"


@dataclass(frozen=True)
class SpecimenSearch:
    """Which specimens are wanted, and in which order.

    Args:
        tags: they have all of these.
        text: what is looked for, with commas between several things that must all be so:
            `tag:river`, `not tag:dry`, or a text that stands in the label, the name, the note or a
            tag, in any case of letters.
        starred: only those that somebody marked as worth keeping.
        origin: one of FIXED, SAMPLED and IMPORTED; any if None.
        least_rating: their rating is this or more.
        sort: one of ORDERS.
        batches: of the batches in their labels, `FROM:TO` (half-open, as in Python) or one of them.

    Raises:
        StudioError: a text cannot be a tag, the batches cannot be read, or there is no such order.
    """

    tags: tuple[str, ...] = ()
    text: str = ""
    starred: bool = False
    origin: str | None = None
    least_rating: int = 0
    sort: str = "starred"
    batches: str = ""
    without: tuple[str, ...] = field(default=(), init=False)
    texts: tuple[str, ...] = field(default=(), init=False)
    between: tuple[int, int] = field(default=(0, MAX_BATCH + 1), init=False)

    def __post_init__(self) -> None:
        tags, without, texts = list(self.tags), [], []
        for part in filter(None, map(str.strip, self.text.split(","))):
            if part.startswith(TAG):
                tags.append(part.removeprefix(TAG))
            elif part.startswith(NOT_TAG):
                without.append(part.removeprefix(NOT_TAG))
            else:
                texts.append(part.casefold())
        if self.sort not in ORDERS:
            raise StudioError(f"{shorten(self.sort)} is no order; there are {', '.join(ORDERS)}.")
        for name, value in (
            ("tags", tuple(map(require_tag, tags))),
            ("without", tuple(map(require_tag, without))),
            ("texts", tuple(texts)),
            ("between", parse_between(self.batches)),
        ):
            object.__setattr__(self, name, value)

    def condition(self, run: str) -> tuple[str, dict[str, Any]]:
        """What stands behind WHERE, and the values in it."""
        clauses, values = ["run = :run"], {"run": run}
        first, end = self.between

        def add(clause: str, **asked: Any) -> None:
            clauses.append(clause)
            values.update(asked)

        if self.batches.strip():
            add("batch >= :first AND batch < :end", first=first, end=end)
        if self.starred:
            add("starred")
        if self.origin is not None:
            add("origin = :origin", origin=self.origin)
        if self.least_rating:
            add("rating >= :rating", rating=self.least_rating)
        for number, tag in enumerate(self.tags):
            add(_has_tag(f"tag{number}"), **{f"tag{number}": f",{tag},"})
        for number, tag in enumerate(self.without):
            add(f"NOT {_has_tag(f'not{number}')}", **{f"not{number}": f",{tag},"})
        for number, text in enumerate(self.texts):
            add(f"instr(casefold({_SAID}), :text{number})", **{f"text{number}": text})
        return " AND ".join(clauses), values


def parse_between(text: str) -> tuple[int, int]:
    """The first batch of a range and the one behind its last; all where it is empty.

    Raises:
        StudioError: it is neither a batch nor `FROM:TO`.

    Example:
        >>> parse_between("500:1000"), parse_between("500"), parse_between("500:")[0]
        ((500, 1000), (500, 501), 500)
    """
    match = _RANGE.fullmatch(text)
    if match is None or not text.isascii():
        raise StudioError(f"{shorten(text)} are no batches: write FROM:TO, such as 500:1000.")
    first = int(match[1] or 0)
    if match[2]:
        return first, int(match[3] or MAX_BATCH + 1)
    return (first, first + 1) if match[1] else (0, MAX_BATCH + 1)


def find_specimens(workspace: Workspace, run: str, wanted: SpecimenSearch) -> list[Specimen]:
    """The specimens of a run that are wanted, in their order."""
    with open_database(workspace.database) as db:
        rows = _select(db, run, COLUMNS, wanted)
    return [read_specimen(workspace, run, row) for row in rows]


def find_labels(
    workspace: Workspace, run: str, wanted: SpecimenSearch, limit: int | None = None
) -> list[str]:
    """The labels of the specimens of a run that are wanted, in their order.

    Args:
        limit: no more than so many, the first ones.
    """
    with open_database(workspace.database) as db:
        rows = _select(db, run, "batch, number", wanted, limit)
    return [f"{row[0]}.{row[1]}" for row in rows]


def list_tags(workspace: Workspace, run: str) -> list[str]:
    """The tags that specimens of a run have, in alphabetical order."""
    with open_database(workspace.database) as db:
        rows = db.execute(
            "SELECT DISTINCT tags FROM specimens WHERE run = ? AND tags != ''", (run,)
        ).fetchall()
    return sorted({tag for row in rows for tag in row["tags"].split(",") if tag})


def _select(
    db: sqlite3.Connection,
    run: str,
    columns: str,
    wanted: SpecimenSearch,
    limit: int | None = None,
) -> list[sqlite3.Row]:
    db.create_function("casefold", 1, str.casefold, deterministic=True)
    where, values = wanted.condition(run)
    values["limit"] = -1 if limit is None else limit
    ordered = f"ORDER BY {ORDERS[wanted.sort]} LIMIT :limit"
    return db.execute(f"SELECT {columns} FROM specimens WHERE {where} {ordered}", values).fetchall()


def _has_tag(name: str) -> str:
    return f"instr(',' || tags || ',', :{name})"
