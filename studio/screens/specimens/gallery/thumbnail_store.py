"""Pictures of specimens for the gallery: drawn once, kept as files, given to a GET that is checked.

The address of a picture holds a key, a digest of the weights and of the latent point that it shows.
So a browser may keep it for good, and another picture has another address.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from latent.points import LatentPoint
from studio.screens.parts.picture_cache import (
    FOR_GOOD,
    LARGE_PX,
    THUMBNAIL_PX,
    EncodedPicture,
    PictureCache,
)
from studio.specimens.specimen_pages import read_specimens
from studio.workspace.advice import explain
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.names import require_point_label, require_run_name, require_texts
from studio.workspace.paths import Workspace

PICTURE_PATH = "/studio/specimens/picture"
SIZES = {"small": THUMBNAIL_PX, "large": LARGE_PX}
AT_ONCE = 16  # Pictures that are drawn in one forward pass; others wait so long.
MAX_WANTED = 4000  # So many pictures that pages were told of are remembered until they are drawn.
MAX_FILES = 60_000  # Files that are kept; at more, those go that were drawn first.
TRIMMED_EACH = 500  # New files between two looks at how many there are.
GONE = "There is no such picture any more. Load the page again."
# How a whole file ends; one that was being written when the machine stopped is drawn again.
ENDS = {"png": b"IEND\xaeB`\x82", "jpeg": b"\xff\xd9"}


class ShownSpecimen(NamedTuple):
    """A specimen at the batch that shows it; `key` tells its picture from all others."""

    run: str
    batch: int
    point: LatentPoint
    key: str


class ThumbnailStore:
    """Draws and keeps small pictures; shared by all browsers, which take turns."""

    def __init__(self, workspace: Workspace, picture_cache: PictureCache) -> None:
        self._workspace, self._picture_cache = workspace, picture_cache
        self._wanted: OrderedDict[str, ShownSpecimen] = OrderedDict()
        self._turn, self._asking = threading.Lock(), threading.Lock()
        self._written = TRIMMED_EACH

    def addresses(self, run: str, points: Sequence[LatentPoint]) -> list[str]:
        """Where a browser finds the small picture of each point; with `&size=large` the large one.

        Raises:
            CheckpointError: unknown run, or a damaged one.
            StudioError: it has no checkpoints.
        """
        shown = self._show(run, points)
        with self._asking:
            self._wanted.update((each.key, each) for each in shown)
            while len(self._wanted) > MAX_WANTED:
                self._wanted.popitem(last=False)
        return [
            f"{PICTURE_PATH[1:]}?{urlencode({'run': run, 'label': p.label, 'key': s.key})}"
            for p, s in zip(points, shown, strict=True)
        ]

    def answer(self, request: Request) -> Response:
        """The picture that a request names; a sentence where there is none."""
        try:
            picture = self._find(request.query_params)
        except EXPECTED_ERRORS as error:
            return JSONResponse({"detail": explain(error)}, 404)
        if picture is None:
            return JSONResponse({"detail": GONE}, 404)
        kind = f"image/{picture.kind}"
        return Response(picture.content, media_type=kind, headers={"Cache-Control": FOR_GOOD})

    def _find(self, asked: Mapping[str, str]) -> EncodedPicture | None:
        require_texts(dict(asked))
        run = require_run_name(asked.get("run", ""))
        label, key = require_point_label(asked.get("label", "")), asked.get("key", "")
        shown = self._look_up(run, label, key)
        if shown is None:
            return None
        limit_px = SIZES.get(asked.get("size", "small"), THUMBNAIL_PX)
        if limit_px != THUMBNAIL_PX:
            return self._picture_cache.draw(run, shown.batch, [shown.point], limit_px)[0]
        if (kept := self._read(key)) is not None:
            return kept
        with self._turn:  # Whoever waited for this finds what was drawn meanwhile.
            return self._read(key) or self._draw(shown)

    def _look_up(self, run: str, label: str, key: str) -> ShownSpecimen | None:
        """The specimen that an address names, as it is now; None where its picture is another."""
        known = self._wanted.get(key)
        if known is not None and (known.run, known.point.label) == (run, label):
            return known
        found = read_specimens(self._workspace, run, [label], with_paths=False)
        shown = self._show(run, [point for _, point in found])
        return shown[0] if shown and shown[0].key == key else None

    def _show(self, run: str, points: Sequence[LatentPoint]) -> list[ShownSpecimen]:
        """Each point at the batch of its label if that is kept, else at the last."""
        if not points:
            return []
        kept = self._picture_cache.batches(run)
        there = set(kept)
        own = [int(point.label.partition(".")[0]) for point in points]
        batches = [batch if batch in there else kept[-1] for batch in own]
        each = sorted(set(batches))
        digests = dict(zip(each, self._picture_cache.digests(run, each), strict=True))
        return [
            ShownSpecimen(run, batch, point, _key_of(digests[batch], point))
            for batch, point in zip(batches, points, strict=True)
        ]

    def _draw(self, shown: ShownSpecimen) -> EncodedPicture:
        """Draw a picture, and with it others that were asked for of the same checkpoint."""
        with self._asking:
            alike = [
                each
                for each in self._wanted.values()
                if (each.run, each.batch) == (shown.run, shown.batch) and each.key != shown.key
            ]
        missing = [each for each in alike[-8 * AT_ONCE :] if not self._path(each.key).exists()]
        some = [shown, *missing[: AT_ONCE - 1]]
        pictures = self._picture_cache.draw(
            shown.run, shown.batch, [each.point for each in some], THUMBNAIL_PX
        )
        for each, picture in zip(some, pictures, strict=True):
            self._write(each.key, picture)
        return pictures[0]

    def _path(self, key: str) -> Path:
        return self._workspace.thumbnails / key[:2] / key

    def _read(self, key: str) -> EncodedPicture | None:
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
        return EncodedPicture(kind, content) if content.endswith(ENDS[kind]) else None

    def _write(self, key: str, picture: EncodedPicture) -> None:
        """Keep a picture; where nothing can be written, it is drawn again another time."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{key}.{os.getpid()}")
            beside.write_bytes(picture.content)
            beside.replace(path)
        except OSError:
            return
        with self._asking:
            self._wanted.pop(key, None)
        self._written += 1
        if self._written >= TRIMMED_EACH:
            self._written = 0
            self._trim()

    def _trim(self) -> None:
        files = [path for path in self._workspace.thumbnails.glob("??/*") if path.is_file()]
        files.sort(key=lambda path: path.stat().st_mtime_ns)
        for path in files[: max(0, len(files) - MAX_FILES)]:
            path.unlink(missing_ok=True)


def _key_of(digest: str, point: LatentPoint) -> str:
    content = digest.encode() + point.z.numpy().tobytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()
