"""Small pictures of one point along the whole run: a sheet that is made once, and grows with it.

The pictures are those of batches a power of two apart, so that a run that has become twice as long
keeps every other one. They are drawn beside the pages' own pictures, the farthest apart first.
"""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from latent.points import LatentPoint
from renderers.files import read_json, replacing, write_json
from studio.atlases.sprites import shrink
from studio.screens.parts.app_context import nearest_batch
from studio.screens.parts.picture_cache import PictureCache
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.paths import Workspace

SIZE_PX = 64
MAX_THUMBNAILS = 64
MAX_KNOWN = 8  # Sheets that are kept in memory.
MAX_FILES = 200  # Sheets that are kept on disk, the newest.
REST_S = 0.7  # So long after a page's own picture none of these is drawn.
QUALITY = 88


@dataclass(frozen=True)
class ThumbnailSheet:
    """Small pictures side by side.

    Attributes:
        batches: those of the pictures, from left to right.
        lacking: so many are still to be drawn.
        content: a JPEG of SIZE_PX by SIZE_PX for each; of one dark picture where there is none yet.
        mark: another one for another sheet.
    """

    batches: tuple[int, ...]
    lacking: int
    content: bytes
    mark: str


@dataclass
class _Sheet:
    """The pictures of a point that are known: digest of the weights -> uint8 [64, 64, 3]."""

    run: str
    point: LatentPoint
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    drawing: bool = False
    answer: ThumbnailSheet | None = None


class AxisThumbnails:
    """The sheets of all runs, shared by all pages; one thread draws what is lacking.

    Args:
        points: gives the points that are shown of a run.
    """

    def __init__(
        self,
        workspace: Workspace,
        picture_cache: PictureCache,
        points: Callable[[str], list[LatentPoint]],
    ) -> None:
        self._workspace, self._picture_cache, self._points = workspace, picture_cache, points
        self._known: OrderedDict[str, _Sheet] = OrderedDict()
        self._turn = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "thumbnails")
        self._rests_until = 0.0

    def rest(self) -> None:
        """Let a page's own picture be drawn first."""
        self._rests_until = time.monotonic() + REST_S

    def look(self, run: str, label: str) -> ThumbnailSheet:
        """The sheet of a point as it is now; what is lacking is drawn from now on.

        Args:
            label: empty for the first point that is shown.

        Raises:
            CheckpointError: there is no such run, or it is damaged.
            StudioError: it does not show the point.
        """
        points = self._points(run)
        point = next((p for p in points if p.label == label or not label), None)
        if point is None:
            raise StudioError(f"Run '{run}' does not show the city {label}.")
        wanted = self._wanted(run)
        with self._turn:
            sheet = self._open(run, point)
            lacking = [digest for digest in wanted.values() if digest not in sheet.pictures]
            if lacking and not sheet.drawing:
                sheet.drawing = True
                self._worker.submit(self._draw, sheet)
            answer = _lay_out(sheet, wanted, len(lacking))
            sheet.answer = answer
            return answer

    def _wanted(self, run: str) -> dict[int, str]:
        """Batch -> digest of its weights, for each batch that is to stand along the axis."""
        batches = choose_places(self._picture_cache.batches(run))
        return dict(zip(batches, self._picture_cache.digests(run, batches), strict=True))

    def _open(self, run: str, point: LatentPoint) -> _Sheet:
        """The sheet, read from the disk at first."""
        name = _name(run, point)
        sheet = self._known.get(name)
        if sheet is None:
            sheet = self._known[name] = _Sheet(run, point, self._read(name))
        self._known.move_to_end(name)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        return sheet

    def _draw(self, sheet: _Sheet) -> None:
        """Draw what is lacking, the farthest apart first, and keep the sheet."""
        try:
            wanted = self._wanted(sheet.run)
            for batch in coarse_first(list(wanted)):
                if wanted[batch] in sheet.pictures:
                    continue
                while (wait_s := self._rests_until - time.monotonic()) > 0:
                    time.sleep(wait_s)
                frames = self._picture_cache.render(sheet.run, batch, [sheet.point])
                assert frames is not None
                sheet.pictures[wanted[batch]] = shrink(frames[0], SIZE_PX)
            self._keep(sheet, wanted)
        except EXPECTED_ERRORS:  # The run has changed, or is damaged: the next look tells which.
            pass
        finally:
            sheet.drawing = False

    def _keep(self, sheet: _Sheet, wanted: dict[int, str]) -> None:
        """Write the pictures that are wanted now; others are not needed again."""
        sheet.pictures = {digest: sheet.pictures[digest] for digest in wanted.values()}
        if not self._workspace.is_writable:
            return
        folder, name = self._workspace.timelines, _name(sheet.run, sheet.point)
        folder.mkdir(exist_ok=True)
        digests = list(sheet.pictures)
        row = np.concatenate([sheet.pictures[digest] for digest in digests], 1)
        with replacing(folder / f"{name}.png") as temporary:
            Image.fromarray(row).save(temporary, "PNG")
        write_json({"digests": digests}, folder / f"{name}.json")
        for path in sorted(folder.glob("*.json"), key=_age)[MAX_FILES:]:
            path.unlink(missing_ok=True)
            path.with_suffix(".png").unlink(missing_ok=True)

    def _read(self, name: str) -> dict[str, np.ndarray]:
        """What the disk has of a sheet; nothing where it is not what was written."""
        path = self._workspace.timelines / f"{name}.png"
        try:
            digests = (read_json(path.with_suffix(".json")) or {}).get("digests", [])
            with Image.open(path) as opened:
                if opened.size != (SIZE_PX * len(digests), SIZE_PX):
                    return {}
                row = np.asarray(opened.convert("RGB"))
        except (OSError, ValueError, TypeError, SyntaxError, *EXPECTED_ERRORS):
            return {}
        return dict(zip(map(str, digests), np.split(row, len(digests), 1), strict=True))


