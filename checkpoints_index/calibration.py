"""How coarsely weights may be rounded before anybody could see it.

Each large tensor gets one power-of-two step. A tensor whose rounding hardly touches the picture,
or whose weights move far from one batch to the next, gets a larger one: the bytes of a difference
fall with the step, the error of the picture rises with it, and the cheapest way to spend an
allowed error is step ~ (mean change / sensitivity)^(1/3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from checkpoints_index.spec import GeneratorSpec

SMALLEST_ROUNDED_TENSOR = 1024  # biases, batch-norm and the like are kept to the bit
CALIBRATION_SEED = 777
MARGIN = 0.5  # steps are chosen for this share of the allowed error: weights move between checks


@dataclass(frozen=True)
class Promise:
    """By how much a picture may differ from that of the exact weights, in levels of 0..255."""

    rms: float = 0.10
    largest: int = 1
    pictures: int = 16  # number of latent points it is checked on


class Calibration:
    """Chooses steps for one generator, and checks them by rendering."""

    def __init__(self, spec: GeneratorSpec, promise: Promise) -> None:
        self.promise = promise
        self._G = spec.build()
        generator = torch.Generator().manual_seed(CALIBRATION_SEED)
        count = promise.pictures if spec.image_size <= 256 else max(1, promise.pictures // 4)
        self._z = torch.randn(count, spec.z_dim, generator=generator)

    def choose_steps(
        self, weights: Mapping[str, Tensor], changes: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """A step for each tensor that may be rounded, such that the promise holds.

        Args:
            weights: the state dict at which the steps are chosen.
            changes: mean absolute change of each tensor from one batch to the next, if known.
        """
        names = [name for name, tensor in weights.items() if _may_be_rounded(tensor)]
        sensitivities = self._measure_sensitivities(weights, names)
        wishes = {
            name: ((changes or {}).get(name) or 1.0) / max(sensitivities[name], 1e-30)
            for name in names
        }
        raw = {name: wish ** (1 / 3) for name, wish in wishes.items()}
        expected = sum(
            sensitivities[name] * weights[name].numel() * raw[name] ** 2 / 12 for name in names
        )
        scale = MARGIN * self.promise.rms / math.sqrt(expected) if expected > 0 else 1e-6
        steps = {name: _power_of_two_below(raw[name] * scale) for name in names}
        return self._tighten(weights, steps)

    def keeps_promise(
        self,
        weights: Mapping[str, Tensor],
        rounded: Mapping[str, Tensor],
        pictures: int | None = None,
    ) -> bool:
        """Whether the rounded weights make the same pictures, by rendering some or all of them."""
        exact, other = self._render(weights, pictures), self._render(rounded, pictures)
        largest = float((exact.round() - other.round()).abs().max())
        return _rms(exact - other) <= self.promise.rms and largest <= self.promise.largest

    def _tighten(self, weights: Mapping[str, Tensor], steps: dict[str, float]) -> dict[str, float]:
        """Halve all steps until the pictures agree; in the end every tensor is exact."""
        exact = self._render(weights)
        while steps:
            rounded = {
                name: torch.round(tensor / steps[name]) * steps[name] if name in steps else tensor
                for name, tensor in weights.items()
            }
            if _rms(self._render(rounded) - exact) <= MARGIN * self.promise.rms:
                break
            steps = {name: step / 2 for name, step in steps.items() if step > 2**-60}
        return steps

    def _measure_sensitivities(
        self, weights: Mapping[str, Tensor], names: list[str]
    ) -> dict[str, float]:
        """Mean square change of the picture (levels^2) for each unit of variance of one weight."""
        noise = torch.Generator().manual_seed(CALIBRATION_SEED)
        base = self._render(weights)
        sensitivities = {}
        for name in names:
            tensor = weights[name].detach().cpu()
            width = 1e-2 * float(tensor.square().mean().sqrt()) + 1e-12
            jitter = (torch.rand(tensor.shape, generator=noise) - 0.5) * width
            changed = self._render({**weights, name: tensor + jitter})
            mean_square = float((changed - base).square().mean())
            sensitivities[name] = mean_square / (width**2 / 12) / tensor.numel()
        return sensitivities

    @torch.inference_mode()
    def _render(self, weights: Mapping[str, Tensor], pictures: int | None = None) -> Tensor:
        """Pictures at the calibration points, float64 [N, 3, H, W] in levels 0..255."""
        self._G.load_state_dict(dict(weights))
        return (self._G(self._z[:pictures]).double().clamp(-1, 1) + 1) * 127.5


def mean_changes(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, float]:
    """Mean absolute change of each tensor that may be rounded."""
    return {
        name: float((tensor.detach().cpu() - before[name].detach().cpu()).abs().mean())
        for name, tensor in after.items()
        if _may_be_rounded(tensor) and name in before
    }


def _rms(difference: Tensor) -> float:
    return float(difference.square().mean().sqrt())


def _may_be_rounded(tensor: Tensor) -> bool:
    return (
        tensor.dtype == torch.float32
        and tensor.ndim >= 2
        and tensor.numel() >= SMALLEST_ROUNDED_TENSOR
    )


def _power_of_two_below(value: float) -> float:
    return float(2.0 ** np.floor(np.log2(value)))
