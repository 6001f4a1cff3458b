"""Lower-case letters from upper-case ones and the other way round (after Murphy, SIGBOVIK 2021)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.letters.bodies import (
    CONV_UNITS,
    DENSE_UNITS,
    INPUTS,
    ConvBody,
    DenseBody,
)
from checkpoints_index.generators.letters.strip import UNIT_PX, draw_picture
from checkpoints_index.generators.sizes import check_counts
from checkpoints_index.generators.units.hidden_layers import HiddenLayer

CONV, DENSE, SPARSE = "conv", "dense", "sparse"
BODIES = (CONV, DENSE, SPARSE)
NETWORKS = ("make_lowercase", "make_uppercase")
MAX_DEEPER = 16


class LettersGenerator(nn.Module):
    """Two networks, and a picture of what they make of a letter and of each other's letters.

    A latent point is the distance field of a letter, which is 0.8627 on its edge and rises by
    0.0588 for each of 36 pixels into it, moved from 0..1 to -1..1. The picture has it in black,
    what `make_lowercase` draws in blue, what `make_uppercase` draws in red: the letter, as a
    lower-case letter, and that as an upper-case one; below, as an upper-case letter first.

    Args:
        z_dim: 1296, the numbers of a field.
        image_size: width and height of a picture in px, a multiple of 216.
        body: "conv", "dense" or "sparse".
        units: of each hidden layer of both networks; empty for the usual ones of the body.
        lowercase_units, uppercase_units: of each hidden layer of one network, instead.
        lowercase_deeper, uppercase_deeper: how many refinements follow each hidden layer of one.
        density: the share of the layer below that a unit of a sparse body sees.

    Raises:
        CheckpointError: an option is out of range; the message says which.
    """

    def __init__(
        self,
        z_dim: int = INPUTS,
        image_size: int = 2 * UNIT_PX,
        body: str = CONV,
        units: Sequence[int] = (),
        lowercase_units: Sequence[int] = (),
        uppercase_units: Sequence[int] = (),
        lowercase_deeper: Sequence[int] = (),
        uppercase_deeper: Sequence[int] = (),
        density: float = 0.2,
    ) -> None:
        super().__init__()
        if z_dim != INPUTS:
            raise CheckpointError(
                f"z_dim must be {INPUTS}, not {z_dim}: a latent point of the generator 'letters' "
                "is the distance field of a letter, 36 x 36 numbers."
            )
        if image_size < UNIT_PX or image_size % UNIT_PX:
            raise CheckpointError(
                f"The generator 'letters' makes pictures of {UNIT_PX}, {2 * UNIT_PX}, "
                f"{3 * UNIT_PX} ... px, not {image_size}. Choose one of these as image_size."
            )
        self.image_size = image_size
        options = {
            **{"body": body, "units": units, "density": density},
            **{"lowercase_units": lowercase_units, "uppercase_units": uppercase_units},
            **{"lowercase_deeper": lowercase_deeper, "uppercase_deeper": uppercase_deeper},
        }
        self.make_lowercase = build_body(options, "lowercase")
        self.make_uppercase = build_body(options, "uppercase")

    def forward(self, z: Tensor) -> Tensor:
        """Fields, float [N, 1296] in -1..1 -> pictures float [N, 3, image_size, image_size]."""
        letter = (z + 1) / 2
        lower, upper = _field(self.make_lowercase(letter)), _field(self.make_uppercase(letter))
        back_up, back_down = _field(self.make_uppercase(lower)), _field(self.make_lowercase(upper))
        cells = (letter, lower, back_up, letter, upper, back_down)
        return draw_picture(cells, self.image_size)

    @staticmethod
    def hidden_layers(options: Mapping[str, Any]) -> list[HiddenLayer]:
        """The hidden layers of the network for lower-case letters, then those of the other."""
        layers = []
        for network in NETWORKS:
            case = network.removeprefix("make_")
            body, density = _body_of(options)
            counts, deeper = _units_of(options, case), _deeper_of(options, case)
            layers += (
                ConvBody.hidden_layers(f"{network}.", counts, deeper)
                if body == CONV
                else DenseBody.hidden_layers(f"{network}.", counts, deeper, density)
            )
        return layers

    @staticmethod
    def count_layers(options: Mapping[str, Any], case: str) -> tuple[list[int], list[int]]:
        """Units and refinements of the hidden layers of one network, "lowercase" or "uppercase"."""
        return _units_of(options, case), _deeper_of(options, case)

    @staticmethod
    def resize(options: Mapping[str, Any], units: Mapping[str, int]) -> dict[str, Any]:
        """The same networks with so many units in each of their hidden layers."""
        resized = {**options}
        for network in NETWORKS:
            case = network.removeprefix("make_")
            own = [count for name, count in units.items() if name.startswith(f"{network}.")]
            resized[f"{case}_units"] = own
        return resized

    @staticmethod
    def deepen(options: Mapping[str, Any], layer: str) -> dict[str, Any]:
        """The same networks with one more refinement behind a hidden layer."""
        network, _, _ = layer.partition(".")
        case = network.removeprefix("make_")
        names = [each.name for each in LettersGenerator.hidden_layers(options)]
        own = [name for name in names if name.startswith(f"{network}.")]
        depths = zip(own, _deeper_of(options, case), strict=True)
        return {**options, f"{case}_deeper": [depth + (name == layer) for name, depth in depths]}


def build_body(options: Mapping[str, Any], case: str) -> nn.Module:
    """One of the two networks, "lowercase" or "uppercase", of fields [N, 1296] -> [N, 1322].

    Raises:
        CheckpointError: an option is out of range; the message says which.
    """
    body, density = _body_of(options)
    if body not in BODIES:
        raise CheckpointError(f"body is one of {', '.join(BODIES)}, not {body!r:.40}.")
    if not isinstance(density, int | float) or not 0 < density <= 1:
        raise CheckpointError(f"density is a share above 0 and up to 1, not {density!r:.40}.")
    counts, deeper = _units_of(options, case), _deeper_of(options, case)
    return ConvBody(counts, deeper) if body == CONV else DenseBody(counts, deeper, density)


def _body_of(options: Mapping[str, Any]) -> tuple[str, float]:
    """The body, and the share of the layer below that its units see."""
    body = options.get("body", CONV)
    return body, options.get("density", 0.2) if body == SPARSE else 1.0


def _units_of(options: Mapping[str, Any], case: str) -> list[int]:
    usual = CONV_UNITS if _body_of(options)[0] == CONV else DENSE_UNITS
    for name in (f"{case}_units", "units"):
        given = options.get(name) or ()
        length = len(CONV_UNITS) if _body_of(options)[0] == CONV else max(1, len(given))
        counts = check_counts("letters", name, given, length, least=1)
        if counts:
            return counts
    return [*usual]


def _deeper_of(options: Mapping[str, Any], case: str) -> list[int]:
    length, name = len(_units_of(options, case)), f"{case}_deeper"
    given = options.get(name) or ()
    return check_counts("letters", name, given, length, most=MAX_DEEPER) or [0] * length


def _field(output: Tensor) -> Tensor:
    """The field in what a network gives, float [N, 1322] -> [N, 1296] in 0..1."""
    return output[:, :INPUTS].clamp(0, 1)
