"""How coarsely weights may be rounded before anybody could see it.

Each large tensor gets one step, m x 2^k with m of four bits: few enough for float32 to hold any
lattice integer times it without rounding, so that weights are the same on every device. A tensor
whose rounding hardly touches the picture, or whose weights move far from one batch to the next,
gets a larger one: the bytes of a difference fall with the step, the error of the picture rises
with it, and the cheapest way to spend an allowed error is
step ~ (mean change / sensitivity)^(1/3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage.error_bound import ErrorBound

SMALLEST_ROUNDED_TENSOR = 1024  # biases, batch-norm and the like are kept to the bit
CALIBRATION_SEED = 777
LARGEST_STEP = 1 / 8  # of the rms of a tensor: pictures that hardly depend on it soon may
PEAK_SHARE = 0.85  # of the allowed single difference, where steps are chosen: its tail is long
ATTEMPTS = 8  # at spending just the allowed error


@dataclass(frozen=True)
class PictureDifference:
    """How far pictures are from those of the exact weights, in levels of 0..255."""

    rms: float
    largest: int  # once rounded to levels, as pictures are
    peak: float  # before they are

    def keeps(self, error_bound: ErrorBound, share: float = 1.0) -> bool:
        """Whether an error bound is kept with room to spare: with a share of the peak it allows."""
        within = self.peak <= share * error_bound.largest
        return self.rms <= error_bound.rms and self.largest <= error_bound.largest and within


class Calibration:
    """Chooses steps for one generator, and checks them by rendering."""

    def __init__(
        self, spec: GeneratorSpec, error_bound: ErrorBound, team: ThreadPool = SERIAL
    ) -> None:
        self.error_bound, self._team = error_bound, team
        with torch.random.fork_rng(devices=[]):  # training draws the same numbers without us
            self._G = spec.build()
        generator = torch.Generator().manual_seed(CALIBRATION_SEED)
        count = (
            error_bound.pictures if spec.image_size <= 256 else max(1, error_bound.pictures // 4)
        )
        self._z = torch.randn(count, spec.z_dim, generator=generator)

    def move(self, device: str | torch.device) -> None:
        """Render there from now on."""
        self._G, self._z = self._G.to(device), self._z.to(device)

    def choose_steps(
        self,
        weights: Mapping[str, Tensor],
        changes: Mapping[str, float] | None = None,
        share: float = 1.0,
    ) -> dict[str, float]:
        """A step for each tensor that may be rounded, such that the error bound holds.

        Args:
            weights: the state dict at which the steps are chosen.
            changes: mean absolute change of each tensor from one batch to the next, if known.
            share: of the allowed rms that is used; the rest is for weights that move on.

        Returns:
            Empty where no step is small enough: then every tensor has to be kept to the bit.
        """
        tensors = [
            RoundedTensor(
                name,
                weights[name].numel(),
                max((changes or {}).get(name) or 1e-4, 1e-12),
                sensitivity,
                LARGEST_STEP * _rms(weights[name].float()),
            )
            for name, sensitivity in self._measure_sensitivities(weights).items()
        ]
        exact = self._render(weights)
        wanted_rms = share * self.error_bound.rms
        allowed, best = wanted_rms**2, dict[str, float]()
        for _ in range(ATTEMPTS):
            steps = spend_error(tensors, allowed)
            difference = _compare(exact, self._render(round_weights(weights, steps)))
            kept = difference.rms <= wanted_rms and difference.keeps(self.error_bound, PEAK_SHARE)
            if kept:
                best = steps
            capped = all(_next_step(steps[t.name]) > t.largest_step for t in tensors)
            if kept and (capped or difference.rms > 0.95 * wanted_rms):
                break
            unspent = min(4.0, 0.98 * (wanted_rms / max(difference.rms, 1e-9)) ** 2)
            allowed *= unspent if kept or unspent < 1 else 0.5
        return best

    def compare(
        self,
        weights: Mapping[str, Tensor],
        rounded: Mapping[str, Tensor],
        pictures: int | None = None,
    ) -> PictureDifference:
        """Render some or all calibration points with both, and say how far they are apart."""
        return _compare(self._render(weights, pictures), self._render(rounded, pictures))

    def _measure_sensitivities(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Mean square change of the picture (levels^2) for each unit of variance of one weight."""
        noise = torch.Generator().manual_seed(CALIBRATION_SEED)
        base = self._render(weights)
        sensitivities = {}
        for name, tensor in weights.items():
            if not may_be_rounded(tensor):
                continue
            width = 1e-2 * _rms(tensor.detach().float()) + 1e-12
            jitter = (torch.rand(tensor.shape, generator=noise) - 0.5) * width
            changed = self._render({**weights, name: tensor.cpu().float() + jitter})
            mean_square = float((changed - base).square().mean())
            sensitivities[name] = mean_square / (width**2 / 12) / tensor.numel()
        return sensitivities

    def _render(self, weights: Mapping[str, Tensor], pictures: int | None = None) -> Tensor:
        """Pictures at the calibration points, float64 [N, 3, H, W] in levels 0..255."""
        self._G.load_state_dict(dict(weights))
        shares = self._z[:pictures].chunk(self._team.size if self._z.device.type == "cpu" else 1)
        return torch.cat(self._team.map(self._render_share, shares))

    @torch.inference_mode()
    def _render_share(self, z: Tensor) -> Tensor:
        return (self._G(z).double().clamp(-1, 1) + 1) * 127.5


