"""The live film: encodes frames of the fixed points while a run trains."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from renderers.files import make_folder
from renderers.jobs.chunks import (
    ChunkLayout,
    list_whole_chunks,
    record_chunk,
    sweep_chunks,
    truncate_chunks,
)
from renderers.jobs.stages import BackgroundStage
from renderers.video.formats import USUAL_RATE
from renderers.video.rates import Rate
from studio.workspace.errors import EXPECTED_ERRORS

CHUNK_FRAMES = 500  # A chunk of the video is closed after so many frames.
# Points with a video of their own, since each takes an encoder; the grid shows all points.
MAX_FILMED = 16

log = logging.getLogger(__name__)


class LiveFilm:
    """Takes the frames of a run's fixed points and encodes them beside the training.

    A film that cannot go on, since an encoder died or the disk is full, reports it once and ends;
    training goes on without it. Chunks that were closed by then stay.

    The grid keeps the cells that it began with, so that its chunks can be joined: a point that is
    dropped leaves its cell dark; a point that is added takes a dark cell, and where there is none
    it has only a video of its own.

    Args:
        folder: holds this film alone; unfinished files of a killed process are deleted.
        labels: the labels of the points.
        fps: frames a second.
        on_failure: called with the reason when the film ends.
    """

    def __init__(
        self,
        folder: Path,
        labels: Sequence[str],
        fps: Rate = USUAL_RATE,
        on_failure: Callable[[str], None] = log.warning,
    ) -> None:
        self._folder, self._fps, self._on_failure = folder, fps, on_failure
        self._chunk: BackgroundStage | None = None
        self._frames = 0
        self._is_over = False
        self._labels = tuple(labels)
        self._attempt(self._begin)

    def add(self, batch: int, frames: np.ndarray) -> None:
        """Append a frame of every point; waits while the encoders are behind.

        Args:
            batch: later than all batches before.
            frames: uint8 [points, height, width, 3]; must not be changed afterwards.

        Raises:
            ValueError: another number of points.
        """
        if len(frames) != len(self._labels):
            raise ValueError(f"{len(frames)} pictures of {len(self._labels)} points")
        self._attempt(lambda: self._put(batch, frames))

    def change_points(self, labels: Sequence[str]) -> None:
        """Go on with other points; films of those that are dropped end here."""
        if tuple(labels) != self._labels:
            self.close_chunk()
            self._labels = tuple(labels)

    def close_chunk(self) -> None:
        """Return when all frames so far are safely on disk.

        Call it before a training state is saved: frames that a kill loses are then later than the
        state, and are made again.
        """
        self._attempt(self._close)

    def truncate(self, batch: int) -> None:
        """Drop all frames of later batches, also after the film has ended."""
        self.close_chunk()
        self._attempt(lambda: truncate_chunks(self._folder, batch), although_over=True)

    def close(self) -> None:
        """Close the last chunk; nothing may be added afterwards."""
        self.close_chunk()

    def _begin(self) -> None:
        make_folder(self._folder)
        sweep_chunks(self._folder)

    def _put(self, batch: int, frames: np.ndarray) -> None:
        if self._chunk is None:
            self._chunk, self._frames = BackgroundStage(self._recorder()), 0
        self._chunk.put((batch, frames))
        self._frames += 1
        if self._frames == CHUNK_FRAMES:
            self._close()

    def _recorder(self) -> Callable[..., None]:
        """The function that encodes one chunk of the present points."""
        before, _ = list_whole_chunks(self._folder)
        cells = assign_cells(before[-1].cells if before else self._labels, self._labels)
        layout = ChunkLayout(self._labels, cells, min(MAX_FILMED, len(self._labels)))
        return partial(record_chunk, folder=self._folder, layout=layout, fps=self._fps)

    def _close(self) -> None:
        if self._chunk is not None:
            chunk, self._chunk = self._chunk, None
            chunk.seal()
            chunk.join()

    def _attempt(self, step: Callable[[], None], although_over: bool = False) -> None:
        """Call a step of the film; one that fails ends the film and nothing else."""
        if self._is_over and not although_over:
            return
        try:
            step()
        except (*EXPECTED_ERRORS, OSError) as error:
            self._chunk = None
            if not self._is_over:
                self._on_failure(
                    f"The film that grows while training ended: {error} Training goes on, and "
                    "checkpoints can be rendered later."
                )
            self._is_over = True


def assign_cells(cells: Sequence[str | None], labels: Sequence[str]) -> tuple[str | None, ...]:
    """The label of each cell of a grid: labels keep their cells, new ones take free cells.

    Args:
        cells: the labels so far, None for a dark cell.
        labels: the labels that are filmed from now on.

    Example:
        >>> assign_cells(("a", "b", "c"), ("a", "c", "d", "e"))
        ('a', 'd', 'c')
    """
    new = iter([label for label in labels if label not in cells])
    return tuple(cell if cell in labels else next(new, None) for cell in cells)
