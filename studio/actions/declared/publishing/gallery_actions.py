"""A page about a run as an action."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from studio.actions.action import Action, Result, Table
from studio.workspace.claims import Claim
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.quantities import format_bytes
from studio.workspace.records.record import device_option, option, run_name

SECTION = "Films"


class GalleryResult(Result):
    """Where the page lies, and what it shows."""

    path: Path
    films: int
    specimens: int
    atlas: bool
    size_bytes: int

    def tell(self) -> Iterator[str | Table]:
        """A line."""
        atlas = " and an atlas" if self.atlas else ""
        yield (
            f"{self.path}: {self.films:,} films, {self.specimens:,} specimens{atlas}, "
            f"{format_bytes(self.size_bytes)}"
        )


class WriteGallery(Action):
    """Write a page about a run, for any web server.

    One folder with index.html and what it shows: films, specimens, the newest atlas, curves, events
    and alarms, and the dataset's attribution. It runs no script, and opens as a file as well.
    """

    command = "gallery"
    section = SECTION

    run: str = run_name()
    out: Path | None = option(
        None,
        "A new or empty folder, or that of a former gallery; among the exports by default.",
        metavar="FOLDER",
    )
    device: str | None = device_option()

    def claims(self) -> Sequence[Claim]:
        """The run keeps its name and its checkpoints meanwhile."""
        return [Claim("run", self.run)]

    def check(self, workspace: Workspace) -> None:
        """Refuse an unknown run, and a folder that holds other things."""
        from checkpoints_index.storage.catalogue import open_catalogue
        from studio.publishing.gallery_page.gallery_folder import FOLDER
        from studio.workspace.devices import require_device

        open_catalogue(workspace.runs, self.run)
        require_device(self.device)
        FOLDER.require(self.out or workspace.exported_gallery(self.run))

    def perform(self, workspace: Workspace, reporter: Reporter) -> GalleryResult:
        """Write it."""
        from studio.publishing.gallery_page.gallery_folder import write_gallery

        folder = self.out or workspace.exported_gallery(self.run)
        with reporter.task("Writing the page") as on_progress:
            done = write_gallery(workspace, self.run, folder, self.device, on_progress)
        return GalleryResult(
            path=done.page,
            films=done.films,
            specimens=done.specimens,
            atlas=done.has_atlas,
            size_bytes=done.size_bytes,
        )


ACTIONS = (WriteGallery,)
