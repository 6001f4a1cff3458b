"""What a run's folder holds: a light listing that needs neither torch nor the weights."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from checkpoints_index.errors import (
    CheckpointError,
    DamagedDescriptionError,
    RunNameError,
    UnknownRunError,
)
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage import segments
from checkpoints_index.storage.error_bound import ErrorBound
from checkpoints_index.storage.files import create_whole
from checkpoints_index.storage.seals import read_sealed_json, seal_json
from checkpoints_index.storage.segments import Record, Segment
from checkpoints_index.storage.trusted_classes import trusted_place

STORAGES = ("exact", "visual")
DESCRIPTION = "generator.json"  # What a run is; segments alone make it anew.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Catalogue:
    """The records of a run, kept up to date while another process appends to it.

    Args:
        run: the run's name.
        folder: its folder of checkpoints.

    Attributes:
        spec, storage, error_bound: what the run was created with.
        run_id: what tells its segments from those of others; None in runs of older versions.
        format: the format of its segments, of which older versions may read fewer.
        records: batch -> the record that holds its checkpoint.
        descriptions: segment -> the description in its header; None where that is damaged.

    Raises:
        DamagedDescriptionError: the folder's description is missing or damaged.
        CheckpointError: its checkpoints are of another format.
    """

    def __init__(self, run: str, folder: Path) -> None:
        self.run, self.folder = run, folder
        described = read_description(run, folder)
        self.spec, self.storage, self.error_bound, self.run_id, self.format = described
        self.records: dict[int, Record] = {}
        self.descriptions: dict[Path, dict[str, Any] | None] = {}
        self._segments: dict[Path, Segment] = {}
        self._records_in: dict[Path, list[Record]] = {}
        self._batches: list[int] | None = None
        self._looked: dict[str, tuple[int, int, int]] | None = None
        self.refresh()

    @property
    def batches(self) -> list[int]:
        """The batches that have a checkpoint, ascending; not to be changed."""
        if self._batches is None:
            self._batches = sorted(self.records)
        return self._batches

    @property
    def missing(self) -> list[tuple[int, int]]:
        """Half-open ranges of batches without a checkpoint, between the first and the last."""
        return [(a + 1, b) for a, b in pairwise(self.batches) if b > a + 1]

    @property
    def size_bytes(self) -> int:
        """Bytes that the segments take on disk."""
        return sum(segment.file_bytes for segment in self._segments.values())

    def find_difference(self, path: Path) -> str | None:
        """How the header of a segment differs from the run; None where it is of this run.

        Args:
            path: a segment.

        Returns:
            What both say, as half a sentence.
        """
        header = self.descriptions.get(path)
        if header is None:
            return None
        bound = asdict(self.error_bound) if self.error_bound else None
        own = {"generator": self.spec.to_json(), "storage": self.storage, "promise": bound}
        if self.run_id is not None and header.get("run_id") != self.run_id:
            return f"its segment is of another run ('{header.get('run')}')"
        for key, value in own.items():
            here = json.loads(json.dumps(value))
            if key in header and header[key] != here:
                return (
                    f"its segment is of another run, or {DESCRIPTION} has changed: {key} is "
                    f"{describe_change(header[key], here)}"
                )
        return None

    def records_in(self, path: Path) -> list[Record]:
        """All records of a segment in their order, skip deltas as well."""
        return self._records_in[path]

    def refresh(self) -> None:
        """Take in what was appended, cut, replaced or removed since the last look."""
        looked = segments.look_at_files(self.folder)
        if looked == self._looked:
            return
        paths = [self.folder / name for name in sorted(looked)]
        try:
            self._look_at(paths)
        except FileNotFoundError:
            if segments.list_segments(self.folder) == paths:
                raise
            self.refresh()  # Thinning removed one of them meanwhile.
            return
        self._looked = looked

    def _look_at(self, paths: list[Path]) -> None:
        states = {path: path.stat() for path in paths}
        replaced = (self._was_replaced(path, state) for path, state in states.items())
        if self._segments.keys() - states.keys() or any(replaced):
            self.records, self.descriptions = {}, {}
            self._segments, self._records_in, self._batches = {}, {}, None
        for path, state in states.items():
            known = self._segments.get(path)
            if known is None:
                self._take(segments.read_segment(path))
            elif state.st_size > known.file_bytes:
                self._take(segments.scan_segment(path, known.whole_bytes))

    def _was_replaced(self, path: Path, state: os.stat_result) -> bool:
        """Whether a known segment was cut, or another one has taken its name."""
        known = self._segments.get(path)
        if known is None:
            return False
        if (state.st_size, state.st_mtime_ns) == (known.file_bytes, known.changed_ns):
            return False
        return state.st_size < known.file_bytes or segments.read_identity(path) != known.identity

    def _take(self, segment: Segment) -> None:
        """Add the records of a segment, or those that were appended to it."""
        if segment.path not in self._segments:
            self.descriptions[segment.path] = segment.description
        self._segments[segment.path] = segment
        self._records_in.setdefault(segment.path, []).extend(segment.records)
        before = len(self.records)
        for record in segment.records:
            if record.kind == segments.SKIP_DELTA:
                self.records.setdefault(record.batch, record)
            else:
                self.records[record.batch] = record
        if len(self.records) > before:
            self._batches = None


def describe_change(header: Any, here: Any) -> str:
    """What a segment and the description of its run say, where they differ.

    Example:
        >>> describe_change({"options": {"slope": 0.2}}, {"options": {"slope": 0.3}})
        'options.slope 0.2 in the segment, 0.3 in generator.json'
    """
    names: list[str] = []
    while isinstance(header, dict) and isinstance(here, dict):
        keys = sorted(header.keys() | here.keys())
        name = next(key for key in keys if header.get(key) != here.get(key))
        names, header, here = [*names, name], header.get(name), here.get(name)
    where = ".".join(names) + " " if names else ""
    return f"{where}{json.dumps(header)} in the segment, {json.dumps(here)} in {DESCRIPTION}"


def read_description(
    run: str, folder: Path
) -> tuple[GeneratorSpec, str, ErrorBound | None, str | None, int]:
    """The generator, the storage and the error bound that a run was created with.

    Args:
        run: the run's name, for messages.
        folder: its folder of checkpoints.

    Returns:
        The spec; "exact" or "visual"; the bound, None for exact storage; the identity of the run,
        None where an older version made it; and the format.

    Raises:
        DamagedDescriptionError: the file is missing, or is not what `write_description` writes.
        CheckpointError: the checkpoints are of another format.
    """
    try:
        description = read_sealed_json((folder / DESCRIPTION).read_bytes())
        spec = GeneratorSpec.from_json(description["generator"], trusted=False)
        place = trusted_place(folder.parent.parent, spec.architecture)
        trusted = ":" not in spec.architecture or place is not None
        spec = replace(spec, trusted=trusted, place=place)
        known = segments.FORMATS
        if description.get("format") not in known:
            raise CheckpointError(
                f"The checkpoints of run '{run}' are of format {description.get('format', 1)}, and "
                f"this version reads formats {known[0]} to {known[-1]}. Read them with the version "
                "that wrote them, or train the run again."
            )
        # The key is older than the attribute's name.
        error_bound = ErrorBound.from_json(description["promise"])
        storage, run_id = description["storage"], description.get("id")
        if storage not in STORAGES or (error_bound is None) != (storage == "exact"):
            raise ValueError(f"its storage is {str(storage)[:40]!r}")
        if not isinstance(run_id, str | None):
            raise ValueError("its identity is no text")
        return spec, storage, error_bound, run_id, description["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedDescriptionError(run, DESCRIPTION, str(error)) from error


def write_description(
    folder: Path,
    spec: GeneratorSpec,
    storage: str,
    error_bound: ErrorBound | None,
    run_id: str | None,
    run_format: int,
) -> None:
    """Make a folder of checkpoints a run, or replace its description.

    Args:
        folder: the folder of checkpoints, which is there.
        spec: what rebuilds the generator.
        storage: one of STORAGES.
        error_bound: of "visual" storage; None for "exact".
        run_id: stands in the headers of the run's segments; None for a run of an older version.
        run_format: that of its segments, one of `segments.FORMATS`.

    Raises:
        OSError: it cannot be written.
    """
    # Sorted, as in the headers of segments: made anew from one it is the same to the byte.
    description = {
        "format": run_format,
        "id": run_id,
        "generator": json.loads(json.dumps(spec.to_json(), sort_keys=True)),
        "storage": storage,
        "promise": dict(sorted(asdict(error_bound).items())) if error_bound else None,
    }
    create_whole(folder / DESCRIPTION, seal_json(description, indent=1))


def checkpoints_folder(runs_folder: Path, run: str) -> Path:
    """Where the checkpoints of a run are kept.

    Raises:
        RunNameError: the name could not be that of a folder.

    Example:
        >>> checkpoints_folder(Path("runs"), "city").as_posix()
        'runs/city/checkpoints'
    """
    if not _NAME.fullmatch(run):
        raise RunNameError(run)
    return runs_folder / run / "checkpoints"


def holds_run(folder: Path) -> bool:
    """Whether a folder of checkpoints is a run, or was one whose description is lost."""
    return (folder / DESCRIPTION).exists() or bool(segments.list_segments(folder))


def list_runs(runs_folder: Path) -> list[str]:
    """The names of the runs below a folder, sorted; those whose description is lost as well."""
    folders = runs_folder.glob("*/checkpoints")
    return sorted(folder.parent.name for folder in folders if holds_run(folder))


def read_spec(runs_folder: Path, run: str) -> GeneratorSpec:
    """The generator of a run by name; its checkpoints are not looked at, however many there are.

    Raises:
        CheckpointError: as `open_catalogue`.
    """
    folder = checkpoints_folder(runs_folder, run)
    if not holds_run(folder):
        raise UnknownRunError(run, list_runs(runs_folder))
    return read_description(run, folder)[0]


def open_catalogue(runs_folder: Path, run: str) -> Catalogue:
    """The catalogue of a run by name.

    Raises:
        UnknownRunError: there is no such run; it lists those that there are.
        RunNameError: the name could not be that of a run.
        DamagedDescriptionError: its description is damaged.
    """
    folder = checkpoints_folder(runs_folder, run)
    if not holds_run(folder):
        raise UnknownRunError(run, list_runs(runs_folder))
    return Catalogue(run, folder)
