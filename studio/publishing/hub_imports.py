"""Bringing a model of the Hub into the workspace: fetched, then imported as files are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch
import torch

from checkpoints_index.importing.bounds.guard import guard_reading
from checkpoints_index.storage.files import remove_leftovers, scratch_folder
from latent.points import LatentPoint, parse_label
from studio.publishing.hub_addresses import HubError, hub_address
from studio.publishing.hub_download import FetchedModel, fetch_model
from studio.runs.events import record_event
from studio.specimens.points import SAMPLED, keep_points
from studio.upkeep.imports import ImportRequest
from studio.workspace.names import MAX_WHOLE
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter

MAX_POINTS = 10_000


@dataclass(frozen=True)
class HubImport:
    """A model of the Hub that lies here for a while, and how it is imported.

    Attributes:
        request: for `studio.upkeep.imports`.
        model: what was fetched.
        points: the latent points of its specimens.
    """

    repository: str
    request: ImportRequest
    model: FetchedModel
    points: tuple[LatentPoint, ...]

    @property
    def storage(self) -> str | None:
        """Exact for a model that was published here, so that weights stay equal bit for bit."""
        return "exact" if self.model.spec is not None else None

    def record(self, workspace: Workspace, run: str) -> None:
        """Keep the points of a run that was imported, and say where it came from."""
        keep_points(workspace, run, self.points, origin=SAMPLED)
        said = f"imported from {hub_address(self.repository)}, commit {self.model.revision[:12]}"
        record_event(workspace, run, self.model.batch, "started", said)


@contextmanager
def fetching_model(
    workspace: Workspace, repository: str, asked: ImportRequest, reporter: Reporter
) -> Iterator[HubImport]:
    """A model of the Hub in a folder that is gone when the block ends.

    Args:
        repository: USER/NAME.
        asked: how a model of somebody else's is read; one that was published here says it itself.

    Raises:
        HubError: see `studio.publishing.hub_download.fetch_model`; or its points are damaged.
    """
    place = workspace.exports / "hub"
    place.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(place.parent, place.name)
    with scratch_folder(place) as folder:
        with reporter.task("Fetching from the Hub") as on_progress:
            model = fetch_model(repository, folder, on_progress)
        request, points = replace(asked, source=model.weights), tuple[LatentPoint, ...]()
        if model.spec is not None:
            spec = model.spec
            request = ImportRequest(
                model.weights, spec.architecture, spec.options, None, spec.z_distribution
            )
            points = tuple(_read_points(model.points, spec.z_dim)) if model.points else ()
        yield HubImport(repository, request, model, points)


def _read_points(path: Path, z_dim: int) -> Iterator[LatentPoint]:
    """The points of a file of somebody's, those that can be points of such a run.

    Raises:
        CheckpointError: the file is damaged.
        HubError: there are too many.
    """
    with guard_reading():
        tensors = safetensors.torch.load_file(path)
    if len(tensors) > MAX_POINTS:
        raise HubError(f"There are more than {MAX_POINTS:,} points of specimens.")
    for label, z in sorted(tensors.items()):
        place = parse_label(label)
        fits = z.shape == (z_dim,) and z.is_floating_point() and bool(z.isfinite().all())
        if place is not None and max(place) <= MAX_WHOLE and fits:
            yield LatentPoint(label, z.to(torch.float32))
