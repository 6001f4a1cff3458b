"""The videos of a time-lapse: what each shows and where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latent.errors import UserError
from renderers.plan import Plan
from renderers.sheets import arrange_grid

GRID = "grid"


@dataclass(frozen=True)
class Video:
    """A finished video: its label is a latent point's, or `grid`."""

    path: Path
    label: str
    frames: int


@dataclass(frozen=True)
class View:
    """What one video shows of the pictures of all points: one of them, or (None) a grid of all."""

    label: str
    point: int | None
    columns: int | None = None

    def compose(self, pictures: np.ndarray) -> np.ndarray:
        """uint8 [points, height, width, 3] -> one frame, uint8 [height, width, 3]."""
        if self.point is None:
            return arrange_grid(pictures, self.columns)
        return pictures[self.point]


def views_of(plan: Plan) -> list[View]:
    """The videos of a plan, in the order of `output_paths`."""
    options = plan.options
    points = [View(label, i) for i, label in enumerate(plan.labels)] if options.points else []
    return [*points, View(GRID, None, options.columns)] if options.grid else points


def output_paths(file: Path | str, labels: Sequence[str], points: bool, grid: bool) -> list[Path]:
    """Where videos go: `FILE-LABEL.mp4` for each point, and the grid, if any, as `FILE.mp4`.

    Raises:
        UserError: file does not end in `.mp4`.

    Example:
        >>> [str(path) for path in output_paths("city.mp4", ["1.2"], points=True, grid=True)]
        ['city-1.2.mp4', 'city.mp4']
    """
    file = Path(file)
    if file.suffix.lower() != ".mp4":
        raise UserError(f"Cannot write a video as '{file.name}': its name must end in .mp4.")
    named = [file.with_name(f"{file.stem}-{_plain(label)}{file.suffix}") for label in labels]
    return (named if points else []) + ([file] if grid else [])


def _plain(label: str) -> str:
    return label.replace("/", "-").replace("\\", "-").replace("\0", "-")
