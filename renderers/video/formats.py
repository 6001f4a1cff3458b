"""What a film may be as a file, by its suffix and codec."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from renderers.errors import RenderError
from renderers.video.encoders import KINDS, VideoEncoder, default_encoder

SHORT = 2_000  # frames of a GIF or animated WebP, which browsers hold in memory as a whole
GIF_FPS = 50  # a GIF counts in hundredths of a second, and one of them is played as ten
NUMBER = re.compile(r"%0\d+d")  # such as "%06d", the place of the number in a picture's name


@dataclass(frozen=True)
class Format:
    """A kind of file that holds a film.

    Films are encoded in parts. Parts of a *video* have its own suffix and codec and are joined as
    they are; those of anything else are lossless and are converted when they are joined.

    Args:
        suffix: with its dot, in small letters.
        codec: such as `h264`.
    """

    suffix: str = ".mp4"
    codec: str = "h264"

    @property
    def video(self) -> bool:
        return self.codec in {kind.codec for kind in KINDS.values()}

    @property
    def numbered(self) -> bool:
        """A folder of pictures, one a frame."""
        return self.suffix in (".png", ".jpg", ".jpeg")

    @property
    def part_suffix(self) -> str:
        return self.suffix if self.video else LOSSLESS.suffix

    @property
    def part_codec(self) -> str:
        return self.codec if self.video else LOSSLESS.codec

    def encoder(
        self,
        name: str | None = None,
        preset: str | None = None,
        crf: int | None = None,
        threads: int = 0,
    ) -> VideoEncoder:
        """The encoder of its parts: the usual one of its codec if name is None.

        Raises:
            RenderError: the encoder is unknown or makes something else; see `VideoEncoder`.
        """
        encoder = VideoEncoder(name or default_encoder(self.part_codec), preset, crf, threads)
        encoder.require_codec(self.part_codec)
        return encoder

    def require_fit(self, frames: int, fps: int) -> None:
        """Raise RenderError if a film of so many frames should not be such a file."""
        if self.video or self.numbered:
            return
        if frames > SHORT:
            raise RenderError(
                f"{frames:,} frames are too many for a {self.suffix} file, which holds at most "
                f"{SHORT:,}. Write .mp4 instead, or choose fewer frames."
            )
        if self.suffix == ".gif" and fps > GIF_FPS:
            raise RenderError(
                f"A GIF cannot play {fps} frames per second: use {GIF_FPS} or fewer, or write "
                ".webp or .mp4."
            )


LOSSLESS = Format(".mkv", "ffv1")
FORMATS = (
    Format(".mp4", "h264"),
    Format(".webm", "vp9"),
    Format(".webm", "av1"),
    Format(".mov", "prores"),
    LOSSLESS,
    Format(".webp", "webp"),
    Format(".gif", "gif"),
    Format(".png", "png"),
    Format(".jpg", "jpeg"),
    Format(".jpeg", "jpeg"),
)


def format_of(file: Path | str, codec: str | None = None) -> Format:
    """The format of a file by its suffix; the usual codec of that suffix if codec is None.

    Raises:
        RenderError: an unknown suffix, a codec that such a file does not hold, or pictures without
            a place for their number.

    Example:
        >>> format_of("city.webm", "av1")
        Format(suffix='.webm', codec='av1')
        >>> format_of("city/%06d.png").part_suffix
        '.mkv'
    """
    file = Path(file)
    fitting = [known for known in FORMATS if known.suffix == file.suffix.lower()]
    if not fitting:
        suffixes = ", ".join(dict.fromkeys(known.suffix for known in FORMATS))
        raise RenderError(
            f"Cannot write a film as '{file.name}': its name must end in one of {suffixes}."
        )
    if fitting[0].numbered and len(NUMBER.findall(file.name)) != 1:
        raise RenderError(
            f"'{file.name}' names one picture, but a film has many: give a place for the number, "
            f"such as {file.stem}/%06d{file.suffix}."
        )
    for known in fitting:
        if codec in (None, known.codec):
            return known
    codecs = " or ".join(known.codec for known in fitting)
    raise RenderError(f"A {file.suffix} file holds {codecs}, not '{codec}'.")
