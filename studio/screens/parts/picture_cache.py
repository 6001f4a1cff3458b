"""What cities look like: opened runs, and the pictures that were asked for last."""

from __future__ import annotations

import base64
import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex, CheckpointRun
from checkpoints_index.storage.catalogue import DESCRIPTION
from latent.points import LatentPoint
from renderers.frames.frame_renderer import FrameRenderer
from studio.workspace.devices import choose_device
from studio.workspace.paths import Workspace

OPEN_RUNS = 2  # each holds a generator
KEPT_PICTURES = 1500
THUMBNAIL_PX, LARGE_PX = 192, 1024


@dataclass
class _OpenRun:
    """A run and its one resident module, with the weights of the checkpoint seen last."""

    identity: int
    checkpoints: CheckpointRun
    G: nn.Module | None = None
    digest: str = ""


class PictureCache:
    """Renders pictures of runs; shared by all browsers, which take turns."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._runs: OrderedDict[str, _OpenRun] = OrderedDict()
        self._kept: OrderedDict[tuple[str, bytes, int], str] = OrderedDict()
        self._turn = threading.RLock()

    def batches(self, run: str) -> list[int]:
        """The batches that have a checkpoint, ascending."""
        with self._turn:
            return self._open(run).checkpoints.batches

    def z_dim(self, run: str) -> int:
        with self._turn:
            return self._open(run).checkpoints.spec.z_dim

    def digest(self, run: str, batch: int) -> str:
        """Stands for the weights at a batch."""
        with self._turn:
            return self._open(run).checkpoints.digest([batch])

    def show(
        self, run: str, batch: int, points: Sequence[LatentPoint], limit_px: int = THUMBNAIL_PX
    ) -> list[str]:
        """Pictures of points at a checkpoint as data URIs, no larger than limit_px.

        Raises:
            StudioError: unknown run or batch, or a damaged checkpoint.
        """
        with self._turn:
            opened = self._open(run)
            digest = opened.checkpoints.digest([batch])
            keys = [(digest, point.z.numpy().tobytes(), limit_px) for point in points]
            new = [i for i, key in enumerate(keys) if key not in self._kept]
            if new:
                frames = self._render(opened, batch, digest, [points[i].z for i in new])
                for i, frame in zip(new, frames, strict=True):
                    self._kept[keys[i]] = _to_data_uri(frame, limit_px)
            shown = [self._kept[key] for key in keys]
            for key in keys:
                self._kept.move_to_end(key)
            while len(self._kept) > KEPT_PICTURES:
                self._kept.popitem(last=False)
            return shown

    def _render(self, opened: _OpenRun, batch: int, digest: str, z: list[Tensor]) -> list:
        G = self._module(opened)
        if opened.digest != digest:
            opened.digest = ""
            G.load_state_dict(opened.checkpoints.weights(batch))
            opened.digest = digest
        return list(FrameRenderer().render(G, torch.stack(z)))

    def _module(self, opened: _OpenRun) -> nn.Module:
        if opened.G is None:
            opened.G = opened.checkpoints.spec.build().to(choose_device()).eval()
        return opened.G

    def _open(self, run: str) -> _OpenRun:
        """The run, opened once; anew if another one has taken its name."""
        opened = self._runs.get(run)
        if opened is None or opened.identity != _identity(opened.checkpoints):
            checkpoints = CheckpointIndex(self._workspace.runs)[run]
            opened = self._runs[run] = _OpenRun(_identity(checkpoints), checkpoints)
        self._runs.move_to_end(run)
        while len(self._runs) > OPEN_RUNS:
            self._runs.popitem(last=False)
        return opened


def _identity(checkpoints: CheckpointRun) -> int:
    description = checkpoints.folder / DESCRIPTION
    return description.stat().st_ino if description.exists() else -1


def _to_data_uri(frame: object, limit_px: int) -> str:
    """Small pictures as lossless PNG, so that their pixels stay crisp; large ones as JPEG."""
    image = Image.fromarray(frame)  # type: ignore[arg-type]
    image.thumbnail((limit_px, limit_px), Image.Resampling.LANCZOS)
    kind, options = ("PNG", {}) if image.width <= THUMBNAIL_PX else ("JPEG", {"quality": 90})
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
