"""The finished films and sheets of a run: what there is, what each is called, how it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

from renderers.files import read_json
from renderers.jobs.verification import find_render, verify_video
from renderers.video.formats import FORMATS
from studio.screens.parts import markup
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.quantities import format_bytes

PLAYED = (".mp4", ".webm", ".mov")
SEEN = (".webp", ".gif", ".png", ".jpg", ".jpeg")
FOR_EDITING = (".mov", ".mkv")
SHEET = "Sheet"
SUFFIXES = {known.suffix for known in FORMATS}

# Of the card in which films are shown; scoped to it by Gradio.
CSS = """
.stage { background: #1d151a; border-radius: 8px; overflow: hidden; text-align: center; }
.stage video, .stage img { display: block; margin: 0 auto; width: 100%; height: 400px;
  object-fit: contain; }
.sheet { border-radius: 8px; overflow: auto; max-height: 80vh; border: 1px solid var(--line); }
.sheet img { display: block; width: 100%; margin: 0; }
.stage p { color: #cbbdb0; padding: 150px 24px; margin: 0 !important; }
.line { margin-top: 8px; gap: 4px 10px; }
.line a { text-decoration: none; overflow-wrap: anywhere; }
.where { overflow-wrap: anywhere; }
.verdict { display: grid; gap: 8px; margin-top: 4px; }
"""


@dataclass(frozen=True)
class FinishedFilm:
    """A file that was rendered, or a folder of numbered pictures.

    Args:
        key: stands for it in a page.
        path: that of numbered pictures ends in a place for the number, such as `%06d.png`.
        made_at: seconds since 1970; films of one render share theirs.
    """

    key: str
    path: Path
    title: str
    made_at: float

    @property
    def is_sheet(self) -> bool:
        return self.title == SHEET

    @cached_property
    def pictures(self) -> list[Path]:
        """The numbered pictures, the first one first; none of a film in one file."""
        if "%" not in self.path.name:
            return []
        return sorted(self.path.parent.glob(f"*{self.path.suffix}"))


def list_films(workspace: Workspace, run: str) -> list[FinishedFilm]:
    """The finished films and sheets of a run, newest first, and in a render the grid first."""
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
    """Time-lapse of all points, Time-lapse of 0.3, Walk at batch 400, Path, Sheet.

    Args:
        name: of the file without its suffix, or of the folder of pictures.
    """
    kind, _, rest = name.removeprefix(f"{run}-").partition("-")
    if kind == "timelapse":
        return f"Time-lapse of {rest or 'all points'}"
    if kind == "interpolation":
        return f"Walk at batch {int(rest):,}" if rest else "Walk along training"
    return kind.capitalize()


def check_film(workspace: Workspace, film: FinishedFilm) -> str:
    """Count the frames by decoding, and say whether they are those of the plan."""
    try:
        verdict = verify_video(find_render(workspace.renders, film.path), film.path)
    except EXPECTED_ERRORS as error:
        return str(error)
    if verdict.reason is None:
        return f"Whole: {verdict.frames:,} frames, as planned."
    return f"Not whole: {verdict.reason}. Render it again."


def verify_words(film: FinishedFilm) -> list[str]:
    """The command that checks a film."""
    return ["render", "verify", str(film.path)]


def show_film(
    film: FinishedFilm, films: Sequence[FinishedFilm], verdict: str, attribution: str
) -> str:
    """A card with one film, what can be done with it, and the others to choose from."""
    choices = "".join(_choice(other, other == film) for other in films)
    body = (
        f"{_stage(film)}{markup.credit(attribution)}{_line(film)}{_verdict(film, verdict)}"
        f'<div class="films">{choices}</div>'
    )
    return markup.card(film.title, body)


def _stage(film: FinishedFilm) -> str:
    title, suffix = escape(film.title), film.path.suffix
    pictures = film.pictures
    shown = pictures[-1] if pictures else film.path
    if film.is_sheet:
        return f'<div class="sheet"><img src="{markup.file_url(shown)}" alt="{title}"></div>'
    if suffix in SEEN:
        return f'<div class="stage"><img src="{markup.file_url(shown)}" alt="{title}"></div>'
    if suffix in PLAYED:
        return (
            '<div class="stage"><video controls autoplay loop muted playsinline preload="metadata" '
            f'src="{markup.file_url(shown)}" aria-label="{title}"></video></div>'
        )
    return (
        f'<div class="stage"><p>Browsers do not play {suffix} files. Download it below.</p></div>'
    )


def _line(film: FinishedFilm) -> str:
    """Where it is, how large, and the button that checks it."""
    pictures = film.pictures
    if pictures:
        where = f'<span class="where">{escape(str(film.path.parent))}</span>'
        facts = f"{len(pictures):,} pictures"
    else:
        where, facts = markup.download(film.path), format_bytes(film.path.stat().st_size)
    facts += ", made for editing: not every browser plays it" * (film.path.suffix in FOR_EDITING)
    check = "" if film.is_sheet else markup.button("Check", "check", film=film.key)
    return (
        f'<div class="line">{where}<span class="small quiet">{facts}</span>'
        f'<span class="push"></span>{check}</div>'
    )


def _verdict(film: FinishedFilm, verdict: str) -> str:
    if not verdict:
        return ""
    said = f'<p class="small" role="status">{escape(verdict)}</p>'
    return f'<div class="verdict">{said}{markup.command(verify_words(film))}</div>'


def _choice(film: FinishedFilm, chosen: bool) -> str:
    suffix = film.path.suffix.removeprefix(".")
    kind = "" if film.is_sheet or suffix == "mp4" else f" · {suffix}"
    text = f"{film.title} · {markup.moment(film.made_at)}{kind}"
    return (
        f'<button type="button" class="plain" data-action="film" '
        f'aria-pressed="{str(chosen).lower()}" data-film="{escape(film.key)}">'
        f"{escape(text)}</button>"
    )


def _films_in(folder: Path, name: str) -> Iterator[tuple[Path, str, float]]:
    """(path, name, when it was made) of what a render's folder holds."""
    record = folder / "videos.json"
    made = [Path(video["path"]) for video in (read_json(record) or {"videos": []})["videos"]]
    together = {path.parent.name if "%" in path.name else path.name for path in made}
    for found in folder.iterdir():
        if not found.name.startswith(name):
            continue
        path = _numbered(found) if found.is_dir() else found
        if path is not None and path.suffix in SUFFIXES:
            finished = record if found.name in together else found
            title = found.name if found.is_dir() else found.stem
            yield path, title, finished.stat().st_mtime


def _numbered(folder: Path) -> Path | None:
    """The numbered pictures in a folder, if there are any."""
    first = next(folder.glob("[0-9]*"), None)
    return folder / f"%06d{first.suffix}" if first else None
