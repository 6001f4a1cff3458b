"""The list of a run's segments, sealed, by which one that is gone is missed.

It says no more than what must be there: what is dropped leaves it before its file changes, and what
is written enters it afterwards. Whenever a process is killed, nothing whole is called damaged.
Whoever begins to write to a run makes it before the first segment, so that a list that is deleted
is missed as well. Runs of older versions have none; it is made when they are next written to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkpoints_index.errors import DamagedDescriptionError
from checkpoints_index.storage import segments
from checkpoints_index.storage.files import create_whole
from checkpoints_index.storage.seals import read_sealed_json, seal_json
from checkpoints_index.storage.segments import Segment

LEDGER = "segments.json"
MAX_BATCHES = 1 << 24  # Of one segment; a list that claims more is damaged.


@dataclass(frozen=True)
class LedgerEntry:
    """What is known of one segment.

    Attributes:
        id: its first bytes in hexadecimal digits, which tell it from another of its name; empty
            while it is written anew.
        batches: its checkpoints.
        size_bytes: of the file, which may be longer while it is written to.
        finished: whether nothing more comes.
    """

    id: str
    batches: frozenset[int]
    size_bytes: int
    finished: bool

    def to_json(self) -> dict[str, Any]:
        """The entry, its batches as ranges."""
        return {
            "id": self.id,
            "batches": pack_ranges(sorted(self.batches)),
            "bytes": self.size_bytes,
            "finished": self.finished,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> LedgerEntry:
        """What `to_json` gave.

        Raises:
            ValueError, TypeError, KeyError: it is something else.
        """
        facts = (document["id"], document["bytes"], document["finished"])
        ranges = [range(first, last + 1, step) for first, last, step in document["batches"]]
        if tuple(map(type, facts)) != (str, int, bool) or sum(map(len, ranges)) > MAX_BATCHES:
            raise ValueError("an entry of it is none")
        batches = frozenset(batch for each in ranges for batch in each)
        return cls(document["id"], batches, document["bytes"], document["finished"])

    @classmethod
    def of(cls, segment: Segment, finished: bool) -> LedgerEntry:
        """What was found in a file."""
        batches = frozenset(record.batch for record in segment.records)
        return cls(segment.identity.hex(), batches, segment.whole_bytes, finished)

    def joined(self, before: LedgerEntry) -> LedgerEntry:
        """This entry, with what was known before and is not there any more."""
        size_bytes = max(self.size_bytes, before.size_bytes)
        return LedgerEntry(self.id, self.batches | before.batches, size_bytes, self.finished)


class Ledger:
    """The list of a run's segments; who changes it holds the run's lock.

    Args:
        run: the run's name, for messages.
        folder: its folder of checkpoints.

    Attributes:
        entries: what is known of each segment, by the name of its file.

    Raises:
        DamagedDescriptionError: the list has changed since it was written.
    """

    def __init__(self, run: str, folder: Path) -> None:
        self.folder = folder
        try:
            document = read_sealed_json((folder / LEDGER).read_bytes())["segments"]
            if not isinstance(document, dict) or not all(map(_is_segment, document)):
                raise ValueError("it lists no segments")
            self.entries = {name: LedgerEntry.from_json(each) for name, each in document.items()}
        except FileNotFoundError:
            self.entries = {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedDescriptionError(run, LEDGER, str(error)) from error

    @classmethod
    def open_or_begin(cls, run: str, folder: Path) -> Ledger:
        """The list as it is; a damaged one begins anew, with what the folder holds."""
        try:
            return cls(run, folder)
        except DamagedDescriptionError:
            (folder / LEDGER).unlink()
            return cls(run, folder)

    def catch_up(self) -> None:
        """Take in the segments that a killed process, or an older version, did not enter."""
        for path in segments.list_segments(self.folder):
            known = self.entries.get(path.name)
            if known is None or not known.finished:
                found = LedgerEntry.of(segments.read_segment(path), finished=True)
                self.entries[path.name] = found.joined(known) if known else found
        self._write()

    def enter(self, path: Path, finished: bool = True) -> None:
        """Take in what stands in a segment now."""
        self.entries[path.name] = LedgerEntry.of(segments.read_segment(path), finished)
        self._write()

    def drop(self, batches: Collection[int], paths: Iterable[Path]) -> None:
        """Take checkpoints off the list, before their segments change.

        Args:
            batches: the checkpoints.
            paths: the segments that will change, or go where nothing is left in them.
        """
        for path in paths:
            entry = self.entries.pop(path.name, None)
            if entry is not None and not entry.batches <= set(batches):
                left = entry.batches - set(batches)
                self.entries[path.name] = LedgerEntry("", left, 0, finished=False)
        self._write()

    def make_anew(self) -> dict[str, list[int]]:
        """List what is there now, and nothing else.

        Returns:
            The batches that were listed and are gone, by the segment.
        """
        before, self.entries = self.entries, {}
        for path in segments.list_segments(self.folder):
            self.entries[path.name] = LedgerEntry.of(segments.read_segment(path), finished=True)
        self._write()
        there = frozenset[int]().union(*(entry.batches for entry in self.entries.values()))
        gone = {name: sorted(entry.batches - there) for name, entry in before.items()}
        return {name: batches for name, batches in gone.items() if batches}

    def _write(self) -> None:
        document = {name: entry.to_json() for name, entry in sorted(self.entries.items())}
        content = seal_json({"segments": document})
        path = self.folder / LEDGER
        if (path.read_bytes() if path.exists() else b"") != content:
            create_whole(path, content)


def _is_segment(name: str) -> bool:
    """Whether a name in a list, which may be anybody's, is that of a segment in the same folder."""
    return name.endswith(segments.SUFFIX) and name.isprintable() and "/" not in name


def pack_ranges(batches: Iterable[int]) -> list[list[int]]:
    """Ascending numbers as ranges: the first, the last, and the step.

    Example:
        >>> pack_ranges([1, 2, 3, 10, 20, 30, 31])
        [[1, 3, 1], [10, 30, 10], [31, 31, 1]]
    """
    ranges: list[list[int]] = []
    for batch in batches:
        step = batch - ranges[-1][1] if ranges else 0
        if ranges and ranges[-1][0] == ranges[-1][1]:
            ranges[-1][1:] = [batch, step]
        elif ranges and ranges[-1][2] == step:
            ranges[-1][1] = batch
        else:
            ranges.append([batch, batch, 1])
    return ranges
