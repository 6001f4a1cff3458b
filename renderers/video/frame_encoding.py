"""Encode frames, with their overlay, as one closed video file: a part of a film."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from renderers.compositions.composed_frames import ComposedFrame
from renderers.compositions.composition import Composition
from renderers.compositions.panel import FilmWords
from renderers.pictures.display_options import DisplayOptions
from renderers.pictures.overlay import Overlay, OverlayBox, PackedFrame
from renderers.video.encoders import VideoEncoder
from renderers.video.rates import Rate
from renderers.video.video_writer import VideoWriter


class NumberedFrame(NamedTuple):
    """One picture of one video, and where it stands.

    Args:
        position: of the frame in the whole film, from 0.
        batch: the batch number that the overlay shows.
        picture: uint8 [height, width, 3], already cropped by `DisplayOptions.apply_crop`; those of
            several points, [points, height, width, 3], where they are composed.
    """

    position: int
    batch: int
    picture: np.ndarray


def encode_frames(
    frames: Iterator[NumberedFrame],
    path: Path,
    fps: Rate,
    display: DisplayOptions,
    overlay: Overlay | None,
    encoder: VideoEncoder,
) -> None:
    """Write frames, all of one size, into a video until they end.

    Args:
        frames: one or more.
        path: a video in the encoder's format; it appears when it is complete.
        fps: frames per second.
        overlay: what is written on every frame; None for nothing.

    Raises:
        RenderError: the video would be too large, or cannot be written.
    """
    first = next(frames)
    height, width, _ = first.picture.shape
    layout = display.lay_out(width, height, encoder.even)
    box = OverlayBox(overlay, *layout.video) if overlay else None
    packed = PackedFrame(layout, box) if box and box.visible else None
    filters = (packed or layout).filters(encoder.pixel_format)
    if packed:
        height, width, _ = packed.shape
    with VideoWriter(path, width, height, fps, filters, encoder, crisp=layout.crisp) as video:
        for position, batch, picture in chain([first], frames):
            video.add(packed.draw(position, batch, picture) if packed else picture)


def encode_composed(
    frames: Iterator[NumberedFrame],
    path: Path,
    fps: Rate,
    composition: Composition,
    words: FilmWords,
    labels: Sequence[str],
    encoder: VideoEncoder,
) -> None:
    """Write composed frames into a video until they end.

    Args:
        frames: one or more, in a row; each with the pictures of all points that the video shows.
        path, fps, encoder: see `encode_frames`.
        words: what is written on every frame.
        labels: of the points; empty texts for points that move.

    Raises:
        RenderError: the video cannot be written.
    """
    first = next(frames)
    _, height, width, _ = first.picture.shape
    composed = ComposedFrame(composition, words, labels, (width, height))
    filters = composed.filters(encoder.pixel_format, first.position)
    rows, columns, _ = composed.shape
    with VideoWriter(path, columns, rows, fps, filters, encoder) as video:
        for frame in chain([first], frames):
            video.add(composed.draw(*frame))
