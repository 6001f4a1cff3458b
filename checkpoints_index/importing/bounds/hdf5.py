"""HDF5 files: what lies in them is counted before a reader of models takes it."""

from __future__ import annotations

from typing import Any

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.importing.bounds.guard import may_hold

MAX_OBJECTS = 50_000
MAX_DEPTH = 64


def bound_hdf5(file: Any, file_bytes: int) -> int:
    """Refuse a file that claims more data than it can hold, or that leads to other files.

    Args:
        file: an open `h5py.File`.
        file_bytes: its size.

    Returns:
        Bytes of all its data as they are in memory.

    Raises:
        UnusableFileError: the reason.
    """
    claimed = sum(_sizes(file))
    if not may_hold(file_bytes, claimed):
        raise UnusableFileError(
            f"claims {claimed:,} bytes of data, far more than its {file_bytes:,}"
        )
    return claimed


def _sizes(file: Any) -> list[int]:
    import h5py

    sizes: list[int] = []
    seen: set[Any] = set()
    waiting = [(file, 0)]
    while waiting:
        thing, depth = waiting.pop()
        if thing.id in seen:
            continue
        seen.add(thing.id)
        if len(seen) > MAX_OBJECTS or depth > MAX_DEPTH:
            raise UnusableFileError("has more, or deeper, groups than any model")
        if isinstance(thing, h5py.Dataset):
            if thing.external or thing.is_virtual:
                raise UnusableFileError("takes data from other files")
            if thing.dtype.kind == "c":
                raise UnusableFileError(f"'{thing.name}' is complex, and weights are real numbers")
            sizes.append(thing.size * thing.dtype.itemsize if thing.size else 0)
        elif isinstance(thing, h5py.Group):
            waiting += [(_follow(thing, name), depth + 1) for name in thing]
    return sizes


def _follow(group: Any, name: str) -> Any:
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise UnusableFileError("holds links to other places, where a model holds its data")
    return group[name]
