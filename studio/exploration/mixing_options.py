"""What may be asked of points that are made of others, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from studio.workspace.records.record import DeclaredRecord, device_option, option, run_name


class SheetOfPoints(DeclaredRecord):
    """What sheets of points that are made of others have."""

    run: str = run_name()
    batch: int | None = option(
        None, "The checkpoint; the last one by default.", ge=0, example="the last"
    )
    truncate: float = option(
        1.0, "The share of its length that each new point keeps (psi).", gt=0, le=1
    )
    device: str | None = device_option()
    out: Path | None = option(None, "FILE.png or FILE.jpg; a place in the workspace by default.")
    overwrite: bool = option(False, "Replace the file in --out if it is there.")


class MixtureOptions(SheetOfPoints):
    """A sum of points."""

    expression: str = option(
        help="Such as '16500.28 + 0.5*16500.3 - seed:4'.",
        argument=True,
        metavar="EXPRESSION",
        risk="expression",
    )
    length: Literal["typical", "sum"] = option(
        "typical", "Scaled to be a point like any other, or as the numbers add up."
    )
    keep: bool = option(False, "Keep the result as a point of the run.")


class CornersOptions(SheetOfPoints):
    """A grid between four points."""

    corners: tuple[str, ...] = option(
        help="Four points: top left, top right, bottom left, bottom right.",
        argument=True,
        metavar="POINT",
        risk="path",
    )
    columns: int = option(7, "Pictures in a row.", ge=2, le=31)
    rows: int | None = option(
        None, "Rows of pictures; as many as columns by default.", ge=2, le=31, example="as columns"
    )
