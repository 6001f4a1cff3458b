"""Render each part in a Ray task of its own, and count how far the tasks are."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from renderers.errors import RenderError, UnfinishedRenderError
from renderers.frames.device_failures import describe_failure, is_device_failure
from renderers.frames.devices import exact_arithmetic, known_devices, sharing_cores
from renderers.jobs.failures import ProcessFailure
from renderers.plan.cutting import Part, count_part_frames
from renderers.plan.part_work import PartWork
from renderers.progress import OnProgress, Rate

MAX_ATTEMPTS = 5  # A part whose node or process dies is tried this often.
POLL_S = 0.5  # Progress is looked at, and a task reports it, this often.
PATIENCE_S = 10  # Cancelled tasks have this long to delete what they began.
# A file has this long to show on another machine: NFS remembers for long what is absent.
ARRIVAL_S = 60

log = logging.getLogger(__name__)


class ClusterTasks:
    """A Ray task for each part; Ray gives those of a dead node to another.

    Args:
        parts: the parts to render; the cluster must be connected.
    """

    def __init__(self, renderer: PartWork, parts: Sequence[Part]) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._kind = "GPU" if _resources().get("GPU") else "CPU"
        self._parts = renderer.parts
        self._tally: Any = ray.remote(_Tally).options(num_cpus=0, scheduling_strategy=here).remote()
        shared = ray.put(renderer)
        needs: dict[str, Any] = {"num_gpus": 1} if self._kind == "GPU" else {"num_cpus": 1}
        self._task: Any = ray.remote(max_retries=MAX_ATTEMPTS - 1, **needs)(_render)
        # Ray shows each task its own GPU only, which is therefore the first.
        device = "cuda:0" if self._kind == "GPU" else "cpu"
        self._given = shared, device, self._tally
        self._pending: dict[Any, tuple[int, Part]] = {}
        self._failures = Counter[int]()
        for number, part in enumerate(parts):
            self._submit(number, part)
        self._finished, self._total = 0, count_part_frames(parts)
        self._rates: dict[str, Rate] = {}

    def _submit(self, number: int, part: Part) -> None:
        self._pending[self._task.remote(*self._given, number, part)] = number, part

    def follow(self, on_progress: OnProgress) -> None:
        """Wait for all tasks, reporting meanwhile how far they are."""
        import ray

        while self._pending:
            done, _ = ray.wait(list(self._pending), timeout=POLL_S)
            for task in done:
                self._take(task)
            if not done:
                self._require_nodes()
            done_frames, rates = self._count()
            on_progress(done_frames, self._total, rates)

    def cancel(self) -> None:
        """Stop what runs, and give it time to delete what it began."""
        import ray

        pending = list(self._pending)
        for task in pending:
            ray.cancel(task)
        if pending:
            ray.wait(pending, num_returns=len(pending), timeout=PATIENCE_S, fetch_local=False)

    def _take(self, task: Any) -> None:
        import ray

        number, part = self._pending.pop(task)
        if failure := ray.get(task):
            self._give_again(number, part, failure.restore())
            return
        self._require_arrived(part)
        self._finished += len(part.batches)

    def _give_again(self, number: int, part: Part, error: Exception) -> None:
        """Give a part whose device failed to another task, so often as that of a dead node."""
        if not is_device_failure(error):
            raise error
        self._failures[number] += 1
        log.warning("%s.", describe_failure(error))
        if self._failures[number] == MAX_ATTEMPTS:
            raise UnfinishedRenderError(
                f"The devices of the Ray cluster failed {MAX_ATTEMPTS} times at one part, and said "
                f"at last: {describe_failure(error)}. Finished parts are kept."
            )
        self._submit(number, part)

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
        if not _resources().get(self._kind):
            raise UnfinishedRenderError(
                f"No node with a {self._kind} is left in the Ray cluster. Finished parts are kept: "
                "start nodes (docs/cluster.md)."
            )

    def _count(self) -> tuple[int, str]:
        """The frames done in all, and each node's rate."""
        import ray

        done, rendered = ray.get(self._tally.count.remote())
        for node, frames in rendered.items():
            self._rates.setdefault(node, Rate(node)).count(frames)
        unfinished = sum(done.get(number, 0) for number, _ in self._pending.values())
        return self._finished + unfinished, ", ".join(filter(None, map(str, self._rates.values())))


def _resources() -> dict[str, float]:
    """What the nodes of the cluster have: CPU, GPU, memory."""
    import ray

    untyped: Any = ray.cluster_resources
    return dict(untyped())


class _Tally:
    """Counts how far each part is, and what each node did: a Ray actor beside who waits."""

    def __init__(self) -> None:
        self._done: dict[int, int] = {}
        self._rendered: Counter[str] = Counter()

    def report(self, number: int, node: str, done: int) -> None:
        """Take note that a node has done so many frames of a part; fewer if it began again."""
        before = self._done.get(number, 0)
        self._rendered[node] += done - before if done >= before else done
        self._done[number] = done

    def count(self) -> tuple[dict[int, int], dict[str, int]]:
        """The frames done of each part, and those rendered on each node."""
        return self._done, self._rendered


def _render(
    renderer: PartWork, device: str, tally: Any, number: int, part: Part
) -> ProcessFailure | None:
    """A task: render one part on a node. An error is returned, since Ray would wrap it."""
    node = socket.gethostname()
    reported_s = -POLL_S

    def on_frame(done: int) -> None:
        nonlocal reported_s
        if time.monotonic() - reported_s >= POLL_S or done == len(part.batches):
            reported_s = time.monotonic()
            tally.report.remote(number, node, done)

    try:
        if device not in (known := known_devices()):  # A card that has gone is one that failed.
            raise RuntimeError(
                f"No CUDA GPUs are available, where Ray has one: there is {', '.join(known)}"
            )
        # Ray gives each task a core.
        with sharing_cores(processes=os.cpu_count() or 1), exact_arithmetic():
            renderer.render(part, device, on_frame)
    except Exception as error:
        return ProcessFailure.capture(error, node)
    return None
