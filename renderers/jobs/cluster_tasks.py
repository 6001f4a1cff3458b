"""Do parts in Ray actors, which keep their modules, and count how far they are."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from renderers.errors import RenderError, UnfinishedRenderError
from renderers.frames.device_failures import describe_failure, is_device_failure
from renderers.frames.devices import exact_arithmetic, known_devices, sharing_cores
from renderers.jobs.failures import ProcessFailure
from renderers.jobs.workers import MAX_RESTARTS
from renderers.plan.cutting import Part, count_part_frames
from renderers.plan.part_work import PartWork
from renderers.progress import OnProgress, Rate, Silence, Watch

MAX_ATTEMPTS = 5  # A part whose node or process dies is tried this often.
POLL_S = 0.5  # Progress is looked at, and an actor reports it, this often.
PATIENCE_S = 10  # Actors that are stopped have this long to delete what they began.
# A file has this long to show on another machine: NFS remembers for long what is absent.
ARRIVAL_S = 60

log = logging.getLogger(__name__)


class ClusterTasks:
    """An actor on each GPU of the cluster, or on each core, and the parts that none has yet.

    Nodes that join get actors of their own; the part of an actor that dies goes to another. A GPU
    that fails again and again, or shows no frame for far too long, is left out: an actor without
    work keeps it from the others.

    Args:
        parts: the parts to do; the cluster must be connected.
    """

    def __init__(self, renderer: PartWork, parts: Sequence[Part]) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._kind = "GPU" if _resources().get("GPU") else "CPU"
        self._parts = renderer.parts
        self._tally: Any = ray.remote(_Tally).options(num_cpus=0, scheduling_strategy=here).remote()
        needs: dict[str, Any] = {"num_gpus": 1} if self._kind == "GPU" else {"num_cpus": 1}
        self._actor: Any = ray.remote(**needs)(_PartActor)
        # Ray shows each actor its own GPU only, which is therefore the first.
        device = "cuda:0" if self._kind == "GPU" else "cpu"
        self._given = ray.put(renderer.for_other_process()), device, self._tally
        self._waiting = deque(enumerate(parts))
        # What is awaited: that an actor is ready, where it has no part, or that its part is done.
        self._awaited: dict[Any, tuple[Any, tuple[int, Part] | None]] = {}
        self._idle: list[Any] = []
        self._cards: dict[Any, _Card] = {}  # The card of each actor that has said which it has.
        self._left_out: dict[_Card, Any] = {}  # Cards that failed too often, and what holds them.
        self._failures = Counter[int]()  # by the number of a part
        self._card_failures = Counter[_Card]()
        self._lost = 0  # Actors that died one after the other before they were ready.
        self._finished, self._total = 0, count_part_frames(parts)
        self._rates: dict[str, Rate] = {}
        silent = partial(Silence, self._kind.lower())
        self._silences: defaultdict[Any, Silence] = defaultdict(silent)  # by actor
        self._counted: dict[int, int] = {}  # frames of each part that were done at the last look

    def follow(self, on_progress: OnProgress) -> None:
        """Do all parts, reporting meanwhile how far they are."""
        import ray

        watch = Watch()
        while self._waiting or self._numbers():
            self._begin_actors()
            self._hand_out()
            done, _ = ray.wait(list(self._awaited), timeout=POLL_S) if self._awaited else ([], [])
            for reference in done:
                self._take(reference)
            if not done:
                self._require_nodes()
            done_frames, rates = self._count()
            self._give_up_hanging(watch.look())
            on_progress(done_frames, self._total, rates)
        self._dismiss()

    def cancel(self) -> None:
        """Stop what is at work, and give it time to delete what it began."""
        import ray

        ray.get(self._tally.stop.remote())
        at_work = [reference for reference, (_, given) in self._awaited.items() if given]
        if at_work:
            ray.wait(at_work, num_returns=len(at_work), timeout=PATIENCE_S, fetch_local=False)
        self._dismiss()

    def _dismiss(self) -> None:
        """End all actors, at work or not."""
        at_work = (actor for actor, _ in self._awaited.values())
        for actor in [*self._idle, *at_work, *self._left_out.values()]:
            _end(actor)
        self._idle, self._awaited = [], {}

    def _begin_actors(self) -> None:
        """Begin as many actors as the nodes of this moment have room for, and parts need."""
        there = _nodes()
        self._left_out = {c: actor for c, actor in self._left_out.items() if c.node in there}
        room = int(_resources().get(self._kind, 0)) - len(self._left_out)
        wanted = min(room, len(self._waiting) + len(self._numbers()))
        for _ in range(wanted - len(self._awaited) - len(self._idle)):
            actor = self._actor.remote(*self._given)
            self._awaited[actor.is_ready.remote()] = actor, None

    def _hand_out(self) -> None:
        while self._idle and self._waiting:
            actor, (number, part) = self._idle.pop(), self._waiting.popleft()
            self._awaited[actor.render.remote(number, part)] = actor, (number, part)

    def _take(self, reference: Any) -> None:
        """Take note that an actor is ready, has done its part, or has failed."""
        import ray

        actor, given = self._awaited.pop(reference)
        try:
            said = ray.get(reference)
        except ray.exceptions.RayActorError as error:
            self._replace(actor, given, error)
            return
        self._lost = 0
        if given is None:
            self._cards[actor] = said
        elif said is not None:
            self._give_again(actor, *given, said.restore())
            return
        else:
            self._silences[actor].end()
            self._require_arrived(given[1])
            self._finished += len(given[1].batches)
        self._idle.append(actor)

    def _replace(self, actor: Any, given: tuple[int, Part] | None, error: Exception) -> None:
        """Give the part of an actor that died, or whose node did, to another one."""
        _end(actor)
        if given is None:
            self._lost += 1
            if self._lost == MAX_ATTEMPTS:
                raise error
            return
        number, part = given
        self._failures[number] += 1
        if self._failures[number] == MAX_ATTEMPTS:
            raise error
        self._waiting.appendleft((number, part))

    def _give_again(self, actor: Any, number: int, part: Part, error: Exception) -> None:
        """Give a part whose device failed to another actor, so often as that of a dead node.

        A device that failed may be of no use to its process any more, which ends with it.
        """
        if not is_device_failure(error):
            raise error
        self._count_failure(actor, number, part, describe_failure(error))

    def _count_failure(self, actor: Any, number: int, part: Part, reason: str) -> None:
        """Take note of a failure, say it, leave out a card that failed too often.

        Args:
            reason: what the device did, as a sentence without its full stop.
        """
        log.warning("%s.", reason)
        card = self._cards.pop(actor)
        self._card_failures[card] += 1
        if card.name and self._card_failures[card] > MAX_RESTARTS:
            log.warning("%s is left out, since it failed %d times.", card.name, MAX_RESTARTS + 1)
            self._left_out[card] = actor
        else:
            _end(actor)
        self._failures[number] += 1
        if self._failures[number] == MAX_ATTEMPTS:
            raise UnfinishedRenderError(
                f"The devices of the Ray cluster failed {MAX_ATTEMPTS} times at one part, and said "
                f"at last: {reason}. Finished parts are kept."
            )
        self._waiting.appendleft((number, part))

    def _give_up_hanging(self, passed_s: float) -> None:
        """Let so many seconds pass, and give the parts of actors whose GPU hangs to others."""
        for reference, (actor, given) in list(self._awaited.items()):
            if given is None:
                continue
            silence = self._silences[actor]
            silence.last(passed_s)
            if silence.is_too_long:
                del self._awaited[reference], self._silences[actor]
                self._count_failure(actor, *given, f"{self._cards[actor].name} {silence}")

    def _require_arrived(self, part: Part) -> None:
        deadline = time.monotonic() + ARRIVAL_S
        while not self._parts.is_whole(part):
            if time.monotonic() > deadline:
                raise RenderError(
                    f"A node rendered a part that is not in {self._parts.folder} on this machine. "
                    "All nodes must share that folder: mount it under the same path."
                )
            time.sleep(POLL_S)

    def _require_nodes(self) -> None:
        room = int(_resources().get(self._kind, 0))
        if self._left_out and room <= len(self._left_out):
            names = ", ".join(card.name for card in self._left_out)
            raise UnfinishedRenderError(
                f"No GPU of the Ray cluster is left to render on: {names} failed "
                f"{MAX_RESTARTS + 1} times each. Finished parts are kept."
            )
        if not room:
            raise UnfinishedRenderError(
                f"No node with a {self._kind} is left in the Ray cluster. Finished parts are kept: "
                "start nodes (docs/cluster.md)."
            )

    def _numbers(self) -> list[int]:
        """The numbers of the parts at work."""
        return [given[0] for _, given in self._awaited.values() if given]

    def _count(self) -> tuple[int, str]:
        """The frames done in all, and each node's rate."""
        import ray

        done, rendered = ray.get(self._tally.count.remote())
        for actor, given in self._awaited.values():
            if given and done.get(given[0]) != self._counted.get(given[0]):
                self._silences[actor].end()
        self._counted = done
        for node, frames in rendered.items():
            self._rates.setdefault(node, Rate(node)).count(frames)
        unfinished = sum(done.get(number, 0) for number in self._numbers())
        return self._finished + unfinished, ", ".join(filter(None, map(str, self._rates.values())))


