"""Writing segments anew with fewer checkpoints, so that those that stay are bit for bit the same.

A segment is written beside the old one from the same integers, read back, and put in its place in
one step: whenever the process is killed, each checkpoint is as it was, or gone as was asked. The
same call then goes on with the segments that are left.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from checkpoints_index.codec import integers, payloads
from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.record_chain import Chain
from checkpoints_index.errors import CheckpointError, DamagedCheckpointError, DiskFullError
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.storage import segments
from checkpoints_index.storage.catalogue import Catalogue
from checkpoints_index.storage.files import sync_folder
from checkpoints_index.storage.locks import WriterLock
from checkpoints_index.storage.segments import PendingRecord, Record
from checkpoints_index.writing.segment_writer import cut_torn_tail


def drop_all_but(
    run: str,
    folder: Path,
    keep: Collection[int],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Keep the checkpoints of these batches alone; see `CheckpointRun.thin`.

    Args:
        folder: of the run's checkpoints.
        on_progress: is told how many checkpoints were written anew, of how many.
    """
    lock = WriterLock(folder, run)
    try:
        cut_torn_tail(run, folder)
        remove_leftovers(folder)
        _drop(Catalogue(run, folder), keep, on_progress)
    except OSError as error:
        raise _failure(run, folder, error) from error
    finally:
        lock.release()


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove what killed processes left beside the files; for whoever holds the lock."""
    leftovers = sorted(folder.glob("*.part"))
    for path in leftovers:
        path.unlink()
    return leftovers


class RewritePlan(NamedTuple):
    """What becomes of the segments of a run; those that lose nothing are in neither."""

    emptied: list[Path]
    reduced: dict[Path, list[int]]  # to these batches


def plan_segments(catalogue: Catalogue, keep: Collection[int]) -> RewritePlan:
    """Which segments lose all of their checkpoints, and which some."""
    plan, kept = RewritePlan([], {}), set(keep)
    for path in catalogue.descriptions:
        batches = batches_in(catalogue, path)
        staying = [batch for batch in batches if batch in kept]
        if batches and not staying:
            plan.emptied.append(path)
        elif len(staying) < len(batches):
            plan.reduced[path] = staying
    return plan


def batches_in(catalogue: Catalogue, path: Path) -> list[int]:
    """The batches of a segment, ascending."""
    return sorted({record.batch for record in catalogue.records_in(path)})


def draft_anew(reader: CheckpointReader, batches: Iterable[int]) -> Iterator[PendingRecord]:
    """The records of a segment that holds these of its checkpoints, ascending.

    Raises:
        DamagedCheckpointError: one of them cannot be read.
    """
    chain: Chain | None = None
    for batch in batches:
        layout, lanes = reader.integers(batch)
        chain = chain or Chain(layout)
        for lane, items in lanes.items():
            np.copyto(chain.spare[lane], items)
        yield from chain.draft(batch)


def _drop(
    catalogue: Catalogue, keep: Collection[int], on_progress: Callable[[int, int], None]
) -> None:
    if catalogue.batches and catalogue.records.keys().isdisjoint(keep):
        raise CheckpointError(
            f"None of the {len(catalogue.batches):,} checkpoints of run '{catalogue.run}' would "
            "stay. Name at least one that is to be kept."
        )
    plan = plan_segments(catalogue, keep)
    for path in plan.emptied:
        path.unlink()
    sync_folder(catalogue.folder)
    refused = _rewrite_all(catalogue, plan.reduced, on_progress)
    if refused:
        raise CheckpointError(_describe_refused(catalogue.run, refused)) from refused[0]


def _rewrite_all(
    catalogue: Catalogue, reduced: dict[Path, list[int]], on_progress: Callable[[int, int], None]
) -> list[DamagedCheckpointError]:
    """Rewrite what can be, the smallest first, as each makes room for the next; what could not."""
    refused = []
    done, total = count(1), sum(map(len, reduced.values()))
    reader = CheckpointReader(catalogue)
    try:
        for path in sorted(reduced, key=lambda path: path.stat().st_size):
            try:
                _rewrite(
                    reader, catalogue, path, reduced[path], lambda: on_progress(next(done), total)
                )
            except DamagedCheckpointError as damage:
                refused.append(damage)
    finally:
        reader.close()
    return refused


def _rewrite(
    reader: CheckpointReader,
    catalogue: Catalogue,
    path: Path,
    batches: list[int],
    on_written: Callable[[], None],
) -> None:
    records = [catalogue.records[batch] for batch in batches]
    reader.layout(records[0])  # raises where the header is lost
    description = dict(catalogue.descriptions[path] or {}, id=secrets.token_hex(8))
    beside = path.with_suffix(".part")
    try:
        _write(beside, segments.pack_header(description), draft_anew(reader, batches), on_written)
        refuse_unless_readable(beside, {r.batch: r.integers_xxh3 for r in records})
        beside.replace(path)
        sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def _write(
    path: Path, header: bytes, drafts: Iterable[PendingRecord], on_written: Callable[[], None]
) -> None:
    records: list[Record] = []
    with path.open("wb") as file:
        file.write(header)
        for draft in drafts:
            record = draft.at(path, file.tell())
            file.write(segments.pack_head(record) + draft.payload)
            records.append(record)
            if draft.kind != segments.SKIP_DELTA:
                on_written()
        file.write(segments.pack_table(header, records, path, file.tell()))
        file.flush()
        os.fsync(file.fileno())


def refuse_unless_readable(path: Path, expected: dict[int, int]) -> None:
    """Read a new segment back, every record of it.

    Args:
        expected: xxh3 of the integers at each batch.

    Raises:
        CheckpointError: what is decoded is not what was to be kept.
    """
    segment = segments.read_segment(path)
    found = {record.batch: record.integers_xxh3 for record in segment.records}
    whole = segment.finished and found == expected
    if not whole or not _decodes(segment.description or {}, segment.records):
        raise CheckpointError(
            f"{path.name} does not read back as it was written, and the segment in its place was "
            "not touched. Look after the disk and the memory of this machine before you go on."
        )


def _decodes(description: dict[str, Any], records: list[Record]) -> bool:
    """Whether each way, from difference to difference and from hop to hop, leads where it says."""
    layout = TensorLayout.from_json(description)
    kinds = (segments.DELTA, segments.SKIP_DELTA) if layout.reversible else (segments.DELTA,)
    ways = {kind: layout.empty_lanes() for kind in kinds}
    for record in records:
        payload = segments.read_payload(record)
        if payload is None:
            return False
        if record.kind == segments.KEY:
            ways = {kind: layout.empty_lanes() for kind in kinds}
        for lanes in ways.values() if record.kind == segments.KEY else [ways[record.kind]]:
            payloads.unpack(layout, [(payload, 1)], lanes)
            if integers.checksum(lanes) != record.integers_xxh3:
                return False
    return True


def _failure(run: str, folder: Path, error: OSError) -> CheckpointError:
    whole = "No checkpoint that was to be kept is lost."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        largest = max(path.stat().st_size for path in segments.list_segments(folder))
        return DiskFullError(
            f"No room to thin run '{run}': what stays of a segment is written beside it before it "
            f"goes, at most {largest:,} bytes. {whole} Free that much and do the same again."
        )
    return CheckpointError(
        f"Run '{run}' could not be thinned: {error}. {whole} Look after the disk, and do the same "
        "again; it goes on from here."
    )


def _describe_refused(run: str, refused: list[DamagedCheckpointError]) -> str:
    named = "; ".join(f"{d.path.name} (checkpoint {d.batch}: {d.reason})" for d in refused)
    return (
        f"Run '{run}' is thinned, but for what holds damaged checkpoints, since only what can be "
        f"read back is written anew: {named}. Drop those checkpoints as well, or leave it so; "
        f"all that is damaged: studio verify {run} --deep"
    )
