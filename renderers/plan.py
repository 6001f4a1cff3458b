"""What a render will be, decided before it starts: batches, points, options, parts, digest."""

from __future__ import annotations

import base64
import hashlib
import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from latent.errors import UserError
from latent.points import LatentPoint
from renderers.encoders import Encoder

FORMAT = 1
MAX_THREADS = 8


@dataclass(frozen=True)
class RenderOptions:
    """How frames look and which videos are made.

    Args:
        fps: frames per second.
        scale: whole factor by which pixels are enlarged; None makes small pictures watchable.
        overlay: draw the batch number in a corner.
        points: one video a latent point.
        grid: one video of all points.
        columns: of the grid; the squarest if None.
        encoder, preset, crf: see `renderers.encoders.Encoder`.
        part_batches: the most batches in a part, which is what a killed render can lose.

    Raises:
        UserError: a value is out of its range.
    """

    fps: int = 60
    scale: int | None = None
    overlay: bool = False
    points: bool = True
    grid: bool = False
    columns: int | None = None
    encoder: str = "libx264"
    preset: str = "superfast"
    crf: int = 18
    part_batches: int = 250

    def __post_init__(self) -> None:
        if not (self.points or self.grid):
            raise UserError("Nothing to render: ask for a video a point, a grid, or both.")
        _require_range("fps", self.fps, 1, 240)
        _require_range("scale", self.scale, 1, 64)
        _require_range("columns", self.columns, 1, 10_000)
        _require_range("part_batches", self.part_batches, 1, 1_000_000)
        self.encoder_of(1)

    def encoder_of(self, videos: int) -> Encoder:
        """The encoder when so many are written at once: threads by the plan, not the machine.

        The number of threads shows in the encoded bytes, and a render that goes on elsewhere
        should give the same.
        """
        threads = max(1, min(MAX_THREADS, 2 * MAX_THREADS // videos))
        return Encoder(self.encoder, self.preset, self.crf, threads)


def _require_range(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise UserError(f"{name} {value} is out of range: use {low} to {high}.")


@dataclass(frozen=True)
class Part:
    """A stretch of batches that is rendered in one go: `first` counts within the plan's batches."""

    index: int
    first: int
    batches: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A render, fixed. Equal digests give the same videos, frame by frame.

    Args:
        batches: ascending, one frame each.
        labels: of the latent points.
        z_bytes: of each point, float32 little-endian.
        weights_digest: stands for the checkpoints' weights; the caller's.
        cuts: positions in batches where a part begins, the first 0. They are not in the digest:
            a plan that is taken up again keeps the cuts it has.
    """

    batches: tuple[int, ...]
    labels: tuple[str, ...]
    z_bytes: tuple[bytes, ...]
    options: RenderOptions
    weights_digest: str
    cuts: tuple[int, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of all that shows in a frame."""
        document = {key: value for key, value in self.to_json().items() if key != "cuts"}
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()

    @property
    def z(self) -> Tensor:
        """The latent points, float32 [points, z_dim]."""
        joined = bytearray(b"".join(self.z_bytes))
        return torch.frombuffer(joined, dtype=torch.float32).reshape(len(self.z_bytes), -1)

    @property
    def parts(self) -> list[Part]:
        ends = [*self.cuts[1:], len(self.batches)]
        spans = zip(self.cuts, ends, strict=True)
        return [Part(i, a, self.batches[a:b]) for i, (a, b) in enumerate(spans)]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "batches": list(self.batches),
            "labels": list(self.labels),
            "z": [base64.b64encode(z).decode() for z in self.z_bytes],
            "options": asdict(self.options),
            "weights_digest": self.weights_digest,
            "cuts": list(self.cuts),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Plan:
        return cls(
            tuple(document["batches"]),
            tuple(document["labels"]),
            tuple(base64.b64decode(z) for z in document["z"]),
            RenderOptions(**document["options"]),
            document["weights_digest"],
            tuple(document["cuts"]),
        )


def make_plan(
    points: Sequence[LatentPoint],
    batches: Sequence[int],
    options: RenderOptions,
    weights_digest: str = "",
    borders: Sequence[int] = (),
) -> Plan:
    """Plan a time-lapse.

    Args:
        batches: ascending.
        borders: batches at which reading may begin cheaply, such as segments' first ones; parts
            are cut there where they can be.

    Raises:
        UserError: no points, no batches, two points of one label or of different lengths, or
            batches that do not ascend.
    """
    if not points or not batches:
        raise UserError(f"Nothing to render: {len(points)} points and {len(batches)} checkpoints.")
    for before, after in pairwise(batches):
        if after <= before:
            raise UserError(f"Batches must ascend, but {after} comes after {before}.")
    labels = tuple(point.label for point in points)
    if twice := [label for label, count in Counter(labels).items() if count > 1]:
        raise UserError(f"Latent point {twice[0]} is there twice: name each point once.")
    z_bytes = tuple(point.z.detach().cpu().float().numpy().tobytes() for point in points)
    if len({len(z) for z in z_bytes}) > 1:
        raise UserError("The latent points have different lengths: take all from one run.")
    cuts = cut_parts(batches, borders, options.part_batches)
    return Plan(tuple(batches), labels, z_bytes, options, weights_digest, cuts)


def cut_parts(batches: Sequence[int], borders: Sequence[int], longest: int) -> tuple[int, ...]:
    """Positions at which parts begin: at the last border within reach, else when they are full.

    Example:
        >>> cut_parts(range(10), [0, 3, 7], longest=4)
        (0, 3, 7)
        >>> cut_parts(range(10), [], longest=4)
        (0, 4, 8)
    """
    positions = sorted({0, *(bisect_left(batches, border) for border in borders)})
    cuts = [0]
    while len(batches) - cuts[-1] > longest:
        full = cuts[-1] + longest
        border = positions[bisect_right(positions, full) - 1]
        cuts.append(border if border > cuts[-1] else full)
    return tuple(cuts)
