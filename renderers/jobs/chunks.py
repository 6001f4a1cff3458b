"""Chunks of the film that a run grows while it trains: short closed videos and their batches.

A chunk has one video for each point and one for the grid, all with the same frames. It is there
when its index is, `BATCH.json` by the batch of its first frame. The index names the videos, so
replacing it replaces all of them in one step.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from renderers.errors import RenderError
from renderers.files import checksum_file, checksum_json, read_json, replacing, write_json
from renderers.pictures.display_options import DisplayOptions, watchable_scale
from renderers.pictures.sheets import arrange_grid
from renderers.plan.outputs import GRID
from renderers.video.encoders import VideoEncoder
from renderers.video.ffmpeg import fast_start, ffmpeg_command, run_ffmpeg
from renderers.video.video_reader import count_packets
from renderers.video.video_writer import VideoWriter

# One thread for each video, because the training beside the encoders wants the cores.
ENCODER = VideoEncoder(threads=1)
# Small pictures are enlarged to this size; doubling it triples the cost of encoding.
ENLARGED_PX = 128
SHA256, CHECKSUM = "sha256", "checksum"  # In an index: of its videos, and of all that it says.


class BatchPictures(NamedTuple):
    """The pictures of all points at one batch: uint8 [labels, height, width, 3]."""

    batch: int
    pictures: np.ndarray


@dataclass(frozen=True)
class ChunkLayout:
    """What is in the pictures of a chunk.

    Args:
        labels: the labels of the latent points, in the order of the pictures.
        cells: labels of the grid's cells, row by row; None for one that stays dark.
        filmed: how many of the labels have a video of their own.
    """

    labels: tuple[str, ...]
    cells: tuple[str | None, ...]
    filmed: int

    def compose(self, pictures: np.ndarray) -> list[np.ndarray]:
        """The frames of all videos, those of points first, then the grid's.

        Args:
            pictures: uint8 [labels, height, width, 3].

        Returns:
            uint8 [height, width, 3] for each of `videos`.
        """
        of_label = dict(zip(self.labels, pictures, strict=True))
        dark = np.zeros_like(pictures[0])
        cells = np.stack([of_label.get(label or "", dark) for label in self.cells])
        return [*pictures[: self.filmed], arrange_grid(cells)]

    @property
    def videos(self) -> list[str]:
        """The label of each video."""
        return [*self.labels[: self.filmed], GRID]


@dataclass(frozen=True)
class Chunk:
    """A closed stretch of a film.

    Args:
        folder: where the index and the videos lie.
        batches: the batch of each frame, ascending.
        cells: see `ChunkLayout`.
        files: the name of each video by its label.
    """

    folder: Path
    fps: int
    batches: tuple[int, ...]
    cells: tuple[str | None, ...]
    files: dict[str, str]

    @property
    def index(self) -> Path:
        """The file whose presence makes the chunk one that is there."""
        return self.folder / f"{self.batches[0]:09d}.json"

    def path(self, label: str) -> Path:
        """The video of a label."""
        return self.folder / self.files[label]

    def write(self) -> None:
        """Write the index, which makes the chunk one that is there.

        Raises:
            RenderError: it cannot be written.
        """
        document = asdict(self)
        del document["folder"]
        document[SHA256] = {name: checksum_file(self.folder / name) for name in self.files.values()}
        write_json({**document, CHECKSUM: checksum_json(document)}, self.index)

    def drop(self) -> None:
        """Delete the index, then the videos."""
        self.index.unlink()
        for label in self.files:
            self.path(label).unlink(missing_ok=True)

    def cut(self, batch: int) -> None:
        """Drop the frames later than a batch; some must be left. Nothing is encoded anew.

        Raises:
            RenderError: a video does not have its frames, or the disk is full.
        """
        batches = tuple(own for own in self.batches if own <= batch)
        files = {label: _fresh_name(batches[0]) for label in self.files}
        shorter = Chunk(self.folder, self.fps, batches, self.cells, files)
        for label in files:
            _copy_first(self.path(label), shorter.path(label), len(batches))
        shorter.write()
        for label in self.files:
            self.path(label).unlink(missing_ok=True)

    @classmethod
    def read(cls, index: Path) -> Self | None:
        """The chunk of an index; None for one that has just been dropped."""
        document: dict[str, Any] | None = read_json(index)
        if document is None:
            return None
        for name in ("batches", "cells"):  # JSON knows no tuples.
            document[name] = tuple(document[name])
        for name in (SHA256, CHECKSUM):  # Those of older versions have none.
            document.pop(name, None)
        return cls(index.parent, **document)


def list_chunks(folder: Path) -> list[Chunk]:
    """The chunks in a folder, by their batches; none where there is no folder."""
    found = (Chunk.read(index) for index in sorted(folder.glob("*.json")))
    return [chunk for chunk in found if chunk is not None]


def find_changed_chunks(folder: Path) -> Iterator[tuple[Path, str, int | None]]:
    """What has changed in the film of a folder: the file, a reason, and its first batch.

    Args:
        folder: of the chunks; those of older versions have no checksums and are passed over.
    """
    for index in sorted(folder.glob("*.json")):
        batch = int(index.stem) if index.stem.isdigit() else None
        document: dict[str, Any] | None = read_json(index)
        if document is None or not _is_whole(document):
            if index.exists():  # Else the run went back meanwhile.
                yield index, "it is not what was written", batch
            continue
        for name, sha256 in document.get(SHA256, {}).items():
            path = folder / name
            if not path.exists() or checksum_file(path) != sha256:
                reason = "its checksum differs" if path.exists() else "it is missing"
                if index.exists():
                    yield path, reason, batch


def _is_whole(document: dict[str, Any]) -> bool:
    """Whether an index says what was written; one of an older version has no checksum."""
    said = {name: value for name, value in document.items() if name != CHECKSUM}
    return document.get(CHECKSUM) == (checksum_json(said) if SHA256 in said else None)


def record_chunk(
    frames: Iterator[BatchPictures], folder: Path, layout: ChunkLayout, fps: int
) -> None:
    """Write frames until they end, then close the chunk; after an exception there is none.

    Args:
        frames: one or more, by ascending batches.
        fps: frames per second.

    Raises:
        RenderError: an encoder stops, or the disk is full.
    """
    first = next(frames)
    files = {label: _fresh_name(first[0]) for label in layout.videos}
    paths = [folder / name for name in files.values()]
    try:
        batches = _record(chain([first], frames), paths, layout, fps)
        Chunk(folder, fps, tuple(batches), layout.cells, files).write()
    except BaseException:
        for path in paths:  # One encoder may fail when others have finished.
            path.unlink(missing_ok=True)
        raise


def truncate_chunks(folder: Path, batch: int) -> None:
    """Drop all frames that are later than a batch, and none before.

    Args:
        folder: of the chunks.
        batch: the last batch whose frame stays.

    Raises:
        RenderError: a video does not have its frames, or the disk is full.
    """
    for chunk in reversed(list_chunks(folder)):
        if chunk.batches[0] > batch:
            chunk.drop()
        elif chunk.batches[-1] > batch:
            chunk.cut(batch)


def sweep_chunks(folder: Path) -> None:
    """Delete the files of no chunk, which were being written when a process was killed."""
    chunks = list_chunks(folder)
    known = {chunk.index.name for chunk in chunks} | {n for c in chunks for n in c.files.values()}
    for path in folder.glob("*"):
        if path.name not in known:
            path.unlink(missing_ok=True)


def _record(
    frames: Iterator[BatchPictures], paths: list[Path], layout: ChunkLayout, fps: int
) -> list[int]:
    """Write all videos side by side and return the batches of their frames."""
    batches: list[int] = []
    writers: list[VideoWriter] = []
    with ExitStack() as videos:
        for batch, pictures in frames:
            composed = layout.compose(pictures)
            if not writers:
                display = DisplayOptions(scale=watchable_scale(pictures.shape[1], ENLARGED_PX))
                for path, picture in zip(paths, composed, strict=True):
                    writers.append(videos.enter_context(_open(path, picture, display, fps)))
            for writer, picture in zip(writers, composed, strict=True):
                writer.add(picture)
            batches.append(batch)
    return batches


def _open(path: Path, picture: np.ndarray, display: DisplayOptions, fps: int) -> VideoWriter:
    height, width, _ = picture.shape
    layout = display.lay_out(width, height)
    filters = layout.filters(ENCODER.pixel_format)
    return VideoWriter(path, width, height, fps, filters, ENCODER, crisp=layout.crisp)


def _fresh_name(batch: int) -> str:
    return f"{batch:09d}-{secrets.token_hex(4)}.mp4"


def _copy_first(path: Path, copy: Path, frames: int) -> None:
    """Copy the first frames of a video, which need none after them: there are no B-frames."""
    only = ["-map", "0:v:0", "-c", "copy", "-frames:v", str(frames), *fast_start(copy)]
    with replacing(copy) as temporary:
        command = ffmpeg_command("-i", f"file:{path}", *only, f"file:{temporary}")
        run_ffmpeg(command, f"Cutting {path}")
        if count_packets(temporary) != frames:
            raise RenderError(f"{path} does not have the {frames} frames that its index tells of.")
