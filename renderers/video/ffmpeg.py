"""Run the ffmpeg that imageio-ffmpeg carries, and tell in a sentence why it failed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import imageio_ffmpeg

from renderers.errors import RenderError

_SPEAKER = re.compile(r"^(\[[^]]*\] )+")  # Such as "[libx264 @ 0x5581f0] ".


def ffmpeg_command(*arguments: str) -> list[str]:
    """A command line of ffmpeg: quiet but for errors, and no questions asked."""
    executable = imageio_ffmpeg.get_ffmpeg_exe()
    return [executable, "-hide_banner", "-nostdin", "-y", "-v", "error", *arguments]


def run_ffmpeg(command: list[str], doing: str, stdin: bytes = b"") -> bytes:
    """Run a command of `ffmpeg_command` and return its standard output.

    Args:
        doing: begins the sentence of the error, such as `Reading film.mp4`.

    Raises:
        RenderError: ffmpeg failed, with its first complaint.
    """
    result = subprocess.run(command, input=stdin, capture_output=True)
    if result.returncode:
        complaint = ffmpeg_complaint(result.stderr, result.returncode)
        raise RenderError(f"{doing} failed: {complaint}")
    return result.stdout


def ffmpeg_complaint(stderr: bytes, returncode: int) -> str:
    """The first line of ffmpeg's messages, which names the cause; later lines name consequences.

    Args:
        stderr: everything that ffmpeg wrote to standard error.
        returncode: its exit status, which is told where it wrote nothing.

    Example:
        >>> ffmpeg_complaint(b"[libx264 @ 0x5581f0] no such preset\\nError while opening", 1)
        'no such preset'
        >>> ffmpeg_complaint(b"", -9)
        'killed by signal 9'
    """
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines()]
    if said := [line for line in lines if line]:
        return _SPEAKER.sub("", said[0])
    return f"killed by signal {-returncode}" if returncode < 0 else f"exit status {returncode}"


def fast_start(path: Path) -> list[str]:
    """Arguments of ffmpeg so that a browser can play path while it still loads it."""
    return ["-movflags", "+faststart"] if path.suffix.lower() in (".mp4", ".mov") else []


def pictures_pattern(path: Path) -> str:
    """The path of numbered pictures as ffmpeg wants it: only the file's name holds a number."""
    return f"file:{path.parent}/".replace("%", "%%") + path.name
