"""The videos that a plan makes: what each shows, and which file it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from renderers.files import file_names
from renderers.pictures.scatter import ScatterView
from renderers.pictures.sheets import arrange_grid
from renderers.plan.options import RenderOptions
from renderers.plan.render_plan import RenderPlan
from renderers.video.formats import Format, format_of

GRID = "grid"
RENDER_BESIDE = ".{}.film"  # The folder of a render beside its film, by the film's name.


@dataclass(frozen=True)
class Video:
    """A finished video: its label is a latent point's, or `grid`."""

    path: Path
    label: str
    frames: int

    @property
    def size_bytes(self) -> int | None:
        """The size of the file, or of all numbered pictures; None if they are not there."""
        files = self.path.parent.glob("*") if format_of(self.path).numbered else [self.path]
        sizes = [file.stat().st_size for file in files if file.is_file()]
        return sum(sizes) if sizes else None


@dataclass(frozen=True)
class VideoView:
    """What one video shows of the pictures of all tracks.

    Args:
        point: the number of the track; None for a grid of all.
        columns: columns in the grid; the squarest if None.
        scatter: places of all pictures instead of a grid.
        is_composed: pictures are laid out when they are encoded.
    """

    label: str
    point: int | None
    columns: int | None = None
    scatter: ScatterView | None = None
    is_composed: bool = False

    def compose(self, pictures: np.ndarray, frame: int) -> np.ndarray:
        """What is encoded of the pictures of all points at a frame of the film.

        Args:
            pictures: uint8 [points, height, width, 3].

        Returns:
            uint8 [height, width, 3]; where the film is composed, [points shown, height, width, 3].
        """
        if self.scatter is not None:
            scattered = self.scatter.compose(pictures, frame)
            return scattered[None] if self.is_composed else scattered
        if self.is_composed:
            return pictures if self.point is None else pictures[self.point : self.point + 1]
        if self.point is None:
            return arrange_grid(pictures, self.columns)
        picture: np.ndarray = pictures[self.point]
        return picture


def list_views(plan: RenderPlan) -> list[VideoView]:
    """What each video of a plan shows, in the order of `output_paths`."""
    options = plan.options
    composed = options.composition is not None
    labels = plan.labels if options.points else ()
    points = [VideoView(label, i, is_composed=composed) for i, label in enumerate(labels)]
    grid = VideoView(GRID, None, options.columns, options.scatter, composed)
    return [*points, grid] if options.grid else points


def tags_of(plan: RenderPlan, label: str) -> dict[str, str]:
    """What the file of a video says of itself: the tags of its plan, of its own point alone.

    Args:
        label: of the video, see `VideoView`.
    """
    tags = dict(plan.caption.tags)
    if "points" in tags and label in plan.labels:
        tags["points"] = label
    return tags


def output_paths(file: Path | str, labels: Sequence[str], options: RenderOptions) -> list[Path]:
    """Where videos go: `FILE-LABEL.mp4` for each point, and the grid, if any, as `FILE.mp4`.

    A video that is alone has exactly the name that was asked for. Numbered pictures go to
    `FOLDER-LABEL/%06d.png`, and those of the grid, or of one point alone, to `FOLDER/%06d.png`.
    A label becomes a part of a name as `renderers.files.file_name` says: `seed:1` is `seed-1`.

    Args:
        file: the name that the person chose.
        labels: the points, in their order.
        options: which videos are made, and in which format.

    Raises:
        RenderError: the suffix of file is not that of the format.

    Example:
        >>> [str(path) for path in output_paths("city.mp4", ["1.2"], RenderOptions(grid=True))]
        ['city-1.2.mp4', 'city.mp4']
    """
    file = Path(file)
    format_of(file, options.format.codec)
    if not options.grid and len(labels) == 1:
        return [file]
    named = [_labelled(file, name) for name in file_names(labels)] if options.points else []
    return [*named, file] if options.grid else named


def earlier_paths(file: Path | str, labels: Sequence[str], options: RenderOptions) -> list[Path]:
    """Where earlier versions put the videos of `output_paths`, which are found there as well."""
    file = Path(file)
    marks = [re.sub(r"[/\\\0]", "-", label) for label in labels] if options.points else []
    named = [_labelled(file, mark) for mark in marks]
    return [*named, file] if options.grid else named


def default_file(folder: Path, name: str, form: Format) -> Path:
    """The file or numbered pictures of a film in folder, where nobody chose a name.

    Example:
        >>> str(default_file(Path("renders"), "city", Format()))
        'renders/city.mp4'
    """
    return folder / name / f"%06d{form.suffix}" if form.numbered else folder / (name + form.suffix)


def folder_beside(file: Path) -> Path:
    """The hidden folder for a render beside its film, or beside the folder of its pictures.

    Example:
        >>> str(folder_beside(Path("/films/city.mp4"))), str(folder_beside(Path("/a/%06d.png")))
        ('/films/.city.mp4.film', '/.a.film')
    """
    film = file.absolute()
    film = film.parent if format_of(film).numbered else film
    return film.with_name(RENDER_BESIDE.format(film.name))


def _labelled(file: Path, label: str) -> Path:
    if format_of(file).numbered:
        return file.parent.with_name(f"{file.parent.name}-{label}") / file.name
    return file.with_name(f"{file.stem}-{label}{file.suffix}")
