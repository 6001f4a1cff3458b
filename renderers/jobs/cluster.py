"""Render parts on several machines: a Ray task for each, in a folder that all nodes share."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from renderers.errors import MissingPackageError, RenderError, UnfinishedRenderError
from renderers.frames.devices import require_devices, sharing_cores
from renderers.jobs.failures import ProcessFailure
from renderers.jobs.parts import PartRenderer
from renderers.plan.render_plan import Part, count_part_frames
from renderers.progress import OnProgress, Rate

MAX_ATTEMPTS = 5  # A part whose node or process dies is tried this often.
POLL_S = 0.5  # Progress is looked at, and a task reports it, this often.
CONNECT_S = 5  # A cluster has this long to answer.
PATIENCE_S = 10  # Cancelled tasks have this long to delete what they began.
# A file has this long to show on another machine: NFS remembers for long what is absent.
ARRIVAL_S = 60
# Memory of Ray's object store; it can be small, since parts go through the shared folder.
LOCAL_STORE_BYTES = 100 << 20


def render_parts_on_cluster(
    renderer: PartRenderer,
    parts: Sequence[Part],
    address: str | None,
    on_progress: OnProgress,
) -> None:
    """Render parts as Ray tasks: on a GPU each where the cluster has some, else on a core each.

    The record is the files, never Ray's word: a part counts when it is whole in the folder as
    seen from here. Ray may run a part twice; both write the same under names of their own until
    they are complete.

    Args:
        renderer: its folder and its source lie, under the same absolute paths, on all nodes.
        address: `HOST:PORT` of a cluster that this machine is a node of, `auto` to look for it,
            or None to start one of this machine alone, which listens on loopback.
        on_progress: called with the number of frames of these parts that are done and of all, and
            the rate of each node. It goes down when a node dies, since its parts begin again.

    Raises:
        MissingPackageError: Ray is not installed.
        UnfinishedRenderError: the nodes died again and again.
        RenderError: the cluster cannot be reached or refuses the token, or its nodes do not share
            the folder.
        Exception: what a task raised, with its own class; it names the node.
    """
    if not parts:
        return
    with _cluster(address), _cluster_failures():
        tasks = _Tasks(renderer, parts)
        try:
            tasks.follow(on_progress)
        except BaseException:
            tasks.cancel()
            raise


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    _prepare_environment(loopback=address is None)
    try:
        import ray
    except ImportError:
        raise MissingPackageError(
            "Rendering on a cluster needs Ray, which is not installed. Install it on all nodes: "
            "pip install 'latent-city-studio[cluster]'"
        ) from None
    try:
        with _own_sigterm():
            _connect(address)
        yield
    finally:
        ray.shutdown()


def _prepare_environment(loopback: bool) -> None:
    """Set what Ray reads from the environment when it is imported.

    Without a token, whoever reaches a port of Ray's can run code; some versions ask for one only
    if they are told to.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if loopback:  # No other setting keeps Ray from choosing an address that others can reach.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    else:  # Few attempts to join: they take a second with a wrong token, 41 if it is not Ray.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "2")


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep our handler of SIGTERM, which `ray.init` would replace."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _connect(address: str | None) -> None:
    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address is None:
            ray.init(
                "local", include_dashboard=False, object_store_memory=LOCAL_STORE_BYTES, **quiet
            )
        else:
            ray.init(_reachable(address), **quiet)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise RenderError(
            f"Cannot join the Ray cluster '{address or 'local'}': {_first_sentence(error)} "
            "Start one with 'ray start', on this machine too, and give all nodes the same token "
            "(docs/cluster.md)."
        ) from error


def _reachable(address: str) -> str:
    """The cluster's HOST:PORT, after a test that somebody listens: Ray would try for minutes."""
    from ray._private.services import canonicalize_bootstrap_address_or_die

    found = canonicalize_bootstrap_address_or_die(address)
    host, _, port = found.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    return found


@contextmanager
def _cluster_failures() -> Iterator[None]:
    """Tell what Ray raises for itself, such as nodes that died again and again, in a sentence."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        raise UnfinishedRenderError(
            f"The Ray cluster failed: {_first_sentence(error)} Finished parts are kept. All nodes "
            "must have the same software and see the same folders."
        ) from error


class _Tasks:
    """A task for each part; Ray gives those of a dead node to another."""

    def __init__(self, renderer: PartRenderer, parts: Sequence[Part]) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._kind = "GPU" if _resources().get("GPU") else "CPU"
        self._parts = renderer.parts
        self._tally: Any = ray.remote(_Tally).options(num_cpus=0, scheduling_strategy=here).remote()
        shared = ray.put(renderer)
        needs: dict[str, Any] = {"num_gpus": 1} if self._kind == "GPU" else {"num_cpus": 1}
        task = ray.remote(max_retries=MAX_ATTEMPTS - 1, **needs)(_render)
        # Ray shows each task its own GPU only, which is therefore the first.
        device = "cuda:0" if self._kind == "GPU" else "cpu"
        self._pending = {
            task.remote(shared, number, part, device, self._tally): (number, part)
            for number, part in enumerate(parts)
        }
        self._finished, self._total = 0, count_part_frames(parts)
        self._rates: dict[str, Rate] = {}

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

        _, part = self._pending.pop(task)
        if failure := ray.get(task):
            raise failure.restore()
        self._require_arrived(part)
        self._finished += len(part.batches)

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
        under_way = sum(done.get(number, 0) for number, _ in self._pending.values())
        return self._finished + under_way, ", ".join(filter(None, map(str, self._rates.values())))


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
    renderer: PartRenderer, number: int, part: Part, device: str, tally: Any
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
        require_devices([device])
        with sharing_cores(processes=os.cpu_count() or 1):  # Ray gives each task a core.
            renderer.render(part, device, on_frame)
    except Exception as error:
        return ProcessFailure.capture(error, node)
    return None


def _first_sentence(error: BaseException) -> str:
    """The first sentence of a message; the rest is traces, and advice on Ray itself."""
    first_line = str(error).strip().partition("\n")[0] or type(error).__name__
    return first_line.partition(". ")[0].rstrip(".:") + "."
