"""Text from outside, before it is a name, a label, a part of a path, or something printed.

Actions, passports, imports and screens ask here. The rule for names of runs is that of the store,
and the rule for names of files that of `renderers.files`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from checkpoints_index.storage.catalogue import checkpoints_folder
from studio.workspace.errors import StudioError

MAX_TEXT = 50_000  # Characters of all texts of one field.
MAX_PATH_BYTES, MAX_PART_BYTES = 4095, 255  # Those of Linux.
MAX_BATCH = 10**15 - 1
MAX_NOTE = 2000  # Characters.
MAX_RATING = 5
MAX_SHOWN = 100_000  # So many points of a batch have a label without being kept.
MAX_WHOLE = 2**63 - 1  # The largest that the database keeps.
# What a run may have begun as, of another one.
BEGINNINGS = (BRANCH, WARM_START, ARCHIVE, VACUUM, CULL, WIDEN, DEEPEN) = (
    *("branch", "warm start", "archive"),
    *("vacuum", "cull", "widen", "deepen"),
)
TRAINING, IMPORT = "training", "import"  # How runs begin that are of no other one.
THERE, GONE, MISSING, LOOP = "there", "deleted", "missing", "loop"  # How a run's parent is.
SHOWN = 60  # So many characters of a text that is refused are shown.
# Joiners are parts of words in some scripts; a line's end and a tab do what they look like.
_HARMLESS = "\n\t\u200c\u200d"
_DATASET = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
# Points have labels such as 16500.28 or seed:7, and those of a neighbourhood one such as
# around:seed:7:0.6:500:0:17; a mark of eight hexadecimal digits follows where the numbers are not
# those that the label stands for.
_PLAIN = r"(?:seed:[0-9]{1,19}|[0-9]{1,15}\.[0-9]{1,9})"
_POINT = re.compile(
    rf"(?:{_PLAIN}|around:{_PLAIN}:[0-9.]{{1,8}}:[0-9]{{1,6}}:[0-9]{{1,10}}:[0-9]{{1,6}})"
    r"(?:-[0-9a-f]{8})?"
)


# What people call a specimen or a film. No dot, so that it is neither a label nor a file; no comma
# and no colon, which stand between points and in seeds.
_TITLE = re.compile(r"[^\W\d_](?:[\w '-]{0,58}\w)?")


HUB = "hub:"  # Before USER/NAME, it names a repository of the Hugging Face Hub.
_REPOSITORY = re.compile(r"(?=.{3,96}\Z)[A-Za-z0-9](?:[\w.-]*\w)?/[A-Za-z0-9](?:[\w.-]*\w)?", re.A)


class UnfitTextError(StudioError, ValueError):
    """A text from outside cannot be what it was given as."""


def printable(text: str, *, one_line: bool = False) -> str:
    """The text with everything escaped that a terminal would obey rather than show.

    Escape codes, control characters, marks that change the direction of writing, and halves of
    characters become visible, such as `\\x1b` and `\\u202e`.

    Args:
        one_line: line ends and tabs are escaped as well.

    Example:
        >>> printable("a\\x1b[31mb")
        'a\\\\x1b[31mb'
    """
    kept = _HARMLESS[2:] if one_line else _HARMLESS
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char in kept or not _is_obeyed(char) else _escape(char) for char in text)


def require_texts(value: Any) -> None:
    """Refuse a value with a text or a number in it that nothing here could take.

    Args:
        value: a text, a path, a number, or lists and tables of such.

    Raises:
        UnfitTextError: a NUL, half a character, too much text, or a whole number beyond 64 bits.
    """
    length = 0
    for each in _leaves(value):
        if isinstance(each, int) and abs(each) > MAX_WHOLE:
            raise UnfitTextError(f"a number of {len(f'{each:x}')} hexadecimal digits is too large.")
        if isinstance(each, str):
            length += len(each)
            _require_whole(each)
    if length > MAX_TEXT:
        raise UnfitTextError(f"it has {length:,} characters; use at most {MAX_TEXT:,}.")


def require_numbers(value: Any) -> None:
    """Refuse numbers in a value that have no place here: infinite ones, and those beyond 64 bits.

    Args:
        value: a number, or lists and tables of such and of anything else.

    Raises:
        UnfitTextError: there is one.
    """
    for each in _leaves(value):
        is_large = isinstance(each, int) and abs(each) > MAX_WHOLE
        if is_large or (isinstance(each, float) and not math.isfinite(each)):
            raise UnfitTextError("A number is too large, or infinite. Load the page again.")


def require_path(path: Path) -> Path:
    """The path, which a file system can take.

    Raises:
        UnfitTextError: it is too long, or a part of it is, or there is a NUL in it.
    """
    _require_whole(text := str(path))
    longest = max((len(part.encode()) for part in path.parts), default=0)
    if len(text.encode()) > MAX_PATH_BYTES or longest > MAX_PART_BYTES:
        raise UnfitTextError(f"{shorten(text)} is too long for the path of a file.")
    return path


def require_run_name(name: str) -> str:
    """The name, which a run can have.

    Raises:
        RunNameError: it cannot.
    """
    checkpoints_folder(Path(), name)
    return name


def require_dataset_name(name: str) -> str:
    """The name, which a new dataset can have.

    Raises:
        UnfitTextError: it cannot.
    """
    if not _DATASET.fullmatch(name):
        raise UnfitTextError(
            f"{shorten(name)} cannot be the name of a dataset. Use letters, digits, dots, dashes "
            "and underscores, at most 100, beginning with a letter, a digit or an underscore."
        )
    return name


def require_repository(text: str) -> str:
    """A text that names a repository of the Hugging Face Hub, as USER/NAME.

    Raises:
        UnfitTextError: it names none.

    Example:
        >>> require_repository("mira/cities-64")
        'mira/cities-64'
    """
    if not _REPOSITORY.fullmatch(text) or re.search(r"--|\.\.|\.git\Z", text):
        raise UnfitTextError(
            f"{shorten(text)} is no repository of the Hub: write USER/NAME, of letters, digits, "
            "-, _ and ."
        )
    return text


def hub_repository(path: Path) -> str | None:
    """The repository that is named in the place of a file, as hub:USER/NAME; None for files.

    Raises:
        UnfitTextError: it names none behind `hub:`.

    Example:
        >>> hub_repository(Path("hub:mira/cities-64")), hub_repository(Path("cities"))
        ('mira/cities-64', None)
    """
    text = str(path)
    return require_repository(text.removeprefix(HUB)) if text.startswith(HUB) else None


def require_part(name: str) -> str:
    """The name, which is one part of a path: that of a folder that is there, or is to be made.

    Raises:
        UnfitTextError: it leads elsewhere, or no file system takes it.
    """
    _require_whole(name)
    if name in ("", ".", "..") or re.search(r"[/\\]", name) or len(name.encode()) > MAX_PART_BYTES:
        raise UnfitTextError(f"{shorten(name)} cannot be the name of a folder here.")
    return name


def require_point_label(label: str) -> str:
    """The label, which a latent point can have: 16500.28 or seed:7, with or without a mark.

    Raises:
        UnfitTextError: it is none.

    Example:
        >>> require_point_label("16500.28")
        '16500.28'
    """
    if not _POINT.fullmatch(label):
        raise UnfitTextError(
            f"{shorten(label)} is no label of a latent point, such as 16500.28 or seed:7."
        )
    return label


def require_given_name(name: str) -> str:
    """The name, which somebody may give to a specimen or a film beside its own.

    Raises:
        UnfitTextError: it cannot be one.

    Example:
        >>> require_given_name("Old harbour 2")
        'Old harbour 2'
    """
    if not _TITLE.fullmatch(name):
        raise UnfitTextError(
            f"{shorten(name)} cannot be a name here. Use up to 60 letters, digits, spaces, dashes "
            "and underscores, beginning with a letter."
        )
    return name


def require_tag(tag: str) -> str:
    """The tag, which a specimen can have, in small letters: River and river are one.

    Raises:
        UnfitTextError: it cannot be one.

    Example:
        >>> require_tag("River")
        'river'
    """
    return require_given_name(tag.strip().casefold())


def require_note(note: str) -> str:
    """The note, which somebody may write beside a specimen, without spaces around it.

    Raises:
        UnfitTextError: it is too long.
    """
    if len(note) > MAX_NOTE:
        raise UnfitTextError(f"A note of {len(note):,} characters is too long: use {MAX_NOTE:,}.")
    return note.strip()


def require_rating(rating: Any) -> int:
    """The rating, a whole number from 0 for none to MAX_RATING.

    Raises:
        UnfitTextError: it is none.
    """
    if type(rating) is not int or not 0 <= rating <= MAX_RATING:
        raise UnfitTextError(f"{shorten(str(rating))} is no rating: use 0 to {MAX_RATING}.")
    return rating


def require_batch(batch: Any) -> int:
    """The batch, a whole number from 0 to MAX_BATCH.

    Raises:
        UnfitTextError: it is none.
    """
    if type(batch) is not int or not 0 <= batch <= MAX_BATCH:
        shown = shorten(str(batch)) if not isinstance(batch, int) else "a number out of range"
        raise UnfitTextError(f"{shown} is no batch: use a whole number, 0 to {MAX_BATCH}.")
    return batch


def read_whole(text: str, largest: int = MAX_BATCH) -> int | None:
    """The whole number that a text writes in plain digits; None where it is none, or too large.

    Of a text that is longer than the largest number no number is made: Python refuses to read
    thousands of digits.

    Example:
        >>> read_whole("16500"), read_whole("-1"), read_whole("9" * 5000)
        (16500, None, None)
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(largest))):
        return None
    number = int(text)
    return number if number <= largest else None


