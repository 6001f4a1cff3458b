"""A film of any folder of numbered or dated pictures as an action."""

from __future__ import annotations

import time
from collections.abc import Iterator

from studio.actions.action import Table
from studio.actions.declared.film_actions import KEPT, SECTION, FilmAction, RenderResult
from studio.films.options.folder_options import FolderFilm
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.record import DeclaredRecord

SHOWN = 20  # So many pictures that were left out are listed.


class LeftOutPicture(DeclaredRecord):
    """A picture that could not be read, and why."""

    name: str
    reason: str


class FolderFilmResult(RenderResult):
    """The film, and the pictures that it lacks."""

    left_out: tuple[LeftOutPicture, ...] = ()

    def tell(self) -> Iterator[str | Table]:
        """The film, then what was left out."""
        yield from super().tell()
        yield from (f"Left out: {row.name}: {row.reason}" for row in self.left_out[:SHOWN])
        if len(self.left_out) > SHOWN:
            yield f"... and {len(self.left_out) - SHOWN:,} more"


class RenderFolder(FilmAction, FolderFilm):
    """Film a folder of numbered or dated pictures.

    They go by the number that differs from name to name, or by their dates, one frame each, through
    the same encoders and texts as other films.
    """

    command = "render folder"
    makes_workspace = True
    section = SECTION
    kept = KEPT

    def asked_devices(self) -> tuple[str, ...] | None:
        """The CPU, unless a network makes the pictures larger."""
        return super().asked_devices() if self.upscale else ("cpu",)

    def check(self, workspace: Workspace) -> None:
        """Refuse what `studio.films.folders.folder_film.check_folder_film` refuses."""
        from studio.films.folders.folder_film import check_folder_film

        check_folder_film(workspace, self)

    def perform(self, workspace: Workspace, reporter: Reporter) -> FolderFilmResult:
        """Render it, on its devices."""
        made = super().perform(workspace, reporter)
        assert isinstance(made, FolderFilmResult)
        return made

    def render(self, workspace: Workspace, reporter: Reporter) -> FolderFilmResult:
        """Render it."""
        from studio.datasets.folder import readable_name
        from studio.films.folders.folder_film import film_pictures

        began = time.monotonic()
        with reporter.task("Rendering frames") as on_progress:
            video, left_out = film_pictures(workspace, self, on_progress, reporter.say)
        rows = (LeftOutPicture(name=readable_name(n), reason=why) for n, why in left_out.items())
        made = RenderResult.of([video], began)
        return FolderFilmResult(videos=made.videos, seconds=made.seconds, left_out=tuple(rows))


ACTIONS = (RenderFolder,)
