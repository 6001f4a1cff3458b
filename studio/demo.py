"""The whole way on real city maps: train, film, walk, map, export.

Each step reuses what an earlier call has made, so a second call takes seconds and a killed one
goes on where it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from checkpoints_index.storage.catalogue import list_runs, open_catalogue
from renderers.plan.options import RenderOptions
from studio.datasets.city import prepare_city
from studio.datasets.listing import list_datasets
from studio.films.film_options import Interpolation, Rendering, Timelapse
from studio.films.interpolation import film_interpolation
from studio.films.timelapse import film_timelapse
from studio.runs.attribution import attribution_of
from studio.runs.status import read_config
from studio.specimens.atlases import Atlas, list_atlases, make_atlas
from studio.specimens.points import FIXED, points_of
from studio.specimens.specimens import export_specimens, picture_path, star_specimen
from studio.training.loop.session import train_run
from studio.training.setup.creation import create_run, extend_run
from studio.training.setup.presets import DEMO, DEMO_METRES_PER_PIXEL, DEMO_PICTURES
from studio.workspace.errors import StudioError
from studio.workspace.jobs import working_as_job
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.stopping import stop_requests

CITY = RUN = "helsinki"
FPS = 60
FILM_SCALE = 4  # 256 px a city, 784 px the grid: encoding is most of a film's cost
WALK_SECONDS = 12.0
ATLAS_CITIES = 600
SPECIMENS = 6


class Product(NamedTuple):
    """Something the demo made, in words, and where it lies."""

    what: str
    path: Path


def run_demo(workspace: Workspace, reporter: Reporter, batches: int | None = None) -> list[Product]:
    """Make everything that is not there yet.

    Args:
        batches: train to this batch rather than to the one the demo is tuned for.

    Raises:
        StudioError: a step failed, or the training was asked to stop.
    """
    last = _train(workspace, batches or DEMO.batches, reporter)
    films = _film(workspace)
    walk = _walk(workspace, last)
    atlas = _map(workspace, last)
    specimens = _export(workspace, atlas)
    pictures = [Product(f"specimen {path.stem}", path) for path in specimens]
    return [
        Product(f"{last:,} checkpoints, one a batch", workspace.run(RUN) / "checkpoints"),
        *films,
        walk,
        Product(f"atlas of {atlas.count} cities", atlas.path),
        *pictures,
    ]


def show_products(workspace: Workspace, products: list[Product]) -> None:
    """A table of what was made and where."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=f"In {workspace.root}", title_justify="left")
    table.add_column("made")
    table.add_column("where", overflow="fold")
    for product in products:
        table.add_row(product.what, str(product.path.relative_to(workspace.root)))
    console = Console()
    console.print(table)
    console.print(attribution_of(workspace, RUN), highlight=False)


def _train(workspace: Workspace, target: int, reporter: Reporter) -> int:
    """Train the demo's run to a batch, from wherever it is."""
    if CITY not in list_datasets(workspace):
        with (
            _job(workspace, ["datasets", "add-cities", "--name", CITY]) as job,
            job.task(f"Drawing {CITY.title()}") as on_progress,
        ):
            prepare_city(
                CITY,
                workspace.dataset(CITY),
                DEMO.image_size,
                metres_per_pixel=DEMO_METRES_PER_PIXEL,
                count=DEMO_PICTURES,
                on_progress=on_progress,
            )
    if RUN not in list_runs(workspace.runs):
        config = dataclasses.replace(DEMO, dataset=CITY, batches=target)
        create_run(workspace, RUN, config, storage="visual")
    kept = open_catalogue(workspace.runs, RUN).batches
    if kept and kept[-1] >= target:
        reporter.say(f"Run '{RUN}' is trained to batch {kept[-1]:,} already.")
        return kept[-1]
    extend_run(workspace, RUN, max(target, read_config(workspace, RUN).batches))
    with (
        _job(workspace, ["resume", RUN]) as job,
        stop_requests() as should_stop,
        job.task("Training") as on_progress,
    ):
        status, last = train_run(workspace, RUN, on_progress, should_stop, say=job.say)
    if status != "finished":
        raise StudioError(f"Stopped at batch {last:,}. The same command goes on from there.")
    return last


def _film(workspace: Workspace) -> list[Product]:
    options = RenderOptions(fps=FPS, overlay=("batch",), points=True, grid=True)
    command = ["render", "timelapse", RUN, "--both", "--overlay", "--fps", str(FPS)]
    with _job(workspace, command) as job, job.task("Filming the training") as on_progress:
        videos = film_timelapse(workspace, RUN, Timelapse(), Rendering(options), on_progress)
    return [Product(f"training film {v.label}, {v.frames:,} frames", v.path) for v in videos]


def _walk(workspace: Workspace, batch: int) -> Product:
    labels = [point.label for point in points_of(workspace, RUN, FIXED)]
    stops = [labels[0], labels[len(labels) // 2], labels[-1], labels[0]]
    out = workspace.render(f"{RUN}-walk-{batch}") / "walk.mp4"
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        words = ["render", "interpolation", RUN, "--batch", str(batch), "--points", ",".join(stops)]
        with _job(workspace, words) as job, job.task("Walking between cities") as on_progress:
            wish = Interpolation(stops, batch, seconds=WALK_SECONDS)
            rendering = Rendering(RenderOptions(fps=FPS), out=out)
            film_interpolation(workspace, RUN, wish, rendering, on_progress)
    return Product(f"walk {' to '.join(stops)}", out)


def _map(workspace: Workspace, batch: int) -> Atlas:
    for atlas in list_atlases(workspace, RUN):
        if atlas.batch == batch:
            return atlas
    words = ["atlas", RUN, "--batch", str(batch), "--count", str(ATLAS_CITIES)]
    with _job(workspace, words) as job:
        return make_atlas(workspace, RUN, batch, ATLAS_CITIES, job)


def _export(workspace: Workspace, atlas: Atlas) -> list[Path]:
    """Cities from all over the atlas, as specimens."""
    labels = _spread(atlas)
    missing = [label for label in labels if not picture_path(workspace, RUN, label).exists()]
    if missing:
        export_specimens(workspace, RUN, missing)
    for label in labels:
        star_specimen(workspace, RUN, label)
    return [picture_path(workspace, RUN, label) for label in labels]


def _spread(atlas: Atlas) -> list[str]:
    """Labels of points far from each other on the map, each the farthest from those before."""
    places = np.asarray(atlas.coordinates)
    chosen = [0]
    while len(chosen) < SPECIMENS:
        to_chosen = np.linalg.norm(places[:, None] - places[chosen], axis=2).min(1)
        chosen.append(int(to_chosen.argmax()))
    return [atlas.labels[i] for i in chosen]


@contextmanager
def _job(workspace: Workspace, command: list[str]) -> Iterator[Reporter]:
    """One step, recorded as the job that its command would be."""
    with working_as_job(workspace, command, RUN) as job_id:
        yield Reporter(workspace, job_id)
