"""Which device to work on when nobody said."""

from __future__ import annotations

import torch


def choose_devices() -> list[str]:
    """All GPUs, else the processor."""
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]


def choose_device() -> str:
    """The first GPU, else the processor."""
    return "cuda:0" if torch.cuda.is_available() else "cpu"
