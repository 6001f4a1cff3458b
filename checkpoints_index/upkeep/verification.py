"""Reading checkpoints back, and saying what is damaged and what that costs."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from checkpoints_index.errors import DamagedCheckpointError, DamagedDescriptionError
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.storage import headers, segments
from checkpoints_index.storage.catalogue import Catalogue
from checkpoints_index.storage.ledger import LEDGER, Ledger, LedgerEntry
from checkpoints_index.storage.segments import Record


class Finding(NamedTuple):
    """What was found at one checkpoint.

    Attributes:
        batch: the checkpoint; None where it is no single one.
        path: the segment that it lies in.
        reason: what is wrong, as half a sentence; None where it is whole.
        readable: whether it can be decoded in spite of that.
    """

    batch: int | None
    path: Path
    reason: str | None = None
    readable: bool = True


def verify(catalogue: Catalogue, deep: bool, fraction: float) -> Iterator[Finding]:
    """Look at some or all checkpoints, and at what lies between the records.

    Args:
        catalogue: that of the run.
        deep: decode each, rather than hold its stored bytes against their checksum.
        fraction: part of the checkpoints that are looked at, 0..1, chosen at random.

    Yields:
        A finding for each checkpoint, ascending, then one for each damage beside them, and one
        for each checkpoint that is gone.
    """
    chosen = random.sample(catalogue.batches, count_chosen(len(catalogue.batches), fraction))
    reader = CheckpointReader(catalogue)
    weakened: set[Path] = set()  # Segments in which other checkpoints may need what is lost.
    for batch in sorted(chosen):
        record = catalogue.records[batch]
        found = examine(reader, record, deep or record.path in weakened)
        if found.reason is not None:
            weakened.add(record.path)
        if found.reason is None or _is_as_listed(catalogue, batch):
            yield found
        elif batch in catalogue.records:  # It was rewritten while we looked.
            yield examine(reader, catalogue.records[batch], deep)
    for path in segments.list_segments(catalogue.folder):
        yield from _examine_rest(reader, catalogue, path)
    yield from _find_gone(catalogue)


def count_chosen(checkpoints: int, fraction: float) -> int:
    """How many checkpoints `verify` chooses; at least one, where there is one.

    Example:
        >>> count_chosen(40, 0.01), count_chosen(40, 1.0)
        (1, 40)
    """
    return math.ceil(fraction * checkpoints)


def _is_as_listed(catalogue: Catalogue, batch: int) -> bool:
    """Whether a checkpoint is still where it was when its run was last looked at."""
    before = catalogue.records[batch]
    catalogue.refresh()
    return catalogue.records.get(batch) == before


def examine(reader: CheckpointReader, record: Record, deep: bool = False) -> Finding:
    """Look at one checkpoint: its stored bytes and, where they have changed, whether it decodes.

    Args:
        reader: that of the run.
        record: where the checkpoint lies.
        deep: decode it in any case.
    """
    damaged = not record.path.exists() or segments.inspect_payload(record).is_damaged
    try:
        reader.layout(record)
    except DamagedCheckpointError as damage:
        return Finding(record.batch, record.path, damage.reason, readable=False)
    if not deep and not damaged:
        return Finding(record.batch, record.path)
    reason = "its bytes have changed" if damaged else None
    try:
        reader.integers(record.batch)
    except DamagedCheckpointError as damage:
        return Finding(record.batch, record.path, reason or damage.reason, readable=False)
    return Finding(record.batch, record.path, reason)


def _examine_rest(reader: CheckpointReader, catalogue: Catalogue, path: Path) -> Iterator[Finding]:
    """Look at a segment's header, its skip deltas, and bytes that are no record."""
    try:
        segment = segments.scan_segment(path)
    except FileNotFoundError:
        return  # It was thinned away since it was listed.
    if path not in catalogue.descriptions:
        return  # It was begun since.
    known = catalogue.records_in(path)
    first = known[0].batch if known else None
    if headers.read_header(path).is_damaged:
        readable = catalogue.descriptions.get(path) is not None
        yield Finding(first, path, "the header of its segment has changed", readable)
    for record in known:
        if record.kind == segments.SKIP_DELTA and segments.inspect_payload(record).is_damaged:
            yield Finding(record.batch, path, "the bytes of its skip delta have changed")
        if not segments.has_whole_head(record):
            yield Finding(record.batch, path, "the head of its record has changed")
    for offset in segment.lost:
        reason = f"the bytes from {offset} are no record"
        if first is None:
            yield Finding(None, path, reason, readable=False)
            continue
        batch = max((r.batch for r in known if r.offset <= offset), default=first)
        yield examine(reader, catalogue.records[batch], deep=True)._replace(reason=reason)


def _find_gone(catalogue: Catalogue) -> Iterator[Finding]:
    """Compare the segments with the list of what must be there; older versions made none."""
    path = catalogue.folder / LEDGER
    if catalogue.run_id is not None and catalogue.descriptions and not path.exists():
        yield Finding(None, path, "it is missing, and so is all word of segments that are gone")
        return
    try:
        before = Ledger(catalogue.run, catalogue.folder).entries
        catalogue.refresh()
        # What was thinned meanwhile left the list before its file changed.
        listed = Ledger(catalogue.run, catalogue.folder).entries
    except DamagedDescriptionError as damage:
        yield Finding(None, path, damage.reason)
        return
    for name, entry in before.items():
        if name in listed:
            both = listed[name].batches & entry.batches
            yield from _miss(catalogue, catalogue.folder / name, both, (entry, listed[name]))


def _miss(
    catalogue: Catalogue,
    path: Path,
    batches: frozenset[int],
    listed: tuple[LedgerEntry, ...],
) -> Iterator[Finding]:
    """What is not there of a segment and of the checkpoints that are listed for it."""
    size_bytes = path.stat().st_size if path.exists() else None
    reason = "its segment is missing" if size_bytes is None else "it is gone from its segment"
    gone = sorted(batches - catalogue.records.keys())
    for batch in gone:
        yield Finding(batch, path, reason, readable=False)
    if gone or catalogue.find_difference(path) is not None:
        return  # Each of its checkpoints was named already.
    if size_bytes is None:
        yield Finding(None, path, "it is missing")
    elif size_bytes < min(entry.size_bytes for entry in listed):
        yield Finding(max(batches, default=None), path, "it is shorter than it was")
    elif headers.read_header(path).is_damaged:
        return  # That was said, and what it begins with is no identity.
    elif all(entry.id not in ("", segments.read_identity(path).hex()) for entry in listed):
        yield Finding(min(batches, default=None), path, "another segment took its place")
