"""The folder of a published checkpoint: weights, network, card, specimens and film, for anybody."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
from torch import Tensor

from checkpoints_index import CheckpointIndex, CheckpointRun
from checkpoints_index.storage.files import create_whole, sync_file
from latent.points import LatentPoint
from renderers.pictures.charts import Panel, draw_charts
from renderers.pictures.picture_file import save_picture
from renderers.plan.outputs import GRID
from renderers.progress import OnProgress, ignore_progress
from studio.films.live import join_live_film
from studio.films.options.film_options import Timelapse
from studio.films.stills.run_curves import LEAST_VALUES, metric_values, smooth_values
from studio.films.timelapse import film_timelapse
from studio.publishing.model_card import CardContent, write_card
from studio.publishing.network_files import (
    FORMAT,
    generate_source,
    network_source,
    require_plain,
    sha256_of,
    write_config,
)
from studio.publishing.own_folders import OwnFolder
from studio.publishing.run_facts import RunFacts
from studio.specimens.exports import ExportOptions, export_specimens
from studio.specimens.points import FIXED, points_of, resolve_points
from studio.specimens.specimen_search import SpecimenSearch, find_labels
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.paths import Workspace

WEIGHTS, CONFIG, POINTS = "model.safetensors", "config.json", "points.safetensors"
NETWORK, SCRIPT, CARD = "network.py", "generate.py", "README.md"
SHEET, CURVE_PICTURE, FILM = "specimens.jpg", "curves.png", "film.mp4"
FILES = (CARD, CONFIG, WEIGHTS, POINTS, NETWORK, SCRIPT, SHEET, CURVE_PICTURE, FILM)
FOLDER = OwnFolder(
    "a published checkpoint", frozenset(FILES), CONFIG, f'"format": "{FORMAT}"'.encode()
)
MAX_SPECIMENS = 16
MAX_FILM_BYTES = 50_000_000
FILM_PX, FILM_SECONDS, FILM_RATE = 512, 10.0, 24  # Of a film that is rendered for this alone.


@dataclass(frozen=True)
class PublishedFile:
    """A file of a published folder.

    Attributes:
        sha256: of its bytes, 64 hexadecimal digits.
    """

    name: str
    size_bytes: int
    sha256: str


def require_publishable(workspace: Workspace, run: str, batch: int | None) -> int:
    """The batch that is published, the last one where None.

    Raises:
        StudioError: there is no such checkpoint, or its generator cannot be rebuilt by strangers.
        CheckpointError: no such run.
    """
    checkpoints = CheckpointIndex(workspace.runs)[run]
    require_plain(run, checkpoints.spec)
    if not checkpoints.batches:
        raise StudioError(f"Run '{run}' has no checkpoint to publish. Train it first.")
    if batch is None:
        return checkpoints.batches[-1]
    if batch not in checkpoints.batches:
        near = min(checkpoints.batches, key=lambda kept: abs(kept - batch))
        raise StudioError(
            f"Run '{run}' has no checkpoint of batch {batch:,}. The nearest: {run}@{near}"
        )
    return batch


def write_published(
    workspace: Workspace,
    run: str,
    batch: int,
    to: str,
    folder: Path,
    device: str | None = None,
    on_progress: OnProgress = ignore_progress,
) -> list[PublishedFile]:
    """Write the folder of a checkpoint, whole or not at all; the same again where nothing changed.

    Args:
        batch: what `require_publishable` gave.
        to: the repository of the Hub that its card names, as USER/NAME.
        folder: a new one, an empty one, or one that was written so before.
        device: see `borrow_device`.

    Raises:
        StudioError: the folder holds other things or cannot be written, or settings are damaged.
        CheckpointError: no such run, or a checkpoint that is damaged.
        RenderError: a picture cannot be drawn.
    """
    facts = RunFacts.of_run(workspace, run)
    checkpoints = CheckpointIndex(workspace.runs)[run]
    with FOLDER.writing(folder) as made:
        steps = _Steps(on_progress)
        weights = checkpoints.weights(batch)
        _write_tensors(weights, made / WEIGHTS)
        steps.next("specimens")
        points = _choose_specimens(workspace, checkpoints)
        if points:
            _write_tensors({point.label: point.z for point in points}, made / POINTS)
            _draw_specimens(workspace, run, batch, points, made / SHEET, device)
        steps.next("curves")
        has_curves = _draw_curves(facts, made / CURVE_PICTURE)
        steps.next("film")
        film = _put_film(workspace, checkpoints, made / FILM, device)
        steps.next("card")
        content = CardContent(
            to=to,
            batch=batch,
            spec=checkpoints.spec,
            parameters=sum(t.numel() for t in weights.values() if t.is_floating_point()),
            weights_bytes=(made / WEIGHTS).stat().st_size,
            specimens=[point.label for point in points],
            film=film,
            has_curves=has_curves,
            points=len(points),
            held_out=_are_held_out(workspace, facts, points),
        )
        create_whole(made / CARD, write_card(facts, content).encode())
        create_whole(made / NETWORK, network_source(checkpoints.spec).encode())
        create_whole(made / SCRIPT, generate_source(checkpoints.spec).encode())
        told = {
            "run": run,
            "batch": batch,
            "storage": checkpoints.storage,
            "weights_sha256": sha256_of(made / WEIGHTS),
            "attribution": facts.attribution,
        }
        create_whole(made / CONFIG, write_config(checkpoints.spec, told).encode())
        steps.next("")
    return list_published(folder)


def list_published(folder: Path) -> list[PublishedFile]:
    """The files of a published folder, in the order of FILES."""
    there = [folder / name for name in FILES if (folder / name).is_file()]
    return [PublishedFile(path.name, path.stat().st_size, sha256_of(path)) for path in there]


class _Steps:
    """Counts the steps of writing a folder."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress, self._done = on_progress, 0

    def next(self, name: str) -> None:
        self._done += 1
        self._on_progress(self._done, 5, name)


