"""The pictures of a folder where a renderer asks for the checkpoints of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from renderers.frames.concurrency import run_in_order
from renderers.frames.passes import unround_frames
from studio.datasets.folder import readable_name
from studio.datasets.picture import UnreadablePictureError, convert_to_rgb, opening_picture
from studio.films.folders.picture_looks import TURNING, mark_of_file
from studio.workspace.errors import StudioError
from studio.workspace.names import shorten

FolderFit = Literal["refuse", "pad", "crop", "stretch"]
MAX_READERS = 16
MAX_HELD_BYTES = 1 << 28  # Pictures that are read ahead are at most so many bytes, or two.
BARS = (0x11, 0x12, 0x14)  # As around a picture that has another shape than its video.


class DamagedPicturesError(StudioError):
    """Pictures of a film that cannot be read.

    Args:
        found: the reason for each by the name of its file.
    """

    def __init__(self, found: dict[str, str]) -> None:
        self.found = found
        (name, reason), *others = found.items()
        more = f", and {len(others):,} more" if others else ""
        super().__init__(
            f"{shorten(readable_name(name))} cannot be read: {reason}{more}. Leave such pictures "
            "out: --skip-damaged"
        )

    def __reduce__(self) -> tuple[type[DamagedPicturesError], tuple[dict[str, str]]]:
        return type(self), (self.found,)


class PictureModule(nn.Module):
    """Stands where a generator stands: it gives the picture that it was shown.

    Args:
        in_levels: give levels of 0..255 as they are, rather than numbers in -1..1.
    """

    place: Tensor

    def __init__(self, in_levels: bool) -> None:
        super().__init__()
        self._in_levels = in_levels
        self._picture: Tensor | None = None
        self.register_buffer("place", torch.empty(0), persistent=False)  # On its device.
        self.eval()

    def show(self, picture: np.ndarray) -> None:
        """Take a picture, uint8 [h, w, 3], which nobody changes any more."""
        if self._in_levels:
            self._picture = torch.from_numpy(picture[None]).permute(0, 3, 1, 2)
            return
        taken = unround_frames(picture[None])
        if self._picture is None or self._picture.shape != taken.shape:
            self._picture = taken.to(self.place.device)
        self._picture.copy_(taken)  # A pass that was recorded reads the same memory each time.

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim], which say nothing -> the picture, [N, 3, h, w], uint8 or in -1..1."""
        assert self._picture is not None, "a picture is shown first"
        return self._picture.expand(len(z), -1, -1, -1)


@dataclass(frozen=True, eq=False)
class PictureFolder:
    """A `CheckpointSource` whose checkpoints are the pictures of a folder.

    Attributes:
        names: the file of each picture by its number.
        marks: what `mark_of_file` said of each.
        size_px: width and height of every frame.
        fit: how pictures of another size come to it.
        in_levels: see `PictureModule`.
        seeks_damaged: look for further damaged pictures of a part where one was met.
    """

    folder: Path
    names: dict[int, str]
    marks: dict[int, str]
    size_px: tuple[int, int]
    fit: FolderFit
    in_levels: bool
    seeks_damaged: bool = field(default=False)

    def build(self) -> PictureModule:
        """A module that pictures can be shown to."""
        return PictureModule(self.in_levels)

    def stream(
        self, batches: Sequence[int], device: str, into: Sequence[nn.Module] = ()
    ) -> Iterator[tuple[int, nn.Module]]:
        """Each picture, as `CheckpointSource.stream` gives checkpoints; read by several threads.

        Raises:
            DamagedPicturesError: one cannot be read.
            StudioError: one has changed since the film was planned.
        """
        modules: Sequence[Any] = into or [self.build().to(device)]
        reading = run_in_order((partial(self._read, id_) for id_ in batches), self._readers)
        with closing(reading):
            for number, (id_, read) in enumerate(zip(batches, reading, strict=True)):
                if isinstance(read, UnreadablePictureError):
                    raise DamagedPicturesError(self._damaged(batches[number:], str(read)))
                shown = modules[number % len(modules)]
                shown.show(read)
                yield id_, shown

    def _read(self, id_: int) -> np.ndarray | UnreadablePictureError:
        path = self.folder / self.names[id_]
        try:
            if mark_of_file(path) != self.marks[id_]:
                raise StudioError(
                    f"{shorten(readable_name(path.name))} has changed since the film was planned. "
                    "Render it again: what is finished of the others is kept."
                )
            return read_frame(path, self.size_px, self.fit)
        except UnreadablePictureError as error:
            return error

    def _damaged(self, ids: Sequence[int], reason: str) -> dict[str, str]:
        """The damaged ones among pictures of which the first is."""
        found = {self.names[ids[0]]: reason}
        for id_ in ids[1:] if self.seeks_damaged else ():
            if isinstance(read := self._read(id_), UnreadablePictureError):
                found[self.names[id_]] = str(read)
        return found

    @cached_property
    def _readers(self) -> int:
        """How many pictures are read at a time: as many as there are cores, and room for."""
        width, height = self.size_px
        room = MAX_HELD_BYTES // (width * height * 3)
        return max(2, min(os.cpu_count() or 1, MAX_READERS, room))


def read_frame(path: Path, size_px: tuple[int, int], fit: FolderFit) -> np.ndarray:
    """A picture as a frame: upright, in RGB of 8 bits, transparent px on white, of one size.

    Args:
        size_px: width and height.
        fit: how a picture of another size comes to it: `pad` adds bars, `crop` cuts out the
            middle, `stretch` distorts.

    Returns:
        uint8 [height, width, 3].

    Raises:
        UnreadablePictureError: it cannot be read, or has another size and may not.
    """
    with opening_picture(path) as image:
        turned = ImageOps.exif_transpose(image) if image.format in TURNING else image
        picture = convert_to_rgb(turned)
        if picture.size != size_px:
            picture = _fitted(picture, size_px, fit)
        return np.array(picture)


def _fitted(picture: Image.Image, size_px: tuple[int, int], fit: FolderFit) -> Image.Image:
    lanczos = Image.Resampling.LANCZOS
    if fit == "pad":
        return ImageOps.pad(picture, size_px, lanczos, color=BARS)
    if fit == "crop":
        return ImageOps.fit(picture, size_px, lanczos)
    if fit == "stretch":
        return picture.resize(size_px, lanczos)
    width, height = picture.size
    raise UnreadablePictureError(f"it has {width} x {height} px, and the film another size")
