"""Films of an atlas over training: cities move on the map while they are still growing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from latent.points import LatentPoint
from renderers.jobs.rendering import render_film
from renderers.pictures.scatter import ScatterView
from renderers.plan.outputs import Video
from renderers.plan.pacing import spread
from renderers.progress import OnProgress
from studio.atlases.growth_files import GrowthAtlas, find_growth
from studio.atlases.growth_pictures import lay_in_frames, picture_size
from studio.films.options.growth_options import GrowthFilm
from studio.films.planning import OpenFilm, choose_engine, count_frames, open_film, plan_film
from studio.runs.selection import choose_batches
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Say, ignore_line

SIZE_PX = 1080  # Width and height of a frame before it is scaled.
MOMENTS = 4  # From map to map, pictures are pushed apart at so many moments.


def check_growth_film(workspace: Workspace, film: GrowthFilm) -> None:
    """Refuse a film that cannot be made, before anything is rendered.

    Raises:
        StudioError: or an error of the libraries: unknown run, an atlas that is not there or not
            finished, too few frames for its maps, or too many for the format.
    """
    opened, atlas = _open(workspace, film)
    opened.require_fit(len(_choose_frames(opened, atlas)[1]))


def film_growth(
    workspace: Workspace, film: GrowthFilm, on_progress: OnProgress, say: Say = ignore_line
) -> Video:
    """Film an atlas over training; killed, the same call goes on.

    From map to map each city follows a smooth curve, and each frame shows a checkpoint: every city
    as its generator draws it at that batch.

    Raises:
        StudioError: or an error of the libraries, as `check_growth_film`.
    """
    opened, atlas = _open(workspace, film)
    for remark in opened.remarks():
        say(remark)
    count = min(film.count, len(atlas.labels))
    keys, batches = _choose_frames(opened, atlas)
    picture_px = picture_size(count, SIZE_PX, opened.checkpoints.spec.image_size)
    places = np.stack([atlas.read_places(drawn)[:count, :2] for drawn in atlas.maps])
    # Between maps, pictures come into each other's way too: they are pushed apart there as well.
    moments = sorted({*spread(len(batches), min(len(batches), MOMENTS * len(keys))).tolist()})
    curve = ScatterView.of(SIZE_PX, picture_px, keys, places)
    moving = np.stack([curve.places_at(moment) for moment in moments])
    laid = lay_in_frames(moving, SIZE_PX, picture_px)
    view = ScatterView.of(SIZE_PX, picture_px, moments, laid)
    points = [
        LatentPoint(label, z)
        for label, z in zip(atlas.labels[:count], atlas.read_z()[:count], strict=True)
    ]
    plan = plan_film(opened, points, batches, options=replace(opened.options, scatter=view))
    (video,) = render_film(
        *(opened.checkpoints, plan, opened.folder, opened.file, choose_engine(film), on_progress),
        overwrite=film.overwrite,
    )
    return video


def _open(workspace: Workspace, film: GrowthFilm) -> tuple[OpenFilm[GrowthFilm], GrowthAtlas]:
    film.require_plain()
    opened = open_film(workspace, film, film.run, "growth")
    atlas = find_growth(workspace, opened.run, film.space)
    atlas.require_whole()
    choose_batches(opened.kept, ",".join(map(str, atlas.batches)), opened.run)
    return replace(opened, shown_px=(SIZE_PX, SIZE_PX)), atlas


def _choose_frames(opened: OpenFilm[GrowthFilm], atlas: GrowthAtlas) -> tuple[list[int], list[int]]:
    """The frame of each map, and the batch of each frame: as many frames from map to map."""
    frames, maps = count_frames(opened.film.seconds, opened.film.rate()), len(atlas.maps)
    if maps < 2 or frames < maps:
        raise StudioError(
            f"A film of {frames:,} frames has no room for {maps:,} maps: ask for more --seconds."
            if maps > 1
            else f"One map does not move. Draw more: studio atlas-growth {atlas.run} --maps 32"
        )
    keys = spread(frames, maps)
    known = [opened.kept.index(batch) for batch in atlas.batches]
    shown = np.rint(np.interp(np.arange(frames), keys, known)).astype(int)
    return keys.tolist(), [opened.kept[place] for place in shown]
