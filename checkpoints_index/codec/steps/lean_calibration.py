"""Calibration of generators whose weights or pictures are so large that neither is had twice.

A picture of `skyline` at 1024x1024 takes a core ten seconds and holds half a gigabyte meanwhile.
Pictures are therefore rendered one after the other, weights are used where they lie, and of those
that are changed one tensor at a time is made, just before its layer needs it. How much of the
picture depends on each tensor is asked of as many pictures as hold a million values, which tell as
much as all of a small generator's do. The steps that follow are then seen in all pictures, as ever:
the promise is the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from checkpoints_index.codec.steps.calibration import (
    ATTEMPTS,
    PEAK_FRACTION,
    Calibration,
    Replacements,
    calibration_points,
)
from checkpoints_index.codec.steps.picture_difference import PictureDifference
from checkpoints_index.codec.steps.step_choice import RoundedTensor
from checkpoints_index.codec.tensor_entry import TensorEntry
from checkpoints_index.codec.thread_pool import SERIAL, ThreadPool
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage.error_bound import ErrorBound

LARGE_BYTES = 1 << 27  # Generators whose weights take more are calibrated in this way.
PROBED_VALUES = 1 << 20  # Pictures of so many values tell how sensitive tensors are.
MINOR_SHARE = 0.01  # Tensors that together hold no more of the weights are probed at once.
_NOTHING = torch.empty(0)


def calibration_of(
    spec: GeneratorSpec, error_bound: ErrorBound, pool: ThreadPool = SERIAL
) -> Calibration:
    """The calibration that fits a generator.

    Args:
        spec: what rebuilds the generator.
        error_bound: how far pictures may differ.
        pool: threads that share the pictures of a small one; as many share each of a large one.
    """
    if spec.is_ours and is_large(spec.expected_weights()):
        return LeanCalibration(spec, error_bound, pool.size)
    return Calibration(spec, error_bound, pool)


def is_large(weights: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is one of those of which there should be few copies."""
    return sum(tensor.nbytes for tensor in weights.values()) > LARGE_BYTES


