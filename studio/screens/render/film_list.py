"""The finished films and sheets of a run: found in the workspace, named, checked and shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, urlencode

from markupsafe import Markup

from renderers.files import read_json
from renderers.jobs.verification import find_render, verify_video
from renderers.plan.outputs import GRID
from renderers.video.formats import FORMATS
from studio.films.film_posters import find_poster
from studio.films.film_records import (
    FilmRecord,
    film_content,
    list_film_records,
    list_newest_films,
)
from studio.screens.parts import markup
from studio.screens.parts.assets import read_asset
from studio.upkeep.film_names import given_name
from studio.upkeep.removal import FILM, MARK
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.records.quantities import format_bytes

# Suffixes of what a browser can play, show as a picture, and of what editing programs read.
PLAYED = (".mp4", ".webm", ".mov")
STILL = (".webp", ".gif", ".png", ".jpg", ".jpeg")
FOR_EDITING = (".mov", ".mkv")
MAX_LABELS = 12  # So many points are named under a film.
SHEET = ".png"  # No film is one picture.
MAX_TITLED = 3  # Films of so many points are called by their labels.
POSTER_PATH = "/studio/films/poster"
SUFFIXES = {known.suffix for known in FORMATS}


@dataclass(frozen=True)
class FinishedFilm:
    """A file that was rendered, or a folder of numbered pictures.

    Args:
        key: what names the film in a page.
        run: the one that it is of.
        path: for numbered pictures it ends in a place for the number, such as `%06d.png`.
        points: those that were asked for, as they were written; empty where nothing is known.
        made_at: seconds since 1970, as the job that made it has it on record; of one that is on
            no record, when its file was written.
    """

    key: str
    path: Path
    run: str
    title: str
    made_at: float
    points: tuple[str, ...] = ()

    @property
    def is_sheet(self) -> bool:
        """Whether it is a sheet, which has nothing to play."""
        return self.path.suffix == SHEET and not self.is_numbered

    @property
    def is_numbered(self) -> bool:
        """Whether it is a folder of numbered pictures."""
        return "%" in self.path.name

    @cached_property
    def pictures(self) -> list[Path]:
        """The numbered pictures in their order; none where the film is one file."""
        if not self.is_numbered:
            return []
        return sorted(self.path.parent.glob(f"*{self.path.suffix}"))


def list_films(workspace: Workspace, run: str) -> list[FinishedFilm]:
    """The finished films and sheets of a run, newest first; within one render the grid first."""
    named = re.compile(_folders_of(run))
    records = list_film_records(workspace, run)
    found = [
        FinishedFilm(
            str(path.relative_to(workspace.renders)),
            path,
            run,
            ": ".join(filter(None, (given_name(folder), _title(workspace, run, name, path)))),
            records[path].made_at if path in records else written_at,
            records[path].points if path in records else (),
        )
        for folder in workspace.renders.iterdir()
        if (match := named.fullmatch(folder.name))
        for path, name, written_at in _films_in(folder, match[1])
    ]
    listed = {film.path for film in found}
    # Films that somebody had written elsewhere, or under a name of their own, are on record alone.
    found += [
        _recorded_film(workspace, record)
        for path, record in records.items()
        if path not in listed and path.suffix in SUFFIXES
    ]
    return sorted(found, key=lambda film: (-film.made_at, len(film.key), film.key))


def find_film(workspace: Workspace, run: str, key: str) -> Path | None:
    """The file of a film of a run by its key; None where there is none.

    Args:
        run: a name that a run may have.
        key: what names it in a page, from outside.
    """
    place = Path(key)
    if len(place.parts) == 2 and re.fullmatch(_folders_of(run), place.parts[0]):
        inside = workspace.renders / place
        return inside if inside.suffix in SUFFIXES and inside.is_file() else None
    records = list_film_records(workspace, run).values()
    return next((each.path for each in records if _key(workspace, each) == key), None)


def newest_films(workspace: Workspace, count: int) -> list[FinishedFilm]:
    """The newest films of all runs, newest first.

    Only what jobs have on record is looked at, however many films there are.
    """
    records = list_newest_films(workspace, count)
    return [
        replace(_recorded_film(workspace, record), title=_own_title(workspace, record))
        for record in records
    ]


def _folders_of(run: str) -> str:
    """What matches the folders of the renders of a run, and how their films begin."""
    return rf"({re.escape(run)}-{FILM}){MARK}"


def _own_title(workspace: Workspace, record: FilmRecord) -> str:
    """The title of a film: by its points, where it has the name that the studio gave it."""
    folder, name = record.path.parent, record.path.stem
    if folder.parent != workspace.renders or not name.startswith(f"{record.run}-"):
        return _recorded_title(workspace, record)
    title = _title(workspace, record.run, name, record.path)
    return ": ".join(filter(None, (given_name(folder), title)))


def _recorded_film(workspace: Workspace, record: FilmRecord) -> FinishedFilm:
    """A film that a job has on record, wherever it lies."""
    title = _recorded_title(workspace, record)
    key = _key(workspace, record)
    return FinishedFilm(key, record.path, record.run, title, record.made_at, record.points)


def _key(workspace: Workspace, record: FilmRecord) -> str:
    """What names a film: its place among the renders, else a mark for its path."""
    if record.path.is_relative_to(workspace.renders):
        return str(record.path.relative_to(workspace.renders))
    place = workspace.recorded(record.path)  # It stays when the workspace is moved.
    mark = hashlib.blake2b(str(place).encode(), digest_size=8).hexdigest()
    return f"elsewhere-{mark}/film{record.path.suffix}"


def _recorded_title(workspace: Workspace, record: FilmRecord) -> str:
    """The title of a film whose name says nothing: what it is, and the name of its file."""
    batch = record.fields.get("batch")
    kind = {"render timelapse": "Time-lapse", "render interpolation": "Walk"}.get(
        record.action, record.action.removeprefix("render ").capitalize()
    )
    at = f" at batch {batch:,}" if isinstance(batch, int) else ""
    folder = record.path.parent
    given = given_name(folder) if folder.parent == workspace.renders else ""
    return ": ".join(filter(None, (given, f"{kind}{at}", record.path.name)))


def _title(workspace: Workspace, run: str, name: str, path: Path) -> str:
    """The title of a film; one of several points says which, as far as their names are few."""
    if name == f"{run}-timelapse" and (content := film_content(workspace, path)) is not None:
        count = len(content.labels)
        shown = ", ".join(content.labels) if count <= MAX_TITLED else f"{count:,} points"
        return f"Time-lapse of {shown}"
    return film_title(run, name)


def film_title(run: str, name: str) -> str:
    """The title of a film on the page.

    Args:
        name: that of the file without its suffix, or of the folder of pictures.

    Example:
        >>> film_title("city", "city-timelapse"), film_title("city", "city-timelapse-0.3")
        ('Time-lapse of several points', 'Time-lapse of 0.3')
        >>> film_title("city", "city-interpolation-400"), film_title("city", "city-path")
        ('Walk at batch 400', 'Path')
    """
    kind, _, rest = name.removeprefix(f"{run}-").partition("-")
    if kind == "timelapse":
        return f"Time-lapse of {rest or 'several points'}"
    if kind == "interpolation":
        return f"Walk at batch {int(rest):,}" if rest else "Walk along training"
    return f"{kind.capitalize()} of {rest}" if rest else kind.capitalize()


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
    workspace: Workspace,
    film: FinishedFilm,
    films: Sequence[FinishedFilm],
    verdict: str,
    attribution: str,
    beside: FinishedFilm | None = None,
) -> Markup:
    """A card with one film, what can be done with it, and the others to choose from.

    Args:
        films: all to choose from, this one among them.
        verdict: what a check said of the film; empty where none was asked for.
        attribution: the words that are owed beside it, or empty.
        beside: another one of films that plays beside it, if one was chosen.
    """
    choices = markup.join(
        _choice(other, other == film, poster_url(workspace, other), other == beside)
        for other in films
    )
    facts = _facts(workspace, film) + markup.note(_content(workspace, film))
    stage = _stage(workspace, film)
    if beside is not None:
        stage = _side_by_side(workspace, film, beside)
    body = stage + markup.credit(attribution) + facts + _show_verdict(film, verdict)
    return markup.card(film.title, body + Markup('<div class="films">{}</div>').format(choices))


def poster_url(workspace: Workspace, film: FinishedFilm) -> str | None:
    """Where the browser finds the small picture of a film; None where there can be none.

    One that was not made yet is made when a browser asks for it, which it does for those in sight.
    """
    if film.is_sheet:
        return markup.file_url(film.path)
    if film.is_numbered or not film.path.exists():
        return None
    poster = find_poster(workspace, film.path)
    if poster is not None:
        return markup.file_url(poster)
    asked = {"run": film.run, "film": film.key, "v": film.path.stat().st_mtime_ns}
    return f"{POSTER_PATH[1:]}?{urlencode(asked, quote_via=quote)}"


def film_script() -> str:
    """The script of what `show_film` gives: two films that lie beside each other go together."""
    return read_asset(__package__, "film_list.js")


def _side_by_side(workspace: Workspace, film: FinishedFilm, beside: FinishedFilm) -> Markup:
    """Two films next to each other, each under its name."""
    figure = Markup('<figure data-key="{}">{}<figcaption class="small">{}</figcaption></figure>')
    figures = markup.join(
        figure.format(side, _stage(workspace, shown), shown.title)
        for side, shown in (("one", film), ("other", beside))
    )
    return Markup(
        '<div class="pair">{}</div><div class="line"><span class="small quiet push">'
        "Both play together, each from its start to its end.</span>{}</div>"
    ).format(figures, markup.button("One alone", "alone", quiet=True))


def film_styles() -> str:
    """The style sheet of what `show_film` gives; see `markup.pressable`."""
    return read_asset(__package__, "film_list.css")


def _content(workspace: Workspace, film: FinishedFilm) -> str:
    """When a film was made, of which batches and points."""
    said = [f"Made {markup.moment(film.made_at)}"]
    content = None if film.is_sheet else film_content(workspace, film.path)
    if content is not None:
        batches = f"batches {content.first:,} to {content.last:,}"
        said.append(batches if content.first < content.last else f"batch {content.first:,}")
        said.append(f"{content.frames:,} frames")
        labels = film.points or content.labels
        named, more = ", ".join(labels[:MAX_LABELS]), len(labels) - MAX_LABELS
        said.append(f"{named} and {more:,} more" if more > 0 else named)
    return " · ".join(said)


def _stage(workspace: Workspace, film: FinishedFilm) -> Markup:
    """The film as the browser can show it."""
    if not film.path.is_relative_to(workspace.root):
        return Markup(
            '<div class="screening"><p>It lies outside the workspace, where the studio shows '
            'nothing: <span class="where">{}</span></p></div>'
        ).format(film.path)
    suffix, pictures = film.path.suffix, film.pictures
    url = markup.file_url(pictures[-1] if pictures else film.path)
    if film.is_sheet or suffix in STILL:
        stage = Markup('<div class="{}"><img src="{}" alt="{}"></div>')
        return stage.format("sheet" if film.is_sheet else "screening", url, film.title)
    if suffix in PLAYED:
        return Markup(
            '<div class="screening"><video controls autoplay loop muted playsinline '
            'preload="metadata" src="{}" aria-label="{}"></video></div>'
        ).format(url, film.title)
    return Markup(
        '<div class="screening"><p>Browsers do not play {} files. Download it below.</p></div>'
    ).format(suffix)


def _facts(workspace: Workspace, film: FinishedFilm) -> Markup:
    """Where the film is, how large, and the button that checks it."""
    pictures = film.pictures
    if pictures:
        where = Markup('<span class="where">{}</span>').format(film.path.parent)
        facts = f"{len(pictures):,} pictures"
    else:
        is_ours = film.path.is_relative_to(workspace.root)
        where = markup.download(film.path) if is_ours else Markup("{}").format(film.path.name)
        facts = format_bytes(film.path.stat().st_size)
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


def _choice(film: FinishedFilm, chosen: bool, poster: str | None, is_beside: bool) -> Markup:
    suffix = film.path.suffix.removeprefix(".")
    kind = "" if film.is_sheet or suffix == "mp4" else f" · {suffix}"
    picture = Markup('<img src="{}" alt="" loading="lazy">')
    text = Markup('{}<span>{}<br><span class="quiet">{}{}</span></span>').format(
        picture.format(poster) if poster else Markup("<i></i>"),
        film.title,
        markup.moment(film.made_at),
        kind,
    )
    pressed = markup.choice(text, "film", chosen, film=film.key)
    if chosen:
        return Markup('<span class="film">{}</span>').format(pressed)
    action, said = ("alone", "Beside it") if is_beside else ("beside", "Compare")
    compare = Markup(
        '<button type="button" class="plain quiet-button" data-action="{}" data-film="{}" '
        'aria-pressed="{}" aria-label="Show {} beside the chosen one">{}</button>'
    ).format(action, film.key, str(is_beside).lower(), film.title, said)
    return Markup('<span class="film">{}{}</span>').format(pressed, compare)


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
