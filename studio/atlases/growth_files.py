"""The files of an atlas over training, read by pieces; `docs/atlas.md` has the format."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from checkpoints_index.storage.files import create_whole
from renderers.files import checksum_file, has_changed, read_json, write_json
from studio.atlases.atlas_files import SHA256
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

FORMAT = 1
RECORD, PLACES, NEAR = "growth.json", "places.bin", "near.bin"
STRIP, STABILITY = "maps.png", "stability.png"
COLUMNS = ("x", "y", "faithful")


@dataclass(frozen=True)
class BatchMap:
    """One map of the sequence, without its points.

    Attributes:
        batch: the checkpoint.
        count: how many of the points are on it, the first ones.
        scale: units of UMAP in one unit of the map.
        moved: mean way of a point since the map before, as a share of the map's radius.
        faithful: the area under R_NX between the space and this map, 0 by chance.
        kept: the share of the nearest of each point that are nearest on the map as well, 0..1.
        stable: the share of the nearest that the checkpoint before had, too; None for the first.
        stable_since: the batch of that checkpoint.
        placed: how many of the points were placed on the map after it was drawn.
    """

    batch: int
    count: int
    scale: float
    moved: float
    faithful: float
    kept: float
    stable: float | None
    stable_since: int | None
    placed: int = 0


@dataclass(frozen=True)
class GrowthAtlas:
    """An atlas over training: maps of the same points at many batches, in one frame.

    Attributes:
        space: what nearness is measured in.
        seed: the same seed draws the same maps.
        labels: of the points, in their order; further ones are put behind.
        z_dim: numbers in a latent point.
        neighbours: how many nearest of each point are kept.
        sprite_px: width and height of a thumbnail.
        maps: by ascending batches.
        folder: where its files lie.
    """

    run: str
    space: str
    seed: int
    labels: tuple[str, ...]
    z_dim: int
    neighbours: int
    sprite_px: int
    maps: tuple[BatchMap, ...]
    folder: Path

    @property
    def batches(self) -> list[int]:
        """The batches that have a map, ascending."""
        return [drawn.batch for drawn in self.maps]

    def folder_of(self, drawn: BatchMap) -> Path:
        """Where the points of a map lie, and its thumbnails."""
        return self.folder / f"map-{drawn.batch:09d}-{drawn.count}"

    @property
    def vectors(self) -> Path:
        """The file of the latent points."""
        return self.folder / f"z-{len(self.labels)}.bin"

    def require_whole(self) -> None:
        """Raise StudioError where a map lacks some of the points, or there is none."""
        if not self.maps or any(drawn.count != len(self.labels) for drawn in self.maps):
            raise StudioError(
                f"The atlas over training of run '{self.run}' is not finished. Go on with it: "
                f"studio atlas-growth {self.run} --space {self.space}"
            )

    def read_places(self, drawn: BatchMap) -> np.ndarray:
        """The columns of the points of a map: float32 [N, 3], named by COLUMNS.

        Raises:
            StudioError: the file is damaged.
        """
        return self._read(self.folder_of(drawn) / PLACES, "<f4", drawn.count, len(COLUMNS))

    def read_near(self, drawn: BatchMap) -> np.ndarray:
        """The nearest others of each point of a map, nearest first: int32 [N, neighbours].

        Raises:
            StudioError: the file is damaged.
        """
        near = self._read(self.folder_of(drawn) / NEAR, "<i4", drawn.count, self.neighbours)
        if near.size and not 0 <= near.min() <= near.max() < drawn.count:
            raise _damaged(self.folder, f"{NEAR} names points that there are not")
        return near

    def read_z(self) -> Tensor:
        """The latent points, float32 [N, z_dim].

        Raises:
            StudioError: the file is damaged.
        """
        return torch.from_numpy(self._read(self.vectors, "<f4", len(self.labels), self.z_dim))

    def require_label(self, label: str) -> int:
        """The number of a point.

        Raises:
            StudioError: it is not on the maps.
        """
        if label not in self.labels:
            raise StudioError(
                f"{label} is not on the maps of run '{self.run}'. Place it there: "
                f"studio atlas-growth {self.run} --space {self.space} --points {label}"
            )
        return self.labels.index(label)

    def _read(self, path: Path, kind: str, rows: int, columns: int) -> np.ndarray:
        content = path.read_bytes() if path.is_file() else b""
        if len(content) != rows * columns * 4:
            said = f"{path.name} has {len(content):,} bytes instead of {rows * columns * 4:,}"
            raise _damaged(self.folder, said)
        values = np.frombuffer(content, kind).reshape(rows, columns)
        return values.astype(values.dtype.newbyteorder("="))


def growth_folder(workspace: Workspace, run: str, space: str) -> Path:
    """The folder of the atlas over training; there is one of each space."""
    return workspace.render(f"{run}-growth-{space}")


def find_growth(workspace: Workspace, run: str, space: str | None = None) -> GrowthAtlas:
    """The atlas over training of a run.

    Args:
        space: what nearness is measured in; the one that was drawn last if None.

    Raises:
        StudioError: there is none, or it is damaged.
    """
    named = "*" if space is None else space
    records = [
        path
        for path in workspace.renders.glob(f"{run}-growth-{named}/{RECORD}")
        if (read_json(path) or {"run": run}).get("run") == run
    ]
    if not records:
        by = f" by {space}" if space else ""
        raise StudioError(
            f"Run '{run}' has no atlas over training{by}. Draw it: studio atlas-growth {run}"
            + (f" --space {space}" if space else "")
        )
    found = read_growth(max(records, key=lambda path: path.stat().st_mtime).parent)
    assert found is not None, "its record is there"
    return found


def list_growths(workspace: Workspace, run: str) -> list[GrowthAtlas]:
    """The atlases over training of a run that have two whole maps; damaged ones are passed over."""
    found = []
    for path in sorted(workspace.renders.glob(f"{run}-growth-*/{RECORD}")):
        try:
            atlas = read_growth(path.parent)
        except StudioError:
            continue
        if atlas is not None and atlas.run == run and len(whole := _whole_maps(atlas)) > 1:
            found.append(replace(atlas, maps=whole))
    return found


def _whole_maps(atlas: GrowthAtlas) -> tuple[BatchMap, ...]:
    """The maps that have all points; while an atlas is drawn or grows, some lack a few."""
    return tuple(drawn for drawn in atlas.maps if drawn.count == len(atlas.labels))


def read_growth(folder: Path) -> GrowthAtlas | None:
    """The atlas over training in a folder, with the maps that are there; None where there is none.

    Raises:
        StudioError: its record is not what was written.
    """
    path = folder / RECORD
    if has_changed(path):
        raise _damaged(folder, f"{RECORD} is not what was written")
    document = read_json(path)
    if document is None:
        return None
    try:
        maps = tuple(_read_map(drawn) for drawn in document["maps"])
        names = ("run", "space", "seed", "z_dim", "neighbours", "sprite_px")
        known = {name: document[name] for name in names}
        return GrowthAtlas(**known, labels=tuple(document["labels"]), maps=maps, folder=folder)
    except (KeyError, TypeError) as error:
        raise _damaged(folder, f"{RECORD} is not what was written") from error


def _read_map(document: dict[str, Any]) -> BatchMap:
    return BatchMap(**{name: document[name] for name in BatchMap.__dataclass_fields__})


def save_map(own: Path, places: np.ndarray, faithful: np.ndarray, near: np.ndarray) -> None:
    """Write the points of a map; `save_growth` makes it known.

    Args:
        own: the folder of the map, which is there.
        places: float32 [N, 2].
        faithful: float32 [N].
        near: int [N, k].
    """
    columns = np.column_stack([places, faithful])
    create_whole(own / PLACES, np.asarray(columns, "<f4").tobytes())
    create_whole(own / NEAR, np.asarray(near, "<i4").tobytes())


def save_growth(atlas: GrowthAtlas, pictures: Sequence[str] = ()) -> None:
    """Write the record, which makes the maps in it known, and remove what it does not know.

    Args:
        pictures: the names of those that were drawn of these maps.
    """
    fields = asdict(replace(atlas, maps=()))
    del fields["folder"]
    write_json(
        {
            "format": FORMAT,
            **fields,
            "maps": [
                {**asdict(drawn), "path": atlas.folder_of(drawn).name} for drawn in atlas.maps
            ],
            "columns": COLUMNS,
            SHA256: _checksums(atlas, pictures),
        },
        atlas.folder / RECORD,
    )
    known = {atlas.vectors, *map(atlas.folder_of, atlas.maps)}
    for former in {*atlas.folder.glob("map-*"), *atlas.folder.glob("z-*.bin")} - known:
        shutil.rmtree(former) if former.is_dir() else former.unlink()


def save_points(atlas: GrowthAtlas, z: Tensor) -> None:
    """Write the latent points, float32 [N, z_dim], then the record."""
    atlas.folder.mkdir(parents=True, exist_ok=True)
    create_whole(atlas.vectors, z.numpy().astype("<f4").tobytes())
    save_growth(atlas)


def find_changed_growth(folder: Path) -> Path | None:
    """A file of the atlas over training that is another than was written; None where all are."""
    kept = (read_json(folder / RECORD) or {}).get(SHA256)
    for name, checksum in kept.items() if isinstance(kept, dict) else ():
        path = folder.joinpath(*Path(name).parts[-2:])
        if path.is_file() and checksum_file(path) != checksum:
            return path
    return None


def _checksums(atlas: GrowthAtlas, pictures: Sequence[str]) -> dict[str, str]:
    """The checksum of each file, by its name below the folder."""
    folders = map(atlas.folder_of, atlas.maps)
    files = [atlas.vectors, *(file for own in folders for file in sorted(own.iterdir()))]
    files += [atlas.folder / name for name in pictures]
    return {
        file.relative_to(atlas.folder).as_posix(): checksum_file(file)
        for file in files
        if not file.name.startswith(".")
    }


def _damaged(folder: Path, reason: str) -> StudioError:
    return StudioError(
        f"The atlas over training in {folder} is damaged ({reason}). Delete it, and draw it anew: "
        f"studio delete film {folder.name}"
    )
