"""Where a picture lies in a video, and the ffmpeg filters that put it there."""

from __future__ import annotations

from dataclasses import dataclass

Size = tuple[int, int]  # Width and height in pixels.

NEAREST, LANCZOS = SCALINGS = ("nearest", "lanczos")
BARS = "0x111214"  # The colour around a picture that has another shape than its video.

TO_BT709 = "in_range=full:out_range=tv:out_color_matrix=bt709"
TAGS = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
# The format in which every pixel has a colour of its own, for each format of a video.
FULL_CHROMA = {"yuv420p": "yuv444p", "yuv422p10le": "yuv444p10le", "bgr0": "gbrp"}


@dataclass(frozen=True)
class FrameLayout:
    """Where a picture lies in a video.

    Args:
        picture: the picture's own size.
        shown: the picture's size once it is scaled. Where it is one pixel less than the video's,
            which had to become even, the last row or column is repeated; where it is less still,
            there are bars.
        video: the size of the video.
        wanted: the size that the video would have if it did not have to be even.
        scaling: see `DisplayOptions`.
    """

    picture: Size
    shown: Size
    video: Size
    wanted: Size
    scaling: str

    @property
    def remark(self) -> str | None:
        """What to tell a person if the video is not as large as wanted."""
        if self.video == self.wanted:
            return None
        return (
            f"The video is {size_text(self.video)} px instead of {size_text(self.wanted)}, because "
            "its format needs even sides."
        )

    @property
    def crisp(self) -> bool:
        """Whether pixels are enlarged to squares."""
        return self.scaling == NEAREST and self.shown[0] > self.picture[0]

    def filters(self, pixel_format: str) -> str:
        """The filters of ffmpeg that make the video's frame of the picture.

        Args:
            pixel_format: ffmpeg's name of the result, which is tagged as BT.709; the picture is
                rgb24.
        """
        padding = self._padding()
        colours = f":{TO_BT709}" if pixel_format.startswith("yuv") else ""
        full_chroma = FULL_CHROMA[pixel_format]
        if self.crisp:  # Colours are converted in the picture's own size, where it costs least.
            steps = [
                f"scale=flags=accurate_rnd{colours},format={full_chroma}",
                f"scale={self._scaled_to}:flags=neighbor",
            ]
        else:
            kernel = f"flags={self._kernel}+accurate_rnd+full_chroma_int"
            steps = [f"scale={self._scaled_to}:{kernel}{colours}"]
        steps += [f"format={full_chroma}"] if padding else []  # Padding may add one row or column.
        tags = [TAGS] if colours else []
        return ",".join([*steps, *padding, "setsar=1", f"format={pixel_format}", *tags])

    @property
    def _scaled_to(self) -> str:
        return f"{self.shown[0]}:{self.shown[1]}"

    @property
    def _kernel(self) -> str:
        if self.shown == self.picture:
            return "bicubic"
        return "lanczos" if self.scaling == LANCZOS else "area"

    def _padding(self) -> list[str]:
        """Filters that make the picture as large as its video."""
        right, bottom = (v - s for v, s in zip(self.video, self.shown, strict=True))
        width, height = self.video
        if not right and not bottom:
            return []
        if self.video == rounded_up(self.shown, even=True):
            smear = f"fillborders=right={right}:bottom={bottom}:mode=smear"
            return [f"pad={width}:{height}", smear]
        return [f"pad={width}:{height}:{right // 2}:{bottom // 2}:color={BARS}"]


def rounded_up(size: Size, even: bool) -> Size:
    """The size with even sides, where they have to be even."""
    return (size[0] + size[0] % 2, size[1] + size[1] % 2) if even else size


def size_text(size: Size) -> str:
    """The size as people write it, such as `1920x1080`."""
    return f"{size[0]}x{size[1]}"
