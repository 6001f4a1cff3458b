"""What may be asked of a direction, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from studio.workspace.records.declarations import Commas
from studio.workspace.records.record import (
    DeclaredRecord,
    InvalidValueError,
    device_option,
    option,
    run_name,
)

Method = Literal["pca", "sefa", "examples"]


class DirectionOptions(DeclaredRecord):
    """How directions are found, and at which checkpoint."""

    run: str = run_name()
    batch: int | None = option(
        None, "The checkpoint; the last one by default.", ge=0, example="the last"
    )
    method: Method = option(
        "pca",
        "What the activations vary along, what the first weights amplify most, or what cities "
        "named in --with have and those in --without lack.",
    )
    having: Commas = option(
        (),
        "Cities that have it: labels, seed:N, tag:river, or exported JPEGs.",
        flag="--with",
        risk="path",
    )
    lacking: Commas = option(
        (), "Cities that lack it; such as 'not tag:river'.", flag="--without", risk="path"
    )
    strength: float = option(
        3.0, "How far to either side, in standard deviations of z.", gt=0, le=20
    )

    def require_examples(self) -> None:
        """Refuse examples without the method that learns from them, and the method without.

        Raises:
            InvalidValueError: one goes without the other.
        """
        named = bool(self.having or self.lacking)
        if named and self.method != "examples":
            raise InvalidValueError("{having} and {lacking} go with {method} examples.")
        if not named and self.method == "examples":
            raise InvalidValueError(
                "{method} examples needs cities that have it in {having}, and cities that lack it "
                "in {lacking}."
            )


class DirectionsOptions(DirectionOptions):
    """Several directions, how they hold over training, and a sheet of them."""

    count: int = option(8, "How many.", ge=1, le=64)
    point: str | None = option(
        None,
        "The city that goes along them; the first fixed point by default.",
        example="such as 16500.28",
        risk="path",
    )
    columns: int = option(7, "Pictures in a row of the sheet.", ge=3, le=31)
    compared: int = option(
        5, "At how many other batches their effect is compared; 0 for none.", ge=0, le=1000
    )
    device: str | None = device_option()
    out: Path | None = option(None, "FILE.png or FILE.jpg; a place in the workspace by default.")
    overwrite: bool = option(False, "Replace the file in --out if it is there.")
