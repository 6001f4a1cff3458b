"""The plan of a film, fixed before rendering starts: frames, options, parts, digests.

A film is a list of frames. Frame k shows the checkpoint `batches[k]` along every *track*: a latent
point that stays where it is, or one that moves from frame to frame. A time-lapse has points that
stay and checkpoints that pass, an interpolation the other way round, and a key-framed path moves
both; all of them are cut into parts, resumed and shared among devices alike.
"""

from __future__ import annotations

import base64
import hashlib
import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from latent.points import LatentPoint
from renderers.errors import RenderError
from renderers.plan.cutting import Part, ascends, cut_parts
from renderers.plan.options import RenderOptions

FORMAT = 2


@dataclass(frozen=True, eq=False)
class Track:
    """The latent vectors that one video shows.

    Args:
        z: float32 [z_dim] for a static point, [frames, z_dim] for one that moves.
    """

    label: str
    z: Tensor


@dataclass(frozen=True)
class Caption:
    """What films may show beside pictures.

    Args:
        numbers: the batch number of each frame; where a checkpoint is missing and the one before
            is held, it is not the checkpoint's own. Where empty, the checkpoint's number is shown.
        run: the name of the run.
        curve: a value for each frame, such as a loss.
        largest: the largest number, which gives all numbers their room.
        events: (batch, text) of what happened to the run, by ascending batches.
        attribution: what is owed to those whose data the film shows.
        tags: (name, text) of what the file says of itself; they do not show in a frame.
        counted: what the numbers count, as a composed frame says before them.
    """

    numbers: tuple[int, ...] = ()
    run: str = ""
    curve: tuple[float, ...] = ()
    largest: int = 0
    events: tuple[tuple[int, str], ...] = ()
    attribution: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    counted: str = "batch"


