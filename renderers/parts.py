"""Parts of a render: short closed videos, one a view, that are either whole or absent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from latent.errors import UserError
from renderers.devices import lanes_of
from renderers.encoders import Encoder
from renderers.files import read_json, remove_leftovers, write_json
from renderers.film import film
from renderers.frames import FrameRenderer
from renderers.lanes import in_order
from renderers.outputs import View, views_of
from renderers.overlay import Overlay
from renderers.plan import Part, Plan
from renderers.recording import recording
from renderers.source import CheckpointSource, stream_exactly

NAME_LENGTH = 24  # of a part: so much of its digest
CHUNK = 16  # pictures in one forward pass where tracks move; few, since several chunks wait


class Shot(NamedTuple):
    """One frame of the film, along all tracks: uint8 [tracks, height, width, 3]."""

    frame: int
    pictures: np.ndarray


class Visit(NamedTuple):
    """Neighbouring frames of one checkpoint."""

    batch: int
    first: int
    end: int


@dataclass(frozen=True)
class PartFolder:
    """Knows the names of all parts of a plan. A part is whole when its marker says so.

    The marker holds what its videos were when they were closed: sizes, which are looked at often,
    and checksums, which are looked at when the parts become a film.

    Names carry the part's digest, so a file cannot be taken for another's, and stays good when
    the plan grows, or when another part of it changes.
    """

    folder: Path
    plan: Plan

    def paths(self, part: Part) -> list[Path]:
        """One video for each view of the plan."""
        suffix = self.plan.options.format.part_suffix
        return [
            self.folder / f"{self._name(part)}-{view:03d}{suffix}"
            for view in range(len(views_of(self.plan)))
        ]

    def is_whole(self, part: Part) -> bool:
        """Whether all videos of a part are there, as long as they were when they were closed."""
        marked = read_json(self._marker(part))
        return marked is not None and marked["sizes"] == _sizes(self.paths(part))

    def mark_whole(self, part: Part) -> None:
        paths = self.paths(part)
        marked = {"sizes": _sizes(paths), "sha256": [_checksum(path) for path in paths]}
        write_json(marked, self._marker(part))

    def missing(self) -> list[Part]:
        """The parts that are not whole."""
        return [part for part in self.plan.parts if not self.is_whole(part)]

    def require_unchanged(self) -> None:
        """See that all parts are what they were when they were closed.

        Raises:
            UserError: some are not; they are unmarked, so that they are rendered again.
        """
        changed = [part for part in self.plan.parts if not self._is_unchanged(part)]
        for part in changed:
            self._marker(part).unlink(missing_ok=True)
        if changed:
            raise UserError(
                f"{len(changed)} of {len(self.plan.parts)} parts in {self.folder} have changed on "
                "disk since they were rendered. Give the same command again: it renders them anew."
            )

    def _is_unchanged(self, part: Part) -> bool:
        marked = read_json(self._marker(part))
        return marked is not None and marked["sha256"] == [_checksum(p) for p in self.paths(part)]

    def discard_others(self) -> None:
        """Delete parts that are not this plan's, and what killed processes left."""
        if not self.folder.is_dir():
            return
        remove_leftovers(self.folder)
        own = {self._name(part) for part in self.plan.parts}
        for path in self.folder.iterdir():
            if path.name[:NAME_LENGTH] not in own:
                path.unlink(missing_ok=True)

    def _name(self, part: Part) -> str:
        return part.digest[:NAME_LENGTH]

    def _marker(self, part: Part) -> Path:
        return self.folder / f"{self._name(part)}.json"


