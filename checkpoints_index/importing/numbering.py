"""The batch of each file, from the numbers in its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import PurePath

from checkpoints_index.errors import CheckpointError
from checkpoints_index.importing.refusals import AmbiguousFilesError

MAX_BATCH = 2**62
_NUMBER = re.compile(r"\d+")
_SET_OFF_NUMBER = re.compile(r"(?<![A-Za-z0-9])\d+")
_SCIENTIFIC = re.compile(r"(?<![A-Za-z0-9.])\d+(?:\.\d+)?[eE]\+?\d{1,2}(?![A-Za-z0-9])")
_DECIMAL = re.compile(r"(?<![A-Za-z0-9.])\d+\.\d+(?![A-Za-z0-9.])")
_SEPARATORS = re.compile(r"[-_ ]+")


def choose_batches(
    paths: Sequence[PurePath], pattern: str | None = None
) -> tuple[list[tuple[int, PurePath]], list[PurePath]]:
    """Order files by the one number in which their names differ.

    Args:
        paths: relative to the folder that is imported.
        pattern: a regular expression with one group, or a group `batch`, that is the number;
            every path matches it.

    Returns:
        (batch, path) with batches ascending, and the paths that have no number.

    Raises:
        AmbiguousFilesError: more than one number could be the batch, or two files have the same.
        CheckpointError: the pattern finds no number.

    Example:
        >>> numbered, _ = choose_batches([PurePath("G_10.pt"), PurePath("G_9.pt")])
        >>> [(batch, path.name) for batch, path in numbered]
        [(9, 'G_9.pt'), (10, 'G_10.pt')]
    """
    unnumbered: list[PurePath] = []
    if pattern is not None:
        numbered = [(_match(pattern, path), path) for path in paths]
    else:
        if len(paths) > 1:
            unnumbered = [path for path in paths if not _numbers(path)]
        rest = sorted(set(paths) - set(unnumbered))
        numbered = list(zip(_read_batches(rest), rest, strict=True))
    numbered.sort()
    if numbered and numbered[-1][0] > MAX_BATCH:
        path = numbered[-1][1]
        raise AmbiguousFilesError(
            f"The number of '{path}' is too large for a batch. Choose another one with a pattern.",
            suggest_pattern(path),
        )
    _refuse_twins(numbered)
    return numbered, unnumbered


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a regular expression that finds the batch in a path.

    Args:
        pattern: it has one group, or one called `batch`, which is the number.

    Raises:
        CheckpointError: it is no regular expression, or has no such group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise CheckpointError(
            f"The pattern '{pattern}' is no regular expression: {error}."
        ) from error
    if "batch" not in compiled.groupindex and compiled.groups != 1:
        raise CheckpointError(
            f"The pattern '{pattern}' has {compiled.groups} groups. Put the number, and only that, "
            r"into brackets: 'step_(\d+)', or name its group: '(?P<batch>\d+)'."
        )
    return compiled


def _match(pattern: str, path: PurePath) -> int:
    compiled = compile_pattern(pattern)
    found = compiled.search(path.as_posix())
    text = found.group("batch" if "batch" in compiled.groupindex else 1) if found else None
    if text is None or not text.isdecimal():
        raise CheckpointError(
            f"The pattern '{pattern}' finds '{text}' in '{path}', which is no number. "
            r"Let the group hold digits alone: (\d+)."
        )
    return int(text)


def _read_batches(paths: Sequence[PurePath]) -> list[int]:
    """The number of each path that differs from path to path; the last one where none does."""
    if len(paths) < 2:
        return [_read_single(path) for path in paths]
    strangers = [path for path in paths if _skeleton(path) != _skeleton(paths[0])]
    if strangers:
        raise _ambiguous("are named in different ways", paths[0], strangers[0])
    _refuse_decimals(paths)
    rows = [_numbers(path) for path in paths]
    columns = {column for column in zip(*rows, strict=True) if len(set(column)) > 1}
    if len(columns) > 1:
        most_different = max(range(len(rows)), key=lambda i: _count_differing(rows[0], rows[i]))
        raise _ambiguous("differ in more than one number", paths[0], paths[most_different])
    return list(columns.pop()) if columns else [row[-1] for row in rows]


def _read_single(path: PurePath) -> int:
    """The batch of one file alone: its only number, or the only one that no letter touches.

    A file without a number is batch 0.

    Raises:
        AmbiguousFilesError: several numbers could be meant.
    """
    stem = _spell_out(path.stem)
    numbers = [found.group() for found in _NUMBER.finditer(stem)]
    set_off = [found.group() for found in _SET_OFF_NUMBER.finditer(stem)]
    for candidates in (numbers, set_off):
        if len(candidates) == 1:
            return int(candidates[0])
    if not numbers:
        return 0
    raise AmbiguousFilesError(
        f"'{path}' has several numbers, and any of them could be the batch. "
        "Choose one with a pattern.",
        suggest_pattern(path),
    )


def _refuse_decimals(paths: Sequence[PurePath]) -> None:
    """Refuse names that differ in a number such as 0.5, of which no part is a batch."""
    decimals = {path: _DECIMAL.findall(_text(path)) for path in paths}
    other = next((path for path in paths if decimals[path] != decimals[paths[0]]), None)
    if other is not None:
        raise AmbiguousFilesError(
            f"'{paths[0]}' and '{other}' differ in a number that is not whole, and a batch is. "
            "Choose another one with a pattern, or name the files by whole numbers.",
        )


def _refuse_twins(numbered: Sequence[tuple[int, PurePath]]) -> None:
    for (batch, path), (next_batch, next_path) in pairwise(numbered):
        if batch == next_batch:
            raise AmbiguousFilesError(
                f"Both '{path}' and '{next_path}' are batch {batch}, and a batch has one "
                "checkpoint. Choose those of one kind with a pattern, or name a folder that holds "
                "only them.",
                suggest_pattern(path),
            )


def _ambiguous(what: str, a: PurePath, b: PurePath) -> AmbiguousFilesError:
    return AmbiguousFilesError(
        f"Which number is the batch? '{a}' and '{b}' {what}. Choose one with a pattern.",
        suggest_pattern(a),
    )


def suggest_pattern(path: PurePath) -> str:
    r"""A regular expression for the last number of a name.

    Example:
        >>> print(suggest_pattern(PurePath("epoch_5_step_200.pt")))
        step_(\d+)
    """
    before = re.findall(r"([A-Za-z]*[^A-Za-z0-9]*)\d+", path.stem)
    words = re.escape(before[-1] if before else "").replace(r"\-", "-")
    return rf"{words}(\d+)"


def _numbers(path: PurePath) -> tuple[int, ...]:
    """All numbers of a path without its suffix, as that of .h5 is none."""
    return tuple(int(digits) for digits in _NUMBER.findall(_text(path)))


def _text(path: PurePath) -> str:
    """A path without its suffix, with 1e3 spelled out as 1000."""
    return _spell_out(str(path.with_suffix("")))


def _spell_out(text: str) -> str:
    """A text with 1e3 and 2.5e4 as whole numbers; one that is not whole stays.

    Example:
        >>> _spell_out("G_1e3"), _spell_out("G_2.5e4"), _spell_out("G_a1e3")
        ('G_1000', 'G_25000', 'G_a1e3')
    """

    def spell(found: re.Match[str]) -> str:
        number = Decimal(found.group())
        return str(int(number)) if number == int(number) else found.group()

    return _SCIENTIFIC.sub(spell, text)


def _skeleton(path: PurePath) -> str:
    """A path with # for its numbers and one separator for all, to compare how paths are named."""
    return _SEPARATORS.sub("_", _NUMBER.sub("#", _text(path)))


def _count_differing(a: Sequence[int], b: Sequence[int]) -> int:
    return sum(x != y for x, y in zip(a, b, strict=True))
