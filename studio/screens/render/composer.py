"""Films composed of pictures: cities to press, a stretch of training to drag, keys between them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

from latent.points import LatentPoint, parse_label
from studio.screens.parts import markup
from studio.screens.parts.app_context import AppContext, nearest_batch, nothing_yet
from studio.screens.parts.assets import read_asset
from studio.specimens.points import resolve_points
from studio.specimens.specimen_search import SpecimenSearch, find_labels
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.names import read_whole
from studio.workspace.paths import Workspace

OFFERED = 18  # So many cities are shown at first, and so many more at each press.
MAX_SHOWN = 180
CITY_PX, END_PX = 64, 96  # Sides of the pictures of cities, and of those at the ends of a stretch.
ARROW = re.compile(r"\s*->\s*")
SEED = re.compile(r"seed:\d{1,12}")


@dataclass(frozen=True)
class Composed:
    """What of a form is shown as pictures.

    Attributes:
        cities: the chosen points, in their order.
        first, last: the ends of the stretch of training; None for the run's own.
        keys: those of a path as (batch, point); None where the form has none.
        has_one_batch: whether the film shows one checkpoint, which `last` is.
    """

    cities: tuple[str, ...] = ()
    first: int | None = None
    last: int | None = None
    keys: tuple[tuple[int, str], ...] | None = None
    has_one_batch: bool = False


def lay_out_composer() -> gr.HTML:
    """A place for pictures; what is done in it are the actions `city`, `span`, `drop`, `more`."""
    return markup.pressable(elem_classes="composer", script=read_asset(__package__, "composer.js"))


def read_span(text: str, kept: Sequence[int]) -> tuple[int | None, int | None]:
    """The ends of a stretch that a text such as `0:19000` chooses; Nones where it is none.

    Args:
        kept: the batches that have a checkpoint, ascending.

    Example:
        >>> read_span("2:10", [1, 2, 5, 9, 12]), read_span("1,5", [1, 2, 5])
        ((2, 9), (None, None))
    """
    found = re.fullmatch(r"\s*(\d*)\s*:\s*(\d*)\s*(?::\d*\s*)?", text or "")
    if found is None:
        return None, None
    first, last = map(read_whole, found.groups())
    inside = [b for b in kept if (first or 0) <= b and (last is None or b < last)]
    if not inside:
        return None, None
    return (None if first is None else inside[0]), (None if last is None else inside[-1])


def write_span(first: int, last: int, kept: Sequence[int]) -> str:
    """The text that chooses the batches from one to another, both included; "" for all.

    Example:
        >>> write_span(2, 9, [1, 2, 5, 9, 12]), write_span(1, 12, [1, 12])
        ('2:10', '')
    """
    first, last = min(first, last), max(first, last)
    if (first, last) == (kept[0], kept[-1]):
        return ""
    return f"{first}:{'' if last == kept[-1] else last + 1}"


def read_keys(text: str) -> tuple[tuple[int, str], ...]:
    """The keys of a path as far as they can be read.

    Example:
        >>> read_keys("5@0.1 -> 9@seed:3 -> x")
        ((5, '0.1'), (9, 'seed:3'))
    """
    pairs = (key.partition("@") for key in ARROW.split(text or ""))
    return tuple(
        (number, point.strip())
        for batch, _, point in pairs
        if (number := read_whole(batch.strip())) is not None and point.strip()
    )


def write_keys(keys: Sequence[tuple[int, str]]) -> str:
    """The keys of a path as its command takes them."""
    return " -> ".join(f"{batch}@{point}" for batch, point in keys)


def pressed_city(cities: Sequence[str], label: str) -> list[str]:
    """The chosen cities once one was pressed: it goes, or comes last."""
    if label in cities:
        return [city for city in cities if city != label]
    return [*cities, label]


def pressed_batch(event: gr.EventData, name: str, kept: Sequence[int]) -> int:
    """The batch where a slider was let go, which counts the kept ones.

    Raises:
        StudioError: it is nowhere.
    """
    place = read_whole(str(getattr(event, name, "")))
    if place is None or not kept:
        raise StudioError("The slider stands nowhere. Load the page again.")
    return kept[min(place, len(kept) - 1)]


def show_composer(app: AppContext, run: str | None, composed: Composed, offered: int) -> Markup:
    """The pictures of a form.

    Args:
        offered: how many cities can be chosen from.
    """
    kept = app.batches(run)
    if run is None or not kept:
        return nothing_yet(run)
    labels, more = _offer(app.workspace, run, composed, offered)
    at = composed.last if composed.last in kept else kept[-1]
    if composed.keys is not None or composed.has_one_batch:
        at = nearest_batch(kept, composed.last)
    pictures = draw_cities(app, run, at, labels)
    cities = markup.join(
        _city(label, at, pictures.get(label), composed) for label in labels if label in pictures
    )
    button = markup.button("More cities", "more", quiet=True) if more else markup.NOTHING
    parts = [_keys(app, run, composed.keys, kept)] if composed.keys is not None else []
    parts.append(_sliders(app, run, composed, kept))
    named = "Press the next city" if composed.keys is not None else "Cities"
    parts.append(
        Markup(
            '<div class="line small"><b>{}</b><span class="quiet">at batch {:,}</span>'
            '<span class="push"></span>{}</div><div class="cities" role="group" '
            'aria-label="Cities">{}</div>'
        ).format(named, at, button, cities)
    )
    return markup.join(parts) + markup.credit(app.attribution(run))


def draw_cities(
    app: AppContext, run: str, batch: int, labels: Sequence[str], side_px: int = CITY_PX
) -> dict[str, str]:
    """The pictures of cities at a batch as data URIs by label; what is no city of the run lacks."""
    points: list[LatentPoint] = []
    known = []
    for label in labels:
        # What else may stand for a point, such as a file, is not opened for a picture.
        if parse_label(label) is None and not SEED.fullmatch(label):
            continue
        try:
            points += resolve_points(app.workspace, run, [label], app.picture_cache.z_dim(run))
        except EXPECTED_ERRORS:
            continue
        known.append(label)
    shown = app.picture_cache.show(run, batch, points, side_px) if points else []
    return dict(zip(known, shown, strict=True))


def _offer(
    workspace: Workspace, run: str, composed: Composed, offered: int
) -> tuple[list[str], bool]:
    """The labels to choose from, the chosen ones among them, and whether there are more."""
    chosen = [*composed.cities, *(point for _, point in composed.keys or ())]
    count = min(offered, MAX_SHOWN)
    known = find_labels(workspace, run, SpecimenSearch(sort="offered"), count + 1)
    known = known or [f"seed:{n}" for n in range(1, 10)]
    first = known[:count]
    others = [label for label in dict.fromkeys(chosen) if label not in first]
    return [*first, *others], len(known) > len(first)


def _city(label: str, at: int, source: str | None, composed: Composed) -> Markup:
    chosen = label in composed.cities
    place = composed.cities.index(label) + 1 if chosen else 0
    number = Markup('<i class="number">{}</i>').format(place) if chosen else markup.NOTHING
    pressed = Markup(' aria-pressed="{}"').format(str(chosen).lower())
    return Markup(
        '<button type="button" class="city" data-action="city" data-label="{label}" '
        'data-city="{label}" data-batch="{batch}"{pressed} title="{label}">'
        '<img src="{source}" alt="City {label}">{number}<span>{label}</span></button>'
    ).format(
        label=label,
        batch=at,
        pressed=markup.NOTHING if composed.keys is not None else pressed,
        source=source,
        number=number,
    )


def _sliders(app: AppContext, run: str, composed: Composed, kept: Sequence[int]) -> Markup:
    """One slider for a checkpoint, or two for the ends of a stretch, each with its picture."""
    label = next(iter(composed.cities), None)
    labels = [label] if label else [point.label for point in app.shown_points(run)[:1]]
    last = nearest_batch(kept, composed.last)
    if composed.keys is not None or composed.has_one_batch:
        named = "The next key at" if composed.keys is not None else "At"
        return _slider(app, run, kept, labels, ("at", named, last))
    first = kept[0] if composed.first is None else nearest_batch(kept, composed.first)
    ends = (("from", "From", first), ("to", "To", last))
    sliders = markup.join(_slider(app, run, kept, labels, end) for end in ends)
    return Markup('<div class="span">{}</div>').format(sliders)


def _slider(
    app: AppContext,
    run: str,
    kept: Sequence[int],
    labels: Sequence[str],
    end: tuple[str, str, int],
) -> Markup:
    name, title, batch = end
    pictures = draw_cities(app, run, batch, labels, END_PX)
    picture = Markup('<img src="{}" alt="City {} at batch {:,}">')
    shown = markup.join(picture.format(uri, label, batch) for label, uri in pictures.items())
    return Markup(
        '<label class="end" data-key="{name}">{picture}<span><span class="small">{title} batch '
        '<b class="number" data-shows="{name}">{batch:,}</b></span>'
        '<input type="range" data-sends="span" data-field="{name}" min="0" max="{most}" step="1" '
        'value="{place}" data-batches="{batches}" aria-label="{title} batch" '
        'aria-valuetext="batch {batch:,}"></span></label>'
    ).format(
        name=name,
        picture=shown,
        title=title,
        batch=batch,
        most=max(len(kept) - 1, 0),
        place=kept.index(batch),
        batches=_ends_of(kept),
    )


def _ends_of(kept: Sequence[int]) -> str:
    """The kept batches for the page: their first and last where there are no gaps, else ''."""
    return f"{kept[0]} {kept[-1]}" if kept[-1] - kept[0] == len(kept) - 1 else ""


def _keys(
    app: AppContext, run: str, keys: Sequence[tuple[int, str]], kept: Sequence[int]
) -> Markup:
    """The keys of a path as pictures in their order, each of which can be taken out."""
    if not keys:
        return markup.note("A film from key to key: choose a batch, then press a city, twice.")
    cards: list[Any] = []
    card = Markup(
        '<div class="key" data-key="{place}">{picture}<span class="number small">{batch:,}<br>'
        '<span class="quiet">{label}</span></span>'
        '<button type="button" class="plain quiet-button" data-action="drop" data-place="{place}" '
        'aria-label="Take key {number} out">×</button></div>'
    )
    picture = Markup('<img src="{}" alt="City {} at batch {:,}">')
    for place, (batch, label) in enumerate(keys):
        found = draw_cities(app, run, nearest_batch(kept, batch), [label])
        shown = markup.join(picture.format(uri, label, batch) for uri in found.values())
        cards.append(
            card.format(place=place, number=place + 1, picture=shown, batch=batch, label=label)
        )
    return Markup('<div class="keys" aria-label="Keys of the path">{}</div>').format(
        Markup('<span class="quiet" aria-hidden="true">→</span>').join(cards)
    )
