"""Which steps make the smallest differences for an error of the picture that is allowed.

A step is m x 2^k with m of four bits: few enough for float32 to hold any lattice integer times it
without rounding, so that weights are the same on every device. A tensor whose rounding hardly
touches the picture, or whose weights move far from one batch to the next, gets a larger one: the
bytes of a difference fall with the step, the error of the picture rises with it, and an allowed
error buys most where step ~ (mean change / sensitivity)^(1/3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

MIN_STEP = 2.0**-120  # Integers times a smaller step may be subnormal, which devices treat apart.


@dataclass(frozen=True)
class RoundedTensor:
    """What the choice of a tensor's step depends on.

    Args:
        name: its name in the state dict.
        size: number of its weights.
        change: mean absolute change of a weight from one batch to the next.
        sensitivity: change of the picture (levels^2) for each unit of variance of one weight.
        max_step: the largest step that it may get.
        min_step: with a smaller one, its integers do not fit, and it is kept to the bit.
    """

    name: str
    size: int
    change: float
    sensitivity: float
    max_step: float
    min_step: float = MIN_STEP

    def error(self, step: float) -> float:
        """Mean square error of the picture (levels^2), as rounding to a step is uniform noise."""
        return self.sensitivity * self.size * step**2 / 12

    def bits(self, step: float) -> float:
        """Entropy of a difference in bits: moves follow a two-sided geometric distribution."""
        moved = self.change / step
        root = math.hypot(1, moved)
        ratio = (root - 1) / moved if moved > 1e-6 else moved / 2
        # This is (1 - ratio) / (1 + ratio), without the loss of digits where weights move far.
        odds = (1 - 1 / (root + moved)) / (moved + root - 1) if moved > 1e-6 else 1 - moved
        return self.size * (-math.log2(odds) - moved * math.log2(ratio))


def spend_error(tensors: list[RoundedTensor], allowed: float) -> dict[str, float]:
    """The steps that make the smallest differences for an allowed error.

    The cube-root rule is rounded down to what a step may be; what is left of the error then goes,
    tensor by tensor, to where a larger step saves most for it.

    Args:
        tensors: those that may be rounded.
        allowed: mean square error of the picture, in levels^2.

    Returns:
        Steps by the names of tensors; none for those that would need a smaller one than they may
        have.
    """
    raw = {t.name: (t.change / max(t.sensitivity, 1e-30)) ** (1 / 3) for t in tensors}
    expected = sum(t.error(raw[t.name]) for t in tensors)
    scale = math.sqrt(allowed / expected) if expected > 0 else 1e-6
    steps = {t.name: _step_below(min(t.max_step, raw[t.name] * scale)) for t in tensors}
    while True:
        left = allowed - sum(t.error(steps[t.name]) for t in tensors)
        affordable = [
            t
            for t in tensors
            if next_step(steps[t.name]) <= t.max_step and 0 < _added_error(t, steps[t.name]) <= left
        ]
        if not affordable:
            return {t.name: steps[t.name] for t in tensors if steps[t.name] >= t.min_step}
        best = max(affordable, key=lambda t: _saving(t, steps[t.name]))
        steps[best.name] = next_step(steps[best.name])


def _step_below(value: float) -> float:
    """The largest m x 2^k, m = 8 ... 15, that is no larger."""
    mantissa, exponent = math.frexp(value)  # value = mantissa * 2^exponent, mantissa 0.5 ... 1
    return math.floor(mantissa * 16) * 2.0 ** (exponent - 4)


def next_step(step: float) -> float:
    """The next larger m x 2^k, m = 8 ... 15."""
    _, exponent = math.frexp(step)
    return step + 2.0 ** (exponent - 4)


def _added_error(tensor: RoundedTensor, step: float) -> float:
    return tensor.error(next_step(step)) - tensor.error(step)


def _saving(tensor: RoundedTensor, step: float) -> float:
    """Bits saved by the next larger step, for each unit of error that it adds."""
    return (tensor.bits(step) - tensor.bits(next_step(step))) / _added_error(tensor, step)
