"""Render parts on the devices of this machine: in this process on a CPU, else in one each."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Any, Literal

from renderers.errors import RenderError, UnfinishedRenderError
from renderers.frames.device_failures import describe_failure, is_device_failure
from renderers.frames.devices import enter_process, exact_arithmetic, sharing_cores
from renderers.jobs.failures import ProcessFailure
from renderers.plan.cutting import Part, count_part_frames
from renderers.plan.part_work import PartWork
from renderers.progress import LOOK_S, OnProgress, Rate, Silence, Watch

MAX_RESTARTS = 2  # A worker is started anew so often on a device that failed, then never again.
PATIENCE_S = 10  # A dismissed worker has this long to delete what it began.

StartMethod = Literal["spawn", "forkserver"]

log = logging.getLogger(__name__)


def render_parts(
    renderer: PartWork,
    parts: Sequence[Part],
    devices: Sequence[str],
    on_progress: OnProgress,
    start_method: StartMethod = "spawn",
) -> None:
    """Render parts, handing them out as devices get free.

    Whatever a device does, its part goes to another one: its process is started anew twice, then
    the device is left out. That also happens to a GPU that shows no frame for much longer than it
    takes for one, and since only a process can be ended that waits for a GPU, each has one of its
    own. A CPU alone works in this process.

    Args:
        devices: one or more.
        on_progress: called with the number of frames of these parts that are done and of all, and
            the rate of each device. It goes down when a device fails, since its part begins again.
        start_method: how processes begin, see `multiprocessing`: `forkserver` spares each of them
            the import of torch, which takes seconds, where many films follow each other.

    Raises:
        RenderError: the renderer cannot be sent to another process.
        UnfinishedRenderError: every device failed again and again, or its processes died.
        Exception: what one of the processes raised, with its own class; a note holds its trace.
    """
    if list(devices) == ["cpu"]:
        _render_here(renderer, parts, on_progress)
    else:
        renderer = renderer.for_other_process()
        _require_portable(renderer)
        begin = partial(_Worker, renderer, start_method)
        _WorkerPool(begin, parts, devices, on_progress).work()


def _require_portable(renderer: PartWork) -> None:
    """Raise RenderError where a renderer cannot be sent to another process."""
    try:
        pickle.dumps(renderer)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise RenderError(
            f"The film cannot be handed to the process of a GPU: {error}. Let its source be of a "
            "class that stands at the top of a module, without open files."
        ) from error


def _render_here(renderer: PartWork, parts: Sequence[Part], on_progress: OnProgress) -> None:
    """Render parts in this process, on the CPU."""
    rate, before, total = Rate("cpu"), 0, count_part_frames(parts)

    def on_frame(done: int) -> None:
        rate.count(before + done)
        on_progress(before + done, total, str(rate))

    with sharing_cores(), exact_arithmetic():
        for part in parts:
            renderer.render(part, "cpu", on_frame)
            before += len(part.batches)


@dataclass(eq=False)
class _Card:
    """A device of the pool, and how often it has failed.

    Attributes:
        last_failure: what happened the last time, as it is told after the name.
    """

    device: str
    failures: int = 0
    last_failure: str = ""

    @property
    def is_left_out(self) -> bool:
        """Whether no worker is started on it any more."""
        return self.failures > MAX_RESTARTS


class _Worker:
    """A process on one device, and the part that it renders.

    Attributes:
        card: the device, as one of several that may have the same name.
        part: the part at work; None while it waits for one.
        done: frames of that part that are done.
        silence: since it was given its part, or showed the last frame.
    """

    def __init__(
        self, renderer: PartWork, start_method: StartMethod, card: _Card, processes: int
    ) -> None:
        self.card, self.rate, self._finished = card, Rate(card.device), 0
        self.silence = Silence(card.device)
        device, variables = enter_process(card.device)
        context: Any = multiprocessing.get_context(start_method)
        self.connection, theirs = context.Pipe()
        self.process = context.Process(
            target=_work, args=(theirs, renderer, device, processes), daemon=True
        )
        with _environment(variables), _forgetting_main(renderer):
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
        self.silence.end()
        self.done = done
        self.rate.count(self._finished + done)

    def finish(self) -> int:
        """Take note that its part is whole, and return the number of frames of that part."""
        assert self.part is not None
        self.silence.end()
        frames = len(self.part.batches)
        self.part, self.done, self._finished = None, 0, self._finished + frames
        return frames

    def dismiss(self) -> None:
        """Let it end: a closed connection stops it after the frame it is at.

        What waits for a device that hangs may not end at all, and is not waited for then.
        """
        self.connection.close()
        if not self.silence.is_too_long:
            self.process.join(PATIENCE_S)
        self.process.kill()
        self.process.join(PATIENCE_S)
        if self.process.is_alive():
            log.warning("Process %d waits for %s.", self.process.pid, self.card.device)
            children: Any = getattr(multiprocessing.process, "_children", set())
            children.discard(self.process)  # Python would wait for it when it ends.


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Let processes that begin in the block find variables in their environment."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _forgetting_main(renderer: PartWork) -> Iterator[None]:
    """Let processes that begin in the block run nothing of the script that this process began with.

    They would run it again, up to where a film is asked for, unless it takes care itself. A script
    whose own classes they need has to take care.
    """
    main: Any = sys.modules["__main__"]
    if b"__main__" in pickle.dumps(renderer):
        yield
        return
    before = {name: vars(main)[name] for name in ("__spec__", "__file__") if name in vars(main)}
    main.__spec__, main.__file__ = None, None
    try:
        yield
    finally:
        del main.__file__
        vars(main).update(before)


class _WorkerPool:
    """Workers on several devices, and the parts that none of them has yet.

    Args:
        begin: begins a worker on a card, one of so many `processes`.
    """

    def __init__(
        self,
        begin: Callable[..., _Worker],
        parts: Sequence[Part],
        devices: Sequence[str],
        on_progress: OnProgress,
    ) -> None:
        self._waiting = deque(parts)
        self._finished, self._total = 0, count_part_frames(parts)
        self._on_progress = on_progress
        self._cards = [_Card(device) for device in devices]
        self._spare = deque(self._cards)  # Cards on which a worker may be started.
        self._failed_on: dict[str, set[_Card]] = {}  # The cards that failed, by the part's digest.
        used = min(len(self._cards), len(self._waiting))
        self._begin = partial(begin, processes=used)
        self._workers = [self._begin(self._spare.popleft()) for _ in range(used)]

    def work(self) -> None:
        """Render all parts."""
        watch = Watch()
        try:
            self._hand_out()
            while busy := {w.connection: w for w in self._workers if w.part}:
                for connection in wait(list(busy), LOOK_S):
                    assert isinstance(connection, Connection)
                    self._listen(busy[connection])
                self._give_up_hanging(watch.look())
                self._hand_out()
        finally:
            for worker in self._workers:
                worker.dismiss()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if not worker.part and (part := self._choose(worker.card)):
                self._waiting.remove(part)
                worker.give(part)
        if self._waiting and not self._workers:
            told = "; ".join(
                f"{card.device} failed {card.failures} times, and at last {card.last_failure}"
                for card in self._cards
            )
            raise UnfinishedRenderError(
                f"No device is left to render on: {told}. Finished parts are kept."
            )

    def _choose(self, card: _Card) -> Part | None:
        """The next part for a card: one on which it has not failed, unless all others have, too."""
        others = {worker.card for worker in self._workers} - {card}
        for part in self._waiting:
            failed = self._failed_on.get(part.digest, set())
            if card not in failed or others <= failed:
                return part
        return None

    def _listen(self, worker: _Worker) -> None:
        """Take one message: a failure, the number of frames done, or None for a whole part."""
        try:
            message: ProcessFailure | int | None = worker.connection.recv()
        except (EOFError, OSError):
            self._replace(worker, None)
            return
        if isinstance(message, ProcessFailure):
            error = message.restore()
            if not is_device_failure(error):
                raise error
            self._replace(worker, f"said: {describe_failure(error)}")
        elif message is None:
            self._finished += worker.finish()
        else:
            worker.count(message)
        done = self._finished + sum(w.done for w in self._workers)
        rates = [str(w.rate) for w in self._workers]
        lost = [f"{card.device} is left out" for card in self._cards if card.is_left_out]
        self._on_progress(done, self._total, ", ".join(filter(None, [*rates, *lost])))

    def _give_up_hanging(self, passed_s: float) -> None:
        """Let so many seconds pass, and replace workers whose device hangs."""
        for worker in [worker for worker in self._workers if worker.part]:
            worker.silence.last(passed_s)
            if worker.silence.is_too_long:
                self._replace(worker, str(worker.silence))

    def _replace(self, worker: _Worker, reason: str | None) -> None:
        """Give the part of a worker whose device failed, or that died, to another one.

        Args:
            reason: what the device did; None where the process ended without a word.
        """
        assert worker.part is not None
        self._waiting.appendleft(worker.part)
        self._failed_on.setdefault(worker.part.digest, set()).add(worker.card)
        self._workers.remove(worker)
        worker.dismiss()
        if not worker.card.is_left_out:
            self._spare.append(worker.card)
        self._count_failure(worker.card, reason or describe_death(worker.process.exitcode))
        if self._spare:
            self._workers.append(self._begin(self._spare.popleft()))

    def _count_failure(self, card: _Card, reason: str) -> None:
        """Take note of it, say it, and leave a card out that failed too often."""
        card.failures, card.last_failure = card.failures + 1, reason
        log.warning("%s %s.", card.device, reason)
        if card.is_left_out:
            log.warning("%s is left out, since it failed %d times.", card.device, card.failures)
            self._spare.remove(card)


def describe_death(status: int | None) -> str:
    """How a process ended, as it is told after the name of its device.

    Args:
        status: its exit status, negative for the number of the signal that killed it.

    Example:
        >>> describe_death(-9)
        'lost its process by SIGKILL, which the system sends where memory runs out'
        >>> describe_death(1)
        'lost its process with exit status 1'
    """
    if status is None or status >= 0:
        return f"lost its process with exit status {status}"
    name = signal.Signals(-status).name
    why = ", which the system sends where memory runs out" if name == "SIGKILL" else ""
    return f"lost its process by {name}{why}"


def _work(connection: Connection, renderer: PartWork, device: str, processes: int) -> None:
    """Render in a process of its own: parts come in, messages for `_listen` go out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides what an interrupt means.
    try:
        with sharing_cores(processes), exact_arithmetic():
            while part := _next_part(connection):
                renderer.render(part, device, connection.send)
                connection.send(None)
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