class LeanCalibration(Calibration):
    """Chooses steps for a large generator of ours, and checks them by rendering.

    Args:
        spec: what rebuilds the generator.
        error_bound: how far pictures may differ.
        threads: number of threads that share each picture, on a CPU.
    """

    near = 0.8  # Passes are dear, and steps a tenth smaller take about 0.15 bits of a weight.

    def __init__(self, spec: GeneratorSpec, error_bound: ErrorBound, threads: int = 1) -> None:
        self.error_bound, self._threads = error_bound, threads
        self._lender = WeightLender(spec)
        self._G = self._lender.G
        self._z = calibration_points(spec, error_bound)
        values = 3 * spec.image_size**2
        self.few = min(len(self._z), max(1, -(-PROBED_VALUES // values)))
        self._ratios: deque[tuple[dict[str, float], float]] = deque(maxlen=ATTEMPTS)

    def few_to_all(self, weights: Mapping[str, Tensor], steps: Mapping[str, float]) -> float:
        """As it was when these steps were chosen; 1 for others."""
        return next((ratio for tried, ratio in self._ratios if tried == steps), 1.0)

    def move(self, device: str | torch.device) -> None:
        """Render on this device from now on."""
        self._z = self._z.to(device)
        self._lender.move(self._z.device)

    @property
    def _probed(self) -> slice:
        return slice(self.few)

    def _find_room(
        self,
        exact: Tensor,
        weights: Mapping[str, Tensor],
        steps: Mapping[str, float],
        wanted: ErrorBound,
    ) -> float:
        """That of the probed points; where it is enough for these, that of all."""
        rounded = self._render_levels(weights, self._probed, self._rounding(weights, steps))
        difference = PictureDifference.between(exact, rounded)
        room = difference.room(wanted, PEAK_FRACTION)
        if room < 1 or self.few >= len(self._z):
            return room
        others = self._compare(weights, self._rounding(weights, steps), slice(self.few, None))
        shares = (self.few, len(self._z) - self.few)
        of_all = PictureDifference.of_all([difference, others], shares)
        self._ratios.append((dict(steps), of_all.rms / max(difference.rms, 1e-9)))
        return of_all.room(wanted, PEAK_FRACTION)

    def _keep(self, entry: TensorEntry, tensor: Tensor) -> Tensor:
        return super()._keep(entry, tensor.to(self._z.device))

    def _round(self, tensor: Tensor, step: float) -> Tensor:
        return super()._round(tensor.to(self._z.device), step)

    @property
    def _noise_device(self) -> torch.device:
        return self._z.device

    def _group(self, tensors: Sequence[RoundedTensor]) -> Iterator[Sequence[RoundedTensor]]:
        """Each large tensor by itself, and together those that make up hardly any of the weights.

        So many fewer pictures are rendered; what their steps take or save is little.
        """
        left, minor = MINOR_SHARE * sum(tensor.size for tensor in tensors), list[RoundedTensor]()
        for tensor in sorted(tensors, key=lambda tensor: tensor.size):
            left -= tensor.size
            if left < 0:
                break
            minor.append(tensor)
        yield from ([tensor] for tensor in tensors if tensor not in minor)
        if minor:
            yield minor

    def _jitter(self, tensor: Tensor, width: float, noise: torch.Generator) -> Tensor:
        """The same as elsewhere, on the device, with one tensor in memory beside the given one."""
        jitter = torch.rand(tensor.shape, generator=noise, device=noise.device)
        return jitter.sub_(0.5).mul_(width).add_(tensor.to(noise.device))

    def _cut(self, points: slice) -> Iterator[slice]:
        """As many at a time as are probed, the last ones perhaps fewer."""
        start, stop, _ = points.indices(len(self._z))
        for first in range(start, stop, self.few):
            yield slice(first, min(first + self.few, stop))

    def _render(
        self, weights: Mapping[str, Tensor], points: slice, replaced: Replacements | None = None
    ) -> Tensor:
        before = torch.get_num_threads()  # The number is that of this thread.
        torch.set_num_threads(self._threads)
        try:
            with self._lender.lend(weights, replaced or {}):
                return torch.cat([self._render_some(self._z[part]) for part in self._cut(points)])
        finally:
            torch.set_num_threads(before)


class WeightLender:
    """A generator that holds no weights of its own: each layer is lent them while it works.

    Args:
        spec: what rebuilds it, an architecture of ours, none of whose modules uses the weights of
            another.

    Attributes:
        G: the generator, to be called within `lend`.
    """

    def __init__(self, spec: GeneratorSpec) -> None:
        self.G = _build_empty(spec)
        self._device = torch.device("cpu")
        self._weights: Mapping[str, Tensor] = {}
        self._replaced: Replacements = {}
        for prefix, module in self.G.named_modules():
            own = *module.named_parameters(recurse=False), *module.named_buffers(recurse=False)
            dtypes = {name: tensor.dtype for name, tensor in own}
            if dtypes:
                path = f"{prefix}." if prefix else ""
                module.register_forward_pre_hook(partial(self._fill, path, dtypes))
                module.register_forward_hook(partial(self._empty, path, dtypes))

    def move(self, device: torch.device) -> None:
        """Render on this device from now on."""
        self._device = device
        for module in self.G.modules():
            for name, buffer in module.named_buffers(recurse=False):
                if buffer.device.type != "meta":
                    _put(module, name, buffer.to(device))

    @contextmanager
    def lend(self, weights: Mapping[str, Tensor], replaced: Replacements) -> Iterator[None]:
        """Let the generator be one of these weights.

        Args:
            weights: its state dict, on any device.
            replaced: tensors that take the place of some of them.
        """
        self._weights, self._replaced = weights, replaced
        try:
            yield
        finally:
            self._weights, self._replaced = {}, {}

    def _fill(
        self, path: str, dtypes: Mapping[str, torch.dtype], module: nn.Module, *_: Any
    ) -> None:
        for name, dtype in dtypes.items():
            full = path + name
            if full in self._weights:
                make = self._replaced.get(full)
                tensor = make() if make is not None else self._weights[full].detach()
                _put(module, name, tensor.to(self._device, dtype))

    def _empty(
        self, path: str, dtypes: Mapping[str, torch.dtype], module: nn.Module, *_: Any
    ) -> None:
        for name in dtypes:
            if path + name in self._weights:
                _put(module, name, _NOTHING)


def _put(module: nn.Module, name: str, tensor: Tensor) -> None:
    is_buffer = name in dict(module.named_buffers(recurse=False))
    setattr(module, name, tensor if is_buffer else nn.Parameter(tensor, requires_grad=False))


def _build_empty(spec: GeneratorSpec) -> nn.Module:
    """A generator in eval mode whose tensors take no memory, but for those that are no weights."""
    with torch.random.fork_rng(devices=[]):
        with torch.device("meta"):
            G = spec.build()
        kept = G.state_dict().keys()
        if any(name not in kept for name, _ in G.named_buffers()):
            G = spec.build()
    return G
