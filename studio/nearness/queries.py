"""From what is searched: latent points, pictures of any kind, and training pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from latent.nearness.features import OF_PICTURES, Space, describe_pictures
from latent.points import LatentPoint
from renderers.frames.passes import unround_frames
from studio.datasets.picture import UnreadablePictureError, read_picture
from studio.nearness.candidates import (
    Candidates,
    Describe,
    describe_points,
    open_training_pictures,
)
from studio.specimens.passports import has_passport
from studio.specimens.points import resolve_points
from studio.workspace.errors import StudioError
from studio.workspace.names import shorten
from studio.workspace.paths import Workspace

_NUMBERED = re.compile(r"training:([0-9]{1,12})")


@dataclass(frozen=True, eq=False)
class ShownPicture:
    """A picture that no latent point is known of.

    Args:
        label: the name of its file, or `NAME:NUMBER` of a training picture.
        pixels: uint8 [H, W, 3].
    """

    label: str
    pixels: np.ndarray


Query = LatentPoint | ShownPicture


def read_queries(
    workspace: Workspace, run: str, texts: Sequence[str], image_size: int
) -> list[Query]:
    """Read from what is to be searched.

    Args:
        texts: each as `resolve_points` takes it, the path of any picture, or `training:17` for the
            picture 17 of those that the run was trained on.
        image_size: pictures of files are brought to this width and height, in px.

    Raises:
        StudioError: an unknown point or training picture, or a picture that cannot be read.
    """
    found: list[Query] = []
    for text in map(str.strip, texts):
        numbered = _NUMBERED.fullmatch(text)
        if numbered is not None:
            found.append(_read_training(workspace, run, int(numbered[1])))
        elif is_plain_picture(text):
            found.append(_read_file(Path(text), image_size))
        else:
            found += resolve_points(workspace, run, [text])
    return found


def is_plain_picture(text: str) -> bool:
    """Whether a text names a picture without a passport; a forged one is none."""
    try:
        return Path(text).is_file() and not has_passport(Path(text))
    except (OSError, ValueError):  # No system has a file of such a name.
        return False


def describe_queries(
    G: nn.Module, queries: Sequence[Query], space: Space, describe: Describe
) -> Candidates:
    """Describe what is searched from as one generator shows it, and pictures as they are.

    Returns:
        In the order of the queries; z is there where all are latent points.

    Raises:
        StudioError: a picture, and a space that describes latent points alone.
    """
    points = [query for query in queries if isinstance(query, LatentPoint)]
    shown = [query for query in queries if isinstance(query, ShownPicture)]
    if not shown:
        return describe_points(G, points, space, describe)
    if space.name not in OF_PICTURES:
        raise StudioError(
            f"{shown[0].label} is a picture, which has no place in '{space.title}': use "
            f"{' or '.join(OF_PICTURES)}; or find its latent point first: studio invert RUN PICTURE"
        )
    pictures = np.stack([query.pixels for query in shown])
    features = describe_pictures(unround_frames(pictures), space).numpy()
    if points:
        drawn = describe_points(G, points, space, describe)
        features = np.concatenate([drawn.features, features])
        pictures = np.concatenate([drawn.draw(range(len(points))), pictures])
    rows = {id(query): row for row, query in enumerate([*points, *shown])}
    order = [rows[id(query)] for query in queries]
    labels = [query.label for query in queries]
    return Candidates(labels, features[order], lambda numbers: pictures[order][list(numbers)])


def _read_training(workspace: Workspace, run: str, number: int) -> ShownPicture:
    dataset = open_training_pictures(workspace, run)
    if number >= len(dataset):
        raise StudioError(
            f"Dataset '{dataset.manifest.name}' has the pictures 0 to {len(dataset) - 1:,}, and no "
            f"{number:,}."
        )
    return ShownPicture(f"{dataset.manifest.name}:{number}", np.asarray(dataset.pixels[number]))


def _read_file(path: Path, image_size: int) -> ShownPicture:
    try:
        return ShownPicture(path.name, read_picture(path, image_size))
    except UnreadablePictureError as error:
        raise StudioError(f"{shorten(path.name)} cannot be read: {error}.") from error
