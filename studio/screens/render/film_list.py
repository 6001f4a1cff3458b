"""The finished films and sheets of a run: found in the workspace, named, checked and shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markupsafe import Markup

from renderers.files import read_json
from renderers.jobs.verification import find_render, verify_video
from renderers.plan.outputs import GRID
from renderers.video.formats import FORMATS
from studio.screens.parts import markup
from studio.screens.parts.assets import read_asset
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.quantities import format_bytes

# Suffixes of what a browser can play, show as a picture, and of what editing programs read.
PLAYED = (".mp4", ".webm", ".mov")
STILL = (".webp", ".gif", ".png", ".jpg", ".jpeg")
FOR_EDITING = (".mov", ".mkv")
SHEET = "Sheet"
SUFFIXES = {known.suffix for known in FORMATS}


@dataclass(frozen=True)
class FinishedFilm:
    """A file that was rendered, or a folder of numbered pictures.

    Args:
        key: what names the film in a page.
        path: for numbered pictures it ends in a place for the number, such as `%06d.png`.
        made_at: seconds since 1970; films of one render share theirs.
    """

    key: str
    path: Path
    title: str
    made_at: float

    @property
    def is_sheet(self) -> bool:
        """Whether it is a sheet, which has nothing to play."""
        return self.title == SHEET

    @cached_property
    def pictures(self) -> list[Path]:
        """The numbered pictures in their order; none where the film is one file."""
        if "%" not in self.path.name:
            return []
        return sorted(self.path.parent.glob(f"*{self.path.suffix}"))


def list_films(workspace: Workspace, run: str) -> list[FinishedFilm]:
    """The finished films and sheets of a run, newest first; within one render the grid first."""
    named = re.compile(
        rf"({re.escape(run)}-(?:timelapse|interpolation(?:-\d+)?|path|sheet))-[0-9a-f]{{6}}"
    )
    found = [
        FinishedFilm(str(path.relative_to(workspace.renders)), path, film_title(run, name), made_at)
        for folder in workspace.renders.iterdir()
        if (match := named.fullmatch(folder.name))
        for path, name, made_at in _films_in(folder, match[1])
    ]
    return sorted(found, key=lambda film: (-film.made_at, len(film.key), film.key))


def film_title(run: str, name: str) -> str:
    """The title of a film on the page.

    Args:
        name: that of the file without its suffix, or of the folder of pictures.

    Example:
        >>> film_title("city", "city-timelapse"), film_title("city", "city-timelapse-0.3")
        ('Time-lapse of all points', 'Time-lapse of 0.3')
        >>> film_title("city", "city-interpolation-400"), film_title("city", "city-path")
        ('Walk at batch 400', 'Path')
    """
    kind, _, rest = name.removeprefix(f"{run}-").partition("-")
    if kind == "timelapse":
        return f"Time-lapse of {rest or 'all points'}"
    if kind == "interpolation":
        return f"Walk at batch {int(rest):,}" if rest else "Walk along training"
    return kind.capitalize()


def check_film(workspace: Workspace, film: FinishedFilm) -> str:
    """Count the frames of a film by decoding it, and say in words whether they are as planned."""
    try:
        verdict = verify_video(find_render(workspace.renders, film.path), film.path)
    except EXPECTED_ERRORS as error:
        return explain(error)
    if verdict.reason is None:
        return f"Whole: {verdict.frames:,} frames, as planned."
    return f"Not whole: {verdict.reason}. Render it again."


def verify_words(film: FinishedFilm) -> list[str]:
    """The command that checks a film."""
    return ["render", "verify", str(film.path)]


def show_film(
    film: FinishedFilm, films: Sequence[FinishedFilm], verdict: str, attribution: str
) -> Markup:
    """A card with one film, what can be done with it, and the others to choose from.

    Args:
        films: all to choose from, this one among them.
        verdict: what a check said of the film; empty where none was asked for.
        attribution: the words that are owed beside it, or empty.
    """
    choices = markup.join(_choice(other, other == film) for other in films)
    body = _stage(film) + markup.credit(attribution) + _facts(film) + _show_verdict(film, verdict)
    return markup.card(film.title, body + Markup('<div class="films">{}</div>').format(choices))


def film_styles() -> str:
    """The style sheet of what `show_film` gives; see `markup.pressable`."""
    return read_asset(__package__, "film_list.css")


def _stage(film: FinishedFilm) -> Markup:
    """The film as the browser can show it."""
    suffix, pictures = film.path.suffix, film.pictures
    url = markup.file_url(pictures[-1] if pictures else film.path)
    if film.is_sheet or suffix in STILL:
        stage = Markup('<div class="{}"><img src="{}" alt="{}"></div>')
        return stage.format("sheet" if film.is_sheet else "stage", url, film.title)
    if suffix in PLAYED:
        return Markup(
            '<div class="stage"><video controls autoplay loop muted playsinline preload="metadata" '
            'src="{}" aria-label="{}"></video></div>'
        ).format(url, film.title)
    return Markup(
        '<div class="stage"><p>Browsers do not play {} files. Download it below.</p></div>'
    ).format(suffix)


def _facts(film: FinishedFilm) -> Markup:
    """Where the film is, how large, and the button that checks it."""
    pictures = film.pictures
    if pictures:
        where = Markup('<span class="where">{}</span>').format(film.path.parent)
        facts = f"{len(pictures):,} pictures"
    else:
        where, facts = markup.download(film.path), format_bytes(film.path.stat().st_size)
    if film.path.suffix in FOR_EDITING:
        facts += ", made for editing: not every browser plays it"
    check = "" if film.is_sheet else markup.button("Check", "check", film=film.key)
    return Markup(
        '<div class="line">{}<span class="small quiet">{}</span><span class="push"></span>{}</div>'
    ).format(where, facts, check)


def _show_verdict(film: FinishedFilm, verdict: str) -> Markup:
    if not verdict:
        return markup.NOTHING
    said = Markup('<p class="small" role="status">{}</p>').format(verdict)
    command = markup.command(verify_words(film))
    return Markup('<div class="verdict">{}{}</div>').format(said, command)


def _choice(film: FinishedFilm, chosen: bool) -> Markup:
    suffix = film.path.suffix.removeprefix(".")
    kind = "" if film.is_sheet or suffix == "mp4" else f" · {suffix}"
    text = f"{film.title} · {markup.moment(film.made_at)}{kind}"
    return markup.choice(text, "film", chosen, film=film.key)


def _films_in(folder: Path, name: str) -> Iterator[tuple[Path, str, float]]:
    """(path, name, when it was made) of each film and sheet in the folder of a render."""
    record = folder / "videos.json"
    made = (read_json(record) or {"videos": []})["videos"]
    labels = {_shown_name(Path(video["path"])): video["label"] for video in made}
    for found in folder.iterdir():
        if not found.name.startswith(name):
            continue
        path = _numbered(found) if found.is_dir() else found
        if path is not None and path.suffix in SUFFIXES:
            finished = record if found.name in labels else found
            title = found.name if found.is_dir() else found.stem
            if title == name and name.endswith("-timelapse"):
                title += f"-{label}" if (label := labels.get(found.name, GRID)) != GRID else ""
            yield path, title, finished.stat().st_mtime


def _shown_name(path: Path) -> str:
    """The name of a film in its folder: of numbered pictures that of the folder they lie in."""
    return path.parent.name if "%" in path.name else path.name


def _numbered(folder: Path) -> Path | None:
    """The numbered pictures in a folder, if there are any."""
    first = next(folder.glob("[0-9]*"), None)
    return folder / f"%06d{first.suffix}" if first else None
