"""Chunks of the film that a run grows while it trains: short closed videos and their batches.

A chunk has one video for each point and one for the grid, all with the same frames. It is there
when its index is, `BATCH.json` by the batch of its first frame. The index names the videos, so
replacing it replaces all of them in one step.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from renderers.errors import RenderError
from renderers.files import checksum_file, read_json, replacing, write_json
from renderers.pictures.display_options import DisplayOptions, watchable_scale
from renderers.pictures.frame_layout import LANCZOS
from renderers.pictures.sheets import arrange_grid
from renderers.plan.outputs import GRID
from renderers.video.encoders import VideoEncoder
from renderers.video.ffmpeg import fast_start, ffmpeg_command, run_ffmpeg
from renderers.video.rates import Rate, parse_rate, write_rate
from renderers.video.video_reader import count_packets
from renderers.video.video_writer import VideoWriter

# One thread for each video, because the training beside the encoders wants the cores.
ENCODER = VideoEncoder(threads=1)
# Small pictures are enlarged to this size; doubling it triples the cost of encoding.
ENLARGED_PX = 128


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
        sha256: of each video when it was closed, by its name; those of older versions have none.
    """

    folder: Path
    fps: Rate
    batches: tuple[int, ...]
    cells: tuple[str | None, ...]
    files: dict[str, str]
    sha256: dict[str, str] = field(default_factory=dict)

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
        closed = {name: checksum_file(self.folder / name) for name in self.files.values()}
        document = asdict(replace(self, sha256=closed))
        del document["folder"]
        document["fps"] = write_rate(self.fps)
        write_json(document, self.index)

    def find_changed(self, label: str) -> str | None:
        """What has become of the video of a label, in words; None where it is what was closed."""
        path = self.path(label)
        if not path.exists():
            return "it is missing"
        closed = self.sha256.get(path.name)
        return "its checksum differs" if closed not in (None, checksum_file(path)) else None

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
        """The chunk of an index; None for one that has just been dropped.

        Raises:
            RenderError: the index is not what was written.
        """
        # What is of an older version, or forged, may lack anything.
        with suppress(KeyError, TypeError, ValueError):
            document = read_json(index)
            if document is not None:
                for name in ("batches", "cells"):  # JSON knows no tuples.
                    document[name] = tuple(document[name])
                document["fps"] = parse_rate(document["fps"])
                return cls(index.parent, **document)
        if not index.exists():
            return None
        raise RenderError(
            f"{index} is not what was written, so nobody knows the frames of its videos. Delete it "
            "to have the film without them."
        )


def list_chunks(folder: Path) -> list[Chunk]:
    """The chunks in a folder, by their batches; none where there is no folder.

    Raises:
        RenderError: the index of one is not what was written.
    """
    found = (Chunk.read(index) for index in sorted(folder.glob("*.json")))
    return [chunk for chunk in found if chunk is not None]


def list_whole_chunks(folder: Path) -> tuple[list[Chunk], list[Path]]:
    """The chunks in a folder whose index is what was written, and the indexes that are not."""
    whole: list[Chunk] = []
    damaged: list[Path] = []
    for index in sorted(folder.glob("*.json")):
        try:
            chunk = Chunk.read(index)
        except RenderError:
            damaged.append(index)
        else:
            whole += [chunk] if chunk is not None else []
    return whole, damaged


def find_changed_chunks(folder: Path) -> Iterator[tuple[Path, str, int | None]]:
    """What has changed in the film of a folder: the file, a reason, and its first batch.

    Args:
        folder: of the chunks; those of older versions have no checksums and are passed over.
    """
    whole, damaged = list_whole_chunks(folder)
    for index in damaged:
        yield index, "it is not what was written", _first_batch(index)
    for chunk in whole:
        for label in chunk.files:
            reason = chunk.find_changed(label)
            if reason is not None and chunk.index.exists():  # Else the run went back meanwhile.
                yield chunk.path(label), reason, _first_batch(chunk.index)


def _first_batch(index: Path) -> int | None:
    """The batch in the name of an index, which is that of its first frame."""
    return int(index.stem) if index.stem.isascii() and index.stem.isdecimal() else None


def record_chunk(
    frames: Iterator[BatchPictures], folder: Path, layout: ChunkLayout, fps: Rate
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
    whole, damaged = list_whole_chunks(folder)
    for index in damaged:
        if (_first_batch(index) or 0) > batch:
            for path in folder.glob(f"{index.stem}*"):
                path.unlink()
    for chunk in reversed(whole):
        if chunk.batches[0] > batch:
            chunk.drop()
        elif chunk.batches[-1] > batch:
            chunk.cut(batch)


def sweep_chunks(folder: Path) -> None:
    """Delete the files of no chunk, which were being written when a process was killed.

    What a damaged index may tell of stays for a person to decide on.
    """
    chunks, damaged = list_whole_chunks(folder)
    known = {chunk.index.name for chunk in chunks} | {n for c in chunks for n in c.files.values()}
    spared = tuple(index.stem for index in damaged)
    for path in folder.glob("*"):
        if path.name not in known and not path.name.startswith(spared):
            path.unlink(missing_ok=True)


def _record(
    frames: Iterator[BatchPictures], paths: list[Path], layout: ChunkLayout, fps: Rate
) -> list[int]:
    """Write all videos side by side and return the batches of their frames."""
    batches: list[int] = []
    writers: list[VideoWriter] = []
    with ExitStack() as videos:
        for batch, pictures in frames:
            composed = layout.compose(pictures)
            if not writers:
                scale = watchable_scale(pictures.shape[1], ENLARGED_PX)
                display = DisplayOptions(scale=scale, scaling=LANCZOS)
                for path, picture in zip(paths, composed, strict=True):
                    writers.append(videos.enter_context(_open(path, picture, display, fps)))
            for writer, picture in zip(writers, composed, strict=True):
                writer.add(picture)
            batches.append(batch)
    return batches


def _open(path: Path, picture: np.ndarray, display: DisplayOptions, fps: Rate) -> VideoWriter:
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