@dataclass(frozen=True)
class RoundedTensor:
    """What the choice of a tensor's step depends on."""

    name: str
    size: int
    change: float  # mean absolute, from one batch to the next
    sensitivity: float  # levels^2 of the picture, for each unit of variance of one weight
    largest_step: float

    def error(self, step: float) -> float:
        """Mean square error of the picture, as rounding to a step is uniform noise (levels^2)."""
        return self.sensitivity * self.size * step**2 / 12

    def bits(self, step: float) -> float:
        """Entropy of a difference: steps moved follow a two-sided geometric distribution."""
        moved = self.change / step
        ratio = (math.sqrt(1 + moved**2) - 1) / moved if moved > 1e-6 else moved / 2
        return self.size * (-math.log2((1 - ratio) / (1 + ratio)) - moved * math.log2(ratio))


def spend_error(tensors: list[RoundedTensor], allowed: float) -> dict[str, float]:
    """The steps that make the smallest differences for an allowed mean square error (levels^2).

    The cube-root rule rounded down to what a step may be; what is left of the error then goes,
    tensor by tensor, to where a larger step saves most for it.
    """
    raw = {t.name: (t.change / max(t.sensitivity, 1e-30)) ** (1 / 3) for t in tensors}
    expected = sum(t.error(raw[t.name]) for t in tensors)
    scale = math.sqrt(allowed / expected) if expected > 0 else 1e-6
    steps = {t.name: _step_below(min(t.largest_step, raw[t.name] * scale)) for t in tensors}
    while True:
        left = allowed - sum(t.error(steps[t.name]) for t in tensors)
        affordable = [
            t
            for t in tensors
            if _next_step(steps[t.name]) <= t.largest_step
            and 0 < _added_error(t, steps[t.name]) <= left
        ]
        if not affordable:
            return steps
        best = max(affordable, key=lambda t: _saving(t, steps[t.name]))
        steps[best.name] = _next_step(steps[best.name])


def _step_below(value: float) -> float:
    """The largest m x 2^k, m = 8 ... 15, that is no larger."""
    mantissa, exponent = math.frexp(value)  # value = mantissa * 2^exponent, mantissa 0.5 ... 1
    return math.floor(mantissa * 16) * 2.0 ** (exponent - 4)


def _next_step(step: float) -> float:
    _, exponent = math.frexp(step)
    return step + 2.0 ** (exponent - 4)


def _added_error(tensor: RoundedTensor, step: float) -> float:
    return tensor.error(_next_step(step)) - tensor.error(step)


def _saving(tensor: RoundedTensor, step: float) -> float:
    """Bits saved by the next larger step, for each unit of error that it adds."""
    return (tensor.bits(step) - tensor.bits(_next_step(step))) / _added_error(tensor, step)


def round_weights(weights: Mapping[str, Tensor], steps: Mapping[str, float]) -> dict[str, Tensor]:
    """The weights as a lattice of these steps gives them back."""
    return {
        name: (torch.round(tensor.float() / steps[name]) * steps[name]).to(tensor.dtype)
        if name in steps
        else tensor
        for name, tensor in weights.items()
    }


def mean_changes(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, float]:
    """Mean absolute change of each tensor that may be rounded."""
    return {
        name: float((tensor.float() - before[name].float()).abs().mean())
        for name, tensor in after.items()
        if may_be_rounded(tensor) and name in before
    }


def may_be_rounded(tensor: Tensor) -> bool:
    """Large tensors of floats may be; those of small ones, which steer much, never are."""
    return (
        tensor.is_floating_point()
        and 2 <= tensor.dtype.itemsize <= 4
        and tensor.ndim >= 2
        and tensor.numel() >= SMALLEST_ROUNDED_TENSOR
    )


def _compare(exact: Tensor, other: Tensor) -> PictureDifference:
    largest = int((exact.round() - other.round()).abs().max())
    return PictureDifference(_rms(exact - other), largest, float((exact - other).abs().max()))


def _rms(tensor: Tensor) -> float:
    return float(tensor.square().mean().sqrt())
