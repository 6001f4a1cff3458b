"""Starts one command as several processes of this machine, which train together."""

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import IO

import torch
from torch.distributed import TCPStore

from studio.workspace.errors import StudioError
from studio.workspace.stopping import SIGNALS

LOOPBACK = "127.0.0.1"
POLL_S = 0.1  # Time between two checks of the processes.
PATIENCE_S = 20.0  # Time for the others to end, once one has died.
OTHERS_S = 2.0  # Seconds that the others have to end where one was aborted.
ABORTED = 128 + signal.SIGABRT
WHEN_PARENT_DIES = 1  # PR_SET_PDEATHSIG of prctl(2).


def launch(
    command: Sequence[str], processes: int, variables: Mapping[str, str] | None = None
) -> int:
    """Run a command in several processes, in the environment that torchrun gives them.

    They meet on loopback. The first one is the main process: the standard output of the others is
    dropped, and their standard error is printed only where it tells why all of them ended. SIGTERM
    and SIGINT are passed on, so that training ends cleanly; when one process dies, the others are
    ended; when this one dies, they are asked to end. Call it in the main thread.

    Args:
        command: such as [sys.executable, "-m", "studio", "train", ...].
        processes: how many, one or more.
        variables: further variables of their environment.

    Returns:
        0 if all ended well, else the exit status of the first that did not (128 and the number of
        the signal, if one ended it).
    """
    with ExitStack() as stack:
        store = open_store()
        members: list[Member] = []
        stack.enter_context(passing_signals(members))
        for rank in range(processes):
            errors = stack.enter_context(tempfile.TemporaryFile()) if rank else None
            own = environment(rank, processes, store.port) | dict(variables or {})
            members.append(Member(command, own, errors))
            stack.callback(members[-1].kill)
        return wait_for(members)


def check_devices(processes: int) -> None:
    """Refuse more processes than GPUs, on a machine that has GPUs.

    Raises:
        StudioError: the text has both numbers.
    """
    gpus = torch.cuda.device_count()
    if gpus and processes > gpus:
        raise StudioError(
            f"{processes} processes need a GPU each, but this machine has {gpus}. "
            f"Give --processes {gpus} or fewer."
        )


def open_store() -> TCPStore:
    """The store where the processes find each other: on loopback, at a free port."""
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
    """The variables that torchrun gives a process, with all traffic on this machine."""
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
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # The launcher keeps the store.
        "GLOO_SOCKET_IFNAME": interface,
        "NCCL_SOCKET_IFNAME": interface,
    }


class Member:
    """One of the processes that train together.

    Args:
        errors: the file for its standard error; None for the main process, which prints its own.
    """

    def __init__(
        self, command: Sequence[str], environment: dict[str, str], errors: IO[bytes] | None
    ) -> None:
        self.errors = errors
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if errors else None,
            stderr=errors,
            start_new_session=True,  # So that Ctrl-C reaches it once, from here.
            preexec_fn=ending_with_parent(),
        )

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return self.process.poll() is None

    @property
    def status(self) -> int:
        """The exit status, 128 and the number of a signal; 0 while the process runs."""
        code = self.process.poll() or 0
        return code if code >= 0 else 128 - code

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.wait()

    def print_errors(self) -> None:
        """Print what the process wrote on standard error."""
        if self.errors is not None:
            self.errors.seek(0)
            sys.stderr.flush()
            shutil.copyfileobj(self.errors, sys.stderr.buffer)
            sys.stderr.flush()


def ending_with_parent() -> Callable[[], object] | None:
    """A function for a new process that asks Linux for SIGTERM when the launcher dies."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(WHEN_PARENT_DIES, signal.SIGTERM)


@contextmanager
def passing_signals(members: list[Member]) -> Iterator[None]:
    """Pass signals that ask this process to end on to all members."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        for member in members:
            member.process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_for(members: list[Member]) -> int:
    """The exit status of the first that failed, once all have ended; 0 if none did."""
    while any(m.is_running for m in members) and not any(m.status for m in members):
        time.sleep(POLL_S)
    failed = find_failed(members)
    if failed is None:
        return 0
    end_all(members)
    failed.print_errors()
    return failed.status


def find_failed(members: list[Member]) -> Member | None:
    """The member that failed first, as far as that is known; None if none did.

    One that has lost the others may be aborted by the library that they talked through, as soon as
    the one that failed is gone. So an abort counts only where nobody else fails a moment later.
    """
    deadline = time.monotonic() + OTHERS_S
    while True:
        failed = [member for member in members if member.status]
        told = [member for member in failed if member.status != ABORTED]
        if told or not failed:
            return told[0] if told else None
        if time.monotonic() > deadline or not any(member.is_running for member in members):
            return failed[0]
        time.sleep(POLL_S)


def end_all(members: list[Member]) -> None:
    """Ask the members that still run to end, and kill those that do not."""
    for member in members:
        member.process.terminate()
    deadline = time.monotonic() + PATIENCE_S
    while any(member.is_running for member in members) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for member in members:
        member.kill()
