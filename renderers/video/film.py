"""Shots -> the parts of a film -> the film."""

from __future__ import annotations

import glob
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np

from renderers.errors import RenderError
from renderers.files import make_folder, publish, replacing, unwritable
from renderers.pictures.display_options import DisplayOptions
from renderers.pictures.overlay import Overlay, OverlayBox, PackedFrame
from renderers.video.encoders import VideoEncoder
from renderers.video.ffmpeg import ffmpeg_command
from renderers.video.formats import NUMBER, format_of
from renderers.video.video_writer import (
    VideoWriter,
    count_frames,
    count_packets,
    fast_start,
    pictures_pattern,
    run,
)

Shot = tuple[int, int, np.ndarray]
PICTURE_QUALITY = 92
PASSTHROUGH = ("-fps_mode", "passthrough")


def film(
    shots: Iterator[Shot],
    path: Path,
    fps: int,
    look: DisplayOptions,
    overlay: Overlay | None,
    encoder: VideoEncoder,
) -> None:
    """Write shots, which are of one size, until they end.

    Args:
        shots: one or more of (position, number, frame): where the frame stands in the whole film,
            the batch that it shows, and uint8 [height, width, 3], already cut by `look.cut`.
        path: of a video in the encoder's format.
        overlay: what is written on every frame.

    Raises:
        RenderError: the video cannot be written.
    """
    first = next(shots)
    height, width, _ = first[2].shape
    fit = look.fit(width, height, encoder.even)
    plate = OverlayBox(overlay, *fit.video) if overlay else None
    canvas = PackedFrame(fit, plate) if plate and plate.visible else None
    filters = (canvas or fit).filters(encoder.pixel_format)
    if canvas:
        height, width, _ = canvas.shape
    with VideoWriter(path, width, height, fps, filters, encoder, crisp=fit.crisp) as video:
        for position, number, frame in chain([first], shots):
            video.add(canvas.draw(position, number, frame) if canvas else frame)


def join_parts(
    parts: Sequence[Path], path: Path | str, frames: int, fps: int, quality: int = PICTURE_QUALITY
) -> None:
    """Make the film of its parts, which are of the same size, rate and encoder.

    Videos are joined as they are, others are converted from lossless parts; see `formats`.

    Args:
        path: a file, or numbered pictures such as `city/%06d.png`, whose folder is replaced.
        frames: how many there must be in all, counted before path appears.
        quality: of JPEG and WebP, 1..100.

    Raises:
        RenderError: a part cannot be read, frames are missing, or path cannot be written.
    """
    path = Path(path)
    require_place(path)
    if format_of(path).numbered:
        with _replacing_folder(path.parent.resolve()) as folder:
            _convert(parts, folder / path.name, fps, quality, path)
            _require(count_frames(folder / path.name), frames, path)
        return
    with replacing(path) as temporary:
        if format_of(path).video:
            _copy(parts, temporary, fps, path)
            _require(count_packets(temporary), frames, path)
        else:
            _convert(parts, temporary, fps, quality, path)
            _require(count_frames(temporary), frames, path)


def require_place(path: Path) -> None:
    """Raise RenderError if path is of no known format, or numbered pictures would delete files."""
    if not format_of(path).numbered or not path.parent.is_dir():
        return
    named = re.compile(re.escape(NUMBER.sub("\0", path.name)).replace("\0", r"\d+"))
    for other in path.parent.iterdir():
        if not named.fullmatch(other.name):
            raise RenderError(
                f"{path.parent} holds something else, such as {other.name}: choose a new folder "
                "for the pictures."
            )


def _copy(parts: Sequence[Path], temporary: Path, fps: int, path: Path) -> None:
    """Frames get fresh, evenly spaced times, since a container's rounded ones would drift."""
    here, there = (f"round({frame}/({fps}*TB))" for frame in ("N", "(N+1)"))
    steady = f"setts=ts={here}:duration={there}-{here}"
    _concat(parts, ["-c", "copy", "-bsf:v", steady, *fast_start(path), f"file:{temporary}"], path)


def _convert(parts: Sequence[Path], temporary: Path, fps: int, quality: int, path: Path) -> None:
    steady = f"settb=1/{fps},setpts=N"
    match format_of(path).codec:
        case "gif":
            _paint(parts, temporary, steady, path)
            return
        case "webp":
            filters = ["-vf", steady, "-pix_fmt", "bgra"]
            still = ["-c:v", "libwebp", "-quality", str(quality)]
            target = [*still, "-loop", "0", f"file:{temporary}"]
        case "jpeg":
            coarseness = round(
                1 + (100 - quality) * 30 / 99
            )  # 1 is the best of ffmpeg, 31 the last
            filters = ["-vf", steady, "-pix_fmt", "yuvj444p"]
            target = ["-qmin", "1", "-q:v", str(coarseness), *_numbered(temporary)]
        case _:
            filters = ["-vf", steady, "-pix_fmt", "rgb24"]
            target = _numbered(temporary)
    _concat(parts, [*filters, *PASSTHROUGH, *target], path)


def _paint(parts: Sequence[Path], temporary: Path, steady: str, path: Path) -> None:
    """A GIF in the 256 colours that suit all of its frames, in two passes to spare the memory."""
    palette = temporary.with_suffix(".png")  # beside, where `remove_leftovers` finds it
    choose = ["-vf", "palettegen=reserve_transparent=0", "-frames:v", "1", "-update", "1"]
    graph = f"[0:v]{steady}[frames];[frames][1:v]paletteuse"
    paint = ["-i", f"file:{palette}", "-lavfi", graph, *PASSTHROUGH, "-loop", "0"]
    try:
        _concat(parts, [*choose, f"file:{palette}"], path)
        _concat(parts, [*paint, f"file:{temporary}"], path)
    finally:
        palette.unlink(missing_ok=True)


def _numbered(pattern: Path) -> list[str]:
    return ["-start_number", "0", "-f", "image2", pictures_pattern(pattern)]


def _concat(parts: Sequence[Path], arguments: list[str], path: Path) -> None:
    """Run ffmpeg on all parts, one after the other, as one input."""
    allowed = ["-safe", "0", "-protocol_whitelist", "file,pipe"]
    command = ffmpeg_command("-f", "concat", *allowed, "-i", "pipe:0", *arguments)
    run(command, f"Joining {path}", "".join(map(_listed, parts)).encode())


def _listed(part: Path) -> str:
    """A line of the concat demuxer's list, quoted by its rules."""
    escaped = str(part.resolve()).replace("'", "'\\''")
    return f"file 'file:{escaped}'\n"


def _require(counted: int, frames: int, path: Path) -> None:
    if counted != frames:
        raise RenderError(f"{path} would have {counted} frames instead of {frames}.")


@contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """Hand out a fresh folder beside, which takes folder's place when the block ends well."""
    make_folder(folder.parent)
    for leftover in folder.parent.glob(f".{glob.escape(folder.name)}.????????.tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh, former = (folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp") for _ in "12")
    try:
        fresh.mkdir()
        yield fresh
        for picture in fresh.iterdir():
            with picture.open("rb") as written:
                os.fsync(written.fileno())
        if folder.exists():
            folder.rename(former)
        publish(fresh, folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        for leftover in (fresh, former):
            shutil.rmtree(leftover, ignore_errors=True)
