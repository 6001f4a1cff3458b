"""What the address of a page holds, and how it is written: `?run=city&tab=Explore&city=12.3`.

An address comes from outside: a link, a bookmark, another browser. Whatever does not fit makes the
page open as it does without an address, and say so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from studio.exploration.steering_options import read_step
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.names import (
    read_whole,
    require_batch,
    require_part,
    require_point_label,
    require_rating,
    require_run_name,
    require_texts,
    shorten,
)

MAX_ADDRESS = 8000  # Characters; browsers and proxies take about as many.
MAX_LABELS = 400  # So many chosen points stand in an address; more are left out of it.
MAX_PLACE = 10**7
MAX_STEPS = 16  # So many directions of a steered city stand in an address.
MAX_SEARCH = 200  # Characters.
GRADIO = "__"  # Names that begin so are Gradio's own, such as that of the theme.


@dataclass(frozen=True)
class AddressPart:
    """One thing that an address holds beside the run and the tab.

    Attributes:
        read: gives the value of a text; raises a StudioError or ValueError where it is none.
        write: gives the text of a value.
        is_step: whether another value is a step that the browser's back button undoes.
    """

    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    is_step: bool = False


def _read_whole(text: str) -> int:
    number = read_whole(text)
    if number is None:
        raise StudioError(f"{shorten(text)} is no whole number.")
    return number


def _read_labels(text: str) -> tuple[str, ...]:
    labels = tuple(require_point_label(label) for label in text.split(","))
    if len(labels) > MAX_LABELS:
        raise StudioError(f"{len(labels):,} points are too many for an address.")
    return labels


def _write_labels(labels: Any) -> str:
    return ",".join(labels) if len(labels) <= MAX_LABELS else ""


def _read_film(text: str) -> str:
    """The place of a film among the renders: a folder, and a file in it."""
    folder, _, file = text.partition("/")
    names = (require_part(folder), *(require_part(part) for part in file.split("/")[:2]))
    return "/".join(names)


def _read_word(text: str) -> str:
    if not text.replace("_", "").replace("-", "").isalnum() or len(text) > 40:
        raise StudioError(f"{shorten(text)} is no word that the page knows.")
    return text


def _read_search(text: str) -> str:
    if len(text) > MAX_SEARCH:
        raise StudioError(f"a search of {len(text):,} characters is too long.")
    return text


def _read_zoom(text: str) -> tuple[float, float, float]:
    x, y, scale = (float(number) for number in text.split(","))
    if not all(map(math.isfinite, (x, y, scale))) or scale <= 0:
        raise StudioError(f"{shorten(text)} is no place on a map.")
    return x, y, scale


def _write_zoom(place: Any) -> str:
    return ",".join(f"{number:.5g}" for number in place)


def _read_along(text: str) -> tuple[str, ...]:
    """Steps of a steered city, as `studio steer --along` takes them."""
    steps = [read_step(step) for step in text.split(",")]
    if len(steps) > MAX_STEPS:
        raise StudioError(f"{len(steps)} steps are too many for an address.")
    return tuple(map(str, steps))


def _read_flag(text: str) -> bool:
    if text != "yes":
        raise StudioError(f"{shorten(text)} is not yes.")
    return True


def _read_stretch(text: str) -> tuple[int, int]:
    first, _, last = text.partition(",")
    return require_batch(_read_whole(first)), require_batch(_read_whole(last))


def _write_stretch(ends: Any) -> str:
    return f"{int(ends[0])},{int(ends[1])}"


def _read_runs(text: str) -> tuple[str, ...]:
    return tuple(require_run_name(name) for name in text.split(","))


_BATCH = AddressPart(lambda text: require_batch(_read_whole(text)), lambda batch: str(int(batch)))
_LABEL = AddressPart(require_point_label, is_step=True)
_RUN = AddressPart(require_run_name, is_step=True)
_LABELS = AddressPart(_read_labels, _write_labels)
_WORD = AddressPart(_read_word)
_FLAG = AddressPart(_read_flag, lambda on: "yes" if on else "")
_PLACE = AddressPart(
    lambda text: min(max(_read_whole(text), 1), MAX_PLACE) - 1, lambda place: str(place + 1)
)  # Places in a list are counted from 1 in an address.
_SEARCH = AddressPart(_read_search)

PARTS: dict[str, dict[str, AddressPart]] = {  # By the title of the tab in which they matter.
    "Home": {},
    "Train": {
        **{"curves": _WORD, "log": _FLAG, "over": _WORD},
        "seen": AddressPart(_read_stretch, _write_stretch),
    },
    "Checkpoints": {
        **{"batch": _BATCH, "point": _LABEL},
        **{"from": _BATCH, "to": _BATCH, "beside": _BATCH},
    },
    "Explore": {
        "batch": _BATCH,
        "city": _LABEL,
        "seen": _BATCH,
        "shown": AddressPart(lambda text: min(_read_whole(text), 100_000)),
        "ends": _LABELS,
        "place": _WORD,
        "first": AddressPart(_read_whole),
        "atlas": AddressPart(require_part),
        "zoom": AddressPart(_read_zoom, _write_zoom),
        "moment": _BATCH,
        "along": AddressPart(_read_along, ",".join),
    },
    "Render": {
        "film": AddressPart(_read_film, is_step=True),
        "beside": AddressPart(_read_film),
        "form": _WORD,
    },
    "Jobs": {},
    "Specimens": {
        "kind": _WORD,
        "order": _WORD,
        "search": _SEARCH,
        "batches": _SEARCH,
        "rated": AddressPart(lambda text: require_rating(_read_whole(text))),
        "place": _PLACE,
        "chosen": _LABELS,
        "open": _LABEL,
    },
    "Compare": {
        "runs": AddressPart(_read_runs, ",".join),
        "along": _WORD,
        "metric": _WORD,
        "log": _FLAG,
    },
}
STEPS = (
    "run",
    "tab",
    *sorted({name for parts in PARTS.values() for name, part in parts.items() if part.is_step}),
)


@dataclass(frozen=True)
class Address:
    """Where one is: a run, a tab, and what is looked at in that tab.

    Attributes:
        run, tab: None for the ones that a page opens with.
        parts: by their names in PARTS; what has no value is left out.
    """

    run: str | None = None
    tab: str | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Address:
        """Read what stands behind the path of a page, with or without its question mark.

        Raises:
            StudioError: it holds something that no address of the studio has.

        Example:
            >>> Address.read("?run=city&tab=Explore&city=12.3").parts
            {'city': '12.3'}
        """
        if len(text) > MAX_ADDRESS:
            raise StudioError(f"an address of {len(text):,} characters is too long.")
        require_texts(text)
        pairs = parse_qsl(text.removeprefix("?"), keep_blank_values=True)
        given = {name: value for name, value in pairs if not name.startswith(GRADIO)}
        run, tab = given.pop("run", None), given.pop("tab", None)
        if tab is not None and tab not in PARTS:
            raise StudioError(f"there is no tab {shorten(tab)}; there are {', '.join(PARTS)}.")
        known = PARTS[tab] if tab is not None else {}
        if unknown := set(given) - set(known):
            raise StudioError(f"{shorten(min(unknown))} is nothing that this tab shows.")
        parts = {name: _read_part(name, known[name], value) for name, value in given.items()}
        return cls(None if run is None else _read_part("run", _RUN, run), tab, parts)

    def write(self) -> str:
        """The text of the address, which `read` reads again.

        Example:
            >>> Address("city", "Checkpoints", {"batch": 7}).write()
            '?run=city&tab=Checkpoints&batch=7'
        """
        known = PARTS[self.tab] if self.tab is not None else {}
        texts = {name: known[name].write(value) for name, value in self.parts.items()}
        given = {"run": self.run, "tab": self.tab, **texts}
        pairs = {name: text for name, text in given.items() if text}
        return f"?{urlencode(pairs, safe=',/')}" if pairs else ""


def _read_part(name: str, part: AddressPart, text: str) -> Any:
    try:
        return part.read(text)
    except EXPECTED_ERRORS as error:
        raise StudioError(f"{name}: {error}") from error
    except ValueError as error:
        raise StudioError(f"{name}: {shorten(text)} cannot be read.") from error
