"""Where the points of a film lie on an atlas of their run, for a map that lights up."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from latent.points import LatentPoint
from renderers.compositions.composition import Composition
from studio.atlases.atlas_files import DrawnAtlas, find_atlas
from studio.atlases.locating import locate_cities
from studio.films.options.film_options import Timelapse
from studio.films.planning import OpenFilm
from studio.specimens.points import resolve_points
from studio.workspace.paths import Workspace

SHOWN_CITIES = 9  # Where no points are named, so many from all over the atlas are shown.
MAX_DOTS = 4000  # More dots of an atlas run into each other.

Place = tuple[float, float]


def place_on_map(opened: OpenFilm[Timelapse]) -> tuple[list[LatentPoint], Composition]:
    """The points of a film and its map; cities from all over the atlas where none are named.

    The atlas is the newest of the whole run.

    Raises:
        StudioError: the run has no atlas, or a point is unknown.
        CheckpointError: the checkpoint of the atlas is gone, and a point that is not on it has to
            be placed.
    """
    composition = opened.options.composition
    assert composition is not None, "a film that is not composed has no map"
    atlas = find_atlas(opened.workspace, opened.run, None, None)
    texts = opened.film.points or tuple(atlas.far_apart(SHOWN_CITIES))
    points = resolve_points(opened.workspace, opened.run, texts, opened.checkpoints.spec.z_dim)
    known = dict(zip(atlas.labels, map(_down, atlas.coordinates.tolist()), strict=True))
    others = tuple(point.label for point in points if point.label not in known)
    if others:
        known |= _locate(opened.workspace, atlas.path, atlas.path.stat().st_mtime_ns, others)
    around = list(known.values())[: min(atlas.count, MAX_DOTS)]
    places = tuple(known[point.label] for point in points)
    return points, replace(composition, places=places, around=tuple(around))


@lru_cache(maxsize=16)
def _locate(
    workspace: Workspace, path: Path, written_ns: int, labels: tuple[str, ...]
) -> dict[str, Place]:
    """Places of points that are not on an atlas; `written_ns` tells it from a later one."""
    atlas = _read(path)
    found = locate_cities(workspace, atlas, labels)
    return {city.label: _down((city.x, city.y)) for city in found}


def _read(path: Path) -> DrawnAtlas:
    from studio.atlases.atlas_files import RECORD, read_atlas

    return read_atlas(path.with_name(RECORD))


def _down(place: Place | list[float]) -> Place:
    """A place whose y goes down, as in a picture, rather than up; rounded, as plans keep it."""
    return round(float(place[0]), 4), round(1 - float(place[1]), 4)
