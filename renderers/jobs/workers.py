"""Parts on devices: in this process for one, in a process each for several."""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from renderers.errors import RenderError
from renderers.frames.devices import beside_encoders
from renderers.jobs.parts import PartRenderer
from renderers.plan.render_plan import Part
from renderers.progress import OnFrames, Rate

PATIENCE_S = 10  # for a worker to delete what it began, once nobody listens to it any more

log = logging.getLogger(__name__)


def render_parts(
    renderer: PartRenderer,
    parts: Sequence[Part],
    devices: Sequence[str],
    on_frames: OnFrames,
) -> None:
    """Render parts, handing them out as devices get free.

    Args:
        devices: one or more; each gets a process of its own if there are several.
        on_frames: called with the number of frames of these parts that are done, and the rate of
            each device. It goes down when a process dies, since its part begins again.

    Raises:
        RenderError: all processes died. What one of them raised is raised here.
    """
    if len(devices) == 1:
        _render_here(renderer, parts, devices[0], on_frames)
    elif parts:
        _Crew(renderer, parts, devices, on_frames).work()


def _render_here(
    renderer: PartRenderer, parts: Sequence[Part], device: str, on_frames: OnFrames
) -> None:
    rate, before = Rate(device), 0

    def on_frame(done: int) -> None:
        rate.count(before + done)
        on_frames(before + done, str(rate))

    with beside_encoders():
        for part in parts:
            renderer.render(part, device, on_frame)
            before += len(part.batches)


class _Worker:
    """A process on one device, and the part that it has."""

    def __init__(self, renderer: PartRenderer, device: str, processes: int) -> None:
        self.device, self.rate, self.whole = device, Rate(device), 0
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        self.process = spawn.Process(
            target=_work, args=(theirs, renderer, device, processes), daemon=True
        )
        self.process.start()
        theirs.close()  # so that the worker's death ends the connection
        self.part: Part | None = None
        self.done = 0  # frames of that part

    def give(self, part: Part) -> None:
        self.part, self.done = part, 0
        try:
            self.connection.send(part)
        except OSError:
            return  # it died; its end of the connection tells

    def count(self, done: int) -> None:
        """Take note of the frames of its part that are done by now."""
        self.done = done
        self.rate.count(self.whole + done)

    def finish(self) -> int:
        """Its part is whole: the number of frames that it had."""
        assert self.part is not None
        frames = len(self.part.batches)
        self.part, self.done, self.whole = None, 0, self.whole + frames
        return frames

    def dismiss(self) -> None:
        """Let it end: a closed connection stops it after the frame it is at."""
        self.connection.close()
        self.process.join(PATIENCE_S)
        self.process.kill()
        self.process.join()


class _Crew:
    def __init__(
        self,
        renderer: PartRenderer,
        parts: Sequence[Part],
        devices: Sequence[str],
        on_frames: OnFrames,
    ) -> None:
        self._waiting = deque(parts)
        self._finished = 0
        self._on_frames = on_frames
        crew = devices[: len(parts)]
        self._workers = [_Worker(renderer, device, len(crew)) for device in crew]

    def work(self) -> None:
        try:
            self._hand_out()
            while busy := {w.connection: w for w in self._workers if w.part}:
                for connection in wait(list(busy)):
                    self._listen(busy[connection])  # type: ignore[index]
                self._hand_out()
        finally:
            for worker in self._workers:
                worker.dismiss()

    def _hand_out(self) -> None:
        for worker in self._workers:
            if self._waiting and not worker.part:
                worker.give(self._waiting.popleft())
        if self._waiting and not self._workers:
            raise RenderError(
                "All render processes died, which happens when memory runs out. Finished parts "
                "are kept: give the same command again, with fewer devices."
            )

    def _listen(self, worker: _Worker) -> None:
        assert worker.part is not None
        try:
            news, value = worker.connection.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        if news == "failed":
            raise value
        if news == "whole":
            self._finished += worker.finish()
        else:
            worker.count(value)
        done = self._finished + sum(w.done for w in self._workers)
        self._on_frames(done, ", ".join(filter(None, (str(w.rate) for w in self._workers))))

    def _bury(self, worker: _Worker) -> None:
        assert worker.part is not None
        self._waiting.appendleft(worker.part)
        self._workers.remove(worker)
        worker.dismiss()


def _work(connection: Connection, renderer: PartRenderer, device: str, processes: int) -> None:
    """The life of a worker: parts come in, the number of frames and the end of each go out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    try:
        with beside_encoders(processes):
            while part := _next_part(connection):
                renderer.render(part, device, lambda done: connection.send(("done", done)))
                connection.send(("whole", 0))
    except torch.AcceleratorError as error:
        log.warning("%s is lost, another one takes over its part: %s", device, error)
    except Exception as error:
        _report(connection, error)


def _next_part(connection: Connection) -> Part | None:
    try:
        return connection.recv()
    except EOFError:  # nobody listens any more
        return None


def _report(connection: Connection, error: Exception) -> None:
    trace = "".join(traceback.format_exception(error))
    error.add_note(f"In a render process:\n{trace}")
    try:
        connection.send(("failed", _portable(error, trace)))
    except OSError:
        return  # nobody listens any more


def _portable(error: Exception, trace: str) -> Any:
    """The error itself where it survives pickling, else one that tells the same."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(trace)
