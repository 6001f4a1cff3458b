"""Half precision where it is safe (Micikevicius et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
SCALE, STEADY = "loss_scale", "loss_scale_steady"  # steady: steps since it last changed


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """What networks run in; their weights stay float32."""
    half = HALVES.get(precision)
    return torch.autocast(device.type, half, enabled=half is not None)


class LossScale:
    """Keeps fp16's small gradients from vanishing; with other precisions it does nothing.

    A step whose gradients overflow is left out, and the scale is halved.

    Args:
        numbers: where the scale stands between steps, so that it can be saved and set.
    """

    def __init__(self, device: torch.device, precision: str, numbers: dict[str, float]) -> None:
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self._numbers = numbers

    def begin(self) -> None:
        """Take the scale from the numbers."""
        if self._scaler.is_enabled() and SCALE in self._numbers:
            state = self._scaler.state_dict()
            state |= {"scale": self._numbers[SCALE], "_growth_tracker": int(self._numbers[STEADY])}
            self._scaler.load_state_dict(state)

    def backward(self, loss: Tensor) -> None:
        self._scaler.scale(loss).backward()

    def undo(self, optimizer: Optimizer) -> None:
        """Gradients as they would be without the scale."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        self._scaler.step(optimizer)
        self._scaler.update()
        if self._scaler.is_enabled():
            state = self._scaler.state_dict()
            self._numbers |= {SCALE: state["scale"], STEADY: state["_growth_tracker"]}

    def length(self, norm: Tensor) -> Tensor:
        """A gradient's norm; 0 where the step is left out."""
        return torch.where(norm.isfinite(), norm, 0.0) if self._scaler.is_enabled() else norm
