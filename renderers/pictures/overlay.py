"""What is written on a film: the run, the latent point, the batch, events, and a curve."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from renderers.pictures.display_options import TO_BT709, FrameLayout

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SHADE = 0.6  # opacity of the dark plate under the writing, so that it reads on white too
SOFT = 0.8  # opacity of what stays: the names and the part of the curve that was played
FAINT = 0.35  # of the part of the curve that will be played
SUPERSAMPLING = 4
MIXING = {  # of a video's pixel format: that of the plate, and that of the filter `overlay`
    "yuv420p": ("yuva420p", "yuv420"),
    "yuv422p10le": ("yuva422p", "yuv422p10"),
    "bgr0": ("gbrap", "gbrp"),
}
TRANSPARENT = 1e-3
ROOM_PX = 160  # the shorter side of a video that can have a curve and events
NOTICE_SIZE = 0.85  # of the text of events, against that of the number
SMALLEST_TEXT_PX = 7
FEWEST_LETTERS = 3  # of a text that was cut
SPIKES = (1, 99)  # percentiles: what lies beyond is cut off, or one spike would flatten all


@dataclass(frozen=True)
class Overlay:
    """What is written on a film.

    Args:
        run: its name.
        label: of the latent point.
        numbers: write the batch of each frame.
        largest: the largest batch of the whole film, which gives the number its room.
        curve: a value for each frame of the whole film, such as a loss; NaN where there is none.
        moments: (frame of the whole film, text) of events, by ascending frames.
        moment_frames: for how long a text is shown, unless a newer one takes its place.
    """

    run: str | None = None
    label: str | None = None
    numbers: bool = True
    largest: int = 0
    curve: tuple[float, ...] = ()
    notices: tuple[tuple[int, str], ...] = ()
    notice_frames: int = 60

    @property
    def names(self) -> str:
        return " · ".join(name for name in (self.run, self.label) if name)


class OverlayBox:
    """A small shaded plate for the lower left corner of a video, drawn anew for each frame.

    Names and curve are drawn once; digits keep their places, so that nothing jumps while the
    film runs. Events come and go above it. On a video that is too small curve and events are left
    out, then the names.

    Args:
        width_px, height_px: of the video.

    Attributes:
        place: x, y of its upper left corner in the video, even.
        shape: its height and width, even, never larger than the video's.
        visible: whether there is anything to write.
    """

    def __init__(self, overlay: Overlay, width_px: int, height_px: int) -> None:
        side = min(width_px, height_px)
        size = max(SMALLEST_TEXT_PX, round(0.16 * side**0.75))  # 17 px of 512, 30 px of 1080
        inset = max(2, size // 2)
        room = width_px - 4 * inset
        self._digits = _Digits(size, len(str(overlay.largest)) if overlay.numbers else 0)
        names = _names(overlay.names, size, room - self._digits.width - size)
        gap = size if names.size and self._digits.width else 0
        inner = names.shape[1] + gap + self._digits.width
        self._curve = None
        if overlay.curve and side >= ROOM_PX:
            inner = max(inner, min(12 * size, room))
            marks = [frame for frame, _ in overlay.notices]
            self._curve = _Curve(overlay.curve, inner, round(1.6 * size), marks)
        moments = overlay.notices if side >= ROOM_PX else ()
        self._notices = _Notices(moments, overlay.notice_frames, size, inset, room)
        self.visible = inner > 0 or bool(moments)
        self._lay_out(names, inner, inset)
        rows, columns = self._shade.shape
        self.shape = max(2, min(rows, height_px) & ~1), max(2, min(columns, width_px) & ~1)
        left, bottom = min(inset, width_px - self.shape[1]), height_px - self.shape[0]
        self.place = max(0, left) & ~1, max(0, bottom - inset) & ~1

    def _lay_out(self, names: np.ndarray, inner: int, inset: int) -> None:
        """Events on top, then names left and digits right in one line, the curve below."""
        line = self._digits.height + 2 * (inset // 2 + 1)
        if not names.size and not self._digits.width:
            line = inset
        below = self._curve.height + inset if self._curve else 0
        plate = _rounded(inner + 2 * inset, line + below, inset) if inner else np.zeros((0, 0))
        above = self._notices.height
        shape = above + plate.shape[0], max(plate.shape[1], self._notices.width)
        self._shade, self._still = (np.zeros(shape, np.float32) for _ in "ab")
        _stamp(self._shade, SHADE * plate, (above, 0))
        top = above + (line - self._digits.height) // 2
        self._digits_corner = top, inset + inner - self._digits.width
        self._curve_corner = above + line, inset
        _stamp(self._still, names, (top, inset))

    def draw(self, position: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The plate of one frame.

        Args:
            position: of the frame in the whole film, from 0.
            number: the batch that it shows.

        Returns:
            Its grey and its opacity, both uint8 of `shape`.
        """
        ink, shade = self._still.copy(), self._shade
        if notice := self._notices.at(position):
            shade = shade.copy()
            _stamp(shade, SHADE * notice.plate, (0, 0))
            _stamp(ink, notice.text, notice.corner)
        if self._digits.width:
            _stamp(ink, self._digits.draw(number), self._digits_corner)
        if self._curve:
            _stamp(ink, self._curve.draw(position), self._curve_corner)
        rows, columns = self.shape
        ink, shade = ink[:rows, :columns], shade[:rows, :columns]
        opacity = 1 - (1 - shade) * (1 - ink)
        grey = ink / np.maximum(opacity, TRANSPARENT)
        return _levels(grey), _levels(opacity)


