"""What may be asked of a film of an atlas over training."""

from __future__ import annotations

from typing import Literal

from studio.films.options.composition_options import LOOKS
from studio.films.options.film_options import MAX_SECONDS, FilmOptions
from studio.workspace.records.record import InvalidValueError, option, run_name


class GrowthFilm(FilmOptions):
    """A map on which cities move as their neighbourhoods form."""

    CONTENT = ("space", "count", "seconds")

    run: str = run_name()
    space: Literal["pictures", "activations", "z", "w"] | None = option(
        None, "Which of the run's atlases over training; the newest by default."
    )
    count: int = option(300, "How many of its cities are shown, the first ones.", ge=10, le=2000)
    seconds: float = option(20.0, "Length of the film.", unit="s", gt=0, le=MAX_SECONDS)
    overlay: bool = option(True, "Show the batch number.", section=LOOKS)

    def require_plain(self) -> None:
        """Raise InvalidValueError for what a film of many small pictures cannot have."""
        if self.upscale:
            raise InvalidValueError("{upscale} is for single pictures: leave it out for a map.")
        if self.crop:
            raise InvalidValueError("{crop} is for single pictures: leave it out for a map.")
        if self.composition not in (None, "plain", "grid"):
            raise InvalidValueError(
                f"{{composition}} {self.composition} is for pictures of points: a map is framed by "
                "grid, or by {aspect} alone."
            )
        if "label" in self.show:
            raise InvalidValueError("{show} label is for one point: a map shows many.")
