"""Films from picture to picture: each is led back to its latent point first."""

from __future__ import annotations

from renderers.plan.outputs import Video
from studio.exploration.inversions import Inverted, check_pictures, invert_pictures
from studio.films.interpolation import film_interpolation
from studio.films.options.film_options import FilmBetween
from studio.films.planning import count_frames, open_film
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter


def check_between(workspace: Workspace, film: FilmBetween) -> None:
    """Refuse a film that cannot be made, before anything is rendered.

    Raises:
        StudioError: or an error of the libraries: fewer than two pictures, one that cannot be read,
            unknown run or batch, or too many frames for the format.
    """
    if len(film.pictures) < 2:
        raise StudioError(
            f"A film goes from picture to picture: name two, not {len(film.pictures)}."
        )
    check_pictures(workspace, film.run, film.pictures, film.batch, film.fit)
    opened = open_film(workspace, film.as_interpolation((), 0), film.run, "between")
    opened.require_fit(count_frames(film.seconds, film.rate()))


def film_between(
    workspace: Workspace, film: FilmBetween, reporter: Reporter
) -> tuple[Video, list[Inverted]]:
    """Find the points of pictures, keep them, and film the way between.

    Killed, the same call finds the same points and goes on with the film.

    Raises:
        StudioError: or an error of the libraries, as `check_between`.
    """
    found, batch = invert_pictures(
        *(workspace, film.run, film.pictures, film.batch, film.fit, film.gallery, reporter)
    )
    for inverted in found:
        reporter.say(
            f"{inverted.name} is {inverted.label}, {inverted.fit.psnr_db:.1f} dB from its picture."
        )
    interpolation = film.as_interpolation([inverted.label for inverted in found], batch)
    with reporter.task("Rendering frames") as on_progress:
        video = film_interpolation(workspace, interpolation, on_progress, reporter.say)
    return video, found
