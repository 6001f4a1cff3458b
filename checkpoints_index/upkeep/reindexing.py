"""Putting the folders of runs in order again, from what their segments say of themselves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from checkpoints_index.errors import CheckpointError, DamagedDescriptionError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage import headers, segments
from checkpoints_index.storage.catalogue import (
    DESCRIPTION,
    Catalogue,
    holds_run,
    write_description,
)
from checkpoints_index.storage.error_bound import ErrorBound
from checkpoints_index.storage.files import remove_leftovers, sync_file
from checkpoints_index.storage.ledger import LEDGER, Ledger
from checkpoints_index.storage.locks import lock_run
from checkpoints_index.upkeep.verification import verify
from checkpoints_index.writing.segment_writer import cut_torn_tail


class Reindexed(NamedTuple):
    """What was found in the folder of one run, and what was done there.

    Attributes:
        run: the run's name.
        checkpoints: number of them.
        damaged: number of damages that `verify` finds when it holds all stored bytes against
            their checksums.
        notes: a line for each thing that was put in order, or could not be.
    """

    run: str
    checkpoints: int
    damaged: int
    notes: list[str]


def reindex(
    runs_folder: Path,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    explain: Callable[[CheckpointError], str] = str,
) -> list[Reindexed]:
    """Put every run below a folder in order; doing it again changes nothing.

    A run without its description gets it from the headers of its segments, a segment without its
    table gets that, and what killed processes left behind goes. A run that somebody writes to is
    left alone.

    Args:
        runs_folder: where the runs are.
        on_progress: is told how many runs were looked at, of how many.
        explain: makes a note of what could not be put in order.
    """
    folders = [path for path in sorted(runs_folder.glob("*/checkpoints")) if holds_run(path)]
    found = []
    for done, folder in enumerate(folders, 1):
        found.append(_reindex_run(folder.parent.name, folder, explain))
        on_progress(done, len(folders))
    return found


def _reindex_run(run: str, folder: Path, explain: Callable[[CheckpointError], str]) -> Reindexed:
    notes: list[str] = []
    try:
        _put_in_order(run, folder, notes)
    except CheckpointError as error:
        notes.append(explain(error))
    except OSError as error:
        notes.append(f"The folder of run '{run}' could not be put in order: {error}.")
    checkpoints = damaged = 0
    with suppress(CheckpointError):  # It is among the notes already.
        catalogue = Catalogue(run, folder)
        checkpoints = len(catalogue.batches)
        damaged = sum(finding.reason is not None for finding in verify(catalogue, False, 1.0))
    return Reindexed(run, checkpoints, damaged, notes)


def _put_in_order(run: str, folder: Path, notes: list[str]) -> None:
    with lock_run(run, folder):
        notes += [
            f"removed {path.name}, left by a killed process" for path in remove_leftovers(folder)
        ]
        if _restore_description(run, folder):
            notes.append(f"made {DESCRIPTION} anew")
        cut_torn_tail(run, folder)
        for path in segments.list_segments(folder):
            if finish_segment(path):
                notes.append(f"gave {path.name} its table")
        for name, batches in Ledger.open_or_begin(run, folder).make_anew().items():
            notes.append(
                f"{LEDGER} forgets {name}, checkpoints of which are gone: {len(batches):,}"
            )


def finish_segment(path: Path) -> bool:
    """Give a segment the table that finishes it, if it lacks one.

    What follows its last whole record goes: a torn record, or a table that is torn or damaged.

    Args:
        path: a segment that nobody writes to.

    Returns:
        Whether it lacked one.
    """
    segment = segments.read_segment(path)
    if segment.description is None or not segment.records:
        return False
    header, end = headers.pack_header(segment.description), segment.records[-1].end
    table = segments.pack_table(header, segment.records, path, end)
    with path.open("r+b") as file:
        file.seek(end)
        if file.read() == table:
            return False
        file.truncate(end)
        file.seek(end)
        file.write(table)
        sync_file(file)
    return True


def _restore_description(run: str, folder: Path) -> bool:
    """Make the description of a run anew where it is missing, damaged, or no segment agrees.

    Returns:
        Whether it was.

    Raises:
        CheckpointError: no segment has a whole header to make it from.
    """
    header = _find_header(folder)
    try:
        catalogue = Catalogue(run, folder)
        paths = [path for path, known in catalogue.descriptions.items() if known is not None]
        if not paths or not all(map(catalogue.find_difference, paths)):
            return False
    except CheckpointError:
        if header is None:
            raise
    if header is None:
        raise DamagedDescriptionError(run, DESCRIPTION, "no segment beside it is of this format")
    try:
        spec = GeneratorSpec.from_json(header["generator"])
        bound = ErrorBound.from_json(header["promise"])
        identity = header.get("run_id")
        write_description(folder, spec, header["storage"], bound, identity, header["format"])
    except (ValueError, KeyError) as error:
        raise DamagedDescriptionError(
            run, "the header of its newest segment", str(error)
        ) from error
    return True


def _find_header(folder: Path) -> dict[str, Any] | None:
    """The newest header that is whole, and of a format that is known."""
    for path in reversed(segments.list_segments(folder)):
        description = segments.read_segment(path).description
        if description is not None and description.get("format") in segments.FORMATS:
            return description
    return None
