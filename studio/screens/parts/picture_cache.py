"""Pictures of latent points for the page, rendered once and kept while they are in demand."""

from __future__ import annotations

import base64
import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex, CheckpointRun
from checkpoints_index.storage.catalogue import DESCRIPTION
from latent.points import LatentPoint
from renderers.frames.frame_renderer import FrameRenderer
from studio.workspace.devices import spare_device
from studio.workspace.paths import Workspace

MAX_OPEN_RUNS = 2  # Each holds a generator on the device.
MAX_PICTURES = 1500
THUMBNAIL_PX, LARGE_PX = 192, 1024
# How long a browser keeps a picture whose address is another one as soon as it changes.
FOR_GOOD = "private, max-age=31536000, immutable"


class EncodedPicture(NamedTuple):
    """A picture as a browser takes it; `kind` is png or jpeg."""

    kind: str
    content: bytes

    @property
    def data_uri(self) -> str:
        """The picture as an address that holds all of it."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.content).decode()}"


@dataclass
class _OpenRun:
    """A run and its one resident module, with the weights of the checkpoint seen last.

    Args:
        identity: stays the same while no other run takes the name.
        digest: that of the weights in G; empty while they are being exchanged.
        device: where G is.
        renderer: knows how many pictures of G fit in a pass there.
    """

    identity: int
    checkpoints: CheckpointRun
    G: nn.Module | None = None
    digest: str = ""
    device: str = "cpu"
    renderer: FrameRenderer = field(default_factory=FrameRenderer)


class PictureCache:
    """Renders pictures of the runs of a workspace; shared by all browsers, which take turns."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._runs: OrderedDict[str, _OpenRun] = OrderedDict()
        self._kept: OrderedDict[tuple[str, bytes, int], EncodedPicture] = OrderedDict()
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

    def identity(self, run: str) -> int:
        """A number that stays the same while no other run takes the name.

        Raises:
            CheckpointError: see `batches`.
        """
        with self._turn:
            return self._open(run).identity

    def digest(self, run: str, batch: int) -> str:
        """A digest of the weights at a batch.

        Raises:
            CheckpointError: unknown run or batch.
        """
        with self._turn:
            return self._open(run).checkpoints.digest([batch])

    def digests(self, run: str, batches: Sequence[int]) -> list[str]:
        """A digest of the weights at each of some batches.

        Raises:
            CheckpointError: unknown run or batch.
        """
        with self._turn:
            return self._open(run).checkpoints.digests(batches)

    def show(
        self, run: str, batch: int, points: Sequence[LatentPoint], limit_px: int = THUMBNAIL_PX
    ) -> list[str]:
        """As `draw`, with the pictures as data URIs."""
        return [picture.data_uri for picture in self.draw(run, batch, points, limit_px)]

    def draw(
        self, run: str, batch: int, points: Sequence[LatentPoint], limit_px: int = THUMBNAIL_PX
    ) -> list[EncodedPicture]:
        """Render points at a checkpoint.

        Args:
            limit_px: larger pictures are made smaller until neither side is longer.

        Raises:
            CheckpointError: unknown run or batch, or a damaged checkpoint.
        """
        with self._turn:
            opened = self._open(run)
            digest = opened.checkpoints.digest([batch])
            keys = [(digest, point.z.numpy().tobytes(), limit_px) for point in points]
            new = [i for i, key in enumerate(keys) if key not in self._kept]
            if new:
                frames = self._render(run, opened, batch, digest, [points[i].z for i in new])
                for i, frame in zip(new, frames, strict=True):
                    self._kept[keys[i]] = encode_picture(frame, limit_px)
            shown = [self._kept[key] for key in keys]
            for key in keys:
                self._kept.move_to_end(key)
            while len(self._kept) > MAX_PICTURES:
                self._kept.popitem(last=False)
            return shown

    def render(
        self,
        run: str,
        batch: int,
        points: Sequence[LatentPoint],
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> np.ndarray | None:
        """Render points at a checkpoint, as they are and for once.

        Args:
            is_wanted: is asked before each part of the work.

        Returns:
            uint8 [points, height, width, 3]; None as soon as they are not wanted any more.

        Raises:
            CheckpointError: see `show`.
        """
        with self._turn:
            if not is_wanted():
                return None
            opened = self._open(run)
            digest = opened.checkpoints.digest([batch])
            with self._device(run) as device:
                G = self._load(opened, batch, digest, device)
                if not is_wanted():
                    return None
                return opened.renderer.render(G, torch.stack([point.z for point in points]))

    def _render(
        self, run: str, opened: _OpenRun, batch: int, digest: str, z: list[Tensor]
    ) -> list[np.ndarray]:
        with self._device(run) as device:
            G = self._load(opened, batch, digest, device)
            return list(opened.renderer.render(G, torch.stack(z)))

    @contextmanager
    def _device(self, run: str) -> Iterator[str]:
        """A device on which nobody works; of its memory, only weights are kept afterwards."""
        with spare_device(self._workspace, f"pictures of {run}") as device:
            yield device
            if device != "cpu":
                torch.cuda.empty_cache()

    def _load(self, opened: _OpenRun, batch: int, digest: str, device: str) -> nn.Module:
        """The module of a run on a device, with the weights at a batch."""
        G = self._module(opened, device)
        if opened.digest != digest:
            opened.digest = ""
            opened.checkpoints.load(batch, G)
            opened.digest = digest
        return G

    def _module(self, opened: _OpenRun, device: str) -> nn.Module:
        if opened.G is None:
            opened.G = opened.checkpoints.spec.build().eval()
        if opened.device != device:
            opened.G.to(device)
            opened.device, opened.renderer = device, FrameRenderer()
            torch.cuda.empty_cache()  # The GPU that it may have left gets its memory back.
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


def encode_picture(frame: np.ndarray, limit_px: int = THUMBNAIL_PX) -> EncodedPicture:
    """A small picture as lossless PNG, so that its pixels stay crisp; a large one as JPEG.

    Args:
        frame: uint8 [H, W, 3].
        limit_px: it is made smaller until neither side is longer.
    """
    image = Image.fromarray(frame)
    image.thumbnail((limit_px, limit_px), Image.Resampling.LANCZOS)
    kind, options = ("PNG", {}) if image.width <= THUMBNAIL_PX else ("JPEG", {"quality": 90})
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return EncodedPicture(kind.lower(), buffer.getvalue())
