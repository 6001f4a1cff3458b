"""Video encoders of the bundled ffmpeg, and the proof that one works here."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from latent.errors import UserError
from renderers.ffmpeg import ffmpeg_command, ffmpeg_complaint

HARDWARE = {
    "h264_nvenc": ("-preset", "p4", "-rc", "vbr", "-cq"),
    "h264_qsv": ("-global_quality",),
}


@dataclass(frozen=True)
class Encoder:
    """How frames become H.264.

    Args:
        name: `libx264`, or a hardware encoder, which must first be proven.
        preset: of libx264, from `ultrafast` to `veryslow`. `superfast` has about the quality of
            `veryfast` for half the time on pictures of generators, which move little.
        crf: constant quality, 0 (lossless) to 51; 18 looks like the original.
        threads: encoding threads, 0 for one a core. The same number gives the same bytes.
    """

    name: str = "libx264"
    preset: str = "superfast"
    crf: int = 18
    threads: int = 0

    def __post_init__(self) -> None:
        if self.name != "libx264" and self.name not in HARDWARE:
            known = ", ".join(["libx264", *HARDWARE])
            raise UserError(f"There is no encoder '{self.name}'. Known: {known}.")
        if not 0 <= self.crf <= 51:
            raise UserError(f"Quality (crf) {self.crf} is out of range: use 0 (best) to 51.")

    def arguments(self, crisp: bool) -> list[str]:
        """Of ffmpeg. Crisp: pixels are enlarged squares, whose edges no filter should soften."""
        arguments = ["-c:v", self.name, "-bf", "0", "-threads", str(self.threads)]
        if self.name in HARDWARE:
            return [*arguments, *HARDWARE[self.name], str(self.crf)]
        deblock = ["-x264-params", "no-deblock=1"] if crisp else []
        return [*arguments, "-preset", self.preset, "-crf", str(self.crf), *deblock]

    def prove(self) -> None:
        """Encode one frame.

        Raises:
            UserError: this machine cannot; the name of an encoder in ffmpeg's list proves nothing.
        """
        picture = ["-f", "lavfi", "-i", "color=gray:size=256x256:rate=1", "-frames:v", "1"]
        encoded = ["-pix_fmt", "yuv420p", *self.arguments(crisp=False), "-f", "null", "-"]
        result = subprocess.run(ffmpeg_command(*picture, *encoded), capture_output=True)
        if result.returncode:
            complaint = ffmpeg_complaint(result.stderr, result.returncode)
            raise UserError(
                f"The encoder '{self.name}' does not work on this machine ({complaint}). "
                "Use libx264, which works everywhere."
            )
