"""Parts of a render: short closed videos, one a view, that are either whole or absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from latent.errors import UserError
from renderers.encoders import Encoder
from renderers.files import read_json, remove_leftovers, write_json
from renderers.film import film
from renderers.frames import FrameRenderer
from renderers.outputs import View, views_of
from renderers.plan import Part, Plan
from renderers.recording import recording
from renderers.source import CheckpointSource, stream_exactly
from renderers.video import count_frames

Shots = Iterator[tuple[int, np.ndarray]]


@dataclass(frozen=True)
class PartFolder:
    """Knows the names of all parts of a plan. A part is whole when its marker says so.

    Names carry the plan's digest and the span of batches, so a file cannot be taken for another
    plan's or for one that was cut differently.
    """

    folder: Path
    plan: Plan

    def paths(self, part: Part) -> list[Path]:
        """One video for each view of the plan."""
        return [
            self.folder / f"{self._name(part)}-{view:03d}.mp4"
            for view in range(len(views_of(self.plan)))
        ]

    def is_whole(self, part: Part) -> bool:
        """Whether all videos of a part are there, as long as they were when they were closed."""
        sizes = _sizes(self.paths(part))
        return sizes is not None and sizes == read_json(self._marker(part))

    def mark_whole(self, part: Part) -> None:
        write_json(_sizes(self.paths(part)), self._marker(part))

    def discard_broken(self) -> None:
        """Decode every part and unmark those that lack frames, so that they are rendered again."""
        for part in self.plan.parts:
            if any(_decodable_frames(path) != len(part.batches) for path in self.paths(part)):
                self._marker(part).unlink(missing_ok=True)

    def discard_others(self) -> None:
        """Delete parts of other plans, and what killed processes left."""
        if not self.folder.is_dir():
            return
        remove_leftovers(self.folder)
        for path in self.folder.iterdir():
            if not path.name.startswith(self._prefix):
                path.unlink(missing_ok=True)

    @property
    def _prefix(self) -> str:
        return self.plan.digest[:16]

    def _name(self, part: Part) -> str:
        return f"{self._prefix}-{part.first:06d}-{len(part.batches)}"

    def _marker(self, part: Part) -> Path:
        return self.folder / f"{self._name(part)}.json"


def _sizes(paths: list[Path]) -> list[int] | None:
    """Sizes in bytes; None if a file is not there."""
    try:
        return [path.stat().st_size for path in paths]
    except FileNotFoundError:
        return None


def _decodable_frames(path: Path) -> int:
    try:
        return count_frames(path)
    except UserError:
        return 0


@dataclass(frozen=True)
class PartRenderer:
    """Renders any part of a plan on any device. It can be pickled."""

    source: CheckpointSource
    parts: PartFolder
    frames: FrameRenderer = field(default_factory=FrameRenderer)

    def render(self, part: Part, device: str, on_frame: Callable[[int], None]) -> None:
        """Render all points in one pass over a part's checkpoints, encoding meanwhile.

        Args:
            on_frame: called with the number of batches done so far.

        Raises:
            UserError: a checkpoint is missing, or an encoder or the disk fails.
        """
        plan = self.parts.plan
        z = plan.z.to(device)
        stream = stream_exactly(self.source, part.batches, device)
        with closing(stream), recording(self._recorders(part)) as put:
            for done, (batch, G) in enumerate(stream, start=1):
                put((batch, self.frames.render(G, z)))
                on_frame(done)
        self.parts.mark_whole(part)

    def _recorders(self, part: Part) -> list[Callable[[Iterator[Any]], None]]:
        plan = self.parts.plan
        views = views_of(plan)
        encoder = plan.options.encoder_of(len(views))
        return [
            partial(_film_view, view, path=path, plan=plan, encoder=encoder)
            for view, path in zip(views, self.parts.paths(part), strict=True)
        ]


def _film_view(view: View, shots: Shots, path: Path, plan: Plan, encoder: Encoder) -> None:
    frames = ((batch, view.compose(pictures)) for batch, pictures in shots)
    film(frames, path, plan.options, encoder, largest=plan.batches[-1])
