"""Find the devices of this machine, and share its cores between passes and encoders."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from renderers.errors import RenderError

# One forward pass fills the cores while another waits for weights or for an encoder.
MAX_DIGITS = 9  # Of the number of a card, as somebody writes it.
CPU_CONCURRENCY = 2
# Names of whole cards, and of parts of cards (MIG), in the list of `nvidia-smi -L`.
CARD_NAMES = ("GPU-", "MIG-")
VISIBLE = "CUDA_VISIBLE_DEVICES"


def known_devices() -> list[str]:
    """The devices that are there, such as `cpu`, `cuda:0`, `mps`."""
    accelerators = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return ["cpu", *accelerators, *(["mps"] if torch.backends.mps.is_available() else [])]


def list_card_names() -> list[str]:
    """The names of all cards and of their parts (MIG), whichever of them this process may use."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return re.findall(r"UUID: ((?:GPU|MIG)-[^)\s]+)", listed.stdout)


def require_devices(devices: Sequence[str]) -> list[str]:
    """See that devices are there.

    Args:
        devices: one or more names; `cuda` is `cuda:0`, the same one may come twice, and names of
            `list_card_names` are taken as they are.

    Returns:
        The devices under their full names.

    Raises:
        RenderError: none is given, or one is not there.
    """
    known = known_devices()
    if not devices:
        raise RenderError(f"No device to render on. This machine has: {', '.join(known)}.")
    full = ["cuda:0" if device == "cuda" else device for device in devices]
    if any(map(is_card_name, full)):
        known += list_card_names()
    for device in full:
        if device not in known:
            raise RenderError(
                f"There is no device '{device}'. This machine has: {', '.join(known)}."
            )
    return full


def is_card_name(device: str) -> bool:
    """Whether a device is named as a card, so that a process of its own has to use it."""
    return device.startswith(CARD_NAMES)


def device_here(devices: Sequence[str]) -> str:
    """The first of some devices that this process can use; the CPU where they are card names."""
    return next((device for device in devices if not is_card_name(device)), "cpu")


def enter_process(device: str) -> tuple[str, dict[str, str]]:
    """How a new process gets at a device: its name there, and what its environment must say.

    CUDA shows a process one part of a card only, whichever is named, and that one is its first.

    Example:
        >>> enter_process("cuda:1"), enter_process("MIG-5a1c")
        (('cuda:1', {}), ('cuda:0', {'CUDA_VISIBLE_DEVICES': 'MIG-5a1c'}))
    """
    return ("cuda:0", {VISIBLE: device}) if is_card_name(device) else (device, {})


def card_number(device: str) -> int | None:
    """The number of a GPU of CUDA, as this process counts them; None for another device.

    Example:
        >>> card_number("cuda:1"), card_number("cpu")
        (1, None)
    """
    processor, _, index = device.partition(":")
    fits = not index or (index.isascii() and index.isdecimal() and len(index) <= MAX_DIGITS)
    return int(index or 0) if processor == "cuda" and fits else None


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


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Let forward passes in float32 be float32, and give the same bits each time they run.

    A GPU would round the factors of convolutions to 10 bits (TF32), and choose among ways to add
    that differ in their last bits, so that a part which is rendered again, or on another card of
    the same kind, would not join the others without a seam. This is the one place that decides it,
    for films and previews of them. Half precision is asked for by its name, see `FrameRenderer`.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
