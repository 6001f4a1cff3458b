"""Walk away from one latent point in all directions: its neighbourhood at growing radius."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import torch
from torch import Tensor

from latent.errors import LatentError
from latent.points import mix_seeds

# The last is the number of a point; what stands before it names the neighbourhood.
_AROUND = re.compile(
    r"around:(seed:[0-9]{1,19}|[0-9]{1,15}\.[0-9]{1,9}):(0\.[0-9]{1,6}|1)"
    r":([0-9]{1,6}):([0-9]{1,10}):([0-9]{1,6})"
)
STREAM = 0x61726F756E64  # Keeps these random numbers apart from those of other points.


@dataclass(frozen=True)
class Neighbourhood:
    """The points around one, each of which is found again by its label and number.

    Args:
        centre: label of the point in the middle, such as `16500.28` or `seed:7`.
        count: how many points it has, the one in the middle among them.
        radius: of the last point, above 0 and up to 1, in whole millionths.
        seed: the same seed draws the same points.
    """

    centre: str
    count: int
    radius: float
    seed: int

    @property
    def prefix(self) -> str:
        """What its labels begin with; the number of a point follows.

        Example:
            >>> Neighbourhood("16500.28", 500, 0.6, 0).prefix
            'around:16500.28:0.6:500:0:'
        """
        radius = f"{self.radius:.6f}".rstrip("0").rstrip(".")
        return f"around:{self.centre}:{radius}:{self.count}:{self.seed}:"

    def place(self, centre: Tensor, number: int) -> Tensor:
        """One of the points; see `points_around`.

        Args:
            centre: float32 [z_dim].
            number: 0, which is the centre, up to below count.
        """
        if number == 0:
            return centre.clone()
        reach = self.radius * number / (self.count - 1)
        stream = torch.Generator().manual_seed(mix_seeds(self.seed, STREAM, number))
        noise: Tensor = torch.randn(len(centre), generator=stream)
        placed: Tensor = math.sqrt(1 - reach**2) * centre + reach * noise
        return placed


def parse_around(text: str) -> tuple[Neighbourhood, int] | None:
    """The neighbourhood and the number in a label such as `around:16500.28:0.6:500:0:17`.

    Returns:
        None where the text is something else, or no point of a neighbourhood.

    Example:
        >>> parse_around("around:seed:7:0.6:500:0:17")
        (Neighbourhood(centre='seed:7', count=500, radius=0.6, seed=0), 17)
    """
    match = _AROUND.fullmatch(text)
    if match is None:
        return None
    radius, (count, seed, number) = float(match[2]), map(int, match.groups()[2:])
    fits = radius > 0 and number < count and count >= 2 and seed < 1 << 32
    return (Neighbourhood(match[1], count, radius, seed), number) if fits else None


def points_around(centre: Tensor, count: int, radius: float = 0.6, seed: int = 0) -> Tensor:
    """Draw points around one, itself first, each a little farther away than the one before.

    At radius r a point is sqrt(1 - r^2) centre + r e with e ~ N(0, I): it is as likely a length as
    those that are drawn at random, equals the centre at 0, and has forgotten it at 1.

    Args:
        centre: float32 [z_dim].
        count: how many, the centre among them.
        radius: of the last point, above 0 and up to 1.
        seed: the same seed draws the same points, each by its number alone.

    Returns:
        float32 [count, z_dim].

    Raises:
        LatentError: the radius is out of range, or fewer than two points are asked for.
    """
    if not 0 < radius <= 1:
        raise LatentError(f"A radius of {radius:g} is out of range: use more than 0, up to 1.")
    if count < 2:
        raise LatentError(f"{count} points are no neighbourhood: ask for two or more.")
    drawn = Neighbourhood("", count, radius, seed)
    return torch.stack([drawn.place(centre, number) for number in range(count)])
