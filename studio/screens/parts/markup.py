"""Pieces of HTML that the tabs are made of.

Every function takes plain text (`str`) and gives `Markup`. Text is escaped when it is put into a
piece, exactly once; what is `Markup` already goes in as it is. So markup is put together with
`Markup.format` and `join` alone, never with f-strings.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import gradio as gr
from markupsafe import Markup

from studio.screens.parts.assets import read_asset

PATH_PREFIX = "gradio_api/file="
NOTHING = Markup()


@dataclass(frozen=True)
class Thumbnail:
    """A picture in a grid.

    Args:
        source: a data URI.
        label: what pressing the picture sends: that of a latent point, or a batch.
        caption: what stands below it.
        starred: None where the picture cannot be starred.
        batch: at which the city is shown; None where it has no menu.
    """

    source: str
    label: str
    caption: str
    starred: bool | None = None
    chosen: bool = False
    batch: int | None = None


def pressable(
    value: str = NOTHING,
    elem_id: str | None = None,
    styles: str = "",
    script: str = "",
    elem_classes: str | None = None,
) -> gr.HTML:
    """A place for markup in which elements with `data-action` can be pressed.

    Args:
        value: Markup; what stands there to begin with.
        styles: a style sheet for this place alone.
        script: what else happens in it, beside the script of all such places.
    """
    return gr.HTML(
        value,
        html_template="",  # The script puts the value in its place, and leaves what stays.
        js_on_load=f"{read_asset(__package__, 'markup.js')}\n{script}",
        css_template=styles,
        elem_id=elem_id,
        elem_classes=elem_classes,
        apply_default_css=False,
    )


def join(pieces: Iterable[str]) -> Markup:
    """Pieces one after the other; plain text among them is escaped."""
    return NOTHING.join(pieces)


def file_url(path: Path) -> str:
    """Where the browser finds a file of the workspace; another address as soon as it changes."""
    return f"{PATH_PREFIX}{quote(str(path))}?v={path.stat().st_mtime_ns}"


def download(path: Path) -> Markup:
    """A link by which the browser saves a file of the workspace."""
    link = Markup('<a class="plain" href="{url}" download="{name}">{name}</a>')
    return link.format(url=file_url(path), name=path.name)


def downloads(paths: Sequence[Path]) -> Markup:
    """Links by which the browser saves files of the workspace; nothing where there are none."""
    links = join(map(download, paths))
    return Markup('<div class="films">{}</div>').format(links) if links else NOTHING


def empty(title: str, text: str) -> Markup:
    """What a place says as long as there is nothing to show, and what to do about it."""
    return Markup('<div class="empty"><b>{}</b><p>{}</p></div>').format(title, text)


def card(title: str, body: str) -> Markup:
    """A framed part of the page under a heading."""
    return Markup('<section class="card"><h3>{}</h3>{}</section>').format(title, body)


def note(text: str, kind: str = "quiet") -> Markup:
    """A small line of text; `kind` is `quiet`, `warning`, or empty for neither."""
    return Markup('<div class="{}">{}</div>').format(f"small {kind}".rstrip(), text)


def paragraph(text: str) -> Markup:
    """A sentence in place of something that is not there yet."""
    return Markup('<p class="quiet">{}</p>').format(text)


def badge(status: str) -> Markup:
    """A run's or a job's status, or an event's kind."""
    return Markup('<span class="badge {}">{}</span>').format(status, status.replace("_", " "))


def progress_bar(done: int, total: int) -> Markup:
    """How far something is; empty where the total is 0 because nobody knows it."""
    percent = 100 * done / total if total else 0
    return Markup(
        '<div class="bar" role="progressbar" aria-label="Progress" aria-valuenow="{percent:.0f}" '
        'aria-valuemin="0" aria-valuemax="100"><div style="width:{percent:.1f}%"></div></div>'
    ).format(percent=percent)


def working_bar() -> Markup:
    """A bar of something of which nobody can say how far it is."""
    return Markup('<div class="bar working" aria-hidden="true"><div></div></div>')


def credit(attribution: str) -> Markup:
    """The words that are owed beside pictures; nothing where none are."""
    return Markup('<div class="credit">{}</div>').format(attribution) if attribution else NOTHING


def command(words: Sequence[str]) -> Markup:
    """A command as one would type it, to copy; `words` are those after `studio`."""
    return Markup(
        '<div class="command"><code>{text}</code><button type="button" '
        'class="plain quiet-button" aria-label="Copy the command" data-copy="{text}">'
        "Copy</button></div>"
    ).format(text=shlex.join(["studio", *words]))


