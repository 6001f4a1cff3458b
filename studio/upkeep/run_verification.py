"""Holding all that belongs to a run, beside its checkpoints, against what was written.

What is looked at carries a checksum, or can be made once more from what it came from. Files of
older versions that have no checksum are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from latent.points import LatentPoint, parse_label, sample_point
from renderers.errors import RenderError
from renderers.jobs.chunks import find_changed_chunks
from renderers.jobs.parts import PartFolder
from renderers.jobs.verification import find_changed_videos, read_plan
from studio.datasets.prepared import MANIFEST, PIXELS, PreparedDataset
from studio.runs.config import read_settings
from studio.runs.metrics import find_changed_lines
from studio.specimens.passports import read_passport
from studio.specimens.points import FIXED, SAMPLED, points_of
from studio.training.loop.state import FOR_GOOD, DamagedStateError, read_state
from studio.upkeep.removal import list_beside
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace


class RunFinding(NamedTuple):
    """What is wrong with a file of a run that is no segment.

    Attributes:
        file: its path below the workspace.
        reason: half a sentence.
        batch: the batch that it is of; None where it is of none, or of many.
    """

    file: str
    reason: str
    batch: int | None = None


def verify_belongings(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    """Look at a run's training states, numbers, dataset, points, film, renders and exports.

    Args:
        workspace: where the run is.
        run: its name.

    Yields:
        A finding for each thing that has changed.
    """
    yield from _examine_states(workspace, run)
    yield from _examine_metrics(workspace, run)
    yield from _examine_dataset(workspace, run)
    yield from _examine_points(workspace, run)
    yield from _examine_film(workspace, run)
    yield from _examine_renders(workspace, run)
    yield from _examine_exports(workspace, run)


def _examine_states(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    folder = workspace.training_states(run)
    for path in [*folder.glob("*.safetensors"), *(folder / FOR_GOOD).glob("*.safetensors")]:
        batch = int(path.stem) if path.stem.isdigit() else None
        try:
            facts, _ = read_state(path)
        except DamagedStateError as error:
            if path.exists():  # Else a newer one has taken its place.
                yield _found(workspace, path, str(error.__cause__), batch)
            continue
        if facts.get("batch") != batch:
            yield _found(workspace, path, f"it is of batch {facts.get('batch')}", batch)


def _examine_metrics(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    path = workspace.metrics(run)
    for number in find_changed_lines(path):
        yield _found(workspace, path, f"line {number:,} has changed")


def _examine_dataset(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    config = workspace.run_config(run)
    if not config.exists():
        return  # It was imported.
    try:
        name = str(read_settings(config).get("dataset", ""))
        folder = workspace.dataset(name)
    except (StudioError, ValueError) as error:
        yield _found(workspace, config, f"it cannot be read: {error}")
        return
    if not (folder / MANIFEST).exists() and not (folder / PIXELS).exists():
        return  # It was deleted, or the run came without it.
    try:
        dataset = PreparedDataset.open(folder)
    except StudioError as error:
        yield _found(workspace, folder / MANIFEST, str(error))
        return
    if dataset.has_changed():
        yield _found(workspace, folder / PIXELS, "its checksum differs from that of the manifest")


def _examine_points(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    for point in [*points_of(workspace, run, FIXED), *points_of(workspace, run, SAMPLED)]:
        if not _is_as_drawn(point):
            reason = f"point {point.label} has other numbers than are drawn for its label"
            yield _found(workspace, workspace.database, reason)


def _is_as_drawn(point: LatentPoint) -> bool:
    place = parse_label(point.label)
    assert place is not None, "points are kept by a label such as 16500.28"
    return torch.equal(sample_point(*place, len(point.z)).z, point.z)


def _examine_film(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    for path, reason, batch in find_changed_chunks(workspace.live_film(run)):
        yield _found(workspace, path, reason, batch)


def _examine_renders(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    for folder in list_beside(workspace, run):
        if folder.parent != workspace.renders:
            continue  # These are the exports.
        for batch in _find_changed_parts(folder):
            yield _found(workspace, folder / "parts", "one of its parts has changed", batch)
        for video, reason in find_changed_videos(folder):
            yield _found(workspace, video, reason)


def _find_changed_parts(folder: Path) -> list[int]:
    """The first batches of the changed parts of a render that is not finished."""
    if not (folder / "parts").is_dir():
        return []
    try:
        parts = PartFolder(folder / "parts", read_plan(folder))
    except (RenderError, ValueError, KeyError, TypeError):
        return []  # Its plan is made anew, and parts that are not of the plan go.
    return [part.batches[0] for part in parts.find_changed()]


def _examine_exports(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    for path in sorted(workspace.specimens(run).glob("*.jpg")):
        try:
            read_passport(path)
        except StudioError as error:
            yield _found(workspace, path, str(error))


def _found(workspace: Workspace, path: Path, reason: str, batch: int | None = None) -> RunFinding:
    """A finding, its file named from the workspace on where it lies in it."""
    root = workspace.root
    inside = path.is_relative_to(root)
    return RunFinding((path.relative_to(root) if inside else path).as_posix(), reason, batch)
