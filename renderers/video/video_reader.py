"""Read films back: their frames, and how many there are."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from renderers.video.ffmpeg import (
    ffmpeg_command,
    ffmpeg_failure,
    pictures_pattern,
    run_ffmpeg,
)
from renderers.video.formats import format_of


def count_frames(path: Path | str) -> int:
    """The number of frames in a film, by decoding every one.

    Args:
        path: a file, or numbered pictures such as `city/%06d.png`, which are counted from 0 to
            the first that is not there.

    Raises:
        RenderError: it cannot be read, or is damaged.
    """
    return _count(path, ["-fps_mode", "passthrough"])


def count_packets(path: Path | str) -> int:
    """The number of frames that a video file lists, without decoding them.

    Raises:
        RenderError: it cannot be read.
    """
    return _count(path, ["-c", "copy"])


def _count(path: Path | str, how: list[str]) -> int:
    read = ["-xerror", *_input(Path(path)), *how, "-f", "null", "-"]
    report = run_ffmpeg(ffmpeg_command("-progress", "pipe:1", *read), f"Reading {path}")
    return int(re.findall(rb"^frame=(\d+)$", report, re.MULTILINE)[-1])


def read_frames(path: Path | str) -> Iterator[np.ndarray]:
    """Decode a film, frame after frame, each uint8 [height, width, 3]. Paths as `count_frames`.

    Raises:
        RenderError: it cannot be read.
    """
    exact = ["-vf", "scale=flags=accurate_rnd+full_chroma_int+full_chroma_inp"]
    decode = [*_input(Path(path)), *exact, "-fps_mode", "passthrough"]
    command = ffmpeg_command(*decode, "-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe", "-")
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=messages)
        assert process.stdout is not None
        try:
            while process.stdout.readline():  # The first line of each frame is "P6".
                yield _read_ppm(process.stdout)
            if process.wait():
                messages.seek(0)
                raise ffmpeg_failure(f"Reading {path}", messages.read(), process.returncode)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _input(path: Path) -> list[str]:
    if format_of(path).numbered:
        return ["-start_number", "0", "-i", pictures_pattern(path), "-map", "0:v:0"]
    return ["-i", f"file:{path}", "-map", "0:v:0"]


def _read_ppm(stream: IO[bytes]) -> np.ndarray:
    width, height = map(int, stream.readline().split())
    stream.readline()  # The largest level, "255".
    pixels = stream.read(height * width * 3)
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
