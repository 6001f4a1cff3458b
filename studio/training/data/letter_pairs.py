"""Draws letters of fonts in both cases, and those that the networks are to make up examples of."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from checkpoints_index.generators.letters.bodies import ALPHABET, INPUTS
from studio.training.data.drawn_ahead import DrawnAhead
from studio.training.machine.processes import Processes

HEARD_FOR_USED = 4 / 3  # As published: 128 letters are tried for 96 inversions among 384 examples.


class LetterPairs(NamedTuple):
    """Letters of a batch, the same ones in both cases; fields are in 0..1, on the device.

    Attributes:
        lower, upper: float32 [N, 1296].
        letters: int64 [N], which of the 26 each is.
        rows: int64 [N], the places of these in the batch of all processes.
        tried_lower, tried_upper: float32 [E, 1296], letters on which the network that makes letters
            of their own case is tried; the same in all processes.
        inversions: how many examples of the batch, the first ones, are to be inversions, for the
            network for lower-case letters and the other.
    """

    lower: Tensor
    upper: Tensor
    letters: Tensor
    rows: Tensor
    tried_lower: Tensor
    tried_upper: Tensor
    inversions: tuple[int, int]


class LetterDraw(NamedTuple):
    """The random choices of a batch, for one process.

    Attributes:
        fonts, letters: int64 [N], positions in the dataset, and which of the 26.
        tried_fonts, tried_letters: int64 [E].
        inversions: see `LetterPairs`.
    """

    fonts: np.ndarray
    letters: np.ndarray
    tried_fonts: np.ndarray
    tried_letters: np.ndarray
    inversions: tuple[int, int]


class Letters(DrawnAhead[LetterDraw, LetterPairs, LetterPairs]):
    """Draws letters without end; see `DrawnAhead`.

    Args:
        fields: uint8 [fonts, 52, 36, 36], a to z and then A to Z, memory-mapped or not.
        batch_size: N, over all processes.
        inversions: the share of examples that are to be inversions, 0..1.
        seed: seeds the draws.
        processes: all of them draw the same batch, and each gathers its own shard of it.
        among: int64 [n], the positions of the fonts that may be drawn.
    """

    def __init__(
        self,
        fields: np.ndarray,
        batch_size: int,
        inversions: float,
        seed: int,
        processes: Processes,
        among: np.ndarray,
    ) -> None:
        super().__init__(seed)
        self._fields, self._among = np.asarray(fields), among
        self._batch_size, self._inversions = batch_size, inversions
        self._device = processes.device
        self._shard = processes.shard(torch.arange(batch_size)).numpy()
        self._rows = torch.from_numpy(self._shard).to(self._device)

    def _draw(self) -> LetterDraw:
        N = self._batch_size
        tried = math.ceil(HEARD_FOR_USED * self._inversions * N)
        fonts, letters = self._draw_letters(N)
        tried_fonts, tried_letters = self._draw_letters(tried)
        lower, upper = self._rng.binomial(N, self._inversions, size=2)
        return LetterDraw(
            fonts[self._shard],
            letters[self._shard],
            tried_fonts,
            tried_letters,
            (int(lower), int(upper)),
        )

    def _draw_letters(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        fonts = self._among[self._rng.integers(len(self._among), size=count)]
        return fonts, self._rng.integers(ALPHABET, size=count)

    def _gather(self, draw: LetterDraw) -> LetterPairs:
        """Read the letters of a batch, and send them to the device."""
        on_gpu = self._device.type == "cuda"
        with torch.cuda.device(self._device) if on_gpu else nullcontext():
            lower, upper = self._read(draw.fonts, draw.letters)
            tried_lower, tried_upper = self._read(draw.tried_fonts, draw.tried_letters)
            return LetterPairs(
                lower,
                upper,
                torch.from_numpy(draw.letters).to(self._device),
                self._rows,
                tried_lower,
                tried_upper,
                draw.inversions,
            )

    def _read(self, fonts: np.ndarray, letters: np.ndarray) -> tuple[Tensor, Tensor]:
        """Letters in both cases, float32 [n, 1296] each."""
        lower, upper = np.empty((2, len(fonts), INPUTS), np.uint8)
        for n in np.argsort(fonts):  # In the order in which they lie on the disk.
            font = self._fields[fonts[n]]
            lower[n] = font[letters[n]].reshape(-1)
            upper[n] = font[ALPHABET + letters[n]].reshape(-1)
        return levels_to_fields(lower, self._device), levels_to_fields(upper, self._device)

    def _finish(self, gathered: LetterPairs) -> LetterPairs:
        return gathered


def levels_to_fields(levels: np.ndarray, device: torch.device | None = None) -> Tensor:
    """Levels, uint8 [...], as the fields that they stand for, float32 [...] in 0..1."""
    return torch.from_numpy(levels).to(device).float().div_(255)
