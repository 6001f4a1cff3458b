"""How coarsely weights may be rounded before anybody could see it.

Each large tensor gets one step (`step_choice`). Rendering tells how much of the picture depends on
each tensor, and whether the steps that follow keep the promise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.kernels import LATTICE_LIMIT
from checkpoints_index.codec.steps.picture_difference import PictureDifference
from checkpoints_index.codec.steps.step_choice import (
    MIN_STEP,
    RoundedTensor,
    next_step,
    spend_error,
)
from checkpoints_index.codec.tensor_entry import (
    TensorEntry,
    find_peak,
    from_lattice,
    largest_weight,
)
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.generators.representative import representative_z
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage.error_bound import ErrorBound

MIN_ROUNDED_SIZE = 1024  # Smaller tensors (biases, batch norm and the like) are kept to the bit.
CALIBRATION_SEED = 777
MAX_STEP = 1 / 8  # as a fraction of a tensor's rms: pictures that hardly depend on it soon may
PEAK_FRACTION = 0.85  # Steps are chosen for this part of the allowed peak: its tail is long.
ATTEMPTS = 8  # So many steps are tried to come as near to the allowed error as can be.
CHECK_PICTURES = 4  # A check begins with so many pictures; what may fail is seen in all.
ALL = slice(None)  # all calibration points
CHUNK_ITEMS = 1 << 22  # Of larger tensors, so many weights at a time are compared.

# Tensors that take the place of others of a state dict, by their names; each is made when a
# picture needs it.
Replacements = Mapping[str, Callable[[], Tensor]]


class Calibration:
    """Chooses steps for one generator, and checks them by rendering.

    Args:
        spec: what rebuilds the generator.
        error_bound: how far pictures may differ.
        pool: threads that share the pictures, on a CPU.

    Attributes:
        error_bound: the same.
        few: number of pictures that a check begins with.
        near: steps that use at least this part of what they could are good enough.
    """

    few = CHECK_PICTURES
    near = 0.95

    def __init__(
        self, spec: GeneratorSpec, error_bound: ErrorBound, pool: ThreadPool = SERIAL
    ) -> None:
        self.error_bound, self._pool = error_bound, pool
        # Training must draw the same random numbers with and without us.
        with torch.random.fork_rng(devices=[]):
            self._G = spec.build()
        self._z = calibration_points(spec, error_bound)

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
        exact = self._render(weights, self._probed)
        if not bool(exact.isfinite().all()):
            return {}  # Without pictures, nothing says how far weights may be rounded.
        exact = _as_levels(exact)
        tensors = self._look_into(weights, exact, changes or {})
        wanted = replace(self.error_bound, rms=used_fraction * self.error_bound.rms)
        allowed, best = wanted.rms**2, dict[str, float]()
        for _ in range(ATTEMPTS):
            steps = spend_error(tensors, allowed)
            room = self._find_room(exact, weights, steps, wanted)
            if room >= 1:
                best = steps
                capped = all(
                    next_step(steps[t.name]) > t.max_step for t in tensors if t.name in steps
                )
                if capped or room < 1 / self.near:
                    break
            else:
                # Where steps are capped, or fall far below what is allowed, less of that changes
                # nothing; less of what they take does.
                allowed = sum(t.error(steps[t.name]) for t in tensors if t.name in steps)
            allowed *= min(4.0, 0.98 * room**2)
        return best

    def few_to_all(self, weights: Mapping[str, Tensor], steps: Mapping[str, float]) -> float:
        """The rms of the error at all points, over that at the few that a check begins with.

        Args:
            weights: a state dict.
            steps: those that were chosen for it.
        """
        rounded = self._rounding(weights, steps)
        few = self._compare(weights, rounded, slice(self.few))
        return self._compare(weights, rounded, ALL).rms / max(few.rms, 1e-9)

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
        replaced = {name: partial(rounded.__getitem__, name) for name in rounded}
        return self._compare(weights, replaced, slice(pictures))

    def compare_kept(
        self, weights: Mapping[str, Tensor], layout: TensorLayout, pictures: int | None = None
    ) -> PictureDifference:
        """The same of weights and of what is read back of them.

        Args:
            weights: the state dict.
            layout: that in which they are kept.
            pictures: number of points; all of them if None.
        """
        kept = {
            entry.name: partial(self._keep, entry, weights[entry.name])
            for entry in layout.entries
            if entry.step is not None
        }
        return self._compare(weights, kept, slice(pictures))

    @property
    def _probed(self) -> slice:
        """The points that tell how much of the picture depends on each tensor."""
        return ALL

    def _find_room(
        self,
        exact: Tensor,
        weights: Mapping[str, Tensor],
        steps: Mapping[str, float],
        wanted: ErrorBound,
    ) -> float:
        """How many times as large an error would just be allowed; see `PictureDifference.room`.

        Args:
            exact: levels of the probed points with the weights as they are.
            weights: the state dict.
            steps: those that are tried.
            wanted: the bound.
        """
        rounded = self._render_levels(weights, self._probed, self._rounding(weights, steps))
        return PictureDifference.between(exact, rounded).room(wanted, PEAK_FRACTION)

    def _look_into(
        self, weights: Mapping[str, Tensor], exact: Tensor, changes: Mapping[str, float]
    ) -> list[RoundedTensor]:
        """What the steps of the tensors that may be rounded depend on.

        A tensor of zeros is as large as its change, where that is known. Those that are all but
        zero, or near the end of their numbers, have no step and are kept to the bit.
        """
        found: list[RoundedTensor] = []
        for name, tensor in weights.items():
            if not may_be_rounded(tensor):
                continue
            change, peak = changes.get(name) or 0.0, find_peak(tensor)
            if peak > largest_weight(tensor.dtype) / 2:
                continue
            magnitude = _rms_of_weights(tensor) or change
            if MAX_STEP * magnitude < MIN_STEP:
                continue
            found.append(
                RoundedTensor(
                    name,
                    tensor.numel(),
                    max(change or 1e-4, 1e-12),
                    0.0,
                    MAX_STEP * magnitude,
                    max(MIN_STEP, peak / LATTICE_LIMIT[4]),
                )
            )
        noise = torch.Generator(self._noise_device).manual_seed(CALIBRATION_SEED)
        return [
            replace(tensor, sensitivity=sensitivity)
            for group in self._group(found)
            for tensor, sensitivity in zip(
                group, self._measure_sensitivity(weights, group, exact, noise), strict=True
            )
        ]

    @property
    def _noise_device(self) -> torch.device:
        return torch.device("cpu")

    def _group(self, tensors: Sequence[RoundedTensor]) -> Iterator[Sequence[RoundedTensor]]:
        """The tensors of which the picture's dependence is measured at once."""
        for tensor in tensors:
            yield [tensor]

    def _measure_sensitivity(
        self,
        weights: Mapping[str, Tensor],
        tensors: Sequence[RoundedTensor],
        exact: Tensor,
        noise: torch.Generator,
    ) -> list[float]:
        """Mean square change of the picture (levels^2) for each unit of variance of one weight.

        Uniform noise of a hundredth of their rms is added to the weights; the change is taken to
        come from all of the tensors alike.

        Args:
            weights: the state dict.
            tensors: those that are moved, at once.
            exact: pictures of the probed points with the state dict as it is.
            noise: where that is drawn from.
        """
        widths = {t.name: t.max_step / MAX_STEP * 1e-2 for t in tensors}
        moved = {
            t.name: partial(self._jitter, weights[t.name].detach(), widths[t.name], noise)
            for t in tensors
        }
        changed = self._render_levels(weights, self._probed, moved)
        square = float((changed - exact).square().mean()) / len(tensors)
        return [square / (widths[t.name] ** 2 / 12) / t.size for t in tensors]

    def _keep(self, entry: TensorEntry, tensor: Tensor) -> Tensor:
        """A tensor as it is read back."""
        return entry.round(tensor)

    def _round(self, tensor: Tensor, step: float) -> Tensor:
        """A tensor rounded to multiples of a step."""
        return from_lattice((tensor.float() / step).round_(), step, tensor.dtype)

    def _rounding(self, weights: Mapping[str, Tensor], steps: Mapping[str, float]) -> Replacements:
        """The tensors of a state dict that have a step, rounded."""
        return {name: partial(self._round, weights[name], step) for name, step in steps.items()}

    def _jitter(self, tensor: Tensor, width: float, noise: torch.Generator) -> Tensor:
        """A tensor with uniform noise of a width added."""
        jitter = (torch.rand(tensor.shape, generator=noise) - 0.5) * width
        return tensor.cpu().float() + jitter

    def _compare(
        self, weights: Mapping[str, Tensor], replaced: Replacements, points: slice
    ) -> PictureDifference:
        """How far pictures are apart with and without some tensors replaced."""
        parts, shares = [], []
        for part in self._cut(points):
            exact = self._render_levels(weights, part)
            other = self._render_levels(weights, part, replaced)
            parts.append(PictureDifference.between(exact, other))
            shares.append(len(exact))
        return PictureDifference.of_all(parts, shares)

    def _cut(self, points: slice) -> Iterator[slice]:
        """Parts of some points that are compared one after the other."""
        yield points

    def _render_levels(
        self, weights: Mapping[str, Tensor], points: slice, replaced: Replacements | None = None
    ) -> Tensor:
        """Pictures at calibration points, float64 [N, 3, H, W] in levels 0..255."""
        return _as_levels(self._render(weights, points, replaced))

    def _render(
        self, weights: Mapping[str, Tensor], points: slice, replaced: Replacements | None = None
    ) -> Tensor:
        """Pictures at calibration points, float64 [N, 3, H, W], in -1..1 where they are any."""
        self._G.load_state_dict({**weights, **{n: make() for n, make in (replaced or {}).items()}})
        parts = self._z[points].chunk(self._pool.size if self._z.device.type == "cpu" else 1)
        return torch.cat(self._pool.map(self._render_some, parts))

    @torch.inference_mode()
    def _render_some(self, z: Tensor) -> Tensor:
        pictures: Tensor = self._G(z)
        return pictures.double()


