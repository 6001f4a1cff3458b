"""The files of an atlas, which a page reads by pieces; `docs/atlas.md` has the format."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from checkpoints_index.storage.files import create_whole, open_whole
from latent.maps.directions import MainDirections
from renderers.files import checksum_file, has_changed, read_json, write_json
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

FORMAT = 3
COLUMNS = ("x", "y", "faithful", "density", "cluster", "row", "column", "slot")
WITHOUT_SLOT = 7  # Columns of format 2, in which the sprites stand in the order of the points.
SHA256 = "sha256"  # In the record: the checksums of the other files.
RECORD, POINTS, FIRST_VIEW = "atlas.json", "points.bin", "first-view.bin"
PICTURE = "atlas.png"
FEATURES, DIRECTIONS = "features.npy", "directions.npz"
GAP_PX = 4  # Between two pictures of `atlas.png`.


@dataclass(frozen=True)
class AtlasTrust:
    """How far the map of an atlas may be believed; see `latent.maps.atlas.AtlasMap`."""

    faithful: float
    trustworthiness: float
    continuity: float
    measured: int
    structure: bool
    structure_p: float
    structure_effect: float
    nearness: float
    dimension: float
    reference_dimension: float
    repeatable: float
    variance_kept: float
    verdict: str


@dataclass(frozen=True)
class AtlasTrait:
    """Something that the cities of a cluster share, and the others lack.

    Attributes:
        trait: one of `studio.atlases.picture_traits.WORDS`, or `tag:` and a tag of specimens.
        words: what the cities are, such as "darker", or "tagged river".
        effect, inside, outside: see `latent.maps.commonalities.Commonality`.
    """

    trait: str
    words: str
    effect: float
    inside: float
    outside: float


@dataclass(frozen=True)
class AtlasCluster:
    """A group of cities that lie together on the map.

    Attributes:
        count: cities in it.
        representative: label of the one in its middle.
        kept: share of its cities' nearest in the space that lie in it too, 0..1.
        by_chance: what that share would be if its cities were anywhere.
        shared: what its cities have in common; nothing where nothing is beyond chance. None where
            an older version drew it, and nobody looked.
    """

    count: int
    representative: str
    kept: float
    by_chance: float
    shared: tuple[AtlasTrait, ...] | None = None


@dataclass(frozen=True)
class DrawnAtlas:
    """An atlas that was drawn.

    Attributes:
        batch: the checkpoint that drew the pictures.
        space: what nearness was measured in, one of `latent.nearness.features.SPACES`.
        count: how many latent points it shows.
        prefix, first: a label is the prefix, such as `16500.`, and a number; that of the first.
        seed: the same seed draws the same map.
        around: label of the city whose neighbourhood it shows; None for an atlas of the whole.
        radius: how far from that city the farthest points are, 0..1.
        cell_px: width and height of a cell in the picture, its gap included.
        sprite_px: width and height of a thumbnail in the sprite sheets.
        trust: how far the map may be believed; None where an old version drew it.
        clusters: groups of cities, the largest first.
        path: the picture, a PNG.
    """

    run: str
    batch: int
    space: str
    count: int
    prefix: str
    first: int
    seed: int
    around: str | None
    radius: float
    cell_px: int
    sprite_px: int
    trust: AtlasTrust | None
    clusters: tuple[AtlasCluster, ...]
    path: Path

    @property
    def labels(self) -> list[str]:
        """The labels of its points, in their order."""
        return [f"{self.prefix}{number}" for number in range(self.first, self.first + self.count)]

    @cached_property
    def points(self) -> np.ndarray:
        """The columns of its points: float32 [N, 8], named by COLUMNS."""
        return read_points_file(self.path.with_name(POINTS), self.count)

    @property
    def coordinates(self) -> np.ndarray:
        """Places on the map before they were moved into cells: float32 [count, 2], 0..1."""
        return self.points[:, :2]

    @property
    def cells(self) -> np.ndarray:
        """Row and column of each point in the picture: int [count, 2]."""
        return self.points[:, 5:7].astype(int)

    @property
    def slots(self) -> np.ndarray:
        """The slot of each point in the sprite sheets: int [count]; see `SpriteSheets`."""
        return self.points[:, COLUMNS.index("slot")].astype(int)

    def far_apart(self, count: int) -> list[str]:
        """Labels of cities all over the map, each the farthest from those before it.

        Args:
            count: how many; all cities where there are fewer.
        """
        chosen = [0]
        to_chosen = np.linalg.norm(self.coordinates - self.coordinates[0], axis=1)  # [self.count]
        while len(chosen) < min(count, self.count):
            chosen.append(int(to_chosen.argmax()))
            to_last = np.linalg.norm(self.coordinates - self.coordinates[chosen[-1]], axis=1)
            to_chosen = np.minimum(to_chosen, to_last)
            to_chosen[chosen] = -1  # Where cities lie on one spot, none is chosen twice.
        labels = self.labels
        return [labels[i] for i in chosen]

    def specimen_at(self, x_px: int, y_px: int) -> str | None:
        """The label of the specimen under a point of the picture, if there is one."""
        wanted = [y_px // self.cell_px, x_px // self.cell_px]
        found = np.flatnonzero((self.cells == wanted).all(1))
        return self.labels[int(found[0])] if len(found) else None


def atlas_folder(
    workspace: Workspace, run: str, batch: int, space: str, around: str | None
) -> Path:
    """The folder of an atlas; there is one of each checkpoint, space and neighbourhood."""
    near = "" if around is None else "_near_" + re.sub(r"\W", "_", around)
    return workspace.render(f"{run}-atlas-{batch}-{space}{near}")


def list_atlases(workspace: Workspace, run: str) -> list[DrawnAtlas]:
    """List the atlases of a run, the newest checkpoint first; damaged ones are passed over."""
    paths = workspace.renders.glob(f"{run}-atlas-*/{RECORD}")
    whole = [path for path in paths if not has_changed(path)]
    atlases = [atlas for atlas in map(read_atlas, whole) if atlas.run == run]
    return sorted(atlases, key=lambda atlas: atlas.batch, reverse=True)


def find_atlas(
    workspace: Workspace, run: str, batch: int | None, space: str | None, around: str | None = None
) -> DrawnAtlas:
    """The atlas of a run that was asked for.

    Args:
        batch, space: the newest checkpoint's, and any, by default.
        around: the city whose neighbourhood it shows.

    Raises:
        StudioError: there is none.
    """
    drawn = list_atlases(workspace, run)
    for atlas in drawn:
        if atlas.around == around and batch in (None, atlas.batch) and space in (None, atlas.space):
            return atlas
    known = ", ".join(f"batch {a.batch} by {a.space}" for a in drawn) or "none yet"
    raise StudioError(
        f"Run '{run}' has no such atlas. Drawn: {known}. Draw one: studio atlas {run}"
    )


def read_atlas(path: Path) -> DrawnAtlas:
    """Read an atlas from its `atlas.json`, of this version or an older one.

    Raises:
        StudioError: the file is not what was written.
    """
    document = read_json(path)
    if document is not None:
        with suppress(ValueError, KeyError, TypeError):  # Somebody else may have written it.
            return _read_document(document, path)
    raise StudioError(
        f"{path} is not what was written, so nobody knows which city stands where in its picture. "
        "Delete its folder, and draw the atlas again: studio atlas RUN"
    )


def find_changed_atlas(folder: Path) -> Path | None:
    """A file of the atlas in a folder that is another than was written; None where all are."""
    document = read_json(folder / RECORD) or {}
    kept = document.get(SHA256, {})
    if isinstance(kept, str):  # The first version knew the checksum of the picture alone.
        kept = {document.get("path", PICTURE): kept}
    for name, checksum in kept.items() if isinstance(kept, dict) else ():
        path = folder / Path(str(name)).name
        if path.is_file() and checksum_file(path) != checksum:
            return path
    return None


def save_atlas(atlas: DrawnAtlas, columns: np.ndarray) -> None:
    """Write the points, then the record that makes the atlas known.

    Args:
        columns: float [N, 8], named by COLUMNS.
    """
    create_whole(atlas.path.with_name(POINTS), np.asarray(columns, "<f4").tobytes())
    document = {
        "format": FORMAT,
        **asdict(atlas),
        "path": atlas.path.name,
        "points": {"path": POINTS, "columns": COLUMNS},
        SHA256: {path.name: checksum_file(path) for path in _belonging(atlas.path.parent)},
    }
    write_json(document, atlas.path.with_name(RECORD))


def _belonging(folder: Path) -> list[Path]:
    """The files of an atlas beside its record, but for the first view, which does not stay."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.name not in (RECORD, FIRST_VIEW) and path.name[0] != "."
    )


