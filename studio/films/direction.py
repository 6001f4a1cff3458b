"""Films of points that go along a direction of latent space."""

from __future__ import annotations

import torch

from latent.directions.direction import along
from latent.errors import LatentError
from renderers.frames.devices import device_here
from renderers.jobs.rendering import render_film
from renderers.plan.outputs import Video
from renderers.plan.render_plan import Track
from renderers.progress import OnProgress
from studio.exploration.directions import check_directions, find_directions
from studio.films.options.film_options import DirectionFilm
from studio.films.planning import choose_engine, count_frames, open_film, plan_film
from studio.specimens.supports import describe_outside
from studio.workspace.devices import borrow_device, name_devices
from studio.workspace.paths import Workspace
from studio.workspace.progress import Say, ignore_line


def check_direction_film(workspace: Workspace, film: DirectionFilm) -> None:
    """Refuse a film that cannot be made, before anything is rendered.

    Raises:
        StudioError: or an error of the libraries: unknown run, batch or city, or too many frames
            for the format.
    """
    check_directions(workspace, film)
    opened = open_film(workspace, film, film.run, "direction")
    labels = [point.label for point in opened.points(film.points, or_fixed=True)]
    opened.require_fit(count_frames(film.seconds, film.rate()), labels)


def film_direction(
    workspace: Workspace, film: DirectionFilm, on_progress: OnProgress, say: Say = ignore_line
) -> list[Video]:
    """Film points along a direction; killed, the same call goes on.

    Each sets out from where it is, goes to one side, through where it was to the other, and back,
    slower at the turns.

    Raises:
        StudioError: or an error of the libraries, as `check_direction_film`.
        LatentError: the run has no such direction.
    """
    checkpoints, batch = check_directions(workspace, film)
    opened = open_film(workspace, film, film.run, "direction")
    points = opened.points(film.points, or_fixed=True)
    own = device_here(name_devices(film.devices))
    with borrow_device(workspace, own, f"directions in {film.run}") as device:
        G = checkpoints.generator(batch, device)
        found = find_directions(workspace, checkpoints, G, film, film.number + 1)
    if film.number >= len(found):
        raise LatentError(
            f"There is no direction {film.number}: there are {len(found)}, from 0 on."
        )
    direction = found[film.number].direction
    for remark in opened.remarks():
        say(remark)
    frames = count_frames(film.seconds, film.rate())
    turns = torch.arange(frames) * (2 * torch.pi / frames)
    strengths = film.strength * turns.sin()
    for remark in describe_outside(opened.checkpoints, points):
        say(remark)
    spec = opened.checkpoints.spec
    tracks = [
        Track(p.label, spec.shape_z(along(spec.unshape_z(p.z), direction, strengths)))
        for p in points
    ]
    plan = plan_film(opened, tracks, [batch] * frames)
    return render_film(
        *(opened.source(plan), plan, opened.folder, opened.file, choose_engine(film), on_progress),
        overwrite=film.overwrite,
    )
