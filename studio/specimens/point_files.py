"""Files of latent points that other programs wrote: NumPy arrays, tables, JSON, text, pickles."""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.importing.bounds.archives import bound_archive
from checkpoints_index.importing.bounds.guard import guard_reading, read_bounded
from latent.points import parse_label
from studio.specimens.passports import MAX_COORDINATE
from studio.specimens.point_pickles import read_pickle
from studio.workspace.errors import StudioError
from studio.workspace.names import require_path, shorten

MAX_FILE_BYTES = 1 << 26
MAX_POINTS = 10_000  # In one file.
EXACT_DECIMALS = 7  # Fewer do not bring a float32 of the size of 1 back.
NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LABEL_IN_NAME = re.compile(r"(?<![A-Za-z0-9.])([0-9]{1,15}\.[0-9]{1,9})(?![A-Za-z0-9.])")
_SEPARATORS = re.compile(r"[\s,;\[\]()\"']+")
_DECIMALS = re.compile(r"\.([0-9]+)(?![0-9eE])")


@dataclass(frozen=True, eq=False)
class ForeignPoint:
    """A latent point of a file.

    Attributes:
        label: such as `16500.28`, where the file or its name says one.
        z: float32 [z_dim].
    """

    label: str | None
    z: np.ndarray


def read_points(path: Path, z_dim: int) -> tuple[list[ForeignPoint], list[str]]:
    """The latent points of a file, and sentences about what it does not hold.

    Args:
        path: `.npy`, `.npz`, `.json`, `.pkl`, or text of numbers with any other suffix.
        z_dim: how many numbers a point has.

    Returns:
        The points in the order of the file; remarks.

    Raises:
        StudioError: the file cannot be read, or holds anything but points of finite numbers.
    """
    suffix = path.suffix.lower()
    read = READERS.get(suffix, _read_text)
    try:
        with guard_reading():
            content = read_bounded(require_path(path), MAX_FILE_BYTES)
            held = read(content)
            if read is _read_text:
                held = _take_labels(held, z_dim)
            named = _name_rows(held, z_dim)
    except UnusableFileError as reason:
        raise StudioError(
            f"{shorten(path.name)} {str(reason).rstrip('.')}. Points of this run are {z_dim} "
            "numbers each, in a file of .npy, .npz, .csv, .json, .pkl or text."
        ) from reason
    if len(named) == 1 and named[0].label is None:
        named = [ForeignPoint(find_label(path), named[0].z)]
    return named, _say_decimals(path, content) if read is _read_text else []


def find_label(path: Path) -> str | None:
    """The one label in the name of a file.

    Example:
        >>> find_label(Path("city-16500.28.npy")), find_label(Path("latent_points.pkl"))
        ('16500.28', None)
    """
    known = path.suffix.lower() in (*READERS, ".csv", ".txt", ".dat", ".tsv")
    found = _LABEL_IN_NAME.findall(path.stem.replace("_", " ") if known else path.name)
    return found[0] if len(found) == 1 else None


def _name_rows(content: Any, z_dim: int) -> list[ForeignPoint]:
    """The points in what a file holds: rows of numbers, or a table of them by label."""
    if isinstance(content, Mapping):
        found = []
        for name, value in content.items():
            label = str(name) if parse_label(str(name)) else None
            rows = _to_rows(value, z_dim)
            found += [ForeignPoint(label if len(rows) == 1 else None, row) for row in rows]
            if len(found) > MAX_POINTS:
                break
    else:
        found = [ForeignPoint(None, row) for row in _to_rows(content, z_dim)]
    if not 1 <= len(found) <= MAX_POINTS:
        raise UnusableFileError(f"holds {len(found):,} points; 1 to {MAX_POINTS:,} are read")
    return found