class _Card(NamedTuple):
    """What an actor renders on.

    Attributes:
        node: Ray's name of the node.
        name: what a person is told; empty for a core.
    """

    node: str
    name: str


def _end(actor: Any) -> None:
    """End an actor, which may be dead already, and give back what it was given of its node."""
    import ray

    with suppress(ray.exceptions.RayError):
        ray.kill(actor)


def _resources() -> dict[str, float]:
    """What the nodes of the cluster have: CPU, GPU, memory."""
    import ray

    untyped: Any = ray.cluster_resources
    return dict(untyped())


def _nodes() -> set[str]:
    """The nodes that are alive, by Ray's names for them."""
    import ray

    untyped: Any = ray.nodes
    return {node["NodeID"] for node in untyped() if node["Alive"]}


class _Tally:
    """Counts how far each part is, and what each node did: a Ray actor beside who waits."""

    def __init__(self) -> None:
        self._done: dict[int, int] = {}
        self._rendered: Counter[str] = Counter()
        self._stopped = False

    def report(self, number: int, node: str, done: int) -> bool:
        """Take note that a node has done so many frames of a part; fewer if it began again.

        Returns:
            Whether it is to go on.
        """
        before = self._done.get(number, 0)
        self._rendered[node] += done - before if done >= before else done
        self._done[number] = done
        return not self._stopped

    def stop(self) -> None:
        """Tell whoever reports from now on to stop."""
        self._stopped = True

    def count(self) -> tuple[dict[int, int], dict[str, int]]:
        """The frames done of each part, and those rendered on each node."""
        return self._done, self._rendered


