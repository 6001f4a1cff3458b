"""Whether a generator copies pictures that it was trained on, and where on the map they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from latent.nearness.distances import measure_pairs
from latent.nearness.features import OF_PICTURES, Space, describe_pictures
from latent.nearness.neighbours import find_neighbours
from renderers.frames.passes import unround_frames
from renderers.pictures.picture_file import save_picture
from renderers.pictures.sheets import Sheet
from studio.datasets.held_out import SplitDataset, split_dataset
from studio.datasets.listing import open_dataset
from studio.datasets.maps.city_map import draw_city_map
from studio.datasets.maps.map_places import MapPlaces, Window, read_places
from studio.datasets.picture import UnreadablePictureError, read_picture
from studio.datasets.prepared import PreparedDataset
from studio.nearness.candidates import (
    Candidates,
    describe_dataset,
    describe_points,
    draw_seeds,
    held_out_of,
    open_run,
    open_training_pictures,
)
from studio.nearness.map_search import find_on_map, mark_places
from studio.nearness.queries import is_plain_picture
from studio.specimens.points import resolve_points
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

# Has the arguments and the result of `studio.nearness.candidates.describe_dataset`.
DescribeTrained = Callable[[PreparedDataset, Space], Candidates]
COPY = 1 / 3  # A picture this much nearer to one than that is to any other is a copy of it.
COLUMNS = 8


@dataclass(frozen=True)
class Likeness:
    """A picture and the training picture that is nearest to it, and the nearest held-out one.

    Attributes:
        point: its label, or the name of its file.
        number: that of the training picture, from 0.
        ratio: the distance over that of the training picture to its own nearest other one; small
            ones are copies. Where that is zero, the median over training pictures stands for it.
        window: where it is on the map, where that is known.
        map_error: root of the mean squared difference to the map there, in levels 0..255; None
            where the window is that of the training picture.
        picture, nearest: uint8 [H, W, 3].
        held_out: number of the nearest picture that training never saw; None where there is none.
        held_out_distance: how far that is.
        nearest_held_out: uint8 [H, W, 3].
    """

    point: str
    number: int
    distance: float
    ratio: float
    window: Window | None
    map_error: float | None
    picture: np.ndarray
    nearest: np.ndarray
    held_out: int | None = None
    held_out_distance: float | None = None
    nearest_held_out: np.ndarray | None = None

    @property
    def is_copy(self) -> bool:
        """Whether it is told as memorised."""
        return self.ratio < COPY

    @property
    def is_nearer_to_training(self) -> bool:
        """Whether a training picture is nearer to it than any held-out one."""
        return self.held_out_distance is not None and self.distance < self.held_out_distance


@dataclass(frozen=True)
class Memorising:
    """What was compared with the training pictures, and where these are on a map if they are.

    Attributes:
        training, held_out: how many pictures of the dataset were trained on, and how many not.
    """

    batch: int
    space: str
    dataset: str
    likenesses: list[Likeness]
    places: MapPlaces | None
    attribution: str
    training: int
    held_out: int

    @property
    def nearer_to_training(self) -> int:
        """How many are nearer to a training picture than to any held-out one."""
        return sum(each.is_nearer_to_training for each in self.likenesses)

    @property
    def nearer_by_chance(self) -> float:
        """How many would be if nothing were learned by heart: the share of training pictures."""
        return len(self.likenesses) * self.training / (self.training + self.held_out)

    def tell_held_out(self) -> str:
        """What held-out pictures say of memorising, in a sentence; "" where there are none."""
        if not self.held_out:
            return ""
        return (
            f"{self.nearer_to_training:,} of {len(self.likenesses):,} are nearer to one of the "
            f"{self.training:,} training pictures than to any of the {self.held_out:,} held-out "
            f"ones; if none were learned by heart, about {self.nearer_by_chance:.0f} would be."
        )


def find_copies(
    workspace: Workspace,
    run: str,
    points: Sequence[str],
    space: Space,
    metric: str = "euclidean",
    at_batch: int | None = None,
    *,
    count: int = 64,
    dataset: str | None = None,
    on_map: bool = False,
    held_out: float | None = None,
    device: str | None = None,
    describe_trained: DescribeTrained = describe_dataset,
) -> Memorising:
    """Find the training picture that is nearest to each of some pictures.

    Args:
        points: as `resolve_points` takes them, or paths of any pictures; `seed:0` to
            `seed:COUNT - 1` where there are none.
        space: one that describes pictures: `latent.nearness.features.OF_PICTURES`.
        dataset: its name; the run's own by default.
        on_map: look for each picture on the whole map, not only at its training picture's place.
        held_out: pictures that training never saw, as `split_dataset` takes it; by default those
            of the run.
        describe_trained: describes the training pictures; a caller may pass one that caches.

    Raises:
        StudioError: an unknown point or dataset, a dataset of fewer than three pictures, or no map.
        CheckpointError: unknown run or batch.
        LatentError: a space that describes latent points alone.
    """
    if space.name not in OF_PICTURES:
        raise StudioError(
            f"Training pictures have no place in '{space.title}': use {' or '.join(OF_PICTURES)}."
        )
    checkpoints, batch = open_run(workspace, run, at_batch)
    trained = (
        open_dataset(workspace, dataset) if dataset else open_training_pictures(workspace, run)
    )
    if len(trained) < 3:
        raise StudioError(
            f"Dataset '{trained.manifest.name}' has too few pictures to compare with."
        )
    if held_out is None:
        held_out = held_out_of(workspace, run, trained)
    split = split_dataset(trained, held_out)
    places = read_places(trained.folder)
    if on_map and places is None:
        raise StudioError(
            f"Dataset '{trained.manifest.name}' was not cut from a map, or before the studio kept "
            "where. Prepare one that is: studio datasets add-cities"
        )
    z_dim = checkpoints.spec.z_dim
    files = [text for text in points if is_plain_picture(text)]
    named = [text for text in points if text not in files]
    found = resolve_points(workspace, run, named, z_dim)
    found = found if points else draw_seeds(count, checkpoints.spec)
    asked = [_describe_files(files, trained.manifest.image_size, space)] if files else []
    with borrow_device(workspace, device, f"memorising in {run}") as chosen:
        if found:
            G = checkpoints.generator(batch, chosen)
            described = describe_points(G, found, space)
            pictures = described.draw(range(len(found)))
            asked.append(Candidates(described.labels, described.features, lambda _: pictures))
    features = describe_trained(trained, space).features
    likenesses = [each for one in asked for each in _compare(one, split, features, metric, places)]
    if on_map and places is not None:
        city_map = np.asarray(draw_city_map(places.city, places.metres_per_pixel))
        likenesses = [_search_map(each, city_map, places.size) for each in likenesses]
    said = (trained.manifest.name, likenesses, places, trained.manifest.attribution)
    counts = len(split.training), len(split.held_out)
    return Memorising(batch, space.title, *said, *counts)


def _describe_files(files: Sequence[str], image_size: int, space: Space) -> Candidates:
    try:
        pictures = np.stack([read_picture(Path(file), image_size) for file in files])
    except UnreadablePictureError as error:
        raise StudioError(f"One of the pictures cannot be read: {error}.") from error
    features = describe_pictures(unround_frames(pictures), space).numpy()
    return Candidates([Path(file).name for file in files], features, lambda _: pictures)


def _compare(
    asked: Candidates,
    split: SplitDataset,
    features: np.ndarray,
    metric: str,
    places: MapPlaces | None,
) -> list[Likeness]:
    """The likeness of each picture to the training picture that is nearest to it.

    Args:
        features: of all pictures of the dataset, float32 [N, num_features].
    """
    trained = features[split.training]
    indices, distances = find_neighbours(trained, asked.features, 1, metric)
    numbers = split.training[indices[:, 0]]
    own, scale = _nearest_others(trained, indices[:, 0], metric)
    pictures = asked.draw(range(len(numbers)))
    likenesses = [
        Likeness(
            *(label, int(number), float(far)),
            float(far / (to_other or scale or 1.0)),
            places.windows[number] if places is not None else None,
            None,
            *(picture, np.asarray(split.pixels[number])),
        )
        for label, number, far, to_other, picture in zip(
            asked.labels, numbers, distances[:, 0], own, pictures, strict=True
        )
    ]
    return _beside_held_out(asked, split, features, metric, likenesses)


def _beside_held_out(
    asked: Candidates,
    split: SplitDataset,
    features: np.ndarray,
    metric: str,
    likenesses: list[Likeness],
) -> list[Likeness]:
    """The same with the held-out picture that is nearest to each, where there are any."""
    if not len(split.held_out):
        return likenesses
    indices, distances = find_neighbours(features[split.held_out], asked.features, 1, metric)
    numbers = split.held_out[indices[:, 0]]
    return [
        replace(
            each,
            held_out=int(number),
            held_out_distance=float(far),
            nearest_held_out=np.asarray(split.pixels[number]),
        )
        for each, number, far in zip(likenesses, numbers, distances[:, 0], strict=True)
    ]


def _nearest_others(
    features: np.ndarray, numbers: np.ndarray, metric: str
) -> tuple[np.ndarray, float]:
    """How far some training pictures are from their nearest others, and the median of many."""
    many = np.linspace(0, len(features) - 1, min(len(features), 500)).astype(int)
    rows = np.concatenate([numbers, many])
    found, _ = find_neighbours(features, features[rows], 2, metric)
    other = np.where(found[:, 0] == rows, found[:, 1], found[:, 0])
    far = measure_pairs(features[rows], features[other], metric)
    return far[: len(numbers)], float(np.median(far[len(numbers) :]))


def _search_map(likeness: Likeness, city_map: np.ndarray, size: int) -> Likeness:
    if len(likeness.picture) != size:
        raise StudioError(
            f"{likeness.point} is {len(likeness.picture)} pixels wide and the windows of the map "
            f"{size}: compare with a dataset of the run's size."
        )
    match = find_on_map(city_map, likeness.picture)
    fields = {**vars(likeness), "window": match.window, "map_error": match.error}
    return Likeness(**fields)


def draw_copies(run: str, found: Memorising, path: Path) -> None:
    """Draw each picture above its nearest training picture and held-out one, copies first.

    Raises:
        RenderError: the sheet is too large, or the file cannot be written.
    """
    ordered = sorted(found.likenesses, key=lambda each: each.ratio)
    columns = min(COLUMNS, len(ordered))
    stacked = 3 if found.held_out else 2
    rows = stacked * -(-len(ordered) // columns)
    size_px = max(96, *ordered[0].picture.shape[:2])
    captions = [""] * (rows * columns)
    cells: list[tuple[int, np.ndarray]] = []
    for i, each in enumerate(ordered):
        place = i // columns * stacked * columns + i % columns
        captions[place] = each.point + " · copy" * each.is_copy
        captions[place + columns] = f"{each.number} · {each.ratio:.2f}"
        cells += [(place, each.picture), (place + columns, each.nearest)]
        if each.nearest_held_out is not None:
            captions[place + 2 * columns] = f"{each.held_out}, held out"
            cells.append((place + 2 * columns, each.nearest_held_out))
    sheet = Sheet(
        *(rows, columns, size_px, size_px),
        captions=captions,
        title=f"{run} at batch {found.batch:,}, above the nearest pictures of '{found.dataset}'",
        footer=found.attribution,
    )
    for place, picture in cells:
        sheet.add(place, picture)
    save_picture(sheet.picture, path)


def draw_on_map(found: Memorising, path: Path) -> None:
    """Draw the map with a frame where each picture is.

    Raises:
        StudioError: the dataset was not cut from a map, or the map is not installed.
        RenderError: the file cannot be written.
    """
    if found.places is None:
        raise StudioError(
            f"Dataset '{found.dataset}' was not cut from a map: there is none to mark."
        )
    places = found.places
    city_map = np.asarray(draw_city_map(places.city, places.metres_per_pixel))
    windows = [each.window for each in found.likenesses if each.window is not None]
    labels = [each.point for each in found.likenesses if each.window is not None]
    marked = mark_places(city_map, places.size, windows, labels)
    foot = Sheet(1, 1, *marked.shape[:2], footer=found.attribution)
    foot.add(0, marked)
    save_picture(foot.picture, path)