class PackedFrame:
    """What goes to ffmpeg for a frame with an overlay: the picture in its own size, and below it
    the plate, whose grey is the red of its pixels and whose opacity is their green.

    ffmpeg enlarges the one and lays the other over it. To enlarge the picture here instead would
    send many times as many bytes and convert the colours of every one of them.

    Attributes:
        shape: height, width and 3.
    """

    def __init__(self, fit: FrameLayout, plate: OverlayBox) -> None:
        self._fit, self._plate = fit, plate
        width, height = fit.picture
        rows, columns = plate.shape
        self.shape = height + rows, max(width, columns), 3
        self._pixels = np.zeros(self.shape, np.uint8)

    def draw(self, position: int, number: int, frame: np.ndarray) -> np.ndarray:
        """The canvas of one frame, uint8 of `shape`, valid until the next."""
        height, width, _ = frame.shape
        columns = self._plate.shape[1]
        grey, opacity = self._plate.draw(position, number)
        self._pixels[:height, :width] = frame
        self._pixels[height:, :columns, 0] = grey
        self._pixels[height:, :columns, 1] = opacity
        return self._pixels

    def filters(self, pixel_format: str) -> str:
        """Of ffmpeg: the canvas, rgb24 -> the picture with the plate on it."""
        width, height = self._fit.picture
        rows, columns = self._plate.shape
        x, y = self._plate.place
        plate_format, mixing = MIXING[pixel_format]
        colours = TO_BT709 if pixel_format.startswith("yuv") else "in_range=full:out_range=full"
        return (
            f"split[a][b];[a]crop={width}:{height}:0:0,{self._fit.filters(pixel_format)}[picture];"
            f"[b]crop={columns}:{rows}:0:{height},extractplanes=r+g[c][opacity];"
            f"[c]scale=flags=accurate_rnd:{colours},format={plate_format}[grey];"
            f"[grey][opacity]alphamerge[plate];[picture][plate]overlay={x}:{y}:format={mixing}"
        )


class _Digits:
    """Numbers, right-aligned, of digits that are all equally wide."""

    def __init__(self, size: int, count: int) -> None:
        font = ImageFont.load_default(size)
        cell = max(round(font.getlength(digit)) for digit in "0123456789")
        _, top, _, bottom = font.getbbox("0123456789")
        self._glyphs = [_glyph(digit, font, cell, round(top), round(bottom)) for digit in range(10)]
        self._blank = np.zeros_like(self._glyphs[0])
        self._room = count
        self.height, self.width = round(bottom - top), cell * count

    def draw(self, number: int) -> np.ndarray:
        """Opacity 0..1, float32 [height, width]."""
        digits = str(number)[-self._room :]
        glyphs = [self._glyphs[int(digit)] for digit in digits]
        return np.hstack([self._blank] * (self._room - len(digits)) + glyphs)


