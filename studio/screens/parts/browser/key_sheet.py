"""The sheet of keys: which key does what on the open screen, and the button that shows it."""

from __future__ import annotations

from typing import NamedTuple

import gradio as gr
from markupsafe import Markup

from studio.screens.parts.assets import read_asset
from studio.screens.parts.markup import join

NAMES = {
    **{" ": "Space", "ArrowLeft": "←", "ArrowRight": "→", "ArrowUp": "↑", "ArrowDown": "↓"},
    **{"PageUp": "Page ↑", "PageDown": "Page ↓", "Control+a": "Ctrl A", "Escape": "Esc"},
}


class Keys(NamedTuple):
    """Keys of one meaning.

    Args:
        keys: by the names that a browser gives them, such as `ArrowLeft`.
        meaning: what they do, as it stands on the sheet.
    """

    keys: tuple[str, ...]
    meaning: str


class KeyPlace(NamedTuple):
    """A part of a screen that answers keys while it has the focus.

    Args:
        tab: the title of the screen; None for all.
        title: what the part is called, and how it comes by the focus.
        selector: finds the element that answers.
        rows: all keys that it answers.
    """

    tab: str | None
    title: str
    selector: str
    rows: tuple[Keys, ...]


ARROWS = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown")
RATINGS = tuple("012345")
EVERYWHERE = KeyPlace(
    None,
    "On every screen",
    "body",
    (
        Keys(("[", "]"), "the screen before, the screen after"),
        Keys(("?",), "this sheet, except where one writes"),
    ),
)
TIMELINE = KeyPlace(
    "Checkpoints",
    "The timeline, once it was pressed",
    ".timeline-axis",
    (
        Keys(ARROWS, "a checkpoint before or after; with Shift ten"),
        Keys(("PageDown", "PageUp"), "a twentieth of the run back or on"),
        Keys(("Home", "End"), "the first checkpoint, the last"),
        Keys((" ",), "play or pause"),
        Keys(("j", "k"), "the mark or pin before, after"),
        Keys(("i", "o", "x"), "play from here, up to here, all again"),
        Keys(("a", "s"), "keep this batch as A to compare, swap the two"),
        Keys(("p",), "pin this checkpoint, or unpin it"),
        Keys(("g",), "write the batch to go to"),
    ),
)
ATLAS = KeyPlace(
    "Explore",
    "The map of the atlas, once it was pressed",
    ".atlas-field",
    (
        Keys(ARROWS, "move the map"),
        Keys(("+", "=", "-"), "nearer, nearer, farther"),
        Keys(("0",), "all of the map"),
        Keys(("Enter",), "choose the city in the middle"),
        Keys(("m",), "what can be done with the chosen city"),
        Keys((" ",), "play a map that grew with a run, or pause"),
        Keys((",", "."), "its map of the batch before, after"),
        Keys(("Escape",), "let go of what is chosen"),
    ),
)
GALLERY = KeyPlace(
    "Specimens",
    "The gallery, once a picture was pressed",
    ".specimen .thumbnail",
    (
        Keys(ARROWS, "the picture beside; with Shift all on the way are chosen"),
        Keys(("PageDown", "PageUp"), "a view of pictures on or back"),
        Keys(("Home", "End"), "the first picture, the last"),
        Keys((" ",), "choose it, or not"),
        Keys(("Enter",), "look at it large"),
        Keys(RATINGS, "rate it, and all that are chosen with it"),
        Keys(("s",), "star it, and all that are chosen with it"),
        Keys(("m",), "what can be done with it"),
        Keys(("Control+a", "Escape"), "choose all, none"),
    ),
)
LARGE = KeyPlace(
    "Specimens",
    "A picture that is seen large",
    "dialog.large-view",
    (
        Keys(ARROWS, "the picture before, after"),
        Keys(("Home", "End"), "the first picture, the last"),
        Keys((" ",), "choose it, or not"),
        Keys(RATINGS, "rate it"),
        Keys(("s",), "star it"),
    ),
)
PLACES = (TIMELINE, ATLAS, GALLERY, LARGE, EVERYWHERE)


def lay_out_key_sheet() -> gr.HTML:
    """The button in the header, and the sheet; a script shows of it what fits the open screen."""
    sheet = Markup(
        '<button type="button" class="keys-button" aria-haspopup="dialog" '
        'aria-label="Keys of this screen" title="Keys of this screen (?)">?</button>'
        '<dialog class="keys-sheet" aria-label="Keys of this screen">'
        '<header><h2>Keys</h2><button type="button" class="plain" data-close>Close</button>'
        "</header>{}</dialog>"
    ).format(join(map(_describe, PLACES)))
    script = read_asset(__package__, "key_sheet.js")
    return gr.HTML(sheet, js_on_load=script, elem_id="keys", apply_default_css=False)


def _describe(place: KeyPlace) -> Markup:
    rows = join(
        Markup("<dt>{}</dt><dd>{}</dd>").format(_caps(row.keys), row.meaning) for row in place.rows
    )
    return Markup('<section data-tab="{}"><h3>{}</h3><dl>{}</dl></section>').format(
        place.tab or "", place.title, rows
    )


def _caps(keys: tuple[str, ...]) -> Markup:
    """Keys as they are written on their caps; ratings as one range."""
    if keys == RATINGS:
        return Markup("<kbd>0</kbd>–<kbd>5</kbd>")
    shown = (NAMES.get(key, key.upper() if len(key) == 1 else key) for key in keys)
    return Markup(" ").join(Markup("<kbd>{}</kbd>").format(name) for name in shown)
