"""Pictures of latent points for the page, rendered once and kept while they are in demand."""

from __future__ import annotations

import base64
import io
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex, CheckpointRun
from checkpoints_index.storage.catalogue import DESCRIPTION
from latent.points import LatentPoint
from renderers.frames.frame_renderer import FrameRenderer
from studio.workspace.devices import choose_device
from studio.workspace.paths import Workspace

MAX_OPEN_RUNS = 2  # Each holds a generator on the device.
MAX_PICTURES = 1500
THUMBNAIL_PX, LARGE_PX = 192, 1024


@dataclass
class _OpenRun:
    """A run and its one resident module, with the weights of the checkpoint seen last.

    Args:
        identity: stays the same while no other run takes the name.
        digest: that of the weights in G; empty while they are being exchanged.
    """

    identity: int
    checkpoints: CheckpointRun
    G: nn.Module | None = None
    digest: str = ""


class PictureCache:
    """Renders pictures of the runs of a workspace; shared by all browsers, which take turns."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._runs: OrderedDict[str, _OpenRun] = OrderedDict()
        self._kept: OrderedDict[tuple[str, bytes, int], str] = OrderedDict()
        self._turn = threading.RLock()

    def batches(self, run: str) -> list[int]:
        """The batches of a run that have a checkpoint, ascending.

        Raises:
            CheckpointError: unknown run, or a damaged one.
        """
        with self._turn:
            return self._open(run).checkpoints.batches

    def z_dim(self, run: str) -> int:
        """How many numbers a latent point of a run has.

        Raises:
            CheckpointError: see `batches`.
        """
        with self._turn:
            return self._open(run).checkpoints.spec.z_dim

    def digest(self, run: str, batch: int) -> str:
        """A digest of the weights at a batch.

        Raises:
            CheckpointError: unknown run or batch.
        """
        with self._turn:
            return self._open(run).checkpoints.digest([batch])

    def show(
        self, run: str, batch: int, points: Sequence[LatentPoint], limit_px: int = THUMBNAIL_PX
    ) -> list[str]:
        """Render points at a checkpoint.

        Args:
            limit_px: larger pictures are made smaller until neither side is longer.

        Returns:
            A data URI for each point.

        Raises:
            CheckpointError: unknown run or batch, or a damaged checkpoint.
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
            while len(self._kept) > MAX_PICTURES:
                self._kept.popitem(last=False)
            return shown

    def _render(
        self, opened: _OpenRun, batch: int, digest: str, z: list[Tensor]
    ) -> list[np.ndarray]:
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
        while len(self._runs) > MAX_OPEN_RUNS:
            self._runs.popitem(last=False)
        return opened


def _identity(checkpoints: CheckpointRun) -> int:
    description = checkpoints.folder / DESCRIPTION
    return description.stat().st_ino if description.exists() else -1


def _to_data_uri(frame: np.ndarray, limit_px: int) -> str:
    """A small picture as lossless PNG, so that its pixels stay crisp; a large one as JPEG."""
    image = Image.fromarray(frame)
    image.thumbnail((limit_px, limit_px), Image.Resampling.LANCZOS)
    kind, options = ("PNG", {}) if image.width <= THUMBNAIL_PX else ("JPEG", {"quality": 90})
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
