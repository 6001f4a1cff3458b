"""Read a film from any of its frames on, in order: what it is, and its frames."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np

from renderers.errors import RenderError
from renderers.video.ffmpeg import ffmpeg_command, run_ffmpeg
from renderers.video.rates import MAX_RATE, MIN_RATE, Rate, parse_rate
from renderers.video.video_reader import READ_NOTHING_ELSE

SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".gif")
MAX_TAGS, MAX_TAG_LENGTH = 32, 2000
OF_CONTAINER = ("major_brand", "minor_version", "compatible_brands", "encoder")  # No content.


@dataclass(frozen=True)
class FilmFacts:
    """What a film is.

    Attributes:
        width_px, height_px: size of its frames, upright.
        fps: frames per second.
        has_sound: whether there is sound beside them.
        tags: (name, text) of what the file says of itself.
    """

    width_px: int
    height_px: int
    fps: Rate
    has_sound: bool
    tags: tuple[tuple[str, str], ...]


def is_film(path: Path) -> bool:
    """Whether a file is taken for a film, by its suffix."""
    return path.suffix.lower() in SUFFIXES


def read_facts(path: Path) -> FilmFacts:
    """What a film is, as far as its head and its first frame say it.

    Raises:
        RenderError: it cannot be read, or has a rate that no film of ours has.
    """
    with closing(_open(path, 0)) as frames:
        said: Any = next(frames)
    try:
        fps = parse_rate(f"{said['fps']:.2f}")
    except ValueError as error:
        raise RenderError(f"{path} has no rate that can be read: {error}") from error
    if not MIN_RATE <= fps <= MAX_RATE:
        raise RenderError(f"{path} has {fps} frames per second; use {MIN_RATE} to {MAX_RATE}.")
    width, height = said["size"]
    return FilmFacts(width, height, fps, "audio_codec" in said, _read_tags(path))


def read_from(path: Path, first: int, frames: int) -> Generator[np.ndarray, None, None]:
    """Some frames of a film; those before them are decoded and passed over.

    Args:
        first: the first of them, counted from 0.
        frames: how many; an error where the film ends before.

    Returns:
        uint8 [height, width, 3] for each.

    Raises:
        RenderError: the film cannot be read, or has fewer frames.
    """
    count = 0
    with closing(_open(path, first)) as decoded:
        width, height = next(decoded)["size"]
        for frame in islice(decoded, frames):
            count += 1
            yield np.frombuffer(frame, np.uint8).reshape(height, width, 3)
    if count < frames:
        raise RenderError(f"{path} ends at frame {first + count}, and {first + frames} were there.")


def _open(path: Path, first: int) -> Generator[Any, None, None]:
    """What imageio-ffmpeg reads: what it found, then the bytes of each frame from the first on."""
    exact = "scale=flags=accurate_rnd+full_chroma_int+full_chroma_inp"
    chosen = ["-vf", f"select=gte(n\\,{first}),{exact}", "-fps_mode", "passthrough"]
    reading: Any = imageio_ffmpeg.read_frames(
        str(path.resolve()), input_params=READ_NOTHING_ELSE, output_params=chosen
    )
    try:
        yield from reading
    except (OSError, RuntimeError) as error:
        lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
        raise RenderError(f"Reading {path} failed: {lines[-1] if lines else error}") from error
    finally:
        reading.close()


def _read_tags(path: Path) -> tuple[tuple[str, str], ...]:
    """What the file says of itself, by names; long texts and those of the container left out."""
    read = [*READ_NOTHING_ELSE, "-i", f"file:{path.resolve()}", "-f", "ffmetadata", "-"]
    text = run_ffmpeg(ffmpeg_command(*read), f"Reading {path}").decode(errors="replace")
    head = text.partition("\n[")[0].replace("\\\n", " ")
    pairs = (line.partition("=") for line in head.splitlines() if not line.startswith(";"))
    said = [
        (name.strip(), value.replace("\\", ""))
        for name, is_there, value in pairs
        if is_there and name.strip().lower() not in OF_CONTAINER
    ]
    return tuple(pair for pair in said if len(pair[1]) <= MAX_TAG_LENGTH)[:MAX_TAGS]
