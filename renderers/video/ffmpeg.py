"""The ffmpeg that imageio-ffmpeg carries: how it is called, and what it says when it fails."""

from __future__ import annotations

import re

import imageio_ffmpeg

_SPEAKER = re.compile(r"^(\[[^]]*\] )+")  # such as "[libx264 @ 0x5581f0] "


def ffmpeg_command(*arguments: str) -> list[str]:
    """A command line of ffmpeg: quiet but for errors, and no questions asked."""
    executable = imageio_ffmpeg.get_ffmpeg_exe()
    return [executable, "-hide_banner", "-nostdin", "-y", "-v", "error", *arguments]


def ffmpeg_complaint(stderr: bytes, returncode: int) -> str:
    """The first line of ffmpeg's messages: the cause, of which the later ones are consequences."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines()]
    if telling := [line for line in lines if line]:
        return _SPEAKER.sub("", telling[0])
    return f"killed by signal {-returncode}" if returncode < 0 else f"exit status {returncode}"
