"""The pictures of a folder in the order of a film: by numbers or dates in their names, or else."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from studio.datasets.folder import readable_name
from studio.films.folders.picture_dates import read_changed, read_dates, read_taken
from studio.runs.selection import parse_batches
from studio.workspace.errors import StudioError
from studio.workspace.names import MAX_BATCH, shorten

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif")
MAX_PICTURES = 1_000_000
PICTURE = "picture"  # What is counted where the names have no word for it.
WORDS = {
    **{word: word for word in ("batch", "epoch", "step", "iteration", "tick", "kimg", "frame")},
    **{"iter": "iteration", "ep": "epoch", "epochs": "epoch", "steps": "step"},
}
MAJOR = "epoch"  # Its numbers go before others, wherever they stand in a name.
Order = Literal["auto", "number", "date", "name"]
_NUMBER = re.compile(r"[0-9]+")
_WORD_BEFORE = re.compile(r"([A-Za-z]+)[^A-Za-z0-9]*$")
_Key = tuple[int, str]  # Of digits: how many, and which; no text is too long for it.


@dataclass(frozen=True)
class OrderedPictures:
    """The pictures of a folder in their order.

    Attributes:
        names: of their files.
        ids: a whole number for each, ascending, by which a plan names it.
        numbers: what the film shows of each.
        places: where each stands on a line, not descending: its number, or its time in
            microseconds; empty where the order tells no distances.
        counted: what the numbers count, such as `epoch`.
        remarks: what to tell a person about the order.
    """

    names: tuple[str, ...]
    ids: tuple[int, ...]
    numbers: tuple[int, ...]
    places: tuple[int, ...]
    counted: str = PICTURE
    remarks: tuple[str, ...] = ()

    @property
    def is_numbered(self) -> bool:
        """Whether what the film shows are numbers of the names."""
        return self.places == self.numbers and bool(self.places)

    def keep(self, wanted: Iterable[bool]) -> OrderedPictures:
        """Those pictures alone for which there is a True."""
        at = [position for position, is_wanted in enumerate(wanted) if is_wanted]

        def only(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(values[position] for position in at) if values else ()

        return replace(
            self,
            names=only(self.names),
            ids=only(self.ids),
            numbers=only(self.numbers),
            places=only(self.places),
        )


def find_pictures(folder: Path, names: str = "", but: str = "") -> list[str]:
    """The names of the pictures in a folder; hidden files, and those of folders in it, are none.

    Args:
        names: a pattern that they have to fit, such as `fakes_*.png`; all if empty.
        but: the name of a file that is none of them, such as the film itself.

    Raises:
        StudioError: there is no such folder, it cannot be read, or holds no picture.
    """
    found: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name == but:
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif is_picture(entry.name) and fnmatchcase(entry.name, names or "*"):
                    found.append(entry.name)
                if len(found) > MAX_PICTURES:
                    raise StudioError(
                        f"{_shown(folder)} holds more than {MAX_PICTURES:,} pictures, and a film "
                        "has at most so many. Choose some by their names."
                    )
    except OSError as error:
        raise StudioError(
            f"{_shown(folder)} cannot be read as a folder of pictures: {error.strerror}."
        ) from error
    if not found:
        raise StudioError(_explain_none(folder, names, folders))
    return found


def is_picture(name: str) -> bool:
    """Whether a file is taken for a picture, by its suffix."""
    return Path(name).suffix.lower() in SUFFIXES


def _explain_none(folder: Path, names: str, folders: Sequence[str]) -> str:
    fitting = f" whose name fits {shorten(names)}" if names else ""
    said = f"{_shown(folder)} holds no picture{fitting} ({', '.join(SUFFIXES)})."
    if folders and not names:
        said += f" Folders in it are not looked into: name one, such as {_name(min(folders))}."
    return said


def order_pictures(
    folder: Path, names: Sequence[str], order: Order = "auto", number: int | None = None
) -> OrderedPictures:
    """Put pictures in the order of a film.

    Dates in all names go before numbers, numbers before dates that cameras wrote, and these
    before the times at which files were changed.

    Args:
        names: of at least one file in the folder.
        order: `auto` for what the names tell, or one way alone.
        number: which of the numbers that differ from name to name counts, from 1; those that it
            takes to tell all apart if None.

    Raises:
        StudioError: names are of several kinds, or two pictures have one number.
    """
    if order == "name":
        return _counted(sorted(names, key=_natural_key))
    stems = [_stem(name) for name in names]
    has_numbers = any(_NUMBER.search(stem) for stem in stems)
    if order == "date" or (order == "auto" and number is None):
        if dates := read_dates(stems):
            return _dated(names, dates)
        if order == "date" or not has_numbers:
            return _dated_otherwise(folder, names)
    if not has_numbers and len(names) > 1:
        raise StudioError(
            f"The names of the pictures have no numbers, such as {_name(min(names))}. Order them "
            "in another way: --order date or --order name."
        )
    return _numbered(names, number)


def choose_numbers(pictures: OrderedPictures, text: str, every: int) -> OrderedPictures:
    """The pictures whose numbers a text chooses, and every so many of these.

    Args:
        text: as batches of a run are chosen: `FROM:TO`, `FROM:TO:STEP` or `1,50,200`; empty for
            all.

    Raises:
        StudioError: the text cannot be read, or chooses nothing.
    """
    numbers, chosen = pictures.numbers, pictures
    if text.strip():
        asked = parse_batches(text, min(numbers), max(numbers))
        wanted = asked if isinstance(asked, range) else frozenset(asked)
        chosen = pictures.keep(number in wanted for number in numbers)
    if not chosen.names:
        raise StudioError(
            f"No picture lies in {shorten(text)}: there are {min(numbers):,} to {max(numbers):,}."
        )
    return chosen.keep(position % every == 0 for position in range(len(chosen.names)))


def _counted(names: Sequence[str], remarks: Sequence[str] = ()) -> OrderedPictures:
    """Pictures that are counted from 1, since nothing else is known of them."""
    ids = tuple(range(1, len(names) + 1))
    return OrderedPictures(tuple(names), ids, ids, (), remarks=tuple(remarks))


def _dated(
    names: Sequence[str], dates: Sequence[int], remarks: Sequence[str] = ()
) -> OrderedPictures:
    pairs = zip(dates, names, strict=True)
    keyed = sorted((date, _natural_key(name), name) for date, name in pairs)
    ids = tuple(range(1, len(keyed) + 1))
    sorted_names = tuple(name for _, _, name in keyed)
    return OrderedPictures(
        sorted_names, ids, ids, tuple(date for date, _, _ in keyed), remarks=tuple(remarks)
    )


def _dated_otherwise(folder: Path, names: Sequence[str]) -> OrderedPictures:
    paths = [folder / name for name in names]
    if taken := read_taken(paths):
        said = "The names tell no dates: what the camera wrote in the pictures gives the order."
        return _dated(names, taken, [said])
    said = (
        "The names tell no numbers and no dates, and neither do all pictures: the times at which "
        "their files were changed give the order. A copy may have other ones: look at the film, "
        "or choose --order name."
    )
    return _dated(names, read_changed(paths), [said] if len(names) > 1 else [])


def _numbered(names: Sequence[str], number: int | None) -> OrderedPictures:
    """Pictures by the numbers in their names; those without one are left out, and named."""
    numbered = [name for name in names if _NUMBER.search(_stem(name))] or [*names]
    left = sorted(set(names) - set(numbered))
    remarks = []
    if left:
        is_one = len(left) == 1
        what = (
            "One picture has no number and stands"
            if is_one
            else (f"{len(left):,} pictures have no number and stand")
        )
        remarks.append(f"{what} outside the film, such as {_name(left[0])}.")
    _require_one_kind(numbered)
    rows = {name: _digits(name) for name in numbered}
    chosen = _choose_columns(numbered, rows, number)
    keys = {name: tuple(_key(rows[name][column]) for column in chosen) for name in numbered}
    ordered = sorted(numbered, key=lambda name: (keys[name], name))
    _refuse_twins(ordered, keys)
    words = [_word(ordered[0], column) for column in chosen]
    if len(chosen) > 1:
        told = " and ".join(word or f"number {n + 1}" for n, word in enumerate(words))
        remarks.append(
            f"{len(chosen)} numbers differ from name to name, and the pictures go by all of them: "
            f"{told}. The first one shows. Choose one alone by --number."
        )
    shown = tuple(_read_number(rows[name][chosen[0]], name) if chosen else 0 for name in ordered)
    has_one = len(chosen) < 2
    ids = shown if has_one else tuple(range(1, len(ordered) + 1))
    places = shown if has_one else ()
    counted = WORDS.get((words or [""])[0].lower(), PICTURE)
    return OrderedPictures(tuple(ordered), ids, shown, places, counted, tuple(remarks))


def _require_one_kind(names: Sequence[str]) -> None:
    kinds = Counter(_NUMBER.sub("#", _stem(name)) for name in names)
    if len(kinds) > 1:
        (one, count), (other, fewer), *_ = kinds.most_common(2)
        fitting = shorten(one.replace("#", "*") + "*")
        raise StudioError(
            f"The folder holds pictures of {len(kinds):,} kinds: {count:,} are named as "
            f"{shorten(one)} and {fewer:,} as {shorten(other)}. Choose those of one film by their "
            f"names, such as --names {fitting}, or take all by --order name."
        )


def _choose_columns(
    names: Sequence[str], rows: dict[str, list[str]], number: int | None
) -> list[int]:
    """Which numbers of a name give the order: the one that was asked for, or as many as it takes.

    Numbers that are the same in all names say nothing.
    """
    places = range(len(rows[names[0]]))
    differing = [i for i in places if len({_key(rows[name][i]) for name in names}) > 1]
    if number is not None:
        if not 1 <= number <= len(differing):
            raise StudioError(
                f"There is no number {number} to order by: {len(differing)} of the numbers in the "
                f"names differ from picture to picture, such as in {_name(names[0])}."
            )
        return [differing[number - 1]]
    if not differing:
        return [len(places) - 1] if len(places) else []
    major = [i for i in differing if WORDS.get(_word(names[0], i).lower()) == MAJOR]
    ranked = [*major, *(i for i in differing if i not in major)]
    for count in range(1, len(ranked)):
        if len({tuple(_key(rows[n][i]) for i in ranked[:count]) for n in names}) == len(names):
            return ranked[:count]
    return ranked


def _refuse_twins(ordered: Sequence[str], keys: dict[str, tuple[_Key, ...]]) -> None:
    for name, other in pairwise(ordered):
        if keys[name] == keys[other]:
            raise StudioError(
                f"{_name(name)} and {_name(other)} have the same number, and a film shows one "
                "picture at a place. Choose some by --names, such as --names '*.png', another "
                "number by --number, or --order name for all."
            )


def _stem(name: str) -> str:
    return Path(name).stem


def _digits(name: str) -> list[str]:
    return _NUMBER.findall(_stem(name))


def _key(digits: str) -> _Key:
    """What to sort digits by as a number, however many there are."""
    plain = digits.lstrip("0")
    return len(plain), plain


def _read_number(digits: str, name: str) -> int:
    plain = digits.lstrip("0") or "0"
    if len(plain) > len(str(MAX_BATCH)):
        raise StudioError(
            f"The number of {_name(name)} has {len(plain)} digits, and at most "
            f"{len(str(MAX_BATCH))} can be shown. Order the pictures by --order name, or rename "
            "them."
        )
    return int(plain)


def _word(name: str, column: int) -> str:
    """The word before a number of a name, such as `epoch`; empty where there is none."""
    stem = _stem(name)
    start = [found.start() for found in _NUMBER.finditer(stem)][column]
    before = _WORD_BEFORE.search(stem[:start])
    return before[1] if before else ""


def _natural_key(name: str) -> list[tuple[str, _Key]]:
    """What to sort names by: texts and numbers in turn, the name itself where all is the same."""
    parts = re.findall(r"([^0-9]*)([0-9]*)", name)
    return [*((text.lower(), _key(digits)) for text, digits in parts), (name, (0, ""))]


def _name(name: str) -> str:
    return shorten(readable_name(name))


def _shown(folder: Path) -> str:
    return readable_name(folder)