class _Curve:
    """A line that brightens up to a cursor, over marks of what happened."""

    def __init__(
        self, values: Sequence[float], width: int, height: int, marks: Sequence[int]
    ) -> None:
        self.height = height
        self._frames = len(values)
        self._line = _line(np.array(values, np.float32), width, height)
        self._thin = max(1, height // 20)
        for x in map(self._place, marks):
            self._line[-height // 4 :, x : x + self._thin] = 1

    def draw(self, position: int) -> np.ndarray:
        """Opacity 0..1, float32 [height, width]."""
        x = self._place(position)
        drawn = FAINT * self._line
        drawn[:, :x] = SOFT * self._line[:, :x]
        drawn[:, x : x + self._thin] = np.maximum(SOFT, self._line[:, x : x + self._thin])
        return drawn

    def _place(self, position: int) -> int:
        """The column of a frame."""
        last = self._line.shape[1] - self._thin
        return round(last * min(1, position / max(1, self._frames - 1)))


class _Notice(NamedTuple):
    """A text and the plate that it stands on, both opacity 0..1, float32."""

    text: np.ndarray
    corner: tuple[int, int]
    plate: np.ndarray


class _Notices:
    """The texts of events, each for some frames.

    Attributes:
        height, width: of the room that they take, even; 0 where there are none.
    """

    def __init__(
        self, moments: Sequence[tuple[int, str]], frames: int, size: int, inset: int, room: int
    ) -> None:
        self._moments, self._frames = moments, frames
        self._size = max(SMALLEST_TEXT_PX, round(NOTICE_SIZE * size))
        self._inset, self._room = inset, room
        self._drawn: tuple[str, _Notice] | None = None
        shapes = [self._draw(text).plate.shape for text in {text for _, text in moments}]
        gap = 2 * (inset // 3 + 1)
        self.height = shapes[0][0] + gap if shapes else 0
        self.width = max((columns for _, columns in shapes), default=0)

    def at(self, position: int) -> _Notice | None:
        """What is shown in a frame."""
        number = bisect_right(self._moments, position, key=lambda moment: moment[0]) - 1
        if number < 0 or position - self._moments[number][0] >= self._frames:
            return None
        text = self._moments[number][1]
        if self._drawn is None or self._drawn[0] != text:
            self._drawn = text, self._draw(text)
        return self._drawn[1]

    def _draw(self, text: str) -> _Notice:
        ink = _names(text, self._size, self._room)
        line = round(self._size * 0.75) + 2 * (self._inset // 2 + 1)
        plate = _rounded(ink.shape[1] + 2 * self._inset, line, self._inset)
        return _Notice(ink, (self._inset // 2 + 1, self._inset), plate)


def _line(values: np.ndarray, width: int, height: int) -> np.ndarray:
    """Values from the left to the right edge, as opacity 0..1, float32 [height, width]."""
    image = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING))
    weight = max(1.25, height / 20) * SUPERSAMPLING
    groups = np.array_split(np.ma.masked_invalid(values), min(len(values), width // 2))
    means = np.ma.stack([group.mean() for group in groups])
    if means.count():
        low, high = np.percentile(means.compressed(), SPIKES)
        depth = np.ma.clip((high - means) / max(high - low, 1e-12), 0, 1)
        x = np.linspace(weight, image.width - weight, len(means))
        y = weight + depth * (image.height - 2 * weight)
        for span in np.ma.clump_unmasked(y):
            points = list(zip(x[span].tolist(), y[span].tolist(), strict=True))
            ImageDraw.Draw(image).line(points, 255, round(weight), joint="curve")
    return _shrunk(image)


def _names(text: str, size: int, room: int) -> np.ndarray:
    """One line as opacity 0..1, float32 [height, width]; cut to fit."""
    font = ImageFont.load_default(size)
    shown = _cut(text, font, room)
    _, top, _, bottom = font.getbbox("0123456789")
    if not shown:
        return np.zeros((0, 0), np.float32)
    image = Image.new("L", (round(font.getlength(shown)), round(bottom * 1.3 - top)))
    ImageDraw.Draw(image).text((0, -top), shown, 255, font)
    return SOFT * np.asarray(image, np.float32) / 255


def _cut(text: str, font: Font, room: int) -> str:
    """The text, or as many of its first letters as fit; none if hardly any do."""
    if font.getlength(text) <= room:
        return text
    too_long = bisect_left(
        range(len(text)), True, key=lambda kept: font.getlength(text[:kept] + "…") > room
    )
    return text[: too_long - 1].rstrip() + "…" if too_long > FEWEST_LETTERS else ""


def _glyph(digit: int, font: Font, cell: int, top: int, bottom: int) -> np.ndarray:
    image = Image.new("L", (cell, bottom - top))
    ImageDraw.Draw(image).text((cell / 2, -top), str(digit), 255, font, anchor="ma")
    return np.asarray(image, np.float32) / 255


def _rounded(width: int, height: int, inset: int) -> np.ndarray:
    """Opacity 0..1 of a plate with smooth round corners, float32, even sides."""
    radius = max(2, 2 * inset // 3)
    width, height = width + width % 2, height + height % 2
    large = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING))
    box = (0, 0, large.width - 1, large.height - 1)
    ImageDraw.Draw(large).rounded_rectangle(box, radius * SUPERSAMPLING, 255)
    return _shrunk(large)


def _shrunk(image: Image.Image) -> np.ndarray:
    size = image.width // SUPERSAMPLING, image.height // SUPERSAMPLING
    return np.asarray(image.resize(size, Image.Resampling.BOX), np.float32) / 255


def _stamp(ink: np.ndarray, mask: np.ndarray, corner: tuple[int, int]) -> None:
    spot = ink[corner[0] : corner[0] + mask.shape[0], corner[1] : corner[1] + mask.shape[1]]
    np.maximum(spot, mask[: spot.shape[0], : spot.shape[1]], out=spot)


def _levels(opacity: np.ndarray) -> np.ndarray:
    return np.rint(opacity * 255).astype(np.uint8)
