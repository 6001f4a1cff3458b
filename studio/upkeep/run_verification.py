"""Holding all that belongs to a run, beside its checkpoints, against what was written.

What is looked at carries a checksum, or can be made once more from what it came from. Files of
older versions that have no checksum are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from checkpoints_index.storage.catalogue import list_runs
from checkpoints_index.storage.trusted_classes import list_trusted
from checkpoints_index.upkeep.export import find_export_damage
from latent.points import LatentPoint, Shape, keep_normal, parse_label, sample_point
from renderers.errors import RenderError
from renderers.files import has_changed
from renderers.jobs.chunks import find_changed_chunks
from renderers.jobs.parts import PartFolder
from renderers.jobs.verification import find_changed_videos, read_plan
from studio.atlases.atlas_files import find_changed_atlas
from studio.atlases.growth_files import find_changed_growth
from studio.datasets.maps.map_places import PLACES, read_places
from studio.datasets.prepared import MANIFEST, PIXELS, PreparedDataset, small_file
from studio.runs.config import STORED_NAMES, TrainingConfig, read_settings
from studio.runs.metrics import find_changed_lines
from studio.specimens.drawing_rules import can_draw, shape_of
from studio.specimens.own_points import read_own_points
from studio.specimens.passports import read_passport
from studio.specimens.picture_metadata import list_pictures
from studio.specimens.points import FIXED, IMPORTED, SAMPLED, points_of
from studio.training.loop.state import FOR_GOOD, DamagedStateError, read_state
from studio.upkeep.archives import find_archive_damage
from studio.upkeep.removal import list_beside, runs_with_specimens
from studio.workspace.database import find_changes
from studio.workspace.errors import EXPECTED_ERRORS, EditedFileError, StudioError
from studio.workspace.marks import read_marks
from studio.workspace.names import read_whole
from studio.workspace.paths import Workspace
from studio.workspace.trust import read_listed

# What looks at files that a run exported, and their names.
EXPORTED: dict[Callable[[Path], str | None], tuple[str, ...]] = {
    find_export_damage: ("*.safetensors", "*.pt"),
    find_archive_damage: ("*.zip",),
}


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
    yield from _examine_settings(workspace, run)
    yield from _examine_datasets(workspace, run)
    yield from _examine_points(workspace, run)
    yield from _examine_marks(workspace, run)
    yield from _examine_film(workspace, run)
    yield from _examine_renders(workspace, run)
    yield from _examine_exports(workspace, run)


def verify_shared(workspace: Workspace) -> Iterator[RunFinding]:
    """Look at what all runs share: the database, its rows, and the lists of what is trusted.

    Yields:
        A finding for each thing that has changed.
    """
    try:
        changes = find_changes(workspace.database) if workspace.database.exists() else []
    except StudioError as error:
        changes = [str(error)]
    for reason in changes:
        yield _found(workspace, workspace.database, reason)
    lists: dict[Path, Callable[[], object]] = {
        workspace.trusted: lambda: read_listed(workspace),
        workspace.trusted_classes: lambda: list_trusted(workspace.runs),
    }
    for path, list_known in lists.items():
        try:
            list_known()
        except EXPECTED_ERRORS as error:
            yield _found(workspace, path, str(error))


def find_lost_runs(workspace: Workspace) -> list[str]:
    """A sentence for each run that was begun here and whose checkpoints are all gone."""
    left = dict.fromkeys(runs_with_specimens(workspace), "specimens")
    left |= {path.parent.name: "settings" for path in workspace.runs.glob("*/run.toml")}
    known = {*list_runs(workspace.runs)}
    return [
        f"Run '{name}' has its {what} and no checkpoints any more. Put the folder "
        f"'checkpoints' of it back, or let it go: studio delete run {name}"
        for name, what in sorted(left.items())
        if name not in known
    ]


def _examine_states(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    folder = workspace.training_states(run)
    for path in [*folder.glob("*.safetensors"), *(folder / FOR_GOOD).glob("*.safetensors")]:
        batch = read_whole(path.stem)
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


def _examine_settings(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    path = workspace.run_config(run)
    if not path.exists():
        return  # It was imported.
    try:
        TrainingConfig.read(path)
    except EditedFileError as error:
        yield _found(workspace, path, error.reason)
    except StudioError as error:
        yield _found(workspace, path, f"it cannot be read: {error}")


def _examine_datasets(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    """Look at the pictures of a run, and at its negatives."""
    config = workspace.run_config(run)
    if not config.exists():
        return  # It was imported.
    try:
        values = read_settings(config)
    except StudioError:
        return  # It was named already.
    for name in ("dataset", *STORED_NAMES, "negatives"):
        yield from _examine_dataset(workspace, str(values.get(name, "")))


def _examine_dataset(workspace: Workspace, name: str) -> Iterator[RunFinding]:
    try:
        folder = workspace.dataset(name)
    except StudioError:
        return  # There is none, or its name is damaged, which breaks the seal of run.toml.
    if not (folder / MANIFEST).exists() and not (folder / PIXELS).exists():
        return  # It was deleted, or the run came without it.
    try:
        dataset = PreparedDataset.open(folder)
    except EditedFileError as error:
        yield _found(workspace, folder / MANIFEST, error.reason)
        return
    except StudioError as error:
        yield _found(workspace, folder / MANIFEST, str(error))
        return
    if dataset.has_changed():
        yield _found(workspace, folder / PIXELS, "its checksum differs from that of the manifest")
    for factor, reason in dataset.changed_small():
        yield _found(workspace, folder / small_file(factor), reason)
    try:
        read_places(folder)
    except StudioError as error:
        yield _found(workspace, folder / PLACES, str(error))


def _examine_points(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    drawn = can_draw(workspace, run)
    shape = shape_of(workspace, run) if drawn else keep_normal
    points = [*points_of(workspace, run, FIXED), *points_of(workspace, run, SAMPLED)]
    for point in points if drawn else []:
        if not _is_as_drawn(point, shape):
            reason = f"point {point.label} has other numbers than are drawn for its label"
            yield _found(workspace, workspace.database, reason)
    try:
        own = read_own_points(workspace, run)
    except StudioError as error:
        yield _found(workspace, workspace.own_points(run), str(error))
        return
    kept = {point.label: point for point in points_of(workspace, run, IMPORTED)}
    for point in own:
        if point.label in kept and not torch.equal(kept[point.label].z, point.z):
            reason = f"point {point.label} has other numbers than {workspace.own_points(run).name}"
            yield _found(workspace, workspace.database, reason)


def _examine_marks(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    try:
        read_marks(workspace, run)
    except StudioError as error:
        yield _found(workspace, workspace.marks(run), str(error))


def _is_as_drawn(point: LatentPoint, shape: Shape) -> bool:
    place = parse_label(point.label)
    assert place is not None, "points are kept by a label such as 16500.28"
    return torch.equal(sample_point(*place, len(point.z), shape=shape).z, point.z)


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
        for record in sorted(folder.glob("*.json")):
            if has_changed(record):
                yield _found(workspace, record, "it is not what was written")
        for finds in (find_changed_atlas, find_changed_growth):
            if (changed := finds(folder)) is not None:
                yield _found(workspace, changed, "its checksum differs")


def _find_changed_parts(folder: Path) -> list[int]:
    """The first batches of the changed parts of a render that is not finished."""
    if not (folder / "parts").is_dir():
        return []
    try:
        parts = PartFolder(folder / "parts", read_plan(folder))
    except RenderError:
        return []  # Its plan is made anew, and parts that are not of the plan go.
    return [part.batches[0] for part in parts.find_changed()]


def _examine_exports(workspace: Workspace, run: str) -> Iterator[RunFinding]:
    for path in list_pictures(workspace.specimens(run)):
        try:
            read_passport(path)
        except StudioError as error:
            yield _found(workspace, path, str(error))
    for finds, patterns in EXPORTED.items():
        for path in (path for each in patterns for path in workspace.specimens(run).glob(each)):
            if (reason := finds(path)) is not None:
                yield _found(workspace, path, reason)


def _found(workspace: Workspace, path: Path, reason: str, batch: int | None = None) -> RunFinding:
    """A finding, its file named from the workspace on where it lies in it."""
    root = workspace.root
    inside = path.is_relative_to(root)
    return RunFinding((path.relative_to(root) if inside else path).as_posix(), reason, batch)
