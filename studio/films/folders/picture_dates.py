"""When pictures were made: by their names, by what cameras wrote in them, or by their files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import ExifTags, Image

from studio.datasets.picture import UnreadablePictureError, opening_picture

YEARS = range(1970, 2100)  # Eight digits of other years are a number.
_SEPARATOR = "[-_.:]?"
_DATE = rf"([0-9]{{4}}){_SEPARATOR}([0-9]{{2}}){_SEPARATOR}([0-9]{{2}})"
# Hours and minutes alone have something between them: four digits are rather a number.
_TIME = (
    r"(?:[T _.-]*(?:at )?"
    rf"(?:([0-9]{{2}}){_SEPARATOR}([0-9]{{2}}){_SEPARATOR}([0-9]{{2}})(?:[.,_]([0-9]{{1,6}}))?"
    r"|([0-9]{2})[-_.:h]([0-9]{2}))(?![0-9]))?"
)
_MOMENT = re.compile(rf"(?<![0-9]){_DATE}(?![0-9]{{1,3}}(?![0-9])){_TIME}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def read_dates(stems: Sequence[str]) -> list[int] | None:
    """The moments that names tell, as microseconds; None where one tells none, or all the same.

    Example:
        >>> read_dates(["2024-03-05T12-00-00", "IMG_20240305_120001"])
        [1709640000000000, 1709640001000000]
        >>> read_dates(["fakes_1", "fakes_2"])
    """
    moments = []
    for stem in stems:
        if (moment := _read_date(stem)) is None:
            return None
        moments.append(moment)
    return moments if len(set(moments)) > 1 else None


def _read_date(stem: str) -> int | None:
    found = _MOMENT.search(stem)
    if found is None:
        return None
    year, month, day, *time = found.groups()
    hour, minute, second = (time[4], time[5], None) if time[4] else time[:3]
    try:
        moment = datetime(
            *(int(year), int(month), int(day)),
            *(int(hour or 0), int(minute or 0), int(second or 0)),
            int((time[3] or "").ljust(6, "0")),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return (moment - _EPOCH) // _MICROSECOND if moment.year in YEARS else None


def read_taken(paths: Sequence[Path]) -> list[int] | None:
    """The moments at which cameras took pictures, as microseconds; None where one says nothing."""
    moments = []
    for path in paths:
        if (moment := _read_taken(path)) is None:
            return None
        moments.append(moment)
    return moments if len(set(moments)) > 1 else None


def _read_taken(path: Path) -> int | None:
    try:
        with opening_picture(path, is_whole=False) as image:
            if image.format == "PNG" and "exif" not in image.info:
                return None  # What may stand behind the pixels is not worth decoding them.
            said = _find_taken(image)
    except UnreadablePictureError:
        return None
    try:
        moment = datetime.strptime(said[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return (moment - _EPOCH) // _MICROSECOND


def _find_taken(image: Image.Image) -> str:
    exif = image.getexif()
    taken = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
    return str(taken or exif.get(ExifTags.Base.DateTime) or "")


def read_changed(paths: Sequence[Path]) -> list[int]:
    """The moments at which files were changed last, as microseconds; 0 for what is gone."""
    return [path.stat().st_mtime_ns // 1000 if path.exists() else 0 for path in paths]
