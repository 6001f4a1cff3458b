"""The devices to compute on when a person names none."""

from __future__ import annotations

import torch


def choose_devices() -> list[str]:
    """All GPUs as `cuda:0`, `cuda:1`, ..., or `cpu` where there is none."""
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]


def choose_device() -> str:
    """The first GPU, `cuda:0`, or `cpu` where there is none."""
    return "cuda:0" if torch.cuda.is_available() else "cpu"
