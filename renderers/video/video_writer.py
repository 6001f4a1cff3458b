"""Write raw frames into a video file through ffmpeg."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from renderers.errors import EncoderError, FullDiskError, RenderError
from renderers.files import PendingFile
from renderers.video.encoders import VideoEncoder
from renderers.video.ffmpeg import fast_start, ffmpeg_command, ffmpeg_complaint
from renderers.video.rates import Rate

# Encoders have a lower priority than forward passes, for which all of them wait.
NICENESS = 10
# This is the largest pipe that Linux lets anyone ask for; it saves switches between processes.
PIPE_BYTES = 1 << 20


class VideoWriter:
    """Writes raw frames into a video that appears under its name when it is complete.

    A context manager: leaving it normally closes the video, leaving it by an exception deletes
    what was written.

    Args:
        path: its suffix is that of the encoder's format; its folder is made.
        width_px, height_px: size of the frames, as they are added.
        fps: frames per second.
        filters: an ffmpeg filter graph from those frames, rgb24, to what the encoder is fed with.
        encoder: makes the video stream.
        crisp: see `VideoEncoder.arguments`.

    Attributes:
        frames: how many were added.

    Raises:
        RenderError: the file cannot be written, or the encoder stops, with ffmpeg's reason.
    """

    def __init__(
        self,
        path: Path,
        width_px: int,
        height_px: int,
        fps: Rate,
        filters: str,
        encoder: VideoEncoder,
        *,
        crisp: bool = False,
    ) -> None:
        self.path = path
        self.frames = 0
        self._shape = (height_px, width_px, 3)
        self._file = PendingFile(path)
        self._messages: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `abort`
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width_px}x{height_px}"]
        self._process = subprocess.Popen(
            ffmpeg_command(
                *[*raw, "-framerate", str(fps), "-i", "-", "-vf", filters],
                *["-fps_mode", "passthrough", *encoder.arguments(fps, crisp)],
                *[*fast_start(path), f"file:{self._file.temporary}"],
            ),
            stdin=subprocess.PIPE,
            stderr=self._messages,
            env=os.environ | {"SVT_LOG": "1"},  # libsvtav1 reports errors only.
            pipesize=PIPE_BYTES,
            process_group=0,  # Ctrl-C goes to this process, which may wish to end the video.
        )
        with suppress(ProcessLookupError):  # An encoder that stopped at once fails at a frame.
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICENESS)

    @property
    def process_id(self) -> int:
        """The process id of the encoder."""
        return self._process.pid

    def add(self, frame: np.ndarray) -> None:
        """Append one frame.

        Args:
            frame: uint8 [height_px, width_px, 3].

        Raises:
            ValueError: it has another shape or dtype.
            RenderError: the encoder has stopped.
        """
        if frame.shape != self._shape or frame.dtype != np.uint8:
            raise ValueError(f"frame is {frame.dtype} {frame.shape}, expected uint8 {self._shape}")
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(frame).data)
        except OSError:
            raise self._failure() from None
        self.frames += 1

    def close(self) -> None:
        """Wait for the encoder, then give the finished file its name.

        Raises:
            FullDiskError: the disk was full.
            RenderError: the encoder failed, or the file cannot be renamed.
        """
        try:
            self._finish()
            self._file.publish()
        finally:
            self.abort()

    def abort(self) -> None:
        """Stop the encoder and delete what it wrote; nothing happens after `close`."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # What is still buffered is to be lost.
            self._process.stdin.close()
        self._messages.close()
        self._file.discard()

    def _finish(self) -> None:
        """End the encoder's input and wait until it has written everything."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            raise self._failure() from None
        if self._process.wait():
            raise self._failure()

    def _failure(self) -> RenderError:
        """The error that tells why the encoder stopped."""
        returncode = self._process.wait()
        self._messages.seek(0)
        complaint = ffmpeg_complaint(self._messages.read(), returncode)
        stopped = f"The encoder of {self.path} stopped after {self.frames} frames: {complaint}."
        if "No space" in complaint:
            return FullDiskError(f"{stopped} Free some space.")
        return EncoderError(stopped)

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