@dataclass(frozen=True)
class RenderPlan:
    """A render, fixed. Equal digests give the same videos, frame by frame.

    Args:
        batches: the checkpoint of each frame.
        labels: the label of each track.
        z_bytes: the latent vectors of each track, float32 little-endian: one, or one a frame.
        z_dim: numbers in a latent vector.
        weights: a text for each frame that stands for its checkpoint's weights, such as their
            checksum; the caller chooses it.
        cuts: the frames with which parts begin, the first 0. They are not in the digest: a plan
            that is taken up again keeps the cuts it has.
    """

    batches: tuple[int, ...]
    labels: tuple[str, ...]
    z_bytes: tuple[bytes, ...]
    z_dim: int
    options: RenderOptions
    weights: tuple[str, ...]
    caption: Caption
    cuts: tuple[int, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of all that shows in a frame."""
        return self._digest(0, len(self.batches))

    @cached_property
    def parts(self) -> list[Part]:
        """The parts, in the order of the film."""
        ends = [*self.cuts[1:], len(self.batches)]
        return [
            Part(first, self.batches[first:end], self._digest(first, end))
            for first, end in zip(self.cuts, ends, strict=True)
        ]

    def first_parts(self, count: int) -> RenderPlan:
        """The plan of the film that has the first `count` parts alone; its parts are equal."""
        frames = self.parts[count].first
        caption = replace(self.caption, numbers=self.caption.numbers[:frames])
        return replace(
            self,
            batches=self.batches[:frames],
            weights=self.weights[:frames],
            caption=caption,
            cuts=self.cuts[:count],
        )

    def z(self, first: int, end: int) -> Tensor:
        """The latent vectors of frames first to end, without end.

        Returns:
            float32 [end - first, tracks, z_dim].
        """
        return torch.stack([vectors[first:end] for vectors in self._vectors], dim=1)

    @cached_property
    def is_static(self) -> bool:
        """Whether no track moves, so that a checkpoint looks the same in all of its frames."""
        return all(len(z_bytes) == 4 * self.z_dim for z_bytes in self.z_bytes)

    def shown_batch(self, frame: int) -> int:
        """The batch number that is written on a frame."""
        return self.caption.numbers[frame] if self.caption.numbers else self.batches[frame]

    @cached_property
    def notices(self) -> tuple[tuple[int, str], ...]:
        """The events as (frame, text): each at the first frame that has reached its batch.

        Events outside the film are left out, and all where batches do not ascend.
        """
        numbers = self.caption.numbers or self.batches
        if not ascends(numbers):
            return ()
        return tuple(
            (bisect_left(numbers, batch), text)
            for batch, text in self.caption.events
            if numbers[0] <= batch <= numbers[-1]
        )

    @cached_property
    def _vectors(self) -> list[Tensor]:
        """The latent vectors of each track, float32 [frames, z_dim]."""
        return [
            torch.frombuffer(bytearray(z_bytes), dtype=torch.float32)
            .reshape(-1, self.z_dim)
            .expand(len(self.batches), -1)
            for z_bytes in self.z_bytes
        ]

    def _digest(self, first: int, end: int) -> str:
        caption = {**asdict(self.caption), "numbers": self.caption.numbers[first:end]}
        del caption["events"], caption["tags"]
        if not self.caption.attribution:  # Plans made before there was one keep their digest.
            del caption["attribution"]
        if self.caption.counted == Caption.counted or not self.options.composition:
            del caption["counted"]
        shown = {
            "format": FORMAT,
            "options": self.options.visible(),
            "batches": self.batches[first:end],
            "labels": self.labels,
            "weights": self.weights[first:end],
            "caption": caption,
            "first": first if self.caption.curve else 0,
        }
        if self.options.composition:  # Its line of progress, and what moves, know the whole film.
            shown["composed"] = [first, len(self.batches)]
        if notices := self._notices_seen(first, end):
            shown["moments"] = notices
        digest = hashlib.sha256(json.dumps(shown, sort_keys=True).encode())
        for z_bytes in self.z_bytes:
            size = 4 * self.z_dim
            digest.update(z_bytes if len(z_bytes) == size else z_bytes[first * size : end * size])
        return digest.hexdigest()

    def _notices_seen(self, first: int, end: int) -> list[tuple[int, str]]:
        """The notices that show in frames first to end, counted from the first of these."""
        if self.caption.curve:  # The curve has a mark for every notice of the film.
            return list(self.notices)
        return [
            (frame - first, text)
            for frame, text in self.notices
            if first - self.options.second_frames < frame < end
        ]

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON, which `from_json` reads."""
        return {
            **asdict(self),
            "options": self.options.to_json(),
            "format": FORMAT,
            "z_bytes": [base64.b64encode(z).decode() for z in self.z_bytes],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> RenderPlan:
        """The plan that `to_json` wrote, or somebody else.

        Raises:
            RenderError: it is none.
        """
        try:
            return cls._from_json(document)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            said = f"{type(error).__name__}: {error}"
            raise RenderError(f"The plan of this render is none ({said}). Render again.") from error

    @classmethod
    def _from_json(cls, document: dict[str, Any]) -> RenderPlan:
        caption = {**document["caption"]}
        for name in ("numbers", "curve"):  # JSON knows no tuples.
            caption[name] = tuple(caption[name])
        caption["events"] = tuple((batch, text) for batch, text in caption.get("events", ()))
        caption["tags"] = tuple((name, text) for name, text in caption.get("tags", ()))
        return cls(
            tuple(document["batches"]),
            tuple(document["labels"]),
            tuple(base64.b64decode(z) for z in document["z_bytes"]),
            document["z_dim"],
            RenderOptions.from_json(document["options"]),
            tuple(document["weights"]),
            Caption(**caption),
            tuple(document["cuts"]),
        )


def make_plan(
    tracks: Sequence[LatentPoint | Track],
    batches: Sequence[int],
    options: RenderOptions,
    *,
    weights: Sequence[str] = (),
    caption: Caption | None = None,
    borders: Iterable[int] = (),
) -> RenderPlan:
    """Plan a film.

    Args:
        tracks: static points, or tracks with a latent vector for each of the batches.
        batches: the checkpoint of each frame.
        weights: a text for each frame that stands for its checkpoint's weights, so that a changed
            checkpoint is noticed.
        caption: what may be written on the film; the batch numbers alone if None.
        borders: batches at which reading may begin cheaply, such as segments' first ones; parts
            are cut there where they can be.

    Raises:
        RenderError: no tracks, no batches, two tracks of one label or of different sizes, or a
            film that is too long or too fast for its format.
    """
    if not tracks or not batches:
        raise RenderError(
            f"Nothing to render: {len(tracks)} points and {len(batches)} checkpoints."
        )
    labels = tuple(track.label for track in tracks)
    if twice := [label for label, count in Counter(labels).items() if count > 1]:
        raise RenderError(f"Latent point {twice[0]} is there twice: name each point once.")
    sizes = {track.z.shape[-1] for track in tracks}
    if len(sizes) > 1:
        raise RenderError("The latent points have different lengths: take all from one run.")
    options.format.require_fit(len(batches), options.fps)
    if any(track.z.ndim == 2 and len(track.z) != len(batches) for track in tracks):
        raise ValueError("a track that moves needs a latent vector for each frame")
    return RenderPlan(
        tuple(batches),
        labels,
        tuple(track.z.detach().cpu().float().numpy().tobytes() for track in tracks),
        sizes.pop(),
        options,
        tuple(weights) or ("",) * len(batches),
        caption or Caption(largest=max(batches)),
        cut_parts(batches, borders, options.part_frames),
    )
