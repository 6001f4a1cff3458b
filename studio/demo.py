"""The whole way on real city maps: train, film, walk, map, export.

Each step is an action and reuses what an earlier call has made, so a second call takes seconds and
a killed one goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.actions.action import Action, Result, Table
from studio.actions.declared.atlas_actions import Atlas
from studio.actions.declared.training_actions import Resume
from studio.actions.demo_steps import (
    ATLAS_CITIES,
    CITY,
    FILM,
    HELSINKI,
    RUN,
    go_on_training,
    spread_specimens,
    train_city,
    walk_city,
)
from studio.actions.job_actions import JobStarted
from studio.actions.submission import perform
from studio.app import SECTION, App
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import DeclaredRecord, option

if TYPE_CHECKING:
    from studio.atlases.atlas_files import DrawnAtlas


class Product(DeclaredRecord):
    """Something the demo made, in words, and where it lies."""

    what: str
    path: Path


class DemoResult(Result):
    """What the demo made."""

    root: Path
    products: tuple[Product, ...]
    attribution: str
    training: JobStarted | None = None

    def document(self) -> Any:
        """One object a product."""
        return [product.model_dump(mode="json") for product in self.products]

    def tell(self) -> Iterator[str | Table]:
        """A table of what was made and where."""
        yield f"In {self.root}"
        rows = [(made.what, made.path.relative_to(self.root)) for made in self.products]
        yield Table(["made", "where"], rows)
        yield self.attribution
        if self.training is not None:
            yield (
                f"The run goes on as job {self.training.id}, so that its cities get better while "
                f"you look. Stop it on the page, or: studio stop {RUN}"
            )


class Demo(Action):
    """Go the whole way on real city maps.

    Draw a city, train on it, film the training, walk in latent space, draw an atlas, export
    specimens, and open the app, beside which the training goes on as a job.
    """

    command = "demo"
    makes_workspace = True
    section = SECTION
    is_job = False
    is_remote = False

    serve: bool = option(True, "Open the app at the end, or end there.")
    batches: int | None = option(None, "Train to this batch, rather than the tuned one.", ge=10)

    def perform(self, workspace: Workspace, reporter: Reporter) -> DemoResult:
        """Make everything that is not there yet."""
        from studio.runs.attribution import attribution_of

        last = _train(workspace, self.batches, reporter)
        atlas = _map(workspace, last)
        made = [
            (f"{last:,} checkpoints, one a batch", workspace.run(RUN) / "checkpoints"),
            *_film(workspace, last),
            _walk(workspace, last),
            (f"atlas of {atlas.count} cities", atlas.path),
            *((f"specimen {path.stem}", path) for path in _export(workspace, last)),
        ]
        job = go_on_training(workspace) if self.serve else None
        return DemoResult(
            root=workspace.root,
            products=tuple(Product(what=what, path=path) for what, path in made),
            attribution=attribution_of(workspace, RUN),
            training=JobStarted(id=job.id, text=job.text) if job else None,
        )

    def follow_up(self) -> App | None:
        """The app opens once the products are told."""
        return App() if self.serve else None


def _train(workspace: Workspace, batches: int | None, reporter: Reporter) -> int:
    """Train the demo's run to a batch, from wherever it is.

    Returns:
        The batch that the products are made of: that one, however far the run has gone on since.
    """
    from checkpoints_index.storage.catalogue import list_runs, open_catalogue
    from studio.datasets.listing import list_datasets
    from studio.runs.status import read_config
    from studio.training.setup.presets import DEMO

    target = batches or DEMO.batches
    if CITY not in list_datasets(workspace):
        perform(workspace, HELSINKI)
    if RUN not in list_runs(workspace.runs):
        training: Action = train_city(target)
    else:
        kept = open_catalogue(workspace.runs, RUN).batches
        if kept and kept[-1] >= target:
            reporter.say(f"Run '{RUN}' is trained to batch {kept[-1]:,} already.")
            return target if target in kept else kept[-1]
        training = Resume(run=RUN, batches=max(target, read_config(workspace, RUN).batches))
    perform(workspace, training)
    last = open_catalogue(workspace.runs, RUN).batches[-1]
    if last < target:
        raise StudioError(f"Stopped at batch {last:,}. The same command goes on from there.")
    return last


def _film(workspace: Workspace, last: int) -> list[tuple[str, Path]]:
    made = perform(workspace, FILM.model_copy(update={"batches": f"0:{last + 1}"}))
    videos = made.document()["videos"]
    return [
        (f"training film {video['label']}, {video['frames']:,} frames", Path(video["path"]))
        for video in videos
    ]


def _walk(workspace: Workspace, batch: int) -> tuple[str, Path]:
    from studio.specimens.points import FIXED, points_of

    labels = [point.label for point in points_of(workspace, RUN, FIXED)]
    stops = (labels[0], labels[len(labels) // 2], labels[-1], labels[0])
    out = workspace.render(f"{RUN}-walk-{batch}") / "walk.mp4"
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        perform(workspace, walk_city(batch, stops, out))
    return f"walk {' to '.join(stops)}", out


def _map(workspace: Workspace, batch: int) -> DrawnAtlas:
    from studio.atlases.atlas_files import list_atlases

    def find() -> DrawnAtlas | None:
        atlases = list_atlases(workspace, RUN)
        whole = (atlas for atlas in atlases if atlas.around is None)
        return next((atlas for atlas in whole if atlas.batch == batch), None)

    if (found := find()) is not None:
        return found
    perform(workspace, Atlas(run=RUN, batch=batch, count=ATLAS_CITIES))
    drawn = find()
    assert drawn is not None, "the action draws it"
    return drawn


def _export(workspace: Workspace, batch: int) -> list[Path]:
    """Cities from all over the atlas, as specimens."""
    from studio.specimens.specimens import picture_path

    made = perform(workspace, spread_specimens(batch)).document()
    return [picture_path(workspace, RUN, specimen["label"]) for specimen in made]