class _StoppedError(Exception):
    """The one who gave the part wants it no more."""


class _PartActor:
    """A process on a node that does one part after the other, with the modules of the first."""

    def __init__(self, renderer: PartWork, device: str, tally: Any) -> None:
        self._renderer, self._device, self._tally = renderer, device, tally

    def is_ready(self) -> _Card:
        """Say that the process has begun, and on which card."""
        import ray

        gpus: Any = ray.get_gpu_ids
        numbers = ", ".join(map(str, gpus()))
        name = f"GPU {numbers} of {socket.gethostname()}" if numbers else ""
        return _Card(ray.get_runtime_context().get_node_id(), name)

    def render(self, number: int, part: Part) -> ProcessFailure | None:
        """Do one part. An error is returned, since Ray would wrap it."""
        import ray

        node, reported_s = socket.gethostname(), -POLL_S

        def on_frame(done: int) -> None:
            nonlocal reported_s
            if time.monotonic() - reported_s >= POLL_S or done == len(part.batches):
                reported_s = time.monotonic()
                if not ray.get(self._tally.report.remote(number, node, done)):
                    raise _StoppedError

        try:
            self._require_device()
            # Ray gives each actor a core.
            with sharing_cores(processes=os.cpu_count() or 1), exact_arithmetic():
                self._renderer.render(part, self._device, on_frame)
        except Exception as error:
            return ProcessFailure.capture(error, node)
        return None

    def _require_device(self) -> None:
        """See that the device is there: a card that has gone is one that failed."""
        if self._device not in (known := known_devices()):
            raise RuntimeError(
                f"No CUDA GPUs are available, where Ray has one: there is {', '.join(known)}"
            )
