"""Pieces of markup that the tabs are made of; whatever comes from outside is escaped here."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

import gradio as gr

from studio.screens.parts.theme import PRESSES

PATH_PREFIX = "gradio_api/file="


@dataclass(frozen=True)
class Shown:
    """A picture on a page: `source` is a data URI, `label` a latent point's."""

    source: str
    label: str
    caption: str
    starred: bool | None = None  # None: not to be starred here
    chosen: bool = False


def pressable(value: str = "", elem_id: str | None = None) -> gr.HTML:
    """A place for markup in which elements with `data-action` can be pressed."""
    return gr.HTML(value, js_on_load=PRESSES, elem_id=elem_id, apply_default_css=False)


def file_url(path: Path) -> str:
    """Where the browser finds a file of the workspace; another one as soon as it changes."""
    return f"{PATH_PREFIX}{quote(str(path))}?v={path.stat().st_mtime_ns}"


def download(path: Path) -> str:
    """A link by which the browser saves a file of the workspace."""
    name = escape(path.name)
    return f'<a class="plain" href="{file_url(path)}" download="{name}">{name}</a>'


def empty(title: str, text: str) -> str:
    """What a place says as long as there is nothing to show, and what to do about it."""
    return f'<div class="empty"><b>{escape(title)}</b><p>{escape(text)}</p></div>'


def card(title: str, body: str) -> str:
    return f'<section class="card"><h3>{escape(title)}</h3>{body}</section>'


def badge(status: str) -> str:
    """A run's or a job's status, or an event's kind."""
    return f'<span class="badge {escape(status)}">{escape(status.replace("_", " "))}</span>'


def bar(done: int, total: int) -> str:
    percent = 100 * done / total if total else 0
    return (
        f'<div class="bar" role="progressbar" aria-valuenow="{percent:.0f}" aria-valuemin="0" '
        f'aria-valuemax="100"><div style="width:{percent:.1f}%"></div></div>'
    )


def credit(attribution: str) -> str:
    """The words that are owed beside pictures; nothing where none are."""
    return f'<div class="credit">{escape(attribution)}</div>' if attribution else ""


def command(words: Sequence[str]) -> str:
    """The same as one would type it, to copy."""
    text = shlex.join(["studio", *words])
    return (
        f'<div class="command"><code>{escape(text)}</code><button type="button" '
        f'class="plain quiet-button" aria-label="Copy the command" data-copy="{escape(text)}">'
        "Copy</button></div>"
    )


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    cells = (
        f'<div class="fact"><span class="value">{escape(value)}</span>'
        f'<span class="name">{escape(name)}</span></div>'
        for name, value in pairs
    )
    return f'<div class="facts">{"".join(cells)}</div>'


def button(text: str, action: str, quiet: bool = False, **values: object) -> str:
    data = "".join(f' data-{name}="{escape(str(value))}"' for name, value in values.items())
    extra = " quiet-button" if quiet else ""
    return (
        f'<button type="button" class="plain{extra}" data-action="{action}"{data}>'
        f"{escape(text)}</button>"
    )


def choice(text: str, action: str, chosen: bool, **values: object) -> str:
    """One of several buttons, of which the chosen ones are pressed."""
    plain = button(text, action, False, **values)
    return plain.replace("<button", f'<button aria-pressed="{str(chosen).lower()}"', 1)


def picture_grid(
    pictures: Sequence[Shown], size_px: int = 96, columns: int | None = None, pressed: bool = True
) -> str:
    """Pictures side by side, each at least so wide; pressing one is the action `look`."""
    kind = "pictures fixed" if columns else "pictures"
    style = f"--columns:{columns}" if columns else f"--size:{size_px}px"
    figures = "".join(_figure(picture, pressed) for picture in pictures)
    return f'<div class="{kind}" style="{style}">{figures}</div>'


def _figure(picture: Shown, pressed: bool) -> str:
    label = escape(picture.label)
    image = f'<img src="{picture.source}" alt="City {label}">'
    if pressed:
        image = (
            f'<button type="button" class="look" data-action="look" data-label="{label}" '
            f'aria-label="Look at city {label}">{image}</button>'
        )
    chosen = " chosen" if picture.chosen else ""
    return (
        f'<figure class="picture{chosen}">{image}{_star(picture)}'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )


def _star(picture: Shown) -> str:
    if picture.starred is None:
        return ""
    pressed, label = str(picture.starred).lower(), escape(picture.label)
    return (
        f'<button type="button" class="star" data-action="star" data-label="{label}"'
        f' aria-pressed="{pressed}" aria-label="Star city {label}">'
        f"{'★' if picture.starred else '☆'}</button>"
    )


def duration(seconds: float) -> str:
    """45 s, 12 min, 3 h 20 min, 2 d 4 h."""
    seconds = round(seconds)
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def moment(timestamp: float) -> str:
    """14:05 today, 3 Mar 14:05 otherwise."""
    then, now = time.localtime(timestamp), time.localtime()
    clock = time.strftime("%H:%M", then)
    if then[:3] == now[:3]:
        return clock
    return f"{then.tm_mday} {time.strftime('%b', then)} {clock}"
