"""What a composed film looks like: the shape of its frame, and how its pictures are arranged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from renderers.errors import RenderError
from renderers.pictures.frame_layout import LANCZOS, SCALINGS, Size, size_text

GRID, LARGE, WIPE, STRIP, MAP = KINDS = ("grid", "large", "wipe", "strip", "map")
SHAPES = {"1:1": (1, 1), "16:9": (16, 9), "9:16": (9, 16), "4:5": (4, 5)}
SHORT_SIDES_PX = (1080, 2160)
MIN_SIDE_PX, MAX_SIDE_PX = 256, 4096  # Texts would be too small, or frames too large.
MAX_CELLS = 64  # More pictures than these have cells that are too small to be looked at.
HOLD_S = 2.0  # The last frame of a composed time-lapse stands still for so long.


@dataclass(frozen=True)
class Composition:
    """Pictures in a frame of one size, with labels, the run, the batch and a line of progress.

    Args:
        size: width and height of the frame in pixels, even.
        kind: `grid` fills the frame with cells of one size, `large` shows the first point large
            and the others small, `wipe` two points on both sides of a line that moves, `strip` a
            row of all points that scrolls, and `map` one point after the other beside a map on
            which it lights up.
        columns: columns of a grid; those that leave the least empty if None.
        scaling: how pixels become more, see `DisplayOptions`.
        places: of a map: x and y of each point, 0..1 from the upper left corner.
        around: of a map: x and y of the other cities on it.

    Raises:
        RenderError: a value is out of its range.
    """

    size: Size
    kind: str = GRID
    columns: int | None = None
    scaling: str = LANCZOS
    places: tuple[tuple[float, float], ...] = ()
    around: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RenderError(f"There is no composition '{self.kind}'. Use {', '.join(KINDS)}.")
        if self.scaling not in SCALINGS:
            raise RenderError(f"There is no scaling '{self.scaling}'. Use {' or '.join(SCALINGS)}.")
        if any(side % 2 or not MIN_SIDE_PX <= side <= MAX_SIDE_PX for side in self.size):
            raise RenderError(
                f"A composition of {size_text(self.size)} px is out of range: use even sides of "
                f"{MIN_SIDE_PX} to {MAX_SIDE_PX} px."
            )

    def require_points(self, count: int) -> None:
        """See that so many points can be composed in this way.

        Raises:
            RenderError: they are too few or too many.
        """
        least, most = {WIPE: (2, 2), STRIP: (3, MAX_CELLS), LARGE: (2, MAX_CELLS)}.get(
            self.kind, (1, MAX_CELLS)
        )
        if not least <= count <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise RenderError(f"A {self.kind} shows {wanted} points, not {count}: choose others.")

    def of_one_point(self) -> Composition:
        """The frame of a single point of the same film."""
        return Composition(self.size, scaling=self.scaling)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """A composition from its fields, as JSON has them.

        Raises:
            RenderError: a value does not fit.
        """
        read = dict(document)
        read["size"] = tuple(document["size"])
        for name in ("places", "around"):
            read[name] = tuple((float(x), float(y)) for x, y in document[name])
        return cls(**read)


def frame_size(shape: str, short_px: int) -> Size:
    """Width and height of a frame by its shape and its shorter side.

    Example:
        >>> frame_size("16:9", 1080), frame_size("4:5", 1080), frame_size("9:16", 2160)
        ((1920, 1080), (1080, 1350), (2160, 3840))
    """
    width, height = SHAPES[shape]
    factor = short_px / min(width, height)
    return round(width * factor), round(height * factor)
