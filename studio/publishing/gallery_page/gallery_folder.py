"""The folder of a gallery: one page about a run with all that it shows, whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from checkpoints_index.storage.files import create_whole, sync_folder
from renderers.progress import OnProgress, ignore_progress
from studio.publishing.gallery_page.page_assets import put_atlas, put_films, put_specimens
from studio.publishing.gallery_page.page_markup import MARK, write_page
from studio.publishing.model_kinds import kind_of
from studio.publishing.own_folders import OwnFolder
from studio.publishing.run_facts import RunFacts
from studio.workspace.paths import Workspace

PAGE, ASSETS = "index.html", "assets"
FOLDER = OwnFolder("a gallery", frozenset((PAGE, ASSETS)), PAGE, MARK.encode())


@dataclass(frozen=True)
class WrittenGallery:
    """A gallery that was written.

    Attributes:
        page: index.html.
        films, specimens: how many there are of each.
        has_atlas: whether it shows an atlas.
        size_bytes: of all files.
    """

    page: Path
    films: int
    specimens: int
    has_atlas: bool
    size_bytes: int


def write_gallery(
    workspace: Workspace,
    run: str,
    folder: Path,
    device: str | None = None,
    on_progress: OnProgress = ignore_progress,
) -> WrittenGallery:
    """Write a page about a run that any web server can give out, and a browser can open as a file.

    Args:
        folder: a new one, an empty one, or that of a former gallery, which is replaced.
        device: see `borrow_device`.

    Raises:
        StudioError: the folder holds other things or cannot be written, or settings are damaged.
        CheckpointError: no such run, or a checkpoint that is damaged.
    """
    facts = RunFacts.of_run(workspace, run)
    with FOLDER.writing(folder) as made:
        films = put_films(workspace, run, made, kind_of(facts.spec), on_progress)
        on_progress(len(films), len(films) + 1, "specimens")
        specimens = put_specimens(workspace, run, made, device)
        atlas = put_atlas(workspace, run, made)
        create_whole(made / PAGE, write_page(facts, films, specimens, atlas).encode())
        for below in ("films", "specimens", ""):
            sync_folder(made / ASSETS / below)
        on_progress(len(films) + 1, len(films) + 1)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return WrittenGallery(folder / PAGE, len(films), len(specimens), atlas is not None, size)