def choose_places(batches: Sequence[int]) -> list[int]:
    """The batches that stand along the axis, ascending: those nearest to places evenly apart.

    Args:
        batches: ascending, at least one.

    Example:
        >>> choose_places(range(1, 200))[:4]
        [1, 5, 9, 13]
    """
    if not batches:
        return []
    first, span, step = batches[0], batches[-1] - batches[0], 1
    while span // step >= MAX_THUMBNAILS:
        step *= 2
    places = range(first, first + span + 1, step)
    return sorted({nearest_batch(batches, place) for place in places})


def coarse_first(items: Sequence[int]) -> list[int]:
    """The same items: the first, the one in the middle, those between, and so on.

    Example:
        >>> coarse_first([0, 1, 2, 3, 4])
        [0, 4, 2, 1, 3]
    """
    ranked = sorted(range(len(items)), key=lambda i: (-((i & -i) or len(items)), i))
    return [items[i] for i in ranked]


def _lay_out(sheet: _Sheet, wanted: dict[int, str], lacking: int) -> ThumbnailSheet:
    known = {batch: digest for batch, digest in wanted.items() if digest in sheet.pictures}
    mark = hashlib.blake2b(f"{known} {lacking}".encode(), digest_size=16).hexdigest()
    if sheet.answer is not None and sheet.answer.mark == mark:
        return sheet.answer
    dark = np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8)
    row = np.concatenate([sheet.pictures[digest] for digest in known.values()] or [dark], 1)
    content = io.BytesIO()
    Image.fromarray(row).save(content, "JPEG", quality=QUALITY, subsampling=0)
    return ThumbnailSheet(tuple(known), lacking, content.getvalue(), mark)


def _name(run: str, point: LatentPoint) -> str:
    name = hashlib.blake2b(f"{run} {SIZE_PX} ".encode(), digest_size=12)
    name.update(point.z.numpy().tobytes())
    return name.hexdigest()


def _age(path: Path) -> float:
    return -path.stat().st_mtime
