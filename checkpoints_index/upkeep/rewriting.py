"""Writing segments anew with fewer checkpoints, so that those that stay are bit for bit the same.

A segment is written beside the old one from the same integers, read back, and put in its place in
one step: whenever the process is killed, each checkpoint is as it was, or gone as was asked. The
same call then goes on with the segments that are left.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from checkpoints_index.codec import integers, payloads
from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.record_chain import RecordChain
from checkpoints_index.errors import (
    CheckpointError,
    DamagedCheckpointError,
    DamagedSegmentsError,
    DiskFullError,
)
from checkpoints_index.reading.held import DecodedIntegers
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.storage import headers, segments
from checkpoints_index.storage.catalogue import Catalogue
from checkpoints_index.storage.files import open_whole, remove_leftovers, sync_folder
from checkpoints_index.storage.ledger import Ledger
from checkpoints_index.storage.locks import lock_run
from checkpoints_index.storage.segments import PendingRecord, Record
from checkpoints_index.writing.segment_writer import cut_torn_tail


def drop_all_but(
    run: str,
    folder: Path,
    keep: Collection[int],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Keep the checkpoints of some batches alone; see `CheckpointRun.thin`.

    Args:
        run: the run's name.
        folder: its folder of checkpoints.
        keep: the batches.
        on_progress: is told how many checkpoints were written anew, of how many.

    Raises:
        RunLockedError: another process writes to the run.
        DamagedSegmentsError: something that was to stay could not be read; the rest is done.
        DiskFullError: there is no room to write a segment anew.
        CheckpointError: nothing would stay, or the disk does not take it.
    """
    with lock_run(run, folder):
        try:
            cut_torn_tail(run, folder)
            remove_leftovers(folder)
            _drop(Catalogue(run, folder), keep, on_progress)
        except OSError as error:
            raise _failure(run, folder, error) from error


class RewritePlan(NamedTuple):
    """What becomes of the segments of a run; those that lose nothing are in neither.

    Attributes:
        emptied: segments that lose all of their checkpoints.
        reduced: segments that lose some, and the batches that stay in each.
    """

    emptied: list[Path]
    reduced: dict[Path, list[int]]


def plan_segments(catalogue: Catalogue, keep: Collection[int]) -> RewritePlan:
    """Which segments lose all of their checkpoints, and which some.

    Args:
        catalogue: that of the run.
        keep: the batches that stay.
    """
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


def encode_anew(reader: CheckpointReader, batches: Iterable[int]) -> Iterator[PendingRecord]:
    """The records of a segment that holds some of the checkpoints of another.

    Args:
        reader: that of the run.
        batches: those checkpoints, ascending, all of one segment.

    Raises:
        DamagedCheckpointError: one of them cannot be read.
    """
    chain: RecordChain | None = None
    for batch in batches:
        layout, arrays = reader.integers(batch)
        chain = chain or RecordChain(layout)
        for kind, items in arrays.items():
            np.copyto(chain.spare[kind], items)
        yield from chain.encode_spare(batch)


def _drop(
    catalogue: Catalogue, keep: Collection[int], on_progress: Callable[[int, int], None]
) -> None:
    if catalogue.batches and catalogue.records.keys().isdisjoint(keep):
        raise CheckpointError(
            f"None of the {len(catalogue.batches):,} checkpoints of run '{catalogue.run}' would "
            "stay. Name at least one that is to be kept."
        )
    plan = plan_segments(catalogue, keep)
    ledger = Ledger.open_or_begin(catalogue.run, catalogue.folder)
    ledger.catch_up()
    ledger.drop(catalogue.records.keys() - set(keep), [*plan.emptied, *plan.reduced])
    for path in plan.emptied:
        path.unlink()
    sync_folder(catalogue.folder)
    damages = _rewrite_all(catalogue, plan.reduced, on_progress)
    ledger.catch_up()
    if damages:
        raise DamagedSegmentsError(catalogue.run, damages) from damages[0]


def _rewrite_all(
    catalogue: Catalogue, reduced: dict[Path, list[int]], on_progress: Callable[[int, int], None]
) -> list[DamagedCheckpointError]:
    """Rewrite what can be, the smallest first, as each makes room for the next.

    Returns:
        Why the others could not be.
    """
    damages = []
    done, total = count(1), sum(map(len, reduced.values()))
    reader = CheckpointReader(catalogue)
    try:
        for path in sorted(reduced, key=lambda path: path.stat().st_size):
            try:
                _rewrite(
                    reader, catalogue, path, reduced[path], lambda: on_progress(next(done), total)
                )
            except DamagedCheckpointError as damage:
                damages.append(damage)
    finally:
        reader.close()
    return damages


def _rewrite(
    reader: CheckpointReader,
    catalogue: Catalogue,
    path: Path,
    batches: list[int],
    on_written: Callable[[], None],
) -> None:
    """Put a segment of these batches in the place of one that holds them."""
    records = [catalogue.records[batch] for batch in batches]
    reader.layout(records[0])  # It raises where the header is lost.
    description = dict(catalogue.descriptions[path] or {}, id=secrets.token_hex(8))
    header = headers.pack_header(description)
    with open_whole(path) as file:
        _write(file, header, encode_anew(reader, batches), on_written)
        file.flush()
        refuse_unless_readable(Path(file.name), {r.batch: r.integers_xxh3 for r in records})


def _write(
    file: BinaryIO,
    header: bytes,
    pending_records: Iterable[PendingRecord],
    on_written: Callable[[], None],
) -> None:
    """Write a finished segment; `on_written` is called for each checkpoint."""
    path, records = Path(file.name), list[Record]()
    file.write(header)
    for pending in pending_records:
        record = pending.at(path, file.tell())
        file.write(segments.pack_head(record) + pending.payload)
        records.append(record)
        if pending.kind != segments.SKIP_DELTA:
            on_written()
    file.write(segments.pack_table(header, records, path, file.tell()))


def refuse_unless_readable(path: Path, expected: dict[int, int]) -> None:
    """Read a new segment back, every record of it.

    Args:
        path: the segment.
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
    """Whether the chain of deltas, and that of skip deltas, lead to what their records say."""
    layout = TensorLayout.from_json(description)
    chains = _begin_chains(layout)
    for record in records:
        payload = segments.read_payload(record)
        if payload is None:
            return False
        if record.kind == segments.KEY:
            chains = _begin_chains(layout)
        is_delta = record.kind in (segments.DELTA, segments.TRACKED_DELTA)
        own = segments.DELTA if is_delta else record.kind
        led_on = chains.values() if record.kind == segments.KEY else [chains[own]]
        for chain in led_on:
            payloads.unpack(
                layout, [(payload, 1)], chain.arrays, before=chain.before, states=chain.states
            )
            if integers.checksum(chain.arrays) != record.integers_xxh3:
                return False
    return True


def _begin_chains(layout: TensorLayout) -> dict[int, DecodedIntegers]:
    """By the kind of a chain's records its integers before a key."""
    kinds = (segments.DELTA, segments.SKIP_DELTA) if layout.reversible else (segments.DELTA,)
    return {kind: DecodedIntegers.before_key(layout) for kind in kinds}


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
