"""Which device to work on when nobody said."""

from __future__ import annotations

import torch


def choose_device() -> str:
    """The first GPU, else the processor."""
    return "cuda:0" if torch.cuda.is_available() else "cpu"
