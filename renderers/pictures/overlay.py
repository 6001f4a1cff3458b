"""Write the run, the latent point, the batch, events and a curve on the frames of a film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from renderers.pictures.frame_layout import TO_BT709, FrameLayout
from renderers.pictures.overlay_masks import (
    MIN_TEXT_PX,
    CurveMask,
    DigitsMask,
    NoticeMasks,
    draw_rounded_box,
    draw_text,
    stamp,
)

SHADE = 0.6  # Opacity of the dark box behind the text, which makes it readable on white too.
# For each pixel format of a video: that of the overlay box, and that of ffmpeg's filter `overlay`.
MIXING = {
    "yuv420p": ("yuva420p", "yuv420"),
    "yuv422p10le": ("yuva422p", "yuv422p10"),
    "bgr0": ("gbrap", "gbrp"),
}
MIN_OPACITY = 1e-3  # What is less opaque is not divided by its opacity.
MIN_CURVE_SIDE_PX = 160  # A video needs this shorter side to have a curve and events.


@dataclass(frozen=True)
class Overlay:
    """What is written on a film.

    Args:
        run: the name of the run.
        label: the label of the latent point.
        numbers: write the batch of each frame.
        largest: the largest batch of the whole film, which gives the number its room.
        curve: a value for each frame of the whole film, such as a loss; NaN where there is none.
        notices: (frame of the whole film, text) of events, by ascending frames.
        notice_frames: for how many frames a text is shown, unless a newer one takes its place.
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
        """The run and the label, such as `city · 16500.28`."""
        return " · ".join(name for name in (self.run, self.label) if name)


class OverlayBox:
    """A small shaded box for the lower left corner of a video, drawn anew for each frame.

    Names and curve are drawn once; digits keep their places, so that nothing jumps while the
    film runs. Events come and go above the box. On a video that is too small, curve and events are
    left out, then the names.

    Args:
        width_px, height_px: the size of the video.

    Attributes:
        place: x, y of its upper left corner in the video, even.
        shape: its height and width, even, never larger than the video's.
        visible: whether there is anything to write.
    """

    def __init__(self, overlay: Overlay, width_px: int, height_px: int) -> None:
        side = min(width_px, height_px)
        size = max(MIN_TEXT_PX, round(0.16 * side**0.75))  # 17 px of 512, 30 px of 1080.
        inset = max(2, size // 2)
        room = width_px - 4 * inset
        self._digits = DigitsMask(size, len(str(overlay.largest)) if overlay.numbers else 0)
        names = draw_text(overlay.names, size, room - self._digits.width - size)
        gap = size if names.size and self._digits.width else 0
        inner = names.shape[1] + gap + self._digits.width
        self._curve = None
        if overlay.curve and side >= MIN_CURVE_SIDE_PX:
            inner = max(inner, min(12 * size, room))
            marks = [frame for frame, _ in overlay.notices]
            self._curve = CurveMask(overlay.curve, inner, round(1.6 * size), marks)
        notices = overlay.notices if side >= MIN_CURVE_SIDE_PX else ()
        self._notices = NoticeMasks(notices, overlay.notice_frames, size, inset, room)
        self.visible = inner > 0 or bool(notices)
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
        box = np.zeros((0, 0))
        if inner:
            box = draw_rounded_box(inner + 2 * inset, line + below, inset)
        above = self._notices.height
        shape = above + box.shape[0], max(box.shape[1], self._notices.width)
        self._shade, self._names = (np.zeros(shape, np.float32) for _ in "ab")
        stamp(self._shade, SHADE * box, (above, 0))
        top = above + (line - self._digits.height) // 2
        self._digits_corner = top, inset + inner - self._digits.width
        self._curve_corner = above + line, inset
        stamp(self._names, names, (top, inset))

    def draw(self, position: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the box of one frame.

        Args:
            position: of the frame in the whole film, from 0.
            number: the batch that it shows.

        Returns:
            Its grey and its opacity, both uint8 [H, W] of `shape`.
        """
        ink, shade = self._names.copy(), self._shade
        if notice := self._notices.at(position):
            shade = shade.copy()
            stamp(shade, SHADE * notice.box, (0, 0))
            stamp(ink, notice.text, notice.corner)
        if self._digits.width:
            stamp(ink, self._digits.draw(number), self._digits_corner)
        if self._curve:
            stamp(ink, self._curve.draw(position), self._curve_corner)
        rows, columns = self.shape
        ink, shade = ink[:rows, :columns], shade[:rows, :columns]
        opacity = 1 - (1 - shade) * (1 - ink)
        grey = ink / np.maximum(opacity, MIN_OPACITY)
        return _levels(grey), _levels(opacity)


class PackedFrame:
    """What goes to ffmpeg for a frame with an overlay: the picture in its own size above the box.

    The grey of the overlay box is the red of its pixels, and its opacity is their green. ffmpeg
    enlarges the picture and lays the box over it. To enlarge the picture here instead would
    send many times as many bytes and convert the colours of every one of them.

    Args:
        layout: where the picture lies in the video.
        box: the overlay box of a video of that layout.

    Attributes:
        shape: height, width and 3.
    """

    def __init__(self, layout: FrameLayout, box: OverlayBox) -> None:
        self._layout, self._box = layout, box
        width, height = layout.picture
        rows, columns = box.shape
        self.shape = height + rows, max(width, columns), 3
        self._pixels = np.zeros(self.shape, np.uint8)

    def draw(self, position: int, number: int, picture: np.ndarray) -> np.ndarray:
        """Pack one frame.

        Args:
            position: of the frame in the whole film, from 0.
            number: the batch that it shows.
            picture: uint8 [height, width, 3].

        Returns:
            uint8 of `shape`, valid until the next call.
        """
        height, width, _ = picture.shape
        columns = self._box.shape[1]
        grey, opacity = self._box.draw(position, number)
        self._pixels[:height, :width] = picture
        self._pixels[height:, :columns, 0] = grey
        self._pixels[height:, :columns, 1] = opacity
        return self._pixels

    def filters(self, pixel_format: str) -> str:
        """The filters of ffmpeg that make the picture with the box on it of a packed frame.

        Args:
            pixel_format: ffmpeg's name of the result; the packed frame is rgb24.
        """
        width, height = self._layout.picture
        rows, columns = self._box.shape
        x, y = self._box.place
        box_format, mixing = MIXING[pixel_format]
        colours = TO_BT709 if pixel_format.startswith("yuv") else "in_range=full:out_range=full"
        shown = self._layout.filters(pixel_format)
        return (
            f"split[a][b];[a]crop={width}:{height}:0:0,{shown}[picture];"
            f"[b]crop={columns}:{rows}:0:{height},extractplanes=r+g[c][opacity];"
            f"[c]scale=flags=accurate_rnd:{colours},format={box_format}[grey];"
            f"[grey][opacity]alphamerge[box];[picture][box]overlay={x}:{y}:format={mixing}"
        )


def _levels(opacity: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(opacity * 255), np.uint8)
