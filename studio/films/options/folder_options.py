"""What may be asked of a film of a folder of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from studio.films.options.composition_options import LOOKS
from studio.films.options.film_options import MAX_SECONDS, film_batches
from studio.films.options.look_options import FilmLook
from studio.workspace.names import require_run_name
from studio.workspace.records.record import InvalidValueError, option

OF_RUNS = ("events", "curve")  # What a folder knows nothing of.


class FolderFilm(FilmLook):
    """Pictures of a folder in the order of their numbers or dates."""

    CONTENT: ClassVar[tuple[str, ...]] = (
        *("names", "order", "number", "batches", "every", "pace", "duration", "fit"),
        *("skip_damaged", "title", "attribution"),
    )

    folder: Path = option(
        help="A folder of numbered or dated pictures.", argument=True, metavar="FOLDER"
    )
    names: str = option("", "Only pictures whose names fit, such as 'fakes_*.png'.")
    order: Literal["auto", "number", "date", "name"] = option(
        "auto",
        "By the numbers in names, by dates (those in names, else what cameras wrote, else the "
        "times of the files), or by names; auto takes what the names tell.",
    )
    number: int | None = option(
        None,
        "Which of the numbers that differ from name to name counts, the first being 1; those that "
        "it takes to tell all apart by default.",
        ge=1,
        example="such as 1",
    )
    batches: str = film_batches()
    every: int = option(1, "Only every so many of them, the first one first.", ge=1)
    pace: Literal["picture", "number"] = option(
        "picture",
        "Each picture for as long as the others, or each until the number or the date of the next.",
    )
    duration: float | None = option(
        None,
        "Length of the film; pictures are chosen, or shown for longer, to fit.",
        unit="s",
        gt=0,
        le=MAX_SECONDS,
        example="all it takes",
    )
    fit: Literal["refuse", "pad", "crop", "stretch"] = option(
        "refuse",
        "Pictures of another size than most have are refused, get bars, are cut, or are distorted.",
    )
    skip_damaged: bool = option(False, "Leave out pictures that cannot be read.")
    run: str | None = option(
        None,
        "A run that the pictures are of: the film is listed among its films, under its "
        "attribution.",
        metavar="RUN",
        check=require_run_name,
    )
    title: str = option("", "Written on the film; the name of the run by default.", section=LOOKS)
    attribution: str = option(
        "", "What is owed to whose pictures they are; that of the run by default.", section=LOOKS
    )

    def views(self) -> dict[str, Any]:
        """One video, of the one picture that a frame shows."""
        return {"points": True, "grid": False, "columns": None}

    def require_plain(self) -> None:
        """Raise InvalidValueError for what only films of runs can show."""
        if others := [name for name in self.show if name in OF_RUNS]:
            raise InvalidValueError(
                f"{{show}} {' and '.join(others)} is for films of runs: leave it out for a folder."
            )
        if self.composition not in (None, "plain", "grid"):
            raise InvalidValueError(
                f"{{composition}} {self.composition} is for several points: a folder has one "
                "picture at a time, which is framed by grid, or by {aspect} alone."
            )
