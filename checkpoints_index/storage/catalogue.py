"""What a run's folder holds: a light listing that needs neither torch nor the weights."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage import segments
from checkpoints_index.storage.error_bound import ErrorBound
from checkpoints_index.storage.files import create_whole
from checkpoints_index.storage.segments import Record, Segment

STORAGES = ("exact", "visual")
DESCRIPTION = "generator.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Catalogue:
    """The records of a run, kept up to date while another process appends to it."""

    def __init__(self, run: str, folder: Path) -> None:
        """Read the heads of all records.

        Raises:
            CheckpointError: the folder holds no run, or its description is damaged.
        """
        self.run, self.folder = run, folder
        self.spec, self.storage, self.error_bound = read_description(run, folder)
        self.records: dict[int, Record] = {}
        self.descriptions: dict[Path, dict[str, Any] | None] = {}
        self._segments: dict[Path, Segment] = {}
        self._records_in: dict[Path, list[Record]] = {}
        self._batches: list[int] | None = None
        self.refresh()

    @property
    def batches(self) -> list[int]:
        """The batches that have a checkpoint, ascending."""
        if self._batches is None:
            self._batches = sorted(self.records)
        return self._batches

    @property
    def missing(self) -> list[tuple[int, int]]:
        """Half-open ranges without a checkpoint between the first and the last."""
        return [(a + 1, b) for a, b in pairwise(self.batches) if b > a + 1]

    @property
    def size_bytes(self) -> int:
        return sum(segment.file_bytes for segment in self._segments.values())

    def records_in(self, path: Path) -> list[Record]:
        """All records of a segment, hops as well."""
        return self._records_in[path]

    def refresh(self) -> None:
        """Take in what was appended, cut, replaced or removed since the last look."""
        paths = segments.list_segments(self.folder)
        try:
            self._look_at(paths)
        except FileNotFoundError:
            if segments.list_segments(self.folder) == paths:
                raise
            self.refresh()  # one of them was removed meanwhile, by thinning

    def _look_at(self, paths: list[Path]) -> None:
        if set(self._segments) - set(paths) or any(map(self._was_replaced, paths)):
            self.records, self.descriptions = {}, {}
            self._segments, self._records_in, self._batches = {}, {}, None
        for path in paths:
            known = self._segments.get(path)
            if known is None:
                self._take(segments.read_segment(path))
            elif path.stat().st_size > known.file_bytes:
                self._take(segments.scan_segment(path, known.whole_bytes))

    def _was_replaced(self, path: Path) -> bool:
        """Whether a known segment was cut, or another one has taken its name."""
        known = self._segments.get(path)
        if known is None:
            return False
        state = path.stat()
        if (state.st_size, state.st_mtime_ns) == (known.file_bytes, known.changed_ns):
            return False
        return state.st_size < known.file_bytes or segments.read_identity(path) != known.identity

    def _take(self, segment: Segment) -> None:
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


def read_description(run: str, folder: Path) -> tuple[GeneratorSpec, str, ErrorBound | None]:
    """The generator, the storage and the error bound that a run was created with."""
    try:
        description = json.loads((folder / DESCRIPTION).read_bytes())
        generator = description["generator"]
        spec = GeneratorSpec(generator["architecture"], generator["options"])
        if description.get("format") != segments.FORMAT:
            raise CheckpointError(
                f"The checkpoints of run '{run}' are of format {description.get('format', 1)}, and "
                f"this version reads format {segments.FORMAT}. Read them with the version that "
                "wrote them, or train the run again."
            )
        error_bound = description["promise"]
        return spec, description["storage"], ErrorBound(**error_bound) if error_bound else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"Run '{run}' cannot be opened: {DESCRIPTION} in its folder of checkpoints is "
            f"missing or damaged ({error}). Make it anew from its segments: studio reindex"
        ) from error


def write_description(
    folder: Path, spec: GeneratorSpec, storage: str, error_bound: ErrorBound | None
) -> None:
    """Make a folder of checkpoints a run."""
    description = {
        "format": segments.FORMAT,
        "generator": asdict(spec),
        "storage": storage,
        "promise": asdict(error_bound) if error_bound else None,
    }
    create_whole(folder / DESCRIPTION, json.dumps(description, indent=1).encode())


def checkpoints_folder(runs_folder: Path, run: str) -> Path:
    """Where the checkpoints of a run are kept.

    Raises:
        CheckpointError: the name could not be that of a folder.
    """
    if not _NAME.fullmatch(run):
        raise CheckpointError(
            f"'{run}' cannot be the name of a run. Use letters, digits, dots, dashes and "
            "underscores, beginning with a letter or digit."
        )
    return runs_folder / run / "checkpoints"


def list_runs(runs_folder: Path) -> list[str]:
    """Names of the runs below a folder, sorted."""
    return sorted(path.parent.parent.name for path in runs_folder.glob(f"*/*/{DESCRIPTION}"))


def open_catalogue(runs_folder: Path, run: str) -> Catalogue:
    """The catalogue of a run by name.

    Raises:
        CheckpointError: there is no such run; the message lists those that there are.
    """
    folder = checkpoints_folder(runs_folder, run)
    if not (folder / DESCRIPTION).exists():
        known = ", ".join(list_runs(runs_folder)) or "none yet"
        raise CheckpointError(
            f"Run '{run}' is not in the index. Known: {known}. "
            f"Create one: studio train DATASET --run {run}"
        )
    return Catalogue(run, folder)
