"""The devices to compute on: which there are, which to take, and who works on which.

Who works on a GPU holds its lease: a lock on a file in the workspace, which the system frees when
its holder is gone, however it ended. Training waits for its turn, and so do films that are jobs,
which wait for each other alone; a film on `auto` takes all that nobody works on, and nobody else
may have these until it ends. Work of seconds or minutes takes a GPU that nobody holds where there
is one, and shares one otherwise. Pictures for a page take a GPU that nobody holds, or the CPU. The
CPU is everybody's; only jobs take turns on it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import torch

from checkpoints_index.storage.locks import FileLock, is_held, read_holder
from renderers.frames.devices import VISIBLE, is_card_name, require_devices
from studio.workspace.errors import StudioError
from studio.workspace.jobs import FILMS, TRAINING
from studio.workspace.paths import Workspace
from studio.workspace.progress import Say, ignore_line

POLL_S = 1.0  # How often somebody who waits for a device looks again.
AUTO = "auto"  # In the place of names: all devices that nobody works on.


class DeviceLease:
    """The right to work on a device, until it is released or the process ends.

    Args:
        locks: those that make it up.
    """

    def __init__(self, locks: Sequence[FileLock]) -> None:
        self._locks = tuple(locks)

    def release(self) -> None:
        """Let others in; doing it again changes nothing."""
        for lock in self._locks:
            lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def choose_devices() -> list[str]:
    """All GPUs as `cuda:0`, `cuda:1`, ..., or `cpu` where there is none."""
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]


def choose_device() -> str:
    """The first GPU, `cuda:0`, or `cpu` where there is none."""
    return "cuda:0" if torch.cuda.is_available() else "cpu"


def require_device(device: str | None) -> list[str]:
    """The devices that may be taken: the one that was named, else all GPUs, else the CPU.

    Raises:
        RenderError: the device is not there; the text lists those that are.
        StudioError: it is named as a card, which only a film's own processes can use.
    """
    if device is not None and is_card_name(device):
        raise StudioError(
            f"Only films take {device} by its name. Let the command see that card alone, as "
            f"cuda:0: {VISIBLE}={device}"
        )
    return choose_devices() if device is None else require_devices([device])


@contextmanager
def borrow_device(workspace: Workspace, device: str | None, work: str) -> Iterator[str]:
    """A device for short work, which never waits: a GPU that nobody holds, else a shared one.

    Args:
        device: a name such as `cuda:1` or `cpu`; chosen where None.
        work: what it is needed for, for others that wait.

    Raises:
        RenderError: the device is not there.
        StudioError: its memory ran out.
    """
    candidates = require_device(device)
    with _one_of(workspace, candidates, candidates[0], work) as chosen:
        yield chosen


@contextmanager
def spare_device(workspace: Workspace, work: str) -> Iterator[str]:
    """A device for pictures that a page waits for: a GPU that nobody holds, else the CPU.

    So they neither take time nor memory from what works on a GPU, nor wait for it.

    Args:
        work: see `borrow_device`.

    Raises:
        StudioError: the memory of the GPU ran out.
    """
    # Where no lease can be taken, nobody's work is known.
    otherwise = "cpu" if workspace.is_writable else choose_devices()[0]
    with _one_of(workspace, choose_devices(), otherwise, work) as chosen:
        yield chosen


@contextmanager
def _one_of(
    workspace: Workspace, candidates: Sequence[str], otherwise: str, work: str
) -> Iterator[str]:
    """The first of some devices that nobody holds, held meanwhile, or another one, which is not."""
    with ExitStack() as stack:
        held = take_leases(workspace.leases, candidates, 1, work)
        for lease in held.values():
            stack.enter_context(lease)
        chosen = next(iter(held), otherwise)
        try:
            yield chosen
        except torch.OutOfMemoryError as error:
            holder = read_holder(lease_path(workspace.leases, chosen)) or "nobody that is known"
            raise StudioError(
                f"{chosen} has no room left for {work}. At work there: {holder}. Wait for it, or "
                "take another: --device cpu"
            ) from error


@contextmanager
def await_devices(
    workspace: Workspace,
    device: str | None,
    count: int,
    work: str,
    say: Say = ignore_line,
    give_up: Callable[[], bool] = lambda: False,
) -> Iterator[list[str]]:
    """Devices for long work, held until it is done; who comes later waits for their turn.

    Args:
        device: a name such as `cuda:1` or `cpu`; chosen where None.
        count: how many are needed; the CPU counts as many.
        work: what they are needed for, for others that wait.
        say: told what is waited for.
        give_up: asked while waiting; a true answer ends it.

    Raises:
        RenderError: the device is not there.
        StudioError: it was given up before there was a device.
    """
    candidates = require_device(device)
    if candidates == ["cpu"]:
        yield ["cpu"] * count
        return
    with ExitStack() as stack:
        while not (held := take_leases(workspace.leases, candidates, count, work)):
            sentence = describe_wait(workspace.leases, candidates, count)
            if give_up():
                raise StudioError(f"It was ended before it began. {sentence}")
            say(sentence)
            say = ignore_line
            time.sleep(POLL_S)
        for lease in held.values():
            stack.enter_context(lease)
        yield list(held)


@contextmanager
def film_devices(
    workspace: Workspace, asked: Sequence[str], work: str, say: Say = ignore_line
) -> Iterator[list[str]]:
    """Devices for a film that is no job in the queue, held until it is done.

    Those that somebody named, or all, are taken whether others work on them or not; only `auto`
    waits for one that nobody works on.

    Args:
        asked: names of devices, none for all, or AUTO alone.
        work: what they are needed for, for others that wait.
        say: told what is waited for.

    Raises:
        StudioError: AUTO stands beside names.
    """
    candidates = name_devices(asked)
    is_auto = AUTO in asked and workspace.is_writable
    with ExitStack() as stack:
        if not is_auto:
            for device in dict.fromkeys(candidates):
                held = take_leases(workspace.leases, [device], 1, work, FILMS)
                for lease in held.values():
                    stack.enter_context(lease)
            yield candidates
            return
        while not (
            held := take_leases(workspace.leases, candidates, 1, work, FILMS, exclusive=True)
        ):
            say(describe_wait(workspace.leases, candidates, 1, FILMS, exclusive=True))
            say = ignore_line
            time.sleep(POLL_S)
        for lease in held.values():
            stack.enter_context(lease)
        yield list(held)


def name_devices(asked: Sequence[str]) -> list[str]:
    """The names of the devices of which a film may take some, or all.

    Raises:
        StudioError: AUTO stands beside names.
    """
    if AUTO in asked and len(asked) > 1:
        raise StudioError(
            f"'{AUTO}' stands for all devices that nobody works on: name either it or devices, "
            f"not {','.join(asked)}."
        )
    return list(asked) if asked and AUTO not in asked else choose_devices()


def take_leases(
    folder: Path,
    candidates: Sequence[str],
    count: int,
    work: str,
    kind: str = "",
    exclusive: bool = False,
) -> dict[str, DeviceLease]:
    """Leases of so many devices, the first ones that nobody holds; none where there are too few.

    Args:
        folder: where the leases of the workspace lie; made if it is not there. Where it cannot be
            written to, nobody's work is known, and devices are taken as they come.
        candidates: names of devices.
        work: noted in each lease.
        kind: of work that takes turns. The CPU, which is everybody's, has leases for such alone.
        exclusive: take all devices on which there is no work of any kind, `count` at least.
    """
    held: dict[str, DeviceLease] = {}
    note = f"{work} (process {os.getpid()})"
    for device in candidates:
        if device == "cpu" and not kind:
            continue
        locks: list[FileLock] = []
        try:
            folder.mkdir(exist_ok=True)
            for path in lease_paths(folder, device, kind, exclusive):
                locks.append(FileLock(path, note=note))
        except OSError as error:
            DeviceLease(locks).release()
            if isinstance(error, BlockingIOError):
                continue
            count = len(candidates) + 1  # Nothing can be held here.
            break
        held[device] = DeviceLease(locks)
        if len(held) == count and not exclusive:
            return held
    if exclusive and len(held) >= count:
        return held
    for lease in held.values():
        lease.release()
    return {}


def describe_wait(
    folder: Path, candidates: Sequence[str], count: int, kind: str = "", exclusive: bool = False
) -> str:
    """The sentence about devices that others hold; the arguments are those of `take_leases`."""
    holders = []
    for device in candidates:
        paths = lease_paths(folder, device, kind, exclusive)
        at_work = next(filter(is_held, paths), paths[0])
        holders.append(f"{device}: {read_holder(at_work)}")
    wanted = "a device" if count == 1 else f"{count} devices"
    return f"Waiting for {wanted}. At work: {'; '.join(holders)}."


def lease_paths(folder: Path, device: str, kind: str, exclusive: bool) -> list[Path]:
    """The files whose locks are a device's lease, in the order in which they are taken.

    Exclusive work holds those of training as well, for which the CPU has none.
    """
    own = [lease_path(folder, device)] if exclusive and device != "cpu" else []
    return list(dict.fromkeys([*own, lease_path(folder, device, kind)]))


def lease_path(folder: Path, device: str, kind: str = "") -> Path:
    """The file of a device's lease, by machine and card: others may count the cards otherwise.

    Training has a card's own lease, whether it takes turns or not; other kinds have others.
    """
    processor, _, index = device.partition(":")
    card, visible = index, os.environ.get(VISIBLE, "").split(",")
    if device.startswith("GPU-"):
        processor, card = "cuda", device.removeprefix("GPU-")
    elif processor == "cuda" and visible[0].startswith("MIG-"):
        processor = visible[min(int(index or 0), len(visible) - 1)].strip()
    elif processor == "cuda" and torch.cuda.is_available():
        known = getattr(torch.cuda.get_device_properties(int(index)), "uuid", index)
        card = str(known).removeprefix("GPU-")
    apart = "" if kind in ("", TRAINING) else f"-{kind}"
    name = f"{processor}-{card or 0}".replace("/", "-")  # Older names of parts have slashes.
    return folder / f"{socket.gethostname()}{apart}-{name}.lock"


def visible_devices(devices: Sequence[str]) -> dict[str, str]:
    """The environment in which new processes see some devices of this one alone, in their order.

    Example:
        >>> visible_devices(["cpu", "cpu"])
        {'CUDA_VISIBLE_DEVICES': ''}
    """
    known = os.environ.get(VISIBLE, "").split(",") if os.environ.get(VISIBLE) else []
    numbers = [int(device.partition(":")[2] or 0) for device in devices if device != "cpu"]
    return {VISIBLE: ",".join(known[n] if known else str(n) for n in numbers)}
