"""What may be asked when a picture is led back to its latent point, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.datasets.fits import Fit
from studio.workspace.records.record import DeclaredRecord, device_option, option, run_name

GALLERY = 6_000  # So many pictures take a 64 px generator about 20 s on a core.


def picture_fit() -> Any:
    """The field of how a picture becomes square."""
    return option("crop", "How a picture that is not square becomes so: its middle, or all of it.")


def gallery_size() -> Any:
    """The field of how many pictures are drawn to begin with."""
    return option(
        GALLERY,
        "Pictures that are drawn to compare with and to learn from; more of them find more.",
        ge=100,
        le=100_000,
    )


class InversionOptions(DeclaredRecord):
    """A picture, and the checkpoint that shall draw it."""

    run: str = run_name()
    picture: Path = option(
        help="A picture of any kind.", argument=True, metavar="PICTURE", risk="path"
    )
    batch: int | None = option(
        None, "The checkpoint; the last one by default.", ge=0, example="the last"
    )
    fit: Fit = picture_fit()
    gallery: int = gallery_size()
    device: str | None = device_option()
    out: Path | None = option(
        None, "FILE.png that shows how it was found; a place in the workspace by default."
    )
    overwrite: bool = option(False, "Replace the file in --out if it is there.")
