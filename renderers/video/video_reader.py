"""Read films back: their frames, and how many there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from renderers.errors import RenderError
from renderers.video.ffmpeg import ffmpeg_command, pictures_pattern, run_ffmpeg
from renderers.video.formats import NUMBER, Format, format_of

# A file that is a playlist would lead ffmpeg to other files and to addresses.
READ_NOTHING_ELSE = [
    *("-protocol_whitelist", "file"),
    *("-format_whitelist", "mov,mp4,matroska,webm,gif,webp_anim,webp_pipe"),
]
# The tables of a part, which lie at its beginning, are not longer.
MAX_HEAD_BYTES = 1 << 18
# Colours are converted without shortcuts, and no frame is doubled or dropped.
EXACT = [
    *("-vf", "scale=flags=accurate_rnd+full_chroma_int+full_chroma_inp"),
    *("-fps_mode", "passthrough"),
]


def count_frames(path: Path | str) -> int:
    """Count the frames of a film by decoding every one, which ffmpeg does without copying them.

    Args:
        path: a file, or numbered pictures such as `city/%06d.png`, which are counted from 0 to
            the first that is not there.

    Raises:
        RenderError: it cannot be read, or is damaged.
    """
    return _count(path, ["-fps_mode", "passthrough"])


def count_packets(path: Path | str) -> int:
    """Count the frames that a video file lists, without decoding them.

    Raises:
        RenderError: it cannot be read.
    """
    return _count(path, ["-c", "copy"])


def read_parameters(path: Path) -> bytes:
    """What a player is told of the H.264 stream of an MP4 file before its first frame.

    Parts can be joined as they are only where these are the same: size, profile, level, and how
    the encoder numbers its frames.

    Returns:
        The content of the box `avcC` (ISO/IEC 14496-15); b"" where there is none at the beginning.
    """
    with path.open("rb") as file:
        head = file.read(MAX_HEAD_BYTES)
    at = head.find(b"avcC")
    length = int.from_bytes(head[at - 4 : at], "big") if at >= 4 else 0
    return head[at + 4 : at - 4 + length]


def read_late_picture(path: Path | str, width_px: int) -> bytes:
    """A frame from the last half second of a film, as a JPEG that is so many pixels wide.

    Raises:
        RenderError: it cannot be read, or is numbered pictures.
    """
    file = Path(path)
    if format_of(file).numbered:
        raise RenderError(f"{file} is no film but pictures.")
    shown = ("-frames:v", "1", "-vf", f"scale={width_px}:-2:flags=area", "-q:v", "4")
    read = ["-sseof", "-0.5", *_input(file), *shown, "-f", "mjpeg", "pipe:1"]
    picture = run_ffmpeg(ffmpeg_command(*read), f"Reading {file}")
    if not picture:
        raise RenderError(f"{file} has no frame at its end.")
    return picture


def _count(path: Path | str, how: list[str]) -> int:
    read = ["-xerror", *_input(Path(path)), *how, "-f", "null", "-"]
    report = run_ffmpeg(ffmpeg_command("-progress", "pipe:1", *read), f"Reading {path}")
    return int(re.findall(rb"^frame=(\d+)$", report, re.MULTILINE)[-1])


def read_frames(path: Path | str) -> Iterator[np.ndarray]:
    """Decode a film, frame after frame.

    Args:
        path: as for `count_frames`.

    Returns:
        uint8 [height, width, 3] for each frame.

    Raises:
        RenderError: it cannot be read.
    """
    path = Path(path)
    form = format_of(path)
    try:
        yield from _read_numbered(path) if form.numbered else _read_file(path, form)
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RenderError(f"Reading {path} failed: {reason}") from error


def _read_numbered(path: Path) -> Iterator[np.ndarray]:
    for number in count():
        picture = path.with_name(NUMBER.sub(NUMBER.findall(path.name)[0] % number, path.name))
        if number and not picture.exists():
            return
        yield iio.imread(picture, mode="RGB")


def _read_file(path: Path, form: Format) -> Iterator[np.ndarray]:
    if form.video:
        return iio.imiter(path, plugin="FFMPEG", output_params=EXACT)
    return iio.imiter(path, plugin="pillow", mode="RGB")


def _input(path: Path) -> list[str]:
    if format_of(path).numbered:
        return ["-start_number", "0", "-i", pictures_pattern(path), "-map", "0:v:0"]
    return [*READ_NOTHING_ELSE, "-i", f"file:{path}", "-map", "0:v:0"]
