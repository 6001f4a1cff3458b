"""Some frames of a film before it is rendered, side by side in one picture."""

from __future__ import annotations

import hashlib
import io
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from renderers.files import replacing
from renderers.frames.devices import device_here
from renderers.jobs.previewing import preview_frames
from renderers.plan.pacing import spread
from studio.films.planning import Film, OpenFilm, Outline
from studio.workspace.devices import AUTO, borrow_device, spare_device
from studio.workspace.paths import Workspace

MAX_SHOWN = 12
HEIGHT_PX = 240  # Frames that are higher are made smaller.
GAP_PX = 4
KEPT = 40  # So many strips are kept; the oldest go.


@dataclass(frozen=True)
class FrameShown:
    """A frame of a strip: its position in the film, from 0, and its batch."""

    frame: int
    batch: int


@dataclass(frozen=True)
class DrawnStrip:
    """A strip: its file, a JPEG, and what it shows from left to right."""

    path: Path
    shown: tuple[FrameShown, ...]


def draw_strip(outline: Outline[Film], count: int) -> DrawnStrip:
    """Draw frames of a film that are spread evenly from its first to its last.

    The same film has its strip at once when it is asked for again.

    Args:
        count: how many frames; fewer where the film has fewer.

    Raises:
        StudioError: or an error of the libraries, as the film itself would.
    """
    plan, opened = outline.plan(), outline.opened
    frames = spread(len(plan.batches), min(count, len(plan.batches))).tolist()
    mark = hashlib.sha256(f"{plan.digest} {frames}".encode()).hexdigest()[:24]
    path = opened.workspace.film_previews / f"{mark}.jpg"
    if not path.exists():
        with _device_of(opened) as device:
            found = preview_frames(opened.source(plan), plan, frames, device)
            pictures = [_small(Image.fromarray(frame)) for frame in found]
        _write(pictures, path)
        _forget_oldest(opened.workspace)
    shown = (FrameShown(frame, plan.shown_batch(frame)) for frame in frames)
    return DrawnStrip(path, tuple(shown))


def _device_of(opened: OpenFilm[Film]) -> AbstractContextManager[str]:
    """The first device that was asked for, else one that is spare."""
    asked, work = opened.film.devices, f"a preview of {opened.run}"
    if asked and AUTO not in asked:
        return borrow_device(opened.workspace, device_here(asked), work)
    return spare_device(opened.workspace, work)


def _small(picture: Image.Image) -> Image.Image:
    if picture.height <= HEIGHT_PX:
        return picture
    width = max(1, round(picture.width * HEIGHT_PX / picture.height))
    return picture.resize((width, HEIGHT_PX), Image.Resampling.BOX)


def _write(pictures: list[Image.Image], path: Path) -> None:
    width, height = pictures[0].size
    strip = Image.new("RGB", (len(pictures) * (width + GAP_PX) - GAP_PX, height), (29, 21, 26))
    for number, picture in enumerate(pictures):
        strip.paste(picture, (number * (width + GAP_PX), 0))
    content = io.BytesIO()
    strip.save(content, "JPEG", quality=90)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())


def _forget_oldest(workspace: Workspace) -> None:
    strips = sorted(workspace.film_previews.glob("*.jpg"), key=lambda path: path.stat().st_mtime)
    for path in strips[:-KEPT]:
        path.unlink(missing_ok=True)
