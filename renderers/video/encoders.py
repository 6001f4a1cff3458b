"""Choose a video encoder of the bundled ffmpeg, and prove that it works on this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from threading import Timer

from renderers.errors import EncoderError, RenderError
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
PROOF_S = 20  # Sessions that are tried at a time have so long to give their first bytes.
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
        card: the number of the GPU that encodes, as this process counts them; ffmpeg's choice if
            None.

    Raises:
        RenderError: an unknown name, or a quality that the encoder does not have.
    """

    name: str = "libx264"
    preset: str | None = None
    crf: int | None = None
    threads: int = 0
    card: int | None = None

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
        if self.name == "h264_nvenc" and self.card is not None:
            arguments += ["-gpu", str(self.card)]
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

    def prove(self, sessions: int = 1) -> None:
        """Encode, since the name of an encoder in ffmpeg's list proves nothing.

        Args:
            sessions: so many encoders are at work at the same moment; cards have limits.

        Raises:
            EncoderError: this machine cannot.
        """
        picture = ["-f", "lavfi", "-i", "color=gray:size=256x256:rate=100"]
        if sessions == 1:
            one = ["-frames:v", "1", *self.arguments(fps=1), "-f", "null", "-"]
            result = subprocess.run(ffmpeg_command(*picture, *one), capture_output=True)
            if result.returncode:
                raise self._refusal(ffmpeg_complaint(result.stderr, result.returncode))
            return
        # Pictures come at their own pace, so that no session ends before all have begun.
        long = ["-t", str(PROOF_S), *self.arguments(fps=1), "-flush_packets", "1", "-f", "h264"]
        command = ffmpeg_command("-re", *picture, *long, "pipe:1")
        with ExitStack() as stack:
            tried = [stack.enter_context(_trying(command)) for _ in range(sessions)]
            for process in tried:
                assert process.stdout is not None
                assert process.stderr is not None
                if not process.stdout.read(1):
                    said = process.stderr.read()
                    reason = ffmpeg_complaint(said, process.wait())
                    raise self._refusal(f"{sessions} videos at a time: {reason}")

    def _refusal(self, reason: str) -> EncoderError:
        return EncoderError(
            f"The encoder '{self.name}' does not work on this machine ({reason}). "
            f"Use {default_encoder(self.kind.codec)}, which works everywhere."
        )


@contextmanager
def _trying(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A session of an encoder, which is ended when it has been tried, or hangs."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watch = Timer(2 * PROOF_S, process.kill)
    watch.start()
    try:
        with process:
            try:
                yield process
            finally:
                process.kill()
    finally:
        watch.cancel()


def default_encoder(codec: str) -> str:
    """The name of the encoder of a codec that works everywhere.

    Example:
        >>> default_encoder("vp9")
        'libvpx-vp9'
    """
    return next(name for name, kind in KINDS.items() if kind.codec == codec)


def choose_encoder(
    name: str | None,
    codec: str = "h264",
    cards: Sequence[int | None] = (None,),
    is_here: bool = True,
) -> str:
    """Choose the encoder to use for a codec, tried if it is hardware.

    Whether it has room for all videos of a film, on each card, shows where they are encoded; see
    `renderers.jobs.encoder_choice`.

    Args:
        name: None for the one that works everywhere, `auto` for the first hardware encoder that
            works on one of the cards, if any, or one of `KINDS`.
        codec: what the encoder has to make.
        cards: the numbers of the GPUs that will encode.
        is_here: whether this machine encodes. Another one is not asked here: `auto` is then the
            first hardware encoder, and whether it works shows there.

    Returns:
        Its name.

    Raises:
        RenderError: an unknown name, an encoder of another codec, or one that does not work here.
    """
    if name == "auto":
        hardware = [name for name in HARDWARE if KINDS[name].codec == codec]
        tried = (found for found in hardware if not is_here or _works(found, cards))
        return next(tried, default_encoder(codec))
    encoder = VideoEncoder(name or default_encoder(codec))
    encoder.require_codec(codec)
    if encoder.name in HARDWARE and is_here:
        replace(encoder, card=cards[0]).prove()
    return encoder.name


def _works(name: str, cards: Sequence[int | None]) -> bool:
    for card in cards:
        with suppress(EncoderError):
            VideoEncoder(name, card=card).prove()
            return True
    return False
