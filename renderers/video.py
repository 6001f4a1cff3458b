"""Frames -> video files: written, joined, read back and counted. H.264 in MP4, BT.709."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from latent.errors import UserError
from renderers.encoders import Encoder
from renderers.ffmpeg import ffmpeg_command, ffmpeg_complaint
from renderers.files import make_folder, publish, replacing, temporary_sibling, unwritable

WATCHABLE_PX = 512
PIPE_BYTES = 1 << 20  # the most that Linux lets anyone ask for: fewer switches between processes
TO_BT709 = "in_range=full:out_range=tv:out_color_matrix=bt709"
TAGS = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"


def watchable_scale(height_px: int) -> int:
    """The whole factor by which a small picture is enlarged: 64 px -> 8, 512 px or more -> 1.

    It is even where it is not 1, so that each pixel covers whole chroma samples of `yuv420p` and
    keeps its colour exactly.
    """
    if height_px >= WATCHABLE_PX:
        return 1
    return 2 * -(-WATCHABLE_PX // (2 * height_px))


class VideoWriter:
    """Writes frames into an MP4 that appears under its name when it is complete.

    A context manager: leaving it normally closes the video, leaving it by an exception deletes
    what was written.

    Args:
        path: ends in `.mp4`.
        width_px, height_px: of the frames; a video's own size is that times `scale`, and an odd
            size gets one more row or column, which repeats the last.
        fps: frames per second.
        scale: whole factor of enlargement, by repeating pixels.

    Raises:
        UserError: the file cannot be written, or the encoder stops, with ffmpeg's reason.
    """

    def __init__(
        self,
        path: Path | str,
        width_px: int,
        height_px: int,
        fps: int = 60,
        *,
        scale: int = 1,
        encoder: Encoder | None = None,
    ) -> None:
        self.path = _checked_path(Path(path))
        self.frames = 0
        self._shape = (height_px, width_px, 3)
        odd = [(0, length * scale % 2) for length in (height_px, width_px)]
        self._padding = [*odd, (0, 0)] if any(extra for _, extra in odd) else None
        self._temporary = temporary_sibling(self.path)
        self._messages: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with us
        self._process = subprocess.Popen(
            self._command(fps, scale, encoder or Encoder()),
            stdin=subprocess.PIPE,
            stderr=self._messages,
            pipesize=PIPE_BYTES,
        )

    @property
    def process_id(self) -> int:
        """Of the encoder."""
        return self._process.pid

    def _command(self, fps: int, scale: int, encoder: Encoder) -> list[str]:
        height, width = (n + n * scale % 2 for n in self._shape[:2])
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
        return ffmpeg_command(
            *[*raw, "-framerate", str(fps), "-i", "-", "-vf", _filters(scale)],
            *["-fps_mode", "passthrough", *encoder.arguments(crisp=scale > 1), "-g", str(fps)],
            *["-movflags", "+faststart", f"file:{self._temporary}"],
        )

    def add(self, frame: np.ndarray) -> None:
        """Append one frame, uint8 [height_px, width_px, 3]."""
        if frame.shape != self._shape or frame.dtype != np.uint8:
            raise ValueError(f"frame is {frame.dtype} {frame.shape}, expected uint8 {self._shape}")
        if self._padding:
            frame = np.pad(frame, self._padding, mode="edge")
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(frame).data)
        except OSError:
            raise self._failure() from None
        self.frames += 1

    def close(self) -> None:
        """Wait for the encoder, then give the finished file its name."""
        try:
            self._finish()
            publish(self._temporary, self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error
        finally:
            self.abort()

    def abort(self) -> None:
        """Stop the encoder and delete what it wrote; nothing happens after `close`."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # what is still buffered goes nowhere, as it should
            self._process.stdin.close()
        self._messages.close()
        self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            raise self._failure() from None
        if self._process.wait():
            raise self._failure()

    def _failure(self) -> UserError:
        returncode = self._process.wait()
        self._messages.seek(0)
        complaint = ffmpeg_complaint(self._messages.read(), returncode)
        return UserError(
            f"The encoder of {self.path} stopped after {self.frames} frames: {complaint}"
        )

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()