def named_run(text: str) -> str:
    """The run that RUN@BATCH names, or RUN alone.

    Example:
        >>> named_run("large@300"), named_run("large")
        ('large', 'large')
    """
    return text.partition("@")[0]


def split_checkpoint(text: str) -> tuple[str, int | None]:
    """The run and the batch that RUN@BATCH names; None for the batch where it is RUN alone.

    Raises:
        UnfitTextError: what stands behind the @ is no batch.

    Example:
        >>> split_checkpoint("large@300"), split_checkpoint("large")
        (('large', 300), ('large', None))
    """
    run, at, number = text.partition("@")
    batch = read_whole(number) if at else None
    if at and batch is None:
        raise UnfitTextError(
            f"{shorten(text)} names no checkpoint: {shorten(number)} names no batch of a run. "
            "Write RUN@BATCH, such as city@7000."
        )
    return run, batch


def require_beginning(kind: Any) -> str:
    """Refuse what no run can have begun as.

    Raises:
        UnfitTextError: it is none of BEGINNINGS.
    """
    if kind not in BEGINNINGS:
        raise UnfitTextError(f"A run begins as {', '.join(BEGINNINGS)}, not as {kind!r:.40}.")
    return str(kind)


def shorten(text: str) -> str:
    """A text in quotes for a sentence that refuses it: printable, and not too long."""
    shown = printable(text[:SHOWN], one_line=True)
    return f"'{shown}'" if len(text) <= SHOWN else f"'{shown}...' ({len(text):,} characters)"


def _require_whole(text: str) -> None:
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise UnfitTextError(f"{shorten(text)} holds a NUL, or bytes that are not UTF-8.")


def _leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from (key, *_leaves(each))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each)
    else:
        yield str(value) if isinstance(value, Path) else value


def _is_obeyed(char: str) -> bool:
    """Whether a terminal does something with a character other than showing it."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escape(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