def _write_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """Write tensors in the order of their names, safely on disk; the same bytes each time."""
    plain = {name: tensors[name].detach().cpu().contiguous().clone() for name in sorted(tensors)}
    safetensors.torch.save_file(plain, path, {"format": "pt"})
    with path.open("rb+") as file:
        sync_file(file)


def _choose_specimens(workspace: Workspace, checkpoints: CheckpointRun) -> list[LatentPoint]:
    """The specimens that somebody would show first; seeds where a run has none and can draw."""
    wanted = SpecimenSearch(sort="offered")
    labels = find_labels(workspace, checkpoints.name, wanted, MAX_SPECIMENS)
    if not labels and checkpoints.spec.can_draw:
        labels = [f"seed:{seed}" for seed in range(MAX_SPECIMENS)]
    return resolve_points(workspace, checkpoints.name, labels, checkpoints.spec.z_dim)


def _are_held_out(workspace: Workspace, facts: RunFacts, points: Sequence[LatentPoint]) -> bool:
    """Whether these are the pictures that a run was filmed on, which its training never sees."""
    if facts.spec.can_draw or facts.config is None:
        return False
    fixed = {point.label for point in points_of(workspace, facts.run, FIXED)}
    return bool(points) and fixed.issuperset(point.label for point in points)


def _draw_specimens(
    workspace: Workspace,
    run: str,
    batch: int,
    points: Sequence[LatentPoint],
    path: Path,
    device: str | None,
) -> None:
    """The sheet of specimens at a batch, with the attribution below."""
    labels = [point.label for point in points]
    options = ExportOptions(at_batch=str(batch), sheet=path)
    export_specimens(workspace, run, labels, options, device)


def _draw_curves(facts: RunFacts, path: Path) -> bool:
    """The curves of the training as a picture; False where there are none worth drawing."""
    panels = list(_panels(facts))
    if not panels:
        return False
    span = float(min(panel.x[0] for panel in panels)), float(max(p.x[-1] for p in panels))
    save_picture(draw_charts(panels, span, f"{facts.run}: batch"), path)
    return True


def _panels(facts: RunFacts) -> Iterator[Panel]:
    for curve in facts.curves:
        for metric, called, _ in curve.series:
            values = metric_values(facts.metrics, metric)
            if len(values) < LEAST_VALUES:
                continue
            shown: np.ndarray = smooth_values(values)
            title = f"{curve.title}: {called}" if called else curve.title
            yield Panel(title, shown[:, 0], shown[:, 1], "{:.3g}")


def _put_film(
    workspace: Workspace, checkpoints: CheckpointRun, path: Path, device: str | None
) -> str:
    """The film of the training, the run's own or a small one; what it is, in a sentence."""
    if len(checkpoints.batches) < 2:
        return ""
    found = _own_film(workspace, checkpoints.name)
    said = "the whole training, as the run filmed itself."
    if found is None:
        if not (checkpoints.spec.can_draw or points_of(workspace, checkpoints.name, FIXED)):
            return ""
        found = _render_film(workspace, checkpoints.name, device)
        said = f"the whole training, rendered small ({FILM_PX} px) from the checkpoints."
    if found.stat().st_size > MAX_FILM_BYTES:
        return ""
    _copy_whole(found, path)
    return said


def _own_film(workspace: Workspace, run: str) -> Path | None:
    """The film of all points that a run grew; None where there is none of a size to be sent."""
    try:
        (video,) = join_live_film(workspace, run, labels=[GRID])
    except EXPECTED_ERRORS:  # There is none, or it cannot be joined: one is rendered.
        return None
    return video.path if video.path.stat().st_size <= MAX_FILM_BYTES else None


def _render_film(workspace: Workspace, run: str, device: str | None) -> Path:
    points = [point.label for point in points_of(workspace, run, FIXED)][:9]
    film = Timelapse(
        run=run,
        points=tuple(points or ["seed:0-8"]),
        films="grid",
        size=str(FILM_PX),
        fps=FILM_RATE,
        duration=FILM_SECONDS,
        missing="skip",
        skip_damaged=True,
        devices=(device,) if device else (),
    )
    (video,) = film_timelapse(workspace, film, ignore_progress)
    return video.path


def _copy_whole(source: Path, path: Path) -> None:
    with source.open("rb") as read, path.open("xb") as written:
        shutil.copyfileobj(read, written)
        sync_file(written)
