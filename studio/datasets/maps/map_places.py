"""Where on a city map the pictures of a dataset were cut out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from checkpoints_index.storage.files import create_whole
from checkpoints_index.storage.seals import read_sealed_json, seal_json
from studio.workspace.errors import StudioError

PLACES = "places.json"


class Window(NamedTuple):
    """A square of the map: its upper left pixel, and how it was turned, then mirrored.

    Attributes:
        turns: quarter turns against the clock.
        mirrored: 1 where left and right were exchanged, else 0.
    """

    top: int
    left: int
    turns: int
    mirrored: int


@dataclass(frozen=True)
class MapPlaces:
    """A map's scale and corner, and the windows that were cut out of it.

    Attributes:
        city: one of `osm_extract.CITIES`.
        north, west: degrees of the map's north-west corner.
        latitude_per_pixel, longitude_per_pixel: degrees; both above 0.
        size: width and height of the windows in pixels.
        windows: one for each picture.
    """

    city: str
    metres_per_pixel: float
    north: float
    west: float
    latitude_per_pixel: float
    longitude_per_pixel: float
    size: int
    windows: tuple[Window, ...]

    def locate(self, top: float, left: float) -> tuple[float, float]:
        """Latitude and longitude in degrees of the centre of a window, by its upper left pixel."""
        y, x = top + self.size / 2, left + self.size / 2
        return self.north - y * self.latitude_per_pixel, self.west + x * self.longitude_per_pixel

    def save(self, folder: Path) -> None:
        """Write them into the folder of a dataset."""
        create_whole(folder / PLACES, seal_json(asdict(self)))


def read_places(folder: Path) -> MapPlaces | None:
    """The places of a dataset's pictures; None for one that was not cut from a map.

    Raises:
        StudioError: the file is damaged.
    """
    path = folder / PLACES
    if not path.exists():
        return None
    try:
        fields = read_sealed_json(path.read_bytes())
        windows = tuple(Window(*map(int, window)) for window in fields.pop("windows"))
        return MapPlaces(**fields, windows=windows)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StudioError(
            f"The places in {path} are damaged: {error}. Prepare the dataset again."
        ) from error