def _to_rows(value: Any, z_dim: int) -> np.ndarray:
    """float32 [N, z_dim] of numbers that make pictures.

    Raises:
        UnusableFileError: they are not that many, or not numbers, not finite, or all zero.
    """
    if isinstance(value, list | tuple):
        _bound_list(value, z_dim)
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise UnusableFileError("holds something else than numbers")
    while array.ndim > 2 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.size == z_dim:
        array = array.reshape(z_dim)  # Text may break one point into several lines.
    if array.ndim not in (1, 2) or array.shape[-1] != z_dim:
        raise UnusableFileError(f"holds numbers of shape {list(array.shape)}")
    rows = array.reshape(-1, z_dim).astype(np.float64)
    if not (np.abs(rows) <= MAX_COORDINATE).all():
        raise UnusableFileError(
            f"holds numbers that are not finite, or above {MAX_COORDINATE:,.0f}"
        )
    points = rows.astype(np.float32)
    if not points.any(axis=1).all():
        raise UnusableFileError("holds a point whose numbers are all zero")
    return points


def _bound_list(value: Sequence[Any], z_dim: int) -> None:
    """Refuse lists in lists that stand for far more numbers than points have."""
    if len(value) > max(MAX_POINTS, z_dim):
        raise UnusableFileError(f"holds a list of {len(value):,} values")
    for row in value:
        is_list = isinstance(row, list | tuple)
        nested = is_list and any(isinstance(number, list | tuple) for number in row)
        length = len(row) if is_list else getattr(row, "size", 1)
        if nested or length > z_dim:
            raise UnusableFileError(f"holds lists that are no points of {z_dim} numbers")


def _read_npy(content: bytes) -> np.ndarray:
    """The array of a `.npy` file, whose header was compared with the bytes behind it."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    if version not in NPY_HEADERS:
        raise UnusableFileError(f"is of version {version} of its format, which is not known here")
    shape, by_columns, dtype = NPY_HEADERS[version](file)
    if dtype.kind not in "fiu":
        raise UnusableFileError(f"holds {dtype}, and no plain numbers")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise UnusableFileError("is damaged: it has not as many numbers as it says")
    flat = np.frombuffer(content, dtype, offset=file.tell())
    return flat.reshape(shape, order="F" if by_columns else "C")


def _read_npz(content: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        bound_archive(archive, len(content))
        names = archive.namelist()
        return {name.removesuffix(".npy"): _read_npy(archive.read(name)) for name in names}


def _read_json(content: bytes) -> Any:
    return json.loads(content)


def _take_labels(words: Any, z_dim: int) -> Any:
    """Rows of text as numbers; a first column of labels, where each row has one, by its label.

    Raises:
        UnusableFileError: two rows have one label.
    """
    is_table = isinstance(words[0], list) if words else False
    labelled = is_table and all(len(row) == z_dim + 1 and parse_label(row[0]) for row in words)
    if not labelled:
        if is_table:
            return [[float(word) for word in row] for row in words]
        return [float(word) for word in words]
    table = {row[0]: [float(word) for word in row[1:]] for row in words}
    if len(table) < len(words):
        raise UnusableFileError("has the same label in two rows")
    return table


def _read_text(content: bytes) -> Any:
    """Words between spaces, commas or semicolons: one point in all, or one on each line."""
    lines = [
        _SEPARATORS.sub(" ", line).split() for line in content.decode("utf-8-sig").splitlines()
    ]
    lines = [line for line in lines if line and not line[0].startswith("#")]
    if lines and not _is_number(lines[0][0]):
        lines = lines[1:]  # The names of columns.
    is_table = len({len(line) for line in lines}) == 1
    return lines if is_table else [word for line in lines for word in line]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _say_decimals(path: Path, content: bytes) -> list[str]:
    """A sentence where numbers were written too short to be what they were."""
    most = max((len(found) for found in _DECIMALS.findall(content.decode("utf-8-sig"))), default=0)
    if not 0 < most < EXACT_DECIMALS:
        return []
    return [
        f"{shorten(path.name)} has numbers of {most} decimals, which is not enough to come back "
        "exactly: the city is nearly the same. Take the .pkl or .npy beside it, if there is one."
    ]


READERS: dict[str, Callable[[bytes], Any]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".json": _read_json,
    ".pkl": read_pickle,
    ".pickle": read_pickle,
}
