"""What the layers of a generator make of points: listed, and filmed over training."""

from __future__ import annotations

import time
from collections.abc import Iterator

from studio.actions.action import Action, Result, Table
from studio.actions.declared.film_actions import KEPT, FilmAction, RenderResult
from studio.actions.declared.specimen_actions import SECTION, say_differences
from studio.films.options.film_options import LayerFilm
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import DeclaredRecord, run_name


class LayerRow(DeclaredRecord):
    """A layer that gives maps: how many, and how large they are."""

    name: str
    kind: str
    channels: int
    height_px: int
    width_px: int


class LayersResult(Result):
    """The layers of a run's generator, in the order in which they work."""

    run: str
    layers: tuple[LayerRow, ...]

    def tell(self) -> Iterator[str | Table]:
        """A table of them."""
        rows = [
            (row.name, row.kind, row.channels, f"{row.width_px} x {row.height_px}")
            for row in self.layers
        ]
        yield Table(["layer", "kind", "channels", "size in px"], rows, "No layer of it gives maps.")


class Layers(Action):
    """List the layers of a generator that give maps."""

    command = "layers"
    section = SECTION
    is_job = False

    run: str = run_name()

    def perform(self, workspace: Workspace, reporter: Reporter) -> LayersResult:
        """List them."""
        from studio.exploration.layers import list_run_layers

        rows = (
            LayerRow(
                name=layer.name,
                kind=layer.kind,
                channels=layer.channels,
                height_px=layer.height_px,
                width_px=layer.width_px,
            )
            for layer in list_run_layers(workspace, self.run)
        )
        return LayersResult(run=self.run, layers=tuple(rows))


class RenderLayer(FilmAction, LayerFilm):
    """Film what a layer makes of points over training.

    One frame a checkpoint: the maps of the chosen channels, a brightness meaning the same number
    in all frames.
    """

    command = "render layer"
    section = SECTION
    kept = KEPT

    def check(self, workspace: Workspace) -> None:
        """Refuse what `studio.films.layer.check_layer_film` refuses."""
        from studio.films.layer import check_layer_film

        check_layer_film(workspace, self)

    def render(self, workspace: Workspace, reporter: Reporter) -> RenderResult:
        """Render it."""
        from studio.films.layer import film_layer

        began = time.monotonic()
        with reporter.task("Rendering frames") as on_progress:
            say_differences(workspace, self.run, self.points, reporter)
            videos = film_layer(workspace, self, on_progress, reporter.say)
        return RenderResult.of(videos, began)


ACTIONS = (Layers, RenderLayer)
