"""The devices that are there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from renderers.errors import RenderError

CPU_LANES = 2  # so that one fills the cores while another waits for weights or an encoder


def known_devices() -> list[str]:
    """Names such as `cpu`, `cuda:0`, `mps`."""
    accelerators = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return ["cpu", *accelerators, *(["mps"] if torch.backends.mps.is_available() else [])]


def require_devices(devices: Sequence[str]) -> list[str]:
    """The devices under their full names; the same one may come twice.

    Raises:
        RenderError: none is given, or one is not there.
    """
    known = known_devices()
    if not devices:
        raise RenderError(f"No device to render on. This machine has: {', '.join(known)}.")
    full = ["cuda:0" if device == "cuda" else device for device in devices]
    for device in full:
        if device not in known:
            raise RenderError(
                f"There is no device '{device}'. This machine has: {', '.join(known)}."
            )
    return full


def lanes_of(device: str) -> int:
    """Forward passes that are at work at a time on a device."""
    return CPU_LANES if device == "cpu" else 1


@contextmanager
def beside_encoders(processes: int = 1) -> Iterator[None]:
    """Let forward passes on the CPU use half of the cores, shared by so many processes.

    The encoders have the other half. Threads of one forward pass wait for each other in a busy
    loop, and when an encoder holds the core of one of them, the others burn theirs: with two
    threads on two cores a forward pass took five times the processor time of one thread. Passes
    beside each other, in `lanes_of` the CPU, do not wait: they use what the encoders leave.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // (2 * processes * CPU_LANES)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
