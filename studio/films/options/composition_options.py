"""What may be asked of the frame around the pictures of a film, declared once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from studio.workspace.records.record import DeclaredRecord, InvalidValueError, option

if TYPE_CHECKING:
    from renderers.compositions.composition import Composition

LOOKS = "How it looks"
PLAIN = "plain"
COMPOSED_RATE = 30  # Frames a second of a composed film where nobody chose them.


class CompositionOptions(DeclaredRecord):
    """A frame of one size with labels, the run, the batch, a line of progress, and attribution."""

    composition: Literal["plain", "grid", "large", "wipe", "strip", "map"] | None = option(
        None,
        "In a frame with labels, run, batch and progress: a grid of all points, the first one "
        "large and the others small, two points with a line that wipes between them, a strip of "
        "all that scrolls, or a map of the run's atlas that lights up the point that is shown.",
        switches={"plain": ("--plain", "Pictures alone, as they are by default.")},
        section=LOOKS,
    )
    aspect: Literal["1:1", "16:9", "9:16", "4:5"] | None = option(
        None, "Shape of the frame of a composition; 1:1 by default.", section=LOOKS
    )
    resolution: Literal["1080", "2160"] | None = option(
        None,
        "Shorter side of a composition; 1080 by default.",
        unit="px",
        section=LOOKS,
    )

    @property
    def is_composed(self) -> bool:
        """Whether a frame was asked for; its shape or its size say so, too."""
        if self.composition is None:
            return self.aspect is not None or self.resolution is not None
        return self.composition != PLAIN

    @property
    def is_of_all(self) -> bool:
        """Whether a frame was asked for that shows all points."""
        return self.composition not in (None, PLAIN)

    def compose(self, columns: int | None, scaling: str) -> Composition | None:
        """The frame; None for pictures alone.

        Args:
            columns: of a grid.
            scaling: how pixels become more.

        Raises:
            InvalidValueError: a plain film has no frame whose shape or size could be chosen.
        """
        from renderers.compositions.composition import GRID, Composition, frame_size

        if not self.is_composed:
            if self.aspect is not None or self.resolution is not None:
                raise InvalidValueError(
                    "{composition} is plain: leave out {aspect} and {resolution}, or choose "
                    "another one."
                )
            return None
        size = frame_size(self.aspect or "1:1", int(self.resolution or "1080"))
        return Composition(size, self.composition or GRID, columns, scaling)
