"""How coarsely weights may be rounded before anybody could see it.

Each large tensor gets one step, m x 2^k with m of four bits: few enough for float32 to hold any
lattice integer times it without rounding, so that weights are the same on every device. A tensor
whose rounding hardly touches the picture, or whose weights move far from one batch to the next,
gets a larger one: the bytes of a difference fall with the step, the error of the picture rises
with it, and an allowed error buys most where step ~ (mean change / sensitivity)^(1/3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from checkpoints_index.codec.integers import from_lattice, largest_weight
from checkpoints_index.codec.kernels import LATTICE_LIMIT
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage.error_bound import ErrorBound

MIN_ROUNDED_SIZE = 1024  # Smaller tensors (biases, batch norm and the like) are kept to the bit.
CALIBRATION_SEED = 777
MAX_STEP = 1 / 8  # as a fraction of a tensor's rms: pictures that hardly depend on it soon may
MIN_STEP = 2.0**-120  # Integers times a smaller step may be subnormal, which devices treat apart.
PEAK_FRACTION = 0.85  # Steps are chosen for this part of the allowed peak: its tail is long.
ATTEMPTS = 8  # So many steps are tried to come as near to the allowed error as can be.


@dataclass(frozen=True)
class PictureDifference:
    """How far pictures are from those of the exact weights, in levels of 0..255.

    Args:
        rms: root mean square over all values.
        largest: difference of any single value, once rounded to levels as pictures are.
        peak: the same before rounding.
    """

    rms: float
    largest: int
    peak: float

    def room(self, error_bound: ErrorBound, peak_fraction: float = 1.0) -> float:
        """How many times as large a difference would just be allowed; 1 and more if this one is.

        Args:
            error_bound: the bound.
            peak_fraction: part of its largest difference that the peak may reach, 0..1.
        """
        peak = peak_fraction * error_bound.largest / max(self.peak, 1e-9)
        return min(error_bound.rms / max(self.rms, 1e-9), peak)

    def is_within(self, error_bound: ErrorBound, peak_fraction: float = 1.0) -> bool:
        """Whether a bound holds.

        Args:
            error_bound: the bound.
            peak_fraction: part of its largest difference that the peak may reach, 0..1.
        """
        within_peak = self.peak <= peak_fraction * error_bound.largest
        return self.rms <= error_bound.rms and self.largest <= error_bound.largest and within_peak


class Calibration:
    """Chooses steps for one generator, and checks them by rendering.

    Args:
        spec: what rebuilds the generator.
        error_bound: how far pictures may differ.
        pool: threads that share the pictures, on a CPU.
    """

    def __init__(
        self, spec: GeneratorSpec, error_bound: ErrorBound, pool: ThreadPool = SERIAL
    ) -> None:
        self.error_bound, self._pool = error_bound, pool
        # Training must draw the same random numbers with and without us.
        with torch.random.fork_rng(devices=[]):
            self._G = spec.build()
        generator = torch.Generator().manual_seed(CALIBRATION_SEED)
        pictures = error_bound.pictures
        count = pictures if spec.image_size <= 256 else max(1, pictures // 4)
        self._z = spec.shape_z(torch.randn(count, spec.z_dim, generator=generator))

    def move(self, device: str | torch.device) -> None:
        """Render on this device from now on."""
        self._G, self._z = self._G.to(device), self._z.to(device)

    def choose_steps(
        self,
        weights: Mapping[str, Tensor],
        changes: Mapping[str, float] | None = None,
        used_fraction: float = 1.0,
    ) -> dict[str, float]:
        """A step for each tensor that may be rounded, such that the error bound holds.

        Args:
            weights: the state dict at which the steps are chosen.
            changes: mean absolute change of each tensor from one batch to the next, if known.
            used_fraction: part of the allowed rms that is used, 0..1; the rest is for weights
                that move on.

        Returns:
            Steps by the names of tensors; empty where no step is small enough, and every tensor
            has to be kept to the bit.
        """
        exact = self._render(weights)
        if not bool(exact.isfinite().all()):
            return {}  # Without pictures, nothing says how far weights may be rounded.
        exact = _as_levels(exact)
        tensors = self._look_into(weights, exact, changes or {})
        wanted = replace(self.error_bound, rms=used_fraction * self.error_bound.rms)
        allowed, best = wanted.rms**2, dict[str, float]()
        for _ in range(ATTEMPTS):
            steps = spend_error(tensors, allowed)
            difference = _compare(exact, self._render_levels(round_weights(weights, steps)))
            room = difference.room(wanted, PEAK_FRACTION)
            if room >= 1:
                best = steps
                capped = all(
                    _next_step(steps[t.name]) > t.max_step for t in tensors if t.name in steps
                )
                if capped or room < 1 / 0.95:
                    break
            else:
                # Where steps are capped, or fall far below what is allowed, less of that changes
                # nothing; less of what they take does.
                allowed = sum(t.error(steps[t.name]) for t in tensors if t.name in steps)
            allowed *= min(4.0, 0.98 * room**2)
        return best

    def compare(
        self,
        weights: Mapping[str, Tensor],
        rounded: Mapping[str, Tensor],
        pictures: int | None = None,
    ) -> PictureDifference:
        """Render calibration points with two state dicts, and say how far they are apart.

        Args:
            weights, rounded: the state dicts.
            pictures: number of points; all of them if None.
        """
        exact = self._render_levels(weights, pictures)
        return _compare(exact, self._render_levels(rounded, pictures))

    def _look_into(
        self, weights: Mapping[str, Tensor], exact: Tensor, changes: Mapping[str, float]
    ) -> list[RoundedTensor]:
        """What the steps of the tensors that may be rounded depend on.

        A tensor of zeros is as large as its change, where that is known. Those that are all but
        zero, or near the end of their numbers, have no step and are kept to the bit.
        """
        noise = torch.Generator().manual_seed(CALIBRATION_SEED)
        tensors = []
        for name, tensor in weights.items():
            if not may_be_rounded(tensor):
                continue
            change, peak = changes.get(name) or 0.0, float(tensor.detach().abs().max())
            if peak > largest_weight(tensor.dtype) / 2:
                continue
            magnitude = _rms_of_weights(tensor) or change
            if MAX_STEP * magnitude < MIN_STEP:
                continue
            tensors.append(
                RoundedTensor(
                    name,
                    tensor.numel(),
                    max(change or 1e-4, 1e-12),
                    self._measure_sensitivity(weights, name, exact, 1e-2 * magnitude, noise),
                    MAX_STEP * magnitude,
                    max(MIN_STEP, peak / LATTICE_LIMIT[4]),
                )
            )
        return tensors

    def _measure_sensitivity(
        self,
        weights: Mapping[str, Tensor],
        name: str,
        exact: Tensor,
        width: float,
        noise: torch.Generator,
    ) -> float:
        """Mean square change of the picture (levels^2) for each unit of variance of one weight.

        Args:
            weights: the state dict.
            name: the tensor that is moved.
            exact: pictures of the state dict as it is.
            width: of the uniform noise that is added to its weights.
            noise: where that is drawn from.
        """
        tensor = weights[name].detach()
        jitter = (torch.rand(tensor.shape, generator=noise) - 0.5) * width
        changed = self._render_levels({**weights, name: tensor.cpu().float() + jitter})
        return float((changed - exact).square().mean()) / (width**2 / 12) / tensor.numel()

    def _render_levels(self, weights: Mapping[str, Tensor], pictures: int | None = None) -> Tensor:
        """Pictures at the calibration points, float64 [N, 3, H, W] in levels 0..255."""
        return _as_levels(self._render(weights, pictures))

    def _render(self, weights: Mapping[str, Tensor], pictures: int | None = None) -> Tensor:
        """Pictures at the calibration points, float64 [N, 3, H, W], in -1..1 where they are any."""
        self._G.load_state_dict(dict(weights))
        parts = self._z[:pictures].chunk(self._pool.size if self._z.device.type == "cpu" else 1)
        return torch.cat(self._pool.map(self._render_some, parts))

    @torch.inference_mode()
    def _render_some(self, z: Tensor) -> Tensor:
        pictures: Tensor = self._G(z)
        return pictures.double()


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
            if _next_step(steps[t.name]) <= t.max_step
            and 0 < _added_error(t, steps[t.name]) <= left
        ]
        if not affordable:
            return {t.name: steps[t.name] for t in tensors if steps[t.name] >= t.min_step}
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
    """A state dict with each tensor that has a step rounded to multiples of it."""
    return {
        name: from_lattice(torch.round(tensor.float() / steps[name]), steps[name], tensor.dtype)
        if name in steps
        else tensor
        for name, tensor in weights.items()
    }


def mean_changes(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, float]:
    """Mean absolute change of each tensor that may be rounded, from one state dict to another."""
    return {
        name: float((tensor.double() - before[name].double()).abs().mean())
        for name, tensor in after.items()
        if may_be_rounded(tensor) and name in before
    }


def may_be_rounded(tensor: Tensor) -> bool:
    """Whether a tensor is large and of floats; small ones, which steer much, are never rounded.

    Args:
        tensor: of any shape, [...].
    """
    return (
        tensor.is_floating_point()
        and tensor.dtype.itemsize >= 2
        and tensor.ndim >= 2
        and tensor.numel() >= MIN_ROUNDED_SIZE
    )


def _compare(exact: Tensor, other: Tensor) -> PictureDifference:
    largest = int((exact.round() - other.round()).abs().max())
    return PictureDifference(_rms(exact - other), largest, float((exact - other).abs().max()))


def _as_levels(pictures: Tensor) -> Tensor:
    """Levels 0..255 of pictures, float64 [N, 3, H, W]; what is no number is mid-grey."""
    return (pictures.nan_to_num(nan=0.0).clamp(-1, 1) + 1) * 127.5


def _rms(tensor: Tensor) -> float:
    return float(tensor.square().mean().sqrt())


def _rms_of_weights(tensor: Tensor) -> float:
    """The same where squares may leave the range of the tensor's dtype."""
    norm = torch.linalg.vector_norm(tensor.detach(), dtype=torch.float64)
    return float(norm) / math.sqrt(tensor.numel())
