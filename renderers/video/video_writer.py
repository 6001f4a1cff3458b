"""Frames -> video files, written through ffmpeg, read back and counted."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from renderers.errors import RenderError
from renderers.files import make_folder, publish, temporary_sibling, unwritable
from renderers.video.encoders import VideoEncoder
from renderers.video.ffmpeg import ffmpeg_command, ffmpeg_complaint
from renderers.video.formats import format_of

YIELDING = 10  # of encoders, since all of them wait for the forward passes
PIPE_BYTES = 1 << 20  # the most that Linux lets anyone ask for: fewer switches between processes


class VideoWriter:
    """Writes raw frames into a video that appears under its name when it is complete.

    A context manager: leaving it normally closes the video, leaving it by an exception deletes
    what was written.

    Args:
        path: its suffix is that of the encoder's format.
        width_px, height_px: of the frames, as they are added.
        fps: frames per second.
        filters: an ffmpeg filter graph from those frames, rgb24, to what the encoder is fed with.
        crisp: see `VideoEncoder.arguments`.

    Raises:
        RenderError: the file cannot be written, or the encoder stops, with ffmpeg's reason.
    """

    def __init__(
        self,
        path: Path,
        width_px: int,
        height_px: int,
        fps: int,
        filters: str,
        encoder: VideoEncoder,
        *,
        crisp: bool = False,
    ) -> None:
        make_folder(path.parent)
        self.path = path
        self.frames = 0
        self._shape = (height_px, width_px, 3)
        self._temporary = temporary_sibling(path)
        self._messages: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with us
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width_px}x{height_px}"]
        self._process = subprocess.Popen(
            ffmpeg_command(
                *[*raw, "-framerate", str(fps), "-i", "-", "-vf", filters],
                *["-fps_mode", "passthrough", *encoder.arguments(fps, crisp)],
                *[*fast_start(path), f"file:{self._temporary}"],
            ),
            stdin=subprocess.PIPE,
            stderr=self._messages,
            env=os.environ | {"SVT_LOG": "1"},  # libsvtav1 tells errors only
            pipesize=PIPE_BYTES,
            process_group=0,  # Ctrl-C is for us, who may wish to end the video first
        )
        with suppress(ProcessLookupError):  # it has stopped at once, which the first frame tells
            os.setpriority(os.PRIO_PROCESS, self._process.pid, YIELDING)

    @property
    def process_id(self) -> int:
        """Of the encoder."""
        return self._process.pid

    def add(self, frame: np.ndarray) -> None:
        """Append one frame, uint8 [height_px, width_px, 3]."""
        if frame.shape != self._shape or frame.dtype != np.uint8:
            raise ValueError(f"frame is {frame.dtype} {frame.shape}, expected uint8 {self._shape}")
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

    def _failure(self) -> RenderError:
        returncode = self._process.wait()
        self._messages.seek(0)
        complaint = ffmpeg_complaint(self._messages.read(), returncode)
        advice = ". Free some space, and give the same command again" * ("No space" in complaint)
        return RenderError(
            f"The encoder of {self.path} stopped after {self.frames} frames: {complaint}{advice}."
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


def fast_start(path: Path) -> list[str]:
    """Arguments of ffmpeg so that a browser can play path while it still loads it."""
    return ["-movflags", "+faststart"] if path.suffix.lower() in (".mp4", ".mov") else []


def pictures_pattern(path: Path) -> str:
    """The path of numbered pictures as ffmpeg wants it: only the file's name holds a number."""
    return f"file:{path.parent}/".replace("%", "%%") + path.name


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
    report = run(ffmpeg_command("-progress", "pipe:1", *read), f"Reading {path}")
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
            while process.stdout.readline():  # "P6"
                yield _read_ppm(process.stdout)
            if process.wait():
                messages.seek(0)
                raise _failed(f"Reading {path}", messages.read(), process.returncode)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def run(command: list[str], doing: str, stdin: bytes = b"") -> bytes:
    """The standard output of a command; RenderError with its complaint if it fails."""
    result = subprocess.run(command, input=stdin, capture_output=True)
    if result.returncode:
        raise _failed(doing, result.stderr, result.returncode)
    return result.stdout


def _failed(doing: str, stderr: bytes, returncode: int) -> RenderError:
    return RenderError(f"{doing} failed: {ffmpeg_complaint(stderr, returncode)}")


def _input(path: Path) -> list[str]:
    if format_of(path).numbered:
        return ["-start_number", "0", "-i", pictures_pattern(path), "-map", "0:v:0"]
    return ["-i", f"file:{path}", "-map", "0:v:0"]


def _read_ppm(stream: IO[bytes]) -> np.ndarray:
    width, height = map(int, stream.readline().split())
    stream.readline()  # "255"
    pixels = stream.read(height * width * 3)
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