def save_space(folder: Path, features: np.ndarray, directions: MainDirections | None) -> None:
    """Write what new points are compared with.

    Args:
        features: float32 [N, r].
        directions: where they are main directions, those.
    """
    with open_whole(folder / FEATURES) as file:
        np.save(file, features)
    if directions is None:
        (folder / DIRECTIONS).unlink(missing_ok=True)
        return
    with open_whole(folder / DIRECTIONS) as file:
        np.savez(file, **vars(directions))


def read_space(atlas: DrawnAtlas) -> tuple[np.ndarray, MainDirections | None]:
    """Read what new points are compared with.

    Returns:
        (features float32 [N, r], the directions that new features are projected onto).

    Raises:
        StudioError: the files are damaged or not there.
    """
    folder = atlas.path.parent
    try:
        features = np.load(folder / FEATURES)
        if features.ndim != 2 or len(features) != atlas.count:
            raise ValueError(f"it has the shape {features.shape}")
        if not (folder / DIRECTIONS).exists():
            return features, None
        with np.load(folder / DIRECTIONS) as kept:
            return features, MainDirections(kept["mean"], kept["axes"], float(kept["share"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StudioError(
            f"The features of the atlas in {folder} cannot be read ({error}). Draw the atlas anew."
        ) from error


def read_points_file(path: Path, count: int) -> np.ndarray:
    """Read the points of an atlas: float32 [N, 8], named by COLUMNS.

    Raises:
        StudioError: the file is not there, or has another length.
    """
    content = path.read_bytes() if path.is_file() else b""
    for columns in (len(COLUMNS), WITHOUT_SLOT):
        if len(content) == count * columns * 4:
            points = np.frombuffer(content, "<f4").reshape(count, columns).astype(np.float32)
            order = np.arange(count, dtype=np.float32)
            return points if columns == len(COLUMNS) else np.column_stack([points, order])
    raise StudioError(
        f"{path} is damaged: it has {len(content):,} bytes instead of "
        f"{count * len(COLUMNS) * 4:,}. Draw the atlas anew."
    )


def _read_document(document: dict[str, Any], path: Path) -> DrawnAtlas:
    if "format" not in document:
        return _read_first_format(document, path)
    document = {"prefix": f"{document['batch']}.", **document}  # Older ones had no other labels.
    kept = {name: document[name] for name in DrawnAtlas.__dataclass_fields__}
    trust = AtlasTrust(**kept["trust"]) if kept["trust"] is not None else None
    clusters = tuple(_read_cluster(cluster) for cluster in kept["clusters"])
    place = path.with_name(Path(kept["path"]).name)
    return DrawnAtlas(**{**kept, "trust": trust, "clusters": clusters, "path": place})


def _read_cluster(document: dict[str, Any]) -> AtlasCluster:
    shared = document.get("shared")
    traits = None if shared is None else tuple(AtlasTrait(**trait) for trait in shared)
    return AtlasCluster(**{**document, "shared": traits})


def _read_first_format(document: dict[str, Any], path: Path) -> DrawnAtlas:
    """An atlas of version 0.1, whose points are in the record itself and whose trust is unknown."""
    names = ("run", "batch", "space", "count", "cell_px")
    atlas = DrawnAtlas(
        **{name: document[name] for name in names},
        prefix=f"{document['batch']}.",
        first=0,
        seed=0,
        around=None,
        radius=0.0,
        sprite_px=0,
        trust=None,
        clusters=(),
        path=path.with_name(Path(document["path"]).name),
    )
    columns = join_columns(document["coordinates"], document["cells"])
    atlas.__dict__["points"] = columns.astype(np.float32)
    return atlas


def join_columns(
    coordinates: np.ndarray | Sequence[Sequence[float]],
    cells: np.ndarray | Sequence[Sequence[int]],
    faithful: np.ndarray | None = None,
    density: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
    order: np.ndarray | None = None,
) -> np.ndarray:
    """The columns of `points.bin`: float [N, 8]; what is not known is 0, or -1.

    Args:
        order: the point that stands in each slot of the sprite sheets; the points' own by default.
    """
    places = np.asarray(coordinates, np.float64).reshape(-1, 2)
    unknown = np.zeros(len(places))
    slots = np.arange(len(places))
    if order is not None:
        slots[order] = np.arange(len(places))
    return np.column_stack(
        [
            places,
            unknown if faithful is None else faithful,
            unknown if density is None else density,
            unknown - 1 if cluster is None else cluster,
            np.asarray(cells, np.float64).reshape(-1, 2),
            slots,
        ]
    )
