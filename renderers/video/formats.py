"""The kinds of files that hold a film, by their suffix and codec."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from renderers.errors import RenderError
from renderers.video.encoders import KINDS, VideoEncoder, default_encoder
from renderers.video.rates import Rate

# A GIF or animated WebP has at most so many frames: browsers hold all of them in memory.
MAX_ANIMATION_FRAMES = 2_000
# A GIF counts in hundredths of a second, and browsers play a frame of one hundredth as ten.
MAX_GIF_FPS = 50
USUAL_RATE = 60
NUMBER = re.compile(r"%0[1-9]\d?d")  # The place of the number in a picture's name, such as "%06d".


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
        """Whether parts are joined as they are, without encoding them anew."""
        return self.codec in {kind.codec for kind in KINDS.values()}

    @property
    def numbered(self) -> bool:
        """Whether it is a folder of pictures, one a frame."""
        return self.suffix in (".png", ".jpg", ".jpeg")

    @property
    def part_suffix(self) -> str:
        """The suffix of the parts."""
        return self.suffix if self.video else LOSSLESS.suffix

    @property
    def part_codec(self) -> str:
        """The codec of the parts."""
        return self.codec if self.video else LOSSLESS.codec

    @property
    def usual_rate(self) -> int:
        """Frames per second where nobody chose them."""
        return MAX_GIF_FPS if self.suffix == ".gif" else USUAL_RATE

    def encoder(
        self,
        name: str | None = None,
        preset: str | None = None,
        crf: int | None = None,
        threads: int = 0,
    ) -> VideoEncoder:
        """The encoder of the parts.

        Args:
            name: the usual encoder of the codec if None.
            preset, crf, threads: see `VideoEncoder`.

        Raises:
            RenderError: the encoder is unknown or makes something else; see `VideoEncoder`.
        """
        encoder = VideoEncoder(name or default_encoder(self.part_codec), preset, crf, threads)
        encoder.require_codec(self.part_codec)
        return encoder

    def require_fit(self, frames: int, fps: Rate) -> None:
        """See that a film can be such a file.

        Args:
            frames: frames of the whole film.
            fps: frames per second.

        Raises:
            RenderError: it is too long or too fast for a GIF, or too long for a WebP.
        """
        if self.video or self.numbered:
            return
        if frames > MAX_ANIMATION_FRAMES:
            raise RenderError(
                f"{frames:,} frames are too many for a {self.suffix} file, which holds at most "
                f"{MAX_ANIMATION_FRAMES:,}. Write .mp4 instead, or choose fewer frames."
            )
        if self.suffix == ".gif" and fps > MAX_GIF_FPS:
            raise RenderError(
                f"A GIF cannot play {fps} frames per second: use {MAX_GIF_FPS} or fewer, or write "
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
    """The format of a file by its suffix.

    Args:
        file: FILE.mp4, or numbered pictures such as `city/%06d.png`.
        codec: the usual one of the suffix if None.

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
    numbers = len(NUMBER.findall(file.name))
    if fitting[0].numbered and numbers != 1 and "%" in file.name:
        raise RenderError(
            f"'{file.name}' needs one place for the number of the picture, with as many digits in "
            f"each: write it as %06d, such as %06d{file.suffix}."
        )
    if fitting[0].numbered and numbers != 1:
        raise RenderError(
            f"'{file.name}' names one picture, but a film has many: give a place for the number, "
            f"such as {file.stem}/%06d{file.suffix}."
        )
    for known in fitting:
        if codec in (None, known.codec):
            return known
    codecs = " or ".join(known.codec for known in fitting)
    raise RenderError(f"A {file.suffix} file holds {codecs}, not '{codec}'.")
