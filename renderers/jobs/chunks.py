"""Chunks of a film that grows: short closed videos of the same frames, and their batches.

A chunk is there when its index is, `BATCH.json` by the batch of its first frame. The index names
the chunk's videos, so replacing it replaces all of them in one step.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np

from renderers.errors import RenderError
from renderers.files import read_json, replacing, write_json
from renderers.pictures.display_options import DisplayOptions, watchable_scale
from renderers.pictures.sheets import arrange_grid
from renderers.plan.outputs import GRID
from renderers.video.encoders import VideoEncoder
from renderers.video.ffmpeg import ffmpeg_command
from renderers.video.video_writer import VideoWriter, count_packets, fast_start, run

ENCODER = VideoEncoder(
    threads=1
)  # there is one for each video, beside something that wants the cores
ENLARGED_PX = 128  # to which small pictures are; each time twice of it costs the cores three times
Shot = tuple[int, np.ndarray]


@dataclass(frozen=True)
class ChunkLayout:
    """What is in the pictures of a chunk.

    Args:
        labels: of the latent points, in the order of the pictures.
        cells: labels of the grid's cells, row by row; None for one that stays dark.
        filmed: how many of the labels have a video of their own.
    """

    labels: tuple[str, ...]
    cells: tuple[str | None, ...]
    filmed: int

    def compose(self, pictures: np.ndarray) -> list[np.ndarray]:
        """The frames of all videos: uint8 [labels, H, W, 3] -> those of points, then the grid."""
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
        batches: that its frames show, ascending.
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
        return self.folder / f"{self.batches[0]:09d}.json"

    def path(self, label: str) -> Path:
        return self.folder / self.files[label]

    def write(self) -> None:
        """Write the index, which makes the chunk one that is there."""
        document = asdict(self)
        del document["folder"]
        write_json(document, self.index)

    def drop(self) -> None:
        """Delete the index, then the videos."""
        self.index.unlink()
        for label in self.files:
            self.path(label).unlink(missing_ok=True)

    def cut(self, batch: int) -> None:
        """Drop the frames later than a batch; some must be left. Nothing is encoded anew."""
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
        """None for one that has just been dropped."""
        document: dict[str, Any] | None = read_json(index)
        if document is None:
            return None
        for name in ("batches", "cells"):  # JSON knows no tuples
            document[name] = tuple(document[name])
        return cls(index.parent, **document)


def list_chunks(folder: Path) -> list[Chunk]:
    """The chunks in a folder, by their batches; none where there is no folder."""
    found = (Chunk.read(index) for index in sorted(folder.glob("*.json")))
    return [chunk for chunk in found if chunk is not None]


def record_chunk(shots: Iterator[Shot], folder: Path, cast: ChunkLayout, fps: int) -> None:
    """Write shots until they end, then close the chunk; by an exception there is none.

    Args:
        shots: one or more of (batch, pictures): ascending, uint8 [labels, height, width, 3].

    Raises:
        RenderError: an encoder stops, or the disk is full.
    """
    first = next(shots)
    files = {label: _fresh_name(first[0]) for label in cast.videos}
    paths = [folder / name for name in files.values()]
    try:
        batches = _record(chain([first], shots), paths, cast, fps)
        Chunk(folder, fps, tuple(batches), cast.cells, files).write()
    except BaseException:
        for path in paths:  # an encoder may fail when others have finished
            path.unlink(missing_ok=True)
        raise


def truncate_chunks(folder: Path, batch: int) -> None:
    """Drop all frames that are later than a batch, and none before."""
    for chunk in reversed(list_chunks(folder)):
        if chunk.batches[0] > batch:
            chunk.drop()
        elif chunk.batches[-1] > batch:
            chunk.cut(batch)


def sweep_chunks(folder: Path) -> None:
    """Delete what is no chunk's: that which was being written when a process was killed."""
    chunks = list_chunks(folder)
    known = {chunk.index.name for chunk in chunks} | {n for c in chunks for n in c.files.values()}
    for path in folder.glob("*"):
        if path.name not in known:
            path.unlink(missing_ok=True)


def _record(shots: Iterator[Shot], paths: list[Path], cast: ChunkLayout, fps: int) -> list[int]:
    """The batches of the frames that were written."""
    batches: list[int] = []
    writers: list[VideoWriter] = []
    with ExitStack() as videos:
        for batch, pictures in shots:
            frames = cast.compose(pictures)
            if not writers:
                look = DisplayOptions(scale=watchable_scale(pictures.shape[1], ENLARGED_PX))
                for path, frame in zip(paths, frames, strict=True):
                    writers.append(videos.enter_context(_open(path, frame, look, fps)))
            for writer, frame in zip(writers, frames, strict=True):
                writer.add(frame)
            batches.append(batch)
    return batches


def _open(path: Path, frame: np.ndarray, look: DisplayOptions, fps: int) -> VideoWriter:
    height, width, _ = frame.shape
    fit = look.fit(width, height)
    filters = fit.filters(ENCODER.pixel_format)
    return VideoWriter(path, width, height, fps, filters, ENCODER, crisp=fit.crisp)


def _fresh_name(batch: int) -> str:
    return f"{batch:09d}-{secrets.token_hex(4)}.mp4"


def _copy_first(path: Path, copy: Path, frames: int) -> None:
    """The first frames of a video, which need none after them: there are no B-frames."""
    only = ["-map", "0:v:0", "-c", "copy", "-frames:v", str(frames), *fast_start(copy)]
    with replacing(copy) as temporary:
        run(ffmpeg_command("-i", f"file:{path}", *only, f"file:{temporary}"), f"Cutting {path}")
        if count_packets(temporary) != frames:
            raise RenderError(f"{path} does not have the {frames} frames that its index tells of.")
