"""One command as several processes of this machine, which train together."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import IO

import torch
from torch.distributed import TCPStore

from studio.workspace.errors import StudioError
from studio.workspace.stopping import SIGNALS

LOOPBACK = "127.0.0.1"
LOOK_S = 0.1  # between two looks at the processes
PATIENCE_S = 20.0  # for the others to end, once one has died
WHEN_PARENT_DIES = 1  # prctl(2), PR_SET_PDEATHSIG


def launch(command: Sequence[str], processes: int) -> int:
    """Run a command in several processes, under the environment that torchrun gives them.

    They meet on loopback. The first one is the main process: the others' standard output goes
    nowhere, and what they say on standard error is shown only where it is why all of them ended.
    SIGTERM and SIGINT are passed on, so that training ends cleanly; when one process dies, so do
    the others; when this one dies, they are asked to end. For the main thread.

    Args:
        command: such as [sys.executable, "-m", "studio", "train", ...].
        processes: one or more.

    Returns:
        0 if all ended well, else the exit status of the first that did not (128 and the number of
        the signal, if one ended it).

    Raises:
        StudioError: there are fewer GPUs than processes on a machine that has GPUs.
    """
    check_devices(processes)
    with ExitStack() as stack:
        store = open_store()
        team: list[Member] = []
        stack.enter_context(passing_on(team))
        for rank in range(processes):
            said = stack.enter_context(tempfile.TemporaryFile()) if rank else None
            team.append(Member(command, environment(rank, processes, store.port), said))
            stack.callback(team[-1].end_now)
        return wait_for(team)


def check_devices(processes: int) -> None:
    gpus = torch.cuda.device_count()
    if gpus and processes > gpus:
        raise StudioError(
            f"{processes} processes need a GPU each, but this machine has {gpus}. "
            f"Give --processes {gpus} or fewer."
        )


def open_store() -> TCPStore:
    """Where the processes find each other: on loopback, at a port that was free."""
    listener = socket.create_server((LOOPBACK, 0))
    port = listener.getsockname()[1]
    return TCPStore(
        LOOPBACK,
        port,
        is_master=True,
        wait_for_workers=False,
        master_listen_fd=listener.detach(),
    )


def environment(rank: int, processes: int, port: int) -> dict[str, str]:
    """What torchrun gives a process, and that all of it stays on this machine."""
    interface = "lo0" if sys.platform == "darwin" else "lo"
    threads = max(1, (os.cpu_count() or 1) // processes)
    return {
        "OMP_NUM_THREADS": str(threads),
        **os.environ,
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": LOOPBACK,
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # the store is the launcher's
        "GLOO_SOCKET_IFNAME": interface,
        "NCCL_SOCKET_IFNAME": interface,
    }


class Member:
    """One process of the team.

    Args:
        said: takes its standard error; None for the main process, which speaks for itself.
    """

    def __init__(
        self, command: Sequence[str], environment: dict[str, str], said: IO[bytes] | None
    ) -> None:
        self.said = said
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if said else None,
            stderr=said,
            start_new_session=True,  # Ctrl-C reaches it once: from us
            preexec_fn=ending_with_parent(),
        )

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    @property
    def status(self) -> int:
        """Its exit status; 0 while it runs."""
        code = self.process.poll() or 0
        return code if code >= 0 else 128 - code

    def end_now(self) -> None:
        self.process.kill()
        self.process.wait()

    def repeat(self) -> None:
        """Show what it said."""
        if self.said is not None:
            self.said.seek(0)
            sys.stderr.flush()
            shutil.copyfileobj(self.said, sys.stderr.buffer)
            sys.stderr.flush()


def ending_with_parent() -> Callable[[], object] | None:
    """Asks Linux, from within a new process, for a SIGTERM when the launcher dies, even killed."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(WHEN_PARENT_DIES, signal.SIGTERM)


@contextmanager
def passing_on(team: list[Member]) -> Iterator[None]:
    """Pass requests to end on to all processes."""

    def tell(number: int, frame: FrameType | None) -> None:
        for member in team:
            member.process.send_signal(number)

    before = {number: signal.signal(number, tell) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_for(team: list[Member]) -> int:
    """The exit status of the first that failed, once all have ended; 0 if none did."""
    while any(member.is_running for member in team) and not any(member.status for member in team):
        time.sleep(LOOK_S)
    failed = next((member for member in team if member.status), None)
    if failed is None:
        return 0
    end_others(team)
    failed.repeat()
    return failed.status


def end_others(team: list[Member]) -> None:
    """Ask those that still run to end, and make them if they do not."""
    for member in team:
        member.process.terminate()
    deadline = time.monotonic() + PATIENCE_S
    while any(member.is_running for member in team) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    for member in team:
        member.end_now()