def _sizes(paths: list[Path]) -> list[int] | None:
    """Sizes in bytes; None if a file is not there."""
    try:
        return [path.stat().st_size for path in paths]
    except FileNotFoundError:
        return None


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class PartRenderer:
    """Renders any part of a plan on any device. It can be pickled."""

    source: CheckpointSource
    parts: PartFolder
    frames: FrameRenderer = field(init=False)

    def __post_init__(self) -> None:
        frames = FrameRenderer(precision=self.parts.plan.options.precision)
        object.__setattr__(self, "frames", frames)

    def render(self, part: Part, device: str, on_frame: Callable[[int], None]) -> None:
        """Render all tracks in one pass over a part's checkpoints, encoding meanwhile.

        Args:
            on_frame: called with the number of frames done so far.

        Raises:
            UserError: a checkpoint is missing, or an encoder or the disk fails.
        """
        visits = list_visits(part)
        self.frames.begin_part()
        batches, lanes = [visit.batch for visit in visits], lanes_of(device)
        # A module more than forward passes at a time, so that weights are swapped beside them.
        stream = stream_exactly(self.source, batches, device, modules=lanes + 1)
        generators = (G for _, G in stream)
        passes = in_order(self._passes(visits, generators), lanes)
        with closing(stream), closing(passes), recording(self._recorders(part)) as put:
            for shot in chain.from_iterable(passes):
                put(shot)
                on_frame(shot.frame - part.first + 1)
        self.parts.mark_whole(part)

    def _passes(
        self, visits: Sequence[Visit], generators: Iterator[nn.Module]
    ) -> Iterator[Callable[[], list[Shot]]]:
        """Forward passes that remain to be done, each of which makes neighbouring frames."""
        plan = self.parts.plan
        frames_at_once = max(1, CHUNK // len(plan.labels))
        for visit, G in zip(visits, generators, strict=True):
            if plan.stays:
                yield partial(self._shoot_standing, G, visit)
                continue
            for first in range(visit.first, visit.end, frames_at_once):
                yield partial(self._shoot, G, first, min(first + frames_at_once, visit.end))

    def _shoot_standing(self, G: nn.Module, visit: Visit) -> list[Shot]:
        """All frames of a visit along tracks that stay, which show the same."""
        [shot] = self._shoot(G, visit.first, visit.first + 1)
        return [Shot(frame, shot.pictures) for frame in range(visit.first, visit.end)]

    def _shoot(self, G: nn.Module, first: int, end: int) -> list[Shot]:
        """Frames first to end, without end, in one forward pass."""
        z = self.parts.plan.z(first, end)
        pictures = self.parts.plan.options.look.cut(self.frames.render(G, z.flatten(0, 1)))
        frames = pictures.reshape(*z.shape[:2], *pictures.shape[1:])
        return [Shot(first + offset, own) for offset, own in enumerate(frames)]

    def _recorders(self, part: Part) -> list[Callable[[Iterator[Any]], None]]:
        plan = self.parts.plan
        views = views_of(plan)
        encoder = plan.options.encoder_of(len(views))
        return [
            partial(_film_view, view, path=path, plan=plan, encoder=encoder)
            for view, path in zip(views, self.parts.paths(part), strict=True)
        ]


def list_visits(part: Part) -> list[Visit]:
    """The checkpoints that a part calls at, in order, and the frames that show each.

    Example:
        >>> list_visits(Part(10, (5, 5, 6), ""))
        [Visit(batch=5, first=10, end=12), Visit(batch=6, first=12, end=13)]
    """
    visits, first = [], part.first
    for batch, frames in groupby(part.batches):
        end = first + sum(1 for _ in frames)
        visits.append(Visit(batch, first, end))
        first = end
    return visits


def _film_view(view: View, shots: Iterator[Shot], path: Path, plan: Plan, encoder: Encoder) -> None:
    frames = ((frame, plan.number(frame), view.compose(pictures)) for frame, pictures in shots)
    film(frames, path, plan.options.fps, plan.options.look, overlay_of(view, plan), encoder)


def overlay_of(view: View, plan: Plan) -> Overlay | None:
    """What is written on a view's frames; None for nothing."""
    wanted, caption = plan.options.overlay, plan.caption
    if not wanted:
        return None
    return Overlay(
        run=caption.run or None,
        label=view.label if "label" in wanted and view.point is not None else None,
        numbers="batch" in wanted,
        largest=caption.largest,
        curve=caption.curve,
        moments=plan.moments,
        moment_frames=plan.options.fps,
    )
