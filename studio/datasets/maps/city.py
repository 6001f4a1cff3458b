"""Datasets of cities: pictures cut out of a city map at random places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from renderers.progress import OnProgress, ignore_progress
from studio.datasets.maps.city_map import draw_extract
from studio.datasets.maps.map_places import MapPlaces, Window
from studio.datasets.maps.osm_extract import (
    ATTRIBUTION,
    METRES_PER_DEGREE,
    Extract,
    find_extract,
    read_extract,
)
from studio.datasets.prepared import PreparedDataset
from studio.datasets.writer import write_dataset
from studio.workspace.errors import StudioError

# A window is empty if one colour (a lake, a field, a railway yard) covers more of it than this.
MAX_COLOUR_SHARE = 0.65
MAX_TRIES = 100  # Windows that are tried for each picture.


def prepare_city(
    city: str,
    destination: Path,
    image_size: int,
    *,
    metres_per_pixel: float = 2.0,
    count: int = 4096,
    seed: int = 0,
    downscale: Sequence[int] = (),
    replace: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> PreparedDataset:
    """Cut windows out of a city map at random places, turned by quarters, half of them mirrored.

    Quarter turns leave the drawn pixels as they are, and streets in few directions, which a small
    network learns sooner than streets at every angle. The same arguments give the same pixels.
    The manifest has `osm_extract.ATTRIBUTION`, and `places.json` where on the map each picture is.

    Args:
        city: one of `osm_extract.CITIES`.
        destination: the dataset's folder; its last part is the dataset's name.
        image_size: a power of two, 32 to 1024 pixels.
        metres_per_pixel: scale of the map, 0.5 to 5.
        count: how many pictures to cut, 1 or more.
        seed: 0 or more.
        downscale: how many times as small the pictures are kept as well.
        replace: whether a dataset in destination is replaced.
        on_progress: told the number of pictures that are cut, of count.

    Raises:
        StudioError: an unknown city, an argument out of range, a map that is not installed or too
            small for such windows, or a destination that is taken or cannot be written to.
    """
    if count < 1:
        raise StudioError(f"Cannot prepare {count} pictures. Ask for one or more.")
    if seed < 0:
        raise StudioError(f"A seed of {seed} will not do. Choose 0 or more.")
    source = f"city map of {city}, {metres_per_pixel:g} metres per pixel, seed {seed}"
    with write_dataset(
        *(destination, image_size, source),
        attribution=ATTRIBUTION,
        downscale=downscale,
        replace=replace,
    ) as writer:
        extract = read_extract(find_extract(city))
        city_map = np.asarray(draw_extract(extract, metres_per_pixel))
        _check_window(city, city_map, image_size, metres_per_pixel)
        windows = _choose_windows(city_map, image_size, np.random.default_rng(seed))
        cut = []
        for done in range(count):
            cut.append(next(windows))
            writer.append(cut_window(city_map, image_size, cut[-1]))
            on_progress(done + 1, count)
        _place(city, extract, metres_per_pixel, image_size, cut).save(writer.folder)
    return PreparedDataset.open(destination)


def _check_window(city: str, city_map: np.ndarray, size: int, metres_per_pixel: float) -> None:
    shortest = min(city_map.shape[:2])
    if size <= shortest:
        return
    raise StudioError(
        f"A window of {size} pixels at {metres_per_pixel:g} metres per pixel is "
        f"{size * metres_per_pixel:g} m wide, and the map of '{city}' only "
        f"{shortest * metres_per_pixel:.0f} m. Choose a smaller size or fewer metres per pixel."
    )


def _choose_windows(
    city_map: np.ndarray, size: int, random: np.random.Generator
) -> Iterator[Window]:
    """Windows that are not empty, without end.

    Args:
        city_map: uint8 [H, W, 3].
    """
    height, width, _ = city_map.shape
    while True:
        for _ in range(MAX_TRIES):
            top, left = random.integers(height - size + 1), random.integers(width - size + 1)
            if not _is_empty(city_map[top : top + size, left : left + size]):
                break
        else:
            raise StudioError(
                f"No window of {size} pixels with streets was found in {MAX_TRIES} tries. "
                "Choose a larger size or more metres per pixel."
            )
        turns, mirrored = int(random.integers(4)), int(random.integers(2))
        yield Window(int(top), int(left), turns, mirrored)


def cut_window(city_map: np.ndarray, size: int, window: Window) -> np.ndarray:
    """The picture of a window, uint8 [size, size, 3], turned and mirrored as it says.

    Args:
        city_map: uint8 [H, W, 3].
    """
    top, left, turns, mirrored = window
    picture = np.rot90(city_map[top : top + size, left : left + size], turns)
    return picture[:, ::-1] if mirrored else picture


def _place(
    city: str, extract: Extract, metres_per_pixel: float, size: int, windows: list[Window]
) -> MapPlaces:
    return MapPlaces(
        city,
        metres_per_pixel,
        *(extract.north, extract.west),
        latitude_per_pixel=metres_per_pixel / METRES_PER_DEGREE,
        longitude_per_pixel=metres_per_pixel / extract.metres_per_longitude,
        size=size,
        windows=tuple(windows),
    )


def _is_empty(window: np.ndarray) -> bool:
    """Whether nearly all pixels, of every few that are looked at, have one colour."""
    step = max(1, len(window) // 64)
    colours = window[::step, ::step].astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    _, counts = np.unique(colours, return_counts=True)
    return bool(counts.max() > MAX_COLOUR_SHARE * colours.size)
