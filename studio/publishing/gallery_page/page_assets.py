"""What a gallery page shows beside its words: films with posters, specimens, and the atlas."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from checkpoints_index.storage.files import create_whole, sync_file
from renderers.errors import RenderError
from renderers.plan.outputs import GRID
from renderers.progress import OnProgress
from renderers.video.video_reader import read_late_picture
from studio.atlases.atlas_files import list_atlases
from studio.films.film_records import FilmRecord, film_content, list_film_records
from studio.films.live import join_live_film, live_frames
from studio.publishing.model_kinds import ModelKind
from studio.specimens.exports import ExportOptions, export_specimens
from studio.specimens.specimen_search import SpecimenSearch, find_specimens
from studio.upkeep.film_names import given_name
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace

MAX_FILMS, MAX_FILM_BYTES = 8, 200_000_000
MAX_SPECIMENS = 48
POSTER_PX, SPECIMEN_PX = 960, 512
PLAYED = (".mp4", ".webm")  # Films that every browser plays.
TITLES = {
    "render timelapse": "The training",
    "render interpolation": "A walk from {thing} to {thing}",
    "render path": "A way through training and latent space",
    "render between": "From one picture to another",
    "render direction": "Along a direction",
    "render layer": "Inside the network",
    "render atlas-growth": "The atlas grows",
    "film": "The training, as the run filmed itself",
}


@dataclass(frozen=True)
class PageFilm:
    """A film on the page.

    Attributes:
        file, poster: its places below the folder of the page, with slashes.
        width, height: of its frames, as the poster has them.
        title: what it is.
        caption: which points and batches it shows.
    """

    file: str
    poster: str
    width: int
    height: int
    title: str
    caption: str


@dataclass(frozen=True)
class PagePicture:
    """A picture on the page.

    Attributes:
        file: its place below the folder of the page, with slashes.
        title: its label, or its name.
        caption: further words.
    """

    file: str
    width: int
    height: int
    title: str
    caption: str


def put_films(
    workspace: Workspace, run: str, folder: Path, kind: ModelKind, on_progress: OnProgress
) -> list[PageFilm]:
    """Copy the films of a run below a folder, the newest of each kind first.

    Args:
        folder: that of the page.
        kind: what the pictures of the run are of.
    """
    shown: list[PageFilm] = []
    found = _choose_films(workspace, run)
    (folder / "assets" / "films").mkdir(parents=True)
    for record in found:
        number = len(shown) + 1
        with suppress(RenderError):  # One that cannot be read is no reason to show none.
            poster = read_late_picture(record.path, POSTER_PX)
            file = f"assets/films/film-{number}{record.path.suffix.lower()}"
            picture = f"assets/films/film-{number}.jpg"
            create_whole(folder / picture, poster)
            _copy_file(record.path, folder / file)
            width, height = _size_of(folder / picture)
            title = given_name(record.path.parent) or TITLES.get(record.action, "A film").format(
                thing=kind.thing
            )
            caption = _describe_film(workspace, run, record, kind)
            shown.append(PageFilm(file, picture, width, height, title, caption))
        on_progress(len(shown), len(found), "films")
    return shown


def put_specimens(
    workspace: Workspace, run: str, folder: Path, device: str | None
) -> list[PagePicture]:
    """Draw the specimens of a run below a folder, those that somebody would show first.

    Args:
        folder: that of the page.
        device: see `borrow_device`.
    """
    chosen = find_specimens(workspace, run, SpecimenSearch(sort="offered"))[:MAX_SPECIMENS]
    place = folder / "assets" / "specimens"
    place.mkdir(parents=True)
    if not chosen:
        return []
    options = ExportOptions(size=(SPECIMEN_PX, SPECIMEN_PX), out=place)
    drawn = export_specimens(workspace, run, [each.label for each in chosen], options, device)
    shown = []
    for number, (said, specimen) in enumerate(zip(chosen, drawn, strict=True), 1):
        assert specimen.path is not None
        path = specimen.path.rename(place / f"specimen-{number}.jpg")
        words = [said.label] if said.name else []
        words += [f"batch {specimen.at_batch:,}"] if specimen.at_batch is not None else []
        words += ["★" * said.rating] if said.rating else []
        caption = " · ".join([*words, *said.tags])
        title = said.name or said.label
        file = f"assets/specimens/{path.name}"
        shown.append(PagePicture(file, *_size_of(path), title, caption))
    return shown


def put_atlas(workspace: Workspace, run: str, folder: Path) -> PagePicture | None:
    """Copy the newest atlas of a run below a folder; None where there is none.

    Args:
        folder: that of the page.
    """
    atlases = list_atlases(workspace, run)
    if not atlases:
        return None
    atlas = atlases[0]
    path = folder / "assets" / "atlas.png"
    _copy_file(atlas.path, path)
    title = f"{atlas.count:,} cities at batch {atlas.batch:,}"
    caption = f"Like lies near like, measured in {atlas.space}."
    if atlas.trust is not None:
        caption += f" {atlas.trust.faithful:.0%} of near cities are near on the map."
    return PagePicture("assets/atlas.png", *_size_of(path), title, caption)


def _choose_films(workspace: Workspace, run: str) -> list[FilmRecord]:
    """The newest films, at most one of each action before there are more of one."""
    records = reversed(list_film_records(workspace, run).values())
    fitting = [record for record in records if _can_be_shown(record.path)]
    kinds: dict[str, list[FilmRecord]] = {}
    for record in fitting:
        kinds.setdefault(record.action, []).append(record)
    firsts = [kind[0] for kind in kinds.values()]
    chosen = sorted(firsts, key=lambda record: record.action != "render timelapse")
    chosen += [record for record in fitting if record not in firsts]
    if "render timelapse" not in kinds:
        chosen = [*_live_film(workspace, run), *chosen]
    return chosen[:MAX_FILMS]


def _live_film(workspace: Workspace, run: str) -> Iterator[FilmRecord]:
    """The film that a run grew itself, as far as it has one."""
    with suppress(*EXPECTED_ERRORS):
        (video,) = join_live_film(workspace, run, labels=[GRID])
        if _can_be_shown(video.path):
            yield FilmRecord(run, video.path, "film", {}, video.path.stat().st_mtime)


def _can_be_shown(path: Path) -> bool:
    return path.suffix.lower() in PLAYED and path.stat().st_size <= MAX_FILM_BYTES


def _describe_film(workspace: Workspace, run: str, record: FilmRecord, kind: ModelKind) -> str:
    if record.action == "film":
        frames = live_frames(workspace, run)
        return f"Batch {frames[0]:,} to {frames[-1]:,}."
    content = film_content(workspace, record.path)
    if content is None:
        return ""
    batches = f"Batch {content.first:,}"
    if content.last != content.first:
        batches += f" to {content.last:,}, {content.checkpoints:,} checkpoints"
    count = len(content.labels)
    return f"{batches}; {count:,} {kind.things}." if count > 1 else f"{batches}."


def _copy_file(source: Path, path: Path) -> None:
    with source.open("rb") as read, path.open("xb") as written:
        shutil.copyfileobj(read, written)
        sync_file(written)


def _size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size