def facts(pairs: Sequence[tuple[str, str]]) -> Markup:
    """(name, value) pairs as a row of cells, the values large."""
    cell = Markup(
        '<div class="fact"><span class="value">{value}</span><span class="name">{name}</span></div>'
    )
    cells = join(cell.format(name=name, value=value) for name, value in pairs)
    return Markup('<div class="facts">{}</div>').format(cells)


def button(
    text: str, action: str, quiet: bool = False, enabled: bool = True, **values: object
) -> Markup:
    """A button; pressing it is an event with `action` and the values as attributes.

    Args:
        enabled: whether it can be pressed; one that cannot keeps its place for when it can.
    """
    kind = "plain quiet-button" if quiet else "plain"
    return _button(text, action, kind, NOTHING if enabled else Markup(" disabled"), values)


def choice(text: str, action: str, chosen: bool, **values: object) -> Markup:
    """One of several buttons, of which the chosen ones are pressed."""
    return _button(text, action, "plain", _pressed(chosen), values)


def picture_grid(pictures: Sequence[Thumbnail], columns: int) -> Markup:
    """Pictures side by side; pressing one is the action `choose`, with its label."""
    figures = join(_figure(picture) for picture in pictures)
    return Markup('<div class="pictures" style="--columns:{}">{}</div>').format(columns, figures)


def captioned(source: str, text: str, menu: Markup = NOTHING) -> Markup:
    """A picture with its caption, which cannot be pressed.

    Args:
        menu: its `menu_button`, where it shows a city.
    """
    return Markup(
        '<figure class="picture"><img src="{source}" alt="{text}">{menu}'
        "<figcaption>{text}</figcaption></figure>"
    ).format(source=source, text=text, menu=menu)


def menu_button(label: str, batch: int | None, run: str | None = None) -> Markup:
    """The button that opens the menu of a city, at the batch at which it is shown.

    Args:
        batch: None where it is shown at its own.
        run: None for the one that the page has chosen.
    """
    place = Markup("") if batch is None else Markup(' data-batch="{}"').format(batch)
    place += Markup("") if run is None else Markup(' data-run="{}"').format(run)
    return Markup(
        '<button type="button" class="more" data-key="menu {label}" data-city-menu '
        'data-label="{label}"{place} aria-haspopup="menu" '
        'aria-label="What can be done with city {label}">⋯</button>'
    ).format(label=label, place=place)


def moment(timestamp: float) -> str:
    """14:05 today, 3 Mar 14:05 otherwise; `timestamp` in seconds since 1970."""
    then, now = time.localtime(timestamp), time.localtime()
    clock = time.strftime("%H:%M", then)
    if then[:3] == now[:3]:
        return clock
    return f"{then.tm_mday} {time.strftime('%b', then)} {clock}"


def _button(
    text: str, action: str, kind: str, attributes: Markup, values: dict[str, object]
) -> Markup:
    data = join(Markup(' data-{}="{}"').format(name, value) for name, value in values.items())
    return Markup('<button type="button" class="{}" data-action="{}"{}{}>{}</button>').format(
        kind, action, attributes, data, text
    )


def _pressed(pressed: bool) -> Markup:
    return Markup(' aria-pressed="{}"').format(str(pressed).lower())


def _figure(picture: Thumbnail) -> Markup:
    return Markup(
        '<figure class="picture{chosen}" data-key="{label}">'
        '<button type="button" class="thumbnail" data-action="choose" data-label="{label}" '
        'aria-label="Look at city {label}">'
        '<img src="{source}" alt="City {label}"></button>{star}{menu}'
        "<figcaption>{caption}</figcaption></figure>"
    ).format(
        chosen=" chosen" if picture.chosen else "",
        label=picture.label,
        source=picture.source,
        star=_star(picture),
        menu=NOTHING if picture.batch is None else menu_button(picture.label, picture.batch),
        caption=picture.caption,
    )


def _star(picture: Thumbnail) -> Markup:
    if picture.starred is None:
        return NOTHING
    return Markup(
        '<button type="button" class="star" data-action="star" data-label="{label}"{pressed} '
        'aria-label="Star city {label}">{star}</button>'
    ).format(
        label=picture.label,
        pressed=_pressed(picture.starred),
        star="★" if picture.starred else "☆",
    )
