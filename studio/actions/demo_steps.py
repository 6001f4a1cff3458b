"""The steps of the demo as actions: draw a city, train, film it, walk, map, export, train on.

The command `studio demo` takes them one after the other in its own process; a page hands them over
as jobs of which each follows the one before.
"""

from __future__ import annotations

from pathlib import Path

from studio.actions.action import Action
from studio.actions.declared.atlas_actions import Atlas, SpecimensSpread
from studio.actions.declared.dataset_actions import DatasetsAddCities
from studio.actions.declared.film_actions import RenderInterpolation, RenderTimelapse
from studio.actions.declared.training_actions import Resume, Train
from studio.actions.submission import submit
from studio.training.setup.presets import DEMO, DEMO_METRES_PER_PIXEL, DEMO_PICTURES
from studio.workspace.jobs import UNENDED, JobRow, Terms, jobs_that_are
from studio.workspace.paths import Workspace

CITY = RUN = "helsinki"
PRESET = "maps-and-drawings"
FPS = 60
WALK_SECONDS = 12.0
WALK_STOPS = ("0.0", "0.4", "0.8", "0.0")  # Fixed points; the walk ends where it began.
ATLAS_CITIES = 600
SPECIMENS = 6
GOES_ON_TO = 5000  # The batch to which the run trains beside the open app: some 20 minutes.
HELSINKI = DatasetsAddCities(
    name=CITY,
    image_size=DEMO.image_size,
    metres_per_pixel=DEMO_METRES_PER_PIXEL,
    count=DEMO_PICTURES,
)
FILM = RenderTimelapse(run=RUN, composition="grid")


def train_city(batches: int = DEMO.batches) -> Train:
    """Training of the demo's run, up to a batch."""
    return Train(dataset=CITY, run=RUN, preset=PRESET, batches=batches)


def walk_city(
    batch: int, stops: tuple[str, ...] = WALK_STOPS, out: Path | None = None
) -> RenderInterpolation:
    """A walk between cities of the demo's run.

    Args:
        batch: the checkpoint that draws it.
        stops: labels of points.
        out: the film; by default it lies among the renders under a name of its own.
    """
    return RenderInterpolation(
        run=RUN,
        points=stops,
        batch=batch,
        seconds=WALK_SECONDS,
        fps=FPS,
        composition="grid",
        out=out,
    )


def spread_specimens(batch: int) -> SpecimensSpread:
    """Specimens from all over the atlas of a checkpoint of the demo's run."""
    return SpecimensSpread(run=RUN, batch=batch, count=SPECIMENS)


def demo_steps(workspace: Workspace) -> list[Action]:
    """The demo in a workspace that has no run of it; the city is drawn where it is not there."""
    from studio.datasets.listing import list_datasets

    last = DEMO.batches
    city = [] if CITY in list_datasets(workspace) else [HELSINKI]
    atlas = Atlas(run=RUN, batch=last, count=ATLAS_CITIES)
    return [*city, train_city(), FILM, walk_city(last), atlas, spread_specimens(last)]


def submit_demo(workspace: Workspace) -> list[JobRow]:
    """Hand the demo over as jobs, each of which follows the one before.

    Returns:
        The jobs, in their order.

    Raises:
        StudioError: as `studio.actions.submission.submit`.
    """
    jobs: list[JobRow] = []
    for step in demo_steps(workspace):
        terms = Terms(follows=jobs[-1].id) if jobs else Terms()
        jobs.append(submit(workspace, step, terms))
    return jobs


def go_on_training(workspace: Workspace) -> JobRow | None:
    """Let the demo's run go on as a job, so that whoever looks at it sees its cities get better.

    Returns:
        The job; the one there is, where it trains, waits or is paused; None where the run has gone
        far enough.
    """
    from checkpoints_index.storage.catalogue import open_catalogue

    trains = (Train.command, Resume.command)
    for job in jobs_that_are(workspace, *UNENDED):
        if job.run == RUN and job.action in trains:
            return job
    kept = open_catalogue(workspace.runs, RUN).batches
    if kept and kept[-1] >= GOES_ON_TO:
        return None
    return submit(workspace, Resume(run=RUN, batches=GOES_ON_TO))
