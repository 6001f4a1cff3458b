"""Choose a video encoder of the bundled ffmpeg, and prove that it works on this machine."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from renderers.errors import RenderError
from renderers.video.ffmpeg import ffmpeg_command, ffmpeg_complaint
from renderers.video.rates import Rate


@dataclass(frozen=True)
class EncoderKind:
    """The options of one of ffmpeg's encoders.

    Args:
        codec: what it makes, such as `h264`.
        pixel_format: ffmpeg's name of its input.
        preset: the option and its default; None where there is nothing to choose.
        quality: the option, its default and its worst value; None where there is none.
        always: arguments that are the same for every video. Frames leave in the order in which
            they came (no B-frames, no look-ahead), so that parts can be joined as they are.
    """

    codec: str
    pixel_format: str
    preset: tuple[str, str] | None = None
    quality: tuple[str, int, int] | None = None
    always: tuple[str, ...] = ()


KINDS = {
    "libx264": EncoderKind(
        "h264", "yuv420p", ("-preset", "superfast"), ("-crf", 18, 51), ("-bf", "0")
    ),
    "h264_nvenc": EncoderKind(
        "h264", "yuv420p", ("-preset", "p4"), ("-cq", 18, 51), ("-rc", "vbr", "-bf", "0")
    ),
    "h264_qsv": EncoderKind(
        "h264", "yuv420p", ("-preset", "medium"), ("-global_quality", 18, 51), ("-bf", "0")
    ),
    "libvpx-vp9": EncoderKind(
        "vp9",
        "yuv420p",
        ("-cpu-used", "5"),
        ("-crf", 20, 63),
        ("-b:v", "0", "-row-mt", "1", "-lag-in-frames", "0", "-auto-alt-ref", "0"),
    ),
    "libsvtav1": EncoderKind("av1", "yuv420p", ("-preset", "8"), ("-crf", 24, 63)),
    "prores_ks": EncoderKind(
        "prores", "yuv422p10le", always=("-profile:v", "hq", "-vendor", "apl0")
    ),
    "ffv1": EncoderKind("ffv1", "bgr0", always=("-level", "3", "-slices", "4", "-slicecrc", "1")),
}
HARDWARE = ("h264_nvenc", "h264_qsv")
MAX_SVT_LEVEL = 6  # The highest level of parallelism of libsvtav1.


@dataclass(frozen=True)
class VideoEncoder:
    """How frames become a video stream.

    Args:
        name: one of `KINDS`; a hardware encoder must first be proven.
        preset: speed against size, in the encoder's own words; its default if None. `superfast`
            of libx264 has about the quality of `veryfast` for half the time on pictures of
            generators, which move little.
        crf: constant quality from 0 (lossless, or nearly), where lower is better; None for one
            that looks like the original.
        threads: encoding threads, 0 for one a core. The same number gives the same bytes.

    Raises:
        RenderError: an unknown name, or a quality that the encoder does not have.
    """

    name: str = "libx264"
    preset: str | None = None
    crf: int | None = None
    threads: int = 0

    def __post_init__(self) -> None:
        if self.name not in KINDS:
            raise RenderError(f"There is no encoder '{self.name}'. Known: {', '.join(KINDS)}.")
        if self.preset is not None and not self.kind.preset:
            raise RenderError(f"{self.name} has no presets: leave '{self.preset}' out.")
        if self.crf is None:
            return
        if not self.kind.quality:
            raise RenderError(f"{self.name} has no quality (crf) to choose: leave {self.crf} out.")
        worst = self.kind.quality[2]
        if not 0 <= self.crf <= worst:
            raise RenderError(f"Quality (crf) {self.crf} is out of range: use 0 (best) to {worst}.")

    @property
    def kind(self) -> EncoderKind:
        """Its options."""
        return KINDS[self.name]

    @property
    def pixel_format(self) -> str:
        """ffmpeg's name of what the encoder is fed with."""
        return self.kind.pixel_format

    @property
    def even(self) -> bool:
        """Whether width and height must be even, because pixels share their colour."""
        return self.pixel_format.startswith("yuv")

    def arguments(self, fps: Rate, crisp: bool = False) -> list[str]:
        """Arguments of ffmpeg, for a key frame a second.

        Args:
            fps: frames per second.
            crisp: pixels are enlarged squares, whose edges no filter should soften.
        """
        arguments = ["-c:v", self.name, "-pix_fmt", self.pixel_format, *self.kind.always]
        arguments += ["-g", "1" if self.name == "ffv1" else str(round(fps))]
        if self.kind.preset:
            option, default = self.kind.preset
            arguments += [option, self.preset or default]
        if self.kind.quality:
            option, usual, _ = self.kind.quality
            arguments += [option, str(usual if self.crf is None else self.crf)]
        return [*arguments, *self._threading(), *self._crispness(crisp)]

    def _threading(self) -> list[str]:
        if self.name == "libsvtav1":  # It counts in levels and ignores `-threads`.
            return ["-svtav1-params", f"lp={min(self.threads, MAX_SVT_LEVEL)}"]
        return ["-threads", str(self.threads)]

    def _crispness(self, crisp: bool) -> list[str]:
        return ["-x264-params", "no-deblock=1"] if crisp and self.name == "libx264" else []

    def require_codec(self, codec: str) -> None:
        """See that the encoder makes a codec.

        Raises:
            RenderError: it makes another one.
        """
        if self.kind.codec != codec:
            fitting = " or ".join(name for name, kind in KINDS.items() if kind.codec == codec)
            raise RenderError(f"The encoder {self.name} does not make {codec}. Use {fitting}.")

    def prove(self) -> None:
        """Encode one frame, since the name of an encoder in ffmpeg's list proves nothing.

        Raises:
            RenderError: this machine cannot.
        """
        picture = ["-f", "lavfi", "-i", "color=gray:size=256x256:rate=1", "-frames:v", "1"]
        command = ffmpeg_command(*picture, *self.arguments(fps=1), "-f", "null", "-")
        result = subprocess.run(command, capture_output=True)
        if result.returncode:
            complaint = ffmpeg_complaint(result.stderr, result.returncode)
            raise RenderError(
                f"The encoder '{self.name}' does not work on this machine ({complaint}). "
                f"Use {default_encoder(self.kind.codec)}, which works everywhere."
            )


def default_encoder(codec: str) -> str:
    """The name of the encoder of a codec that works everywhere.

    Example:
        >>> default_encoder("vp9")
        'libvpx-vp9'
    """
    return next(name for name, kind in KINDS.items() if kind.codec == codec)


def choose_encoder(name: str | None, codec: str = "h264") -> str:
    """Choose the encoder to use for a codec, proven if it is hardware.

    Args:
        name: None for the one that works everywhere, `auto` for the first hardware encoder that
            works on this machine, if any, or one of `KINDS`.
        codec: what the encoder has to make.

    Returns:
        Its name.

    Raises:
        RenderError: an unknown name, an encoder of another codec, or one that does not work here.
    """
    if name == "auto":
        hardware = [name for name in HARDWARE if KINDS[name].codec == codec]
        return next(filter(_works, hardware), default_encoder(codec))
    encoder = VideoEncoder(name or default_encoder(codec))
    encoder.require_codec(codec)
    if encoder.name in HARDWARE:
        encoder.prove()
    return encoder.name


def _works(name: str) -> bool:
    try:
        VideoEncoder(name).prove()
    except RenderError:
        return False
    return True