def concatenate(parts: Sequence[Path], path: Path | str, frames: int) -> None:
    """Join videos of the same size, rate and encoder without encoding again.

    Frames get fresh, evenly spaced times, since a container's rounded durations would drift.

    Args:
        frames: how many there must be in all, counted by decoding before path appears.

    Raises:
        UserError: a part cannot be read, frames are missing, or path cannot be written.
    """
    path = _checked_path(Path(path))
    allowed = ["-safe", "0", "-protocol_whitelist", "file,pipe"]
    source = ["-f", "concat", *allowed, "-i", "pipe:0"]
    steady = ["-c", "copy", "-bsf:v", "setts=ts=N*DURATION:duration=DURATION"]
    with replacing(path) as temporary:
        command = ffmpeg_command(*source, *steady, "-movflags", "+faststart", f"file:{temporary}")
        _run(command, f"Joining {path}", "".join(map(_listed, parts)).encode())
        joined = count_frames(temporary)
        if joined != frames:
            raise UserError(f"{path} would have {joined} frames instead of {frames}.")


def count_frames(path: Path | str) -> int:
    """The number of frames in a video, by decoding every one.

    Raises:
        UserError: it cannot be read, or is damaged.
    """
    decode = ["-xerror", "-i", f"file:{path}", "-map", "0:v:0", "-fps_mode", "passthrough"]
    command = ffmpeg_command("-progress", "pipe:1", *decode, "-f", "null", "-")
    report = _run(command, f"Reading {path}")
    return int(re.findall(rb"^frame=(\d+)$", report, re.MULTILINE)[-1])


def read_frames(path: Path | str) -> Iterator[np.ndarray]:
    """Decode a video, frame after frame, each uint8 [height, width, 3].

    Raises:
        UserError: it cannot be read.
    """
    exact = "scale=flags=accurate_rnd+full_chroma_int+full_chroma_inp"
    decode = ["-i", f"file:{path}", "-map", "0:v:0", "-vf", exact, "-fps_mode", "passthrough"]
    command = ffmpeg_command(*decode, "-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe", "-")
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=messages)
        assert process.stdout is not None
        try:
            while process.stdout.readline():  # "P6"
                yield _read_ppm(process.stdout)
            if process.wait():
                messages.seek(0)
                raise _failed(f"Reading {path}", messages.read(), process.returncode)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _read_ppm(stream: IO[bytes]) -> np.ndarray:
    width, height = map(int, stream.readline().split())
    stream.readline()  # "255"
    pixels = stream.read(height * width * 3)
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def _filters(scale: int) -> str:
    """RGB to BT.709 in the frame's own size, where it costs least, then enlarged."""
    if scale == 1:
        return f"scale=flags=bicubic+accurate_rnd:{TO_BT709},format=yuv420p,{TAGS}"
    colours = f"scale=flags=accurate_rnd:{TO_BT709},format=yuv444p"
    return f"{colours},scale=iw*{scale}:ih*{scale}:flags=neighbor,format=yuv420p,{TAGS}"


def _checked_path(path: Path) -> Path:
    if path.suffix.lower() != ".mp4":
        raise UserError(f"Cannot write a video as '{path.name}': its name must end in .mp4.")
    make_folder(path.parent)
    return path


def _listed(part: Path) -> str:
    """A line of the concat demuxer's list, quoted by its rules."""
    escaped = str(part.resolve()).replace("'", "'\\''")
    return f"file 'file:{escaped}'\n"


def _run(command: list[str], doing: str, stdin: bytes = b"") -> bytes:
    """The standard output of a command; UserError with its complaint if it fails."""
    result = subprocess.run(command, input=stdin, capture_output=True)
    if result.returncode:
        raise _failed(doing, result.stderr, result.returncode)
    return result.stdout


def _failed(doing: str, stderr: bytes, returncode: int) -> UserError:
    return UserError(f"{doing} failed: {ffmpeg_complaint(stderr, returncode)}")
