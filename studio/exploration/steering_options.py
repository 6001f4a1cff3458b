"""What may be asked of a city that is steered along directions, declared once."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, cast

from studio.exploration.mixing_options import SheetOfPoints
from studio.workspace.names import shorten
from studio.workspace.records.declarations import Commas
from studio.workspace.records.record import InvalidValueError, option

SteeredMethod = Literal["pca", "sefa", "z"]
MAX_STRENGTH = 20.0  # In standard deviations of z.
_STEP = re.compile(r"(pca|sefa|z):(\d{1,6})=([+-]?\d{1,3}(?:\.\d{1,9})?)", re.ASCII)


class Step(NamedTuple):
    """How far to go along one direction, in standard deviations of z; `z:17` is one dimension."""

    method: SteeredMethod
    number: int
    strength: float

    def __str__(self) -> str:
        return f"{self.method}:{self.number}={self.strength:g}"


class SteeringOptions(SheetOfPoints):
    """A city, and how far it goes along which directions."""

    point: str = option(
        help="The city: a label, seed:N or an exported JPEG.",
        argument=True,
        metavar="POINT",
        risk="path",
    )
    along: Commas = option(
        help="Directions and strengths in standard deviations of z: pca:0=2 along the first that "
        "the activations vary along, sefa:3=-1, or z:17=0.5 for one dimension.",
    )
    keep: bool = option(False, "Keep the result as a point of the run.")

    def steps(self) -> list[Step]:
        """What `along` says.

        Raises:
            InvalidValueError: a step cannot be read, or one direction is named twice.
        """
        steps = [read_step(text) for text in self.along]
        named = [(step.method, step.number) for step in steps]
        if not steps or len(set(named)) < len(named):
            raise InvalidValueError("{along} names each direction once, such as pca:0=2,z:17=0.5.")
        return steps


def read_step(text: str) -> Step:
    """The step that a text says, such as `pca:0=2`.

    Raises:
        InvalidValueError: it says none.

    Example:
        >>> str(read_step("z:17=+0.50"))
        'z:17=0.5'
    """
    found = _STEP.fullmatch(text.strip())
    if found is None or abs(float(found[3])) > MAX_STRENGTH:
        raise InvalidValueError(
            f"{shorten(text)} in {{along}} is no step: write pca:0=2, sefa:3=-1 or z:17=0.5, "
            f"with at most {MAX_STRENGTH:g} standard deviations."
        )
    return Step(cast(SteeredMethod, found[1]), int(found[2]), float(found[3]))
