"""Half precision where it is safe: autocast, and the loss scale of fp16 (Micikevicius 2018)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer

from studio.runs.config import Precision

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
# Names in the training state: the scale, and the steps since it last changed.
SCALE, STEADY = "loss_scale", "loss_scale_steady"


def choose_precision(precision: Precision, device: str) -> Precision:
    """The number format that a precision stands for on a device; "auto" is bf16 or float32.

    bf16 needs instructions of its own to be fast: GPUs have them since Ampere (2020), processors as
    AVX-512 BF16 or AMX. Without them a processor takes several times as long as in float32.

    Args:
        device: such as `cpu` or `cuda:0`.
    """
    if precision != "auto":
        return precision
    return "bf16" if has_fast_bf16(device) else "float32"


def has_fast_bf16(device: str) -> bool:
    """Whether a device multiplies bf16 numbers by instructions of its own."""
    if device == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return torch.cuda.is_available() and torch.cuda.get_device_capability(device) >= (8, 0)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context that networks run in; their weights stay float32.

    Args:
        precision: float32, bf16 or fp16.
    """
    half = HALVES.get(precision)
    return torch.autocast(device.type, half, enabled=half is not None)


class LossScale:
    """Keeps the small gradients of fp16 from vanishing; with other precisions it does nothing.

    A step whose gradients overflow is left out, and the scale is halved.

    Args:
        numbers: where the scale stands between two steps, so that it is saved and restored.
    """

    def __init__(self, device: torch.device, precision: str, numbers: dict[str, float]) -> None:
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self._numbers = numbers

    def begin(self) -> None:
        """Read the scale from the numbers, before the first backward pass of an update."""
        if self._scaler.is_enabled() and SCALE in self._numbers:
            state = self._scaler.state_dict()
            state |= {"scale": self._numbers[SCALE], "_growth_tracker": int(self._numbers[STEADY])}
            self._scaler.load_state_dict(state)

    def backward(self, loss: Tensor) -> None:
        """Run the backward pass of a scaled loss, a scalar."""
        torch.autograd.backward(self._scaler.scale(loss))

    def undo(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimiser by the scale."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        """Let an optimiser step if all gradients are finite, and write the scale down."""
        self._scaler.step(optimizer)
        self._scaler.update()
        if self._scaler.is_enabled():
            state = self._scaler.state_dict()
            self._numbers |= {SCALE: state["scale"], STEADY: state["_growth_tracker"]}

    def finite_norm(self, norm: Tensor) -> Tensor:
        """A gradient's norm, a scalar; 0 where it overflowed, since that step is left out."""
        return torch.where(norm.isfinite(), norm, 0.0) if self._scaler.is_enabled() else norm