def calibration_points(spec: GeneratorSpec, error_bound: ErrorBound) -> Tensor:
    """The latent points at which a promise is held, float32 [N, z_dim]."""
    pictures = error_bound.pictures
    count = pictures if spec.image_size <= 256 else max(1, pictures // 4)
    return representative_z(spec, count, CALIBRATION_SEED)


def mean_changes(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, float]:
    """Mean absolute change of each tensor that may be rounded, from one state dict to another."""
    return {
        name: mean_change(before[name], tensor)
        for name, tensor in after.items()
        if may_be_rounded(tensor) and name in before
    }


def mean_change(before: Tensor, after: Tensor) -> float:
    """Mean absolute change of a tensor's weights [...], computed where they were before."""
    device = before.device
    if after.numel() <= CHUNK_ITEMS:
        return float((after.to(device).double() - before.double()).abs().mean())
    chunks = zip(
        before.reshape(-1).split(CHUNK_ITEMS), after.reshape(-1).split(CHUNK_ITEMS), strict=True
    )
    total = sum(float((b.to(device).double() - a.double()).abs().sum()) for a, b in chunks)
    return total / after.numel()


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


def _as_levels(pictures: Tensor) -> Tensor:
    """Levels 0..255 of pictures, float64 [N, 3, H, W]; what is no number is mid-grey."""
    return (pictures.nan_to_num(nan=0.0).clamp(-1, 1) + 1) * 127.5


def _rms_of_weights(tensor: Tensor) -> float:
    """The same where squares may leave the range of the tensor's dtype."""
    norm = torch.linalg.vector_norm(tensor.detach(), dtype=torch.float64)
    return float(norm) / math.sqrt(tensor.numel())
