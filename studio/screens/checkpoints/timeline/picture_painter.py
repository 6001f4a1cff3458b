"""Pictures of a run at a batch as files for the page: all shown points, or one of them large."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from latent.points import LatentPoint
from renderers.pictures.sheets import arrange_grid
from studio.screens.checkpoints.timeline.asked_picture import AskedPicture
from studio.screens.parts.app_context import nearest_batch, shown_points
from studio.screens.parts.picture_cache import PictureCache
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

MAX_POINTS = 16  # Points that are shown at most.
MAX_KEPT_BYTES = 48 << 20
GAP_PX = 2
QUALITY = 95  # Without subsampling of colours, this is what was rendered, as far as one sees.


@dataclass(frozen=True)
class PaintedPicture:
    """A picture for the page.

    Attributes:
        batch: the checkpoint that it shows.
        mark: another one for another picture.
        content: a JPEG.
        width, height: as large as it would be without a limit, in pixels.
    """

    batch: int
    mark: str
    content: bytes
    width: int
    height: int


@dataclass(frozen=True)
class PicturePlan:
    """What a picture is going to show.

    Attributes:
        batch: the nearest batch that has a checkpoint.
        points: those in the picture, row by row.
        mark: another one for another picture; it says what the weights and the points are.
    """

    batch: int
    points: tuple[LatentPoint, ...]
    mark: str


class PicturePainter:
    """Paints pictures for all pages, and keeps the newest; threads may share it."""

    def __init__(self, workspace: Workspace, picture_cache: PictureCache) -> None:
        self._workspace, self._picture_cache = workspace, picture_cache
        self._points: OrderedDict[tuple[str, int, int], list[LatentPoint]] = OrderedDict()
        self._kept: OrderedDict[str, PaintedPicture] = OrderedDict()
        self._turn = threading.Lock()

    def plan(self, asked: AskedPicture) -> PicturePlan:
        """Find out what a picture shows, without reading any weights.

        Raises:
            CheckpointError: there is no such run, or it is damaged.
            StudioError: it has no checkpoints, or does not show the point.
        """
        batches = self._picture_cache.batches(asked.run)
        if not batches:
            raise StudioError(f"Run '{asked.run}' has no checkpoint yet.")
        batch, points = nearest_batch(batches, asked.batch), self.points(asked.run)
        if asked.point:
            points = [point for point in points if point.label == asked.point]
            if not points:
                raise StudioError(f"Run '{asked.run}' does not show the city {asked.point}.")
        digest = self._picture_cache.digest(asked.run, batch)
        return PicturePlan(batch, tuple(points), _mark(digest, points, asked.size))

    def points(self, run: str) -> list[LatentPoint]:
        """The points that are shown of a run.

        Raises:
            CheckpointError: there is no such run, or it is damaged.
        """
        database = self._workspace.database
        written = database.stat().st_mtime_ns if database.exists() else 0
        key = run, self._picture_cache.identity(run), written
        with self._turn:
            found = self._points.get(key)
            if found is None:
                found = self._points[key] = shown_points(self._workspace, run)[:MAX_POINTS]
                while len(self._points) > 8:
                    self._points.popitem(last=False)
            return found

    def paint(
        self, asked: AskedPicture, plan: PicturePlan, is_wanted: Callable[[], bool]
    ) -> PaintedPicture | None:
        """Paint a picture, or find it painted; None once it is not wanted any more.

        Raises:
            CheckpointError: the checkpoint is gone or damaged.
        """
        with self._turn:
            if plan.mark in self._kept:
                self._kept.move_to_end(plan.mark)
                return self._kept[plan.mark]
        frames = self._picture_cache.render(asked.run, plan.batch, plan.points, is_wanted)
        if frames is None:
            return None
        painted = _paint(plan, frames, asked.size)
        with self._turn:
            self._kept[plan.mark] = painted
            while sum(len(kept.content) for kept in self._kept.values()) > MAX_KEPT_BYTES:
                self._kept.popitem(last=False)
        return painted


def _paint(plan: PicturePlan, frames: np.ndarray, limit_px: int) -> PaintedPicture:
    picture = Image.fromarray(arrange_grid(frames, gap_px=GAP_PX))
    width, height = picture.size
    if max(width, height) > limit_px:
        picture.thumbnail((limit_px, limit_px), Image.Resampling.BOX, reducing_gap=2.0)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=QUALITY, subsampling=0)
    return PaintedPicture(plan.batch, plan.mark, content.getvalue(), width, height)


def _mark(digest: str, points: Sequence[LatentPoint], size: int) -> str:
    mark = hashlib.blake2b(f"{digest} {size}".encode(), digest_size=16)
    for point in points:
        mark.update(point.z.numpy().tobytes())
    return mark.hexdigest()
