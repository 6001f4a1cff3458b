"""The records of a segment of a large generator, made with few copies of its integers."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from checkpoints_index.codec import payloads
from checkpoints_index.codec.integers import IntegerArrays, TensorLayout
from checkpoints_index.codec.record_chain import RecordChain, SparedArrays
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool

log = logging.getLogger(__name__)


class LeanChain(RecordChain):
    """A chain that makes the integers of the next checkpoint block by block, over the newest ones.

    The records are those of a `RecordChain`. What the next skip delta starts from lies on the disk
    until then.

    Args:
        layout: that of the segment; it does not predict.
        folder: on the disk of the run. Its file there has no name, so that a kill leaves nothing.
        pool: threads that share the blocks of a checkpoint.
        tracks_pay: whether trackers are likely to pay, where the layout tracks.
    """

    def __init__(
        self,
        layout: TensorLayout,
        folder: Path,
        pool: ThreadPool = SERIAL,
        tracks_pay: bool = True,
    ) -> None:
        super().__init__(layout, pool, tracks_pay)
        self._folder = folder
        self._taken: Mapping[str, Tensor] = {}

    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of the next checkpoint, which stay as they are until it is encoded.

        Args:
            weights: a state dict that the layout fits, on the CPU.

        Raises:
            OverflowError: a weight is not finite, or too large for its tensor's step.
        """
        if self.newest is None:
            super().take(weights)
            return
        self.layout.require_fit(weights)
        self._taken = weights

    def _pack_delta(self, before: IntegerArrays) -> tuple[bytes, IntegerArrays]:
        flat = {name: tensor.detach().reshape(-1) for name, tensor in self._taken.items()}
        self._taken = {}
        return payloads.pack_in_place(
            self.layout, flat, before, self._packers, self._pool, self._trackers
        ), before

    def _advance(self, batch: int, arrays: IntegerArrays) -> None:
        self.newest = batch, arrays
        self.spare = {}

    def _put_aside(self, arrays: IntegerArrays) -> SparedArrays:
        try:
            return FiledArrays(arrays, self._folder)
        except OSError as error:
            log.info("integers stay in memory, since %s takes no file: %s", self._folder, error)
            return super()._put_aside(arrays)


class FiledArrays(SparedArrays):
    """Integers of a checkpoint in a file without a name.

    Args:
        arrays: the integers.
        folder: on whose disk the file is.

    Raises:
        OSError: there is no room for it.
    """

    def __init__(self, arrays: IntegerArrays, folder: Path) -> None:
        self._shapes = {kind: (items.dtype, items.size) for kind, items in arrays.items()}
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  (it is closed with this)
        for items in arrays.values():
            items.tofile(self._file)

    def load(self) -> IntegerArrays:
        """The integers, in memory of their own.

        Raises:
            OSError: the disk does not give them.
        """
        self._file.seek(0)
        return {kind: np.fromfile(self._file, *shape) for kind, shape in self._shapes.items()}
