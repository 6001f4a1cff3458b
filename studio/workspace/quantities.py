"""Bytes and durations as people read and write them; decimal units, as disks are sold."""

from __future__ import annotations

import re

from studio.workspace.errors import StudioError

UNITS = ("B", "kB", "MB", "GB", "TB")
_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)\s*h)?\s*(?:(\d+(?:\.\d+)?)\s*m)?\s*(?:(\d+(?:\.\d+)?)\s*s)?"
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?b?)", re.IGNORECASE)


def format_bytes(size_bytes: float) -> str:
    """1,260 -> '1.3 kB'."""
    for unit in UNITS[:-1]:
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def parse_bytes(text: str) -> int:
    """The size that a person means by 200GB, 1.5 TB, 800 mb or 1000.

    Raises:
        StudioError: it is no size, or none at all.
    """
    found = _SIZE.fullmatch(text.strip())
    size_bytes = 0
    if found is not None:
        unit = found[2].upper().removesuffix("B")
        size_bytes = round(float(found[1]) * 1000 ** ("", "K", "M", "G", "T").index(unit))
    if size_bytes == 0:
        raise StudioError(f"'{text}' is no size. Write it as 200GB, 1.5 TB or 800MB.")
    return size_bytes


def parse_duration(text: str) -> float:
    """The seconds that a person means by 85m, 1h30m, 12 h or 90s.

    Raises:
        StudioError: it is no duration, or none at all.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    hours, minutes, seconds = (float(part or 0) for part in found.groups()) if found else (0, 0, 0)
    duration_s = 3600 * hours + 60 * minutes + seconds
    if duration_s == 0:
        raise StudioError(f"'{text}' is no duration. Write it as 85m, 1h30m or 90s.")
    return duration_s
