"""Sizes and durations as people write and read them, in decimal units, as disks are sold."""

from __future__ import annotations

import math
import re
import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from studio.workspace.errors import StudioError

DurationStyle = Literal["short", "clock", "words"]

SIZE_UNITS = ("B", "kB", "MB", "GB", "TB")
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
MAX_BYTES = 10**24
MAX_DURATION_S = 1e12  # about 30,000 years
MAX_WAIT_S = 366 * DAY_S

_NUMBER = r"(\d+(?:\.\d+)?)\s*"
_SIZE = re.compile(_NUMBER + r"([kmgt]?b?)", re.IGNORECASE | re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d\d)", re.ASCII)
_HOUR = re.compile(r"(\d{1,2}):(\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?", re.ASCII)
_DURATION = re.compile(
    rf"(?:{_NUMBER}d)?\s*(?:{_NUMBER}h)?\s*(?:{_NUMBER}m(?:in)?)?\s*(?:{_NUMBER}s)?",
    re.IGNORECASE | re.ASCII,
)


def format_bytes(size_bytes: float) -> str:
    """Write a size with one decimal in the largest unit of which there is one.

    Example:
        >>> format_bytes(999), format_bytes(1_260), format_bytes(999_960)
        ('999 B', '1.3 kB', '1.0 MB')
    """
    if size_bytes < 999.5:
        return f"{size_bytes:.0f} B"
    for unit in SIZE_UNITS[1:-1]:
        size_bytes /= 1000
        if size_bytes < 999.95:
            return f"{size_bytes:.1f} {unit}"
    return f"{size_bytes / 1000:.1f} {SIZE_UNITS[-1]}"


def write_bytes(size_bytes: int) -> str:
    """Write a size in the largest unit that says it exactly.

    Example:
        >>> write_bytes(200 * 10**9), write_bytes(1_001)
        ('200GB', '1001B')
    """
    for unit, bytes_each in (("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if size_bytes % bytes_each == 0:
            return f"{size_bytes // bytes_each}{unit}"
    return f"{size_bytes}B"


def parse_bytes(text: str) -> int:
    """The size in bytes that a person means by 200GB, 1.5 TB, 800 mb or 1000.

    Raises:
        StudioError: it is no size, none at all, or more than there are disks for.
    """
    found = _SIZE.fullmatch(text.strip())
    size_bytes = Decimal(0)
    if found is not None:
        unit = found[2].upper().removesuffix("B")
        size_bytes = Decimal(found[1]) * 1000 ** ("", "K", "M", "G", "T").index(unit)
    if not Decimal("0.5") < size_bytes < MAX_BYTES:
        raise StudioError(f"'{text}' is no size. Write it as 200GB, 1.5 TB or 800MB.")
    return round(size_bytes)


def format_duration(duration_s: float, style: DurationStyle = "short") -> str:
    """Write a duration in one of three styles.

    Args:
        duration_s: seconds, 0 or more.
        style: `short` has at most two units, for tables and labels. `clock` has all of them, for
            what runs down. `words` is one rounded number, for sentences with "about".

    Example:
        >>> [format_duration(s) for s in (45, 720, 12_000, 187_200)]
        ['45 s', '12 min', '3 h 20 min', '2 d 4 h']
        >>> [format_duration(s, "clock") for s in (123, 3_723)]
        ['2:03', '1:02:03']
        >>> [format_duration(s, "words") for s in (80, 2_400, 18_000, 260_000)]
        ['a minute', '40 minutes', '5 hours', '3 days']
    """
    if style == "clock":
        return _format_clock(round(duration_s))
    if style == "words":
        return _format_words(duration_s)
    return _format_short(round(duration_s))


def write_duration(duration_s: float) -> str:
    """Write a duration in the largest unit that says it exactly.

    Example:
        >>> write_duration(5_100), write_duration(0.25)
        ('85m', '0.25s')
    """
    for unit, seconds in (("h", HOUR_S), ("m", MINUTE_S)):
        if duration_s % seconds == 0:
            return f"{duration_s / seconds:.0f}{unit}"
    return f"{Decimal(str(duration_s)):f}s"


def parse_duration(text: str) -> float:
    """The seconds that a person means by 85m, 1h30m, 12 h, 2 d 4 h, 90s or 1:30:00.

    Raises:
        StudioError: it is no duration, none at all, or longer than anybody lives.
    """
    text = text.strip()
    duration_s = 0.0
    if clock := _CLOCK.fullmatch(text):
        duration_s = _add_up(("0", *clock.groups()))
    elif found := _DURATION.fullmatch(text):
        duration_s = _add_up(found.groups())
    if not 0 < duration_s < MAX_DURATION_S:
        raise StudioError(f"'{text}' is no duration. Write it as 85m, 1h30m or 90s.")
    return duration_s


def parse_moment(text: str, now: float | None = None) -> float:
    """The moment that a person means by 23:30, 2026-12-24 08:00 or +2h, in this machine's time.

    An hour that is past today is tomorrow's.

    Args:
        now: seconds since 1970; the present by default.

    Returns:
        Seconds since 1970.

    Raises:
        StudioError: it is no moment, it is past, or it is more than a year away.
    """
    text, now = text.strip(), time.time() if now is None else now
    try:
        moment = _read_moment(text, now)
    except (ValueError, OverflowError):
        raise StudioError(
            f"'{text:.60}' is no moment. Write it as 23:30, 2026-12-24 08:00 or +2h."
        ) from None
    if not now - MINUTE_S <= moment <= now + MAX_WAIT_S:
        raise StudioError(f"'{text:.60}' is past, or more than a year away. Choose another moment.")
    return moment


def _read_moment(text: str, now: float) -> float:
    if text.startswith("+"):
        return now + parse_duration(text[1:])
    if found := _HOUR.fullmatch(text):
        today = datetime.fromtimestamp(now)
        at = today.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
        return (at if at > today else at + timedelta(days=1)).timestamp()
    if not _DAY.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text).timestamp()


def write_moment(moment: float) -> str:
    """Write a moment, in seconds since 1970, as `parse_moment` reads it."""
    return datetime.fromtimestamp(round(moment)).isoformat(" ")


def _add_up(parts: tuple[str | None, ...]) -> float:
    """Days, hours, minutes and seconds as seconds."""
    units = (DAY_S, HOUR_S, MINUTE_S, 1)
    return math.fsum(float(part or 0) * unit for part, unit in zip(parts, units, strict=True))


def _format_short(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / MINUTE_S)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _format_clock(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _format_words(seconds: float) -> str:
    for unit, length_s in (("day", DAY_S), ("hour", HOUR_S), ("minute", MINUTE_S)):
        if seconds >= 1.5 * length_s:
            return f"{seconds / length_s:,.0f} {unit}s"
    return "a minute"
