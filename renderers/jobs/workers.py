"""Render parts on the devices of this machine: in this process on one, else in one process each."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections import Counter, deque
from collections.abc import Sequence
from functools import partial
from multiprocessing.connection import Connection, wait

import torch

from renderers.errors import UnfinishedRenderError
from renderers.frames.devices import sharing_cores
from renderers.jobs.failures import ProcessFailure
from renderers.jobs.parts import PartRenderer
from renderers.plan.cutting import Part, count_part_frames
from renderers.progress import OnProgress, Rate

MAX_DEATHS = 3  # So many processes on one device are replaced before it is given up.
PATIENCE_S = 10  # A dismissed worker has this long to delete what it began.

log = logging.getLogger(__name__)


def render_parts(
    renderer: PartRenderer,
    parts: Sequence[Part],
    devices: Sequence[str],
    on_progress: OnProgress,
) -> None:
    """Render parts, handing them out as devices get free.

    Args:
        devices: one or more; each gets a process of its own if there are several.
        on_progress: called with the number of frames of these parts that are done and of all, and
            the rate of each device. It goes down when a process dies, since its part begins again.

    Raises:
        UnfinishedRenderError: processes died again and again on every device.
        Exception: what one of the processes raised, with its own class; a note holds its trace.
    """
    if len(devices) == 1:
        _render_here(renderer, parts, devices[0], on_progress)
    elif parts:
        _WorkerPool(renderer, parts, devices, on_progress).work()


def _render_here(
    renderer: PartRenderer, parts: Sequence[Part], device: str, on_progress: OnProgress
) -> None:
    rate, before, total = Rate(device), 0, count_part_frames(parts)

    def on_frame(done: int) -> None:
        rate.count(before + done)
        on_progress(before + done, total, str(rate))

    with sharing_cores():
        for part in parts:
            renderer.render(part, device, on_frame)
            before += len(part.batches)


class _Worker:
    """A process on one device, and the part that it renders.

    Attributes:
        part: the part at work; None while it waits for one.
        done: frames of that part that are done.
    """

    def __init__(self, renderer: PartRenderer, device: str, processes: int) -> None:
        self.device, self.rate, self._finished = device, Rate(device), 0
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        self.process = spawn.Process(
            target=_work, args=(theirs, renderer, device, processes), daemon=True
        )
        self.process.start()
        theirs.close()  # Only the worker holds it now, so its death ends the connection.
        self.part: Part | None = None
        self.done = 0

    def give(self, part: Part) -> None:
        """Send the next part; a worker that is dead is noticed when it is listened to."""
        self.part, self.done = part, 0
        try:
            self.connection.send(part)
        except OSError:
            return

    def count(self, done: int) -> None:
        """Take note of the frames of its part that are done by now."""
        self.done = done
        self.rate.count(self._finished + done)

    def finish(self) -> int:
        """Take note that its part is whole, and return the number of frames of that part."""
        assert self.part is not None
        frames = len(self.part.batches)
        self.part, self.done, self._finished = None, 0, self._finished + frames
        return frames

    def dismiss(self) -> None:
        """Let it end: a closed connection stops it after the frame it is at."""
        self.connection.close()
        self.process.join(PATIENCE_S)
        self.process.kill()
        self.process.join()


class _WorkerPool:
    """Workers on several devices, and the parts that none of them has yet."""

    def __init__(
        self,
        renderer: PartRenderer,
        parts: Sequence[Part],
        devices: Sequence[str],
        on_progress: OnProgress,
    ) -> None:
        self._waiting = deque(parts)
        self._finished, self._total = 0, count_part_frames(parts)
        self._on_progress = on_progress
        used = devices[: len(parts)]
        self._deaths, self._last_death = Counter[str](), ""
        self._begin = partial(_Worker, renderer, processes=len(used))
        self._workers = [self._begin(device) for device in used]

    def work(self) -> None:
        """Render all parts."""
        try:
            self._hand_out()
            while busy := {w.connection: w for w in self._workers if w.part}:
                for connection in wait(list(busy)):
                    assert isinstance(connection, Connection)
                    self._listen(busy[connection])
                self._hand_out()
        finally:
            for worker in self._workers:
                worker.dismiss()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if self._waiting and not worker.part:
                worker.give(self._waiting.popleft())
        if self._waiting and not self._workers:
            raise UnfinishedRenderError(
                f"The render processes died again and again, the last one {self._last_death}. "
                "Finished parts are kept."
            )

    def _listen(self, worker: _Worker) -> None:
        """Take one message: a failure, the number of frames done, or None for a whole part."""
        try:
            message: ProcessFailure | int | None = worker.connection.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        if isinstance(message, ProcessFailure):
            raise message.restore()
        if message is None:
            self._finished += worker.finish()
        else:
            worker.count(message)
        done = self._finished + sum(w.done for w in self._workers)
        rates = ", ".join(filter(None, (str(w.rate) for w in self._workers)))
        self._on_progress(done, self._total, rates)

    def _bury(self, worker: _Worker) -> None:
        """Give the part of a dead worker to another one, and replace it a few times."""
        assert worker.part is not None
        self._waiting.appendleft(worker.part)
        self._workers.remove(worker)
        worker.dismiss()
        self._last_death = describe_death(worker.device, worker.process.exitcode)
        log.warning("A render process died %s; another one takes over.", self._last_death)
        self._deaths[worker.device] += 1
        if self._deaths[worker.device] <= MAX_DEATHS:
            self._workers.append(self._begin(worker.device))


def describe_death(device: str, status: int | None) -> str:
    """How a process ended.

    Args:
        status: its exit status, negative for the number of the signal that killed it.

    Example:
        >>> describe_death("cuda:0", -9)
        'on cuda:0 by SIGKILL, which the system sends where memory runs out'
        >>> describe_death("cuda:0", 1)
        'on cuda:0 with exit status 1'
    """
    if status is None or status >= 0:
        return f"on {device} with exit status {status}"
    name = signal.Signals(-status).name
    why = ", which the system sends where memory runs out" if name == "SIGKILL" else ""
    return f"on {device} by {name}{why}"


def _work(connection: Connection, renderer: PartRenderer, device: str, processes: int) -> None:
    """Render in a process of its own: parts come in, messages for `_listen` go out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides what an interrupt means.
    try:
        with sharing_cores(processes):
            while part := _next_part(connection):
                renderer.render(part, device, connection.send)
                connection.send(None)
    except torch.AcceleratorError as error:
        log.warning("%s is lost, another one takes over its part: %s", device, error)
    except Exception as error:
        _report(connection, error)


def _next_part(connection: Connection) -> Part | None:
    """The next part to render; None where nobody is there any more to send one."""
    try:
        part: Part = connection.recv()
    except EOFError:
        return None
    return part


def _report(connection: Connection, error: Exception) -> None:
    try:
        connection.send(ProcessFailure.capture(error))
    except OSError:
        return  # Nobody listens any more.
