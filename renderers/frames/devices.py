"""Find the devices of this machine, and share its cores between passes and encoders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from renderers.errors import RenderError

# One forward pass fills the cores while another waits for weights or for an encoder.
CPU_CONCURRENCY = 2


def known_devices() -> list[str]:
    """The devices that are there, such as `cpu`, `cuda:0`, `mps`."""
    accelerators = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return ["cpu", *accelerators, *(["mps"] if torch.backends.mps.is_available() else [])]


def require_devices(devices: Sequence[str]) -> list[str]:
    """See that devices are there.

    Args:
        devices: one or more names; `cuda` is `cuda:0`, and the same one may come twice.

    Returns:
        The devices under their full names.

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


def concurrency_of(device: str) -> int:
    """The number of forward passes that run at a time on a device."""
    return CPU_CONCURRENCY if device == "cpu" else 1


@contextmanager
def sharing_cores(processes: int = 1) -> Iterator[None]:
    """Let forward passes on the CPU use half of the cores, and leave the others to encoders.

    Threads of one forward pass wait for each other in a busy loop, and when an encoder holds the
    core of one of them, the others waste theirs: with two threads on two cores a forward pass took
    five times the processor time of one thread. The `concurrency_of` passes that run at a time do
    not wait for each other: they use what the encoders leave.

    Args:
        processes: how many processes render at a time and share that half.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // (2 * processes * CPU_CONCURRENCY)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
