"""Parts on several machines: a Ray task each, on a folder that all nodes share."""

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

from renderers.errors import RenderError
from renderers.frames.devices import beside_encoders, require_devices
from renderers.jobs.parts import PartRenderer
from renderers.plan.render_plan import Part
from renderers.progress import OnFrames, Rate

ATTEMPTS = 5  # at a part whose node or process dies
LOOK_S = 0.5  # between two looks at the progress, and between two reports of a task
REACH_S = 5  # for a cluster to answer
PATIENCE_S = 10  # for cancelled tasks to delete what they began
ARRIVAL_S = 60  # for a file to show on another machine, since NFS remembers for long what is absent
LOCAL_STORE_BYTES = 100 << 20  # parts go through the shared folder, not through Ray's memory


def render_parts_on_cluster(
    renderer: PartRenderer,
    parts: Sequence[Part],
    address: str | None,
    on_frames: OnFrames,
) -> None:
    """Render parts as Ray tasks: on a GPU each where the cluster has some, else on a core each.

    The record is the files, never Ray's word: a part counts when it is whole in the folder as
    seen from here. Ray may run a part twice; both write the same under names of their own until
    they are complete.

    Args:
        renderer: its folder and its source lie, under the same absolute paths, on all nodes.
        address: `HOST:PORT` of a cluster that this machine is a node of, `auto` to look for it,
            or None to start one of this machine alone, which listens on loopback.
        on_frames: called with the number of frames of these parts that are done, and the rate of
            each node. It goes down when a node dies, since its parts begin again.

    Raises:
        RenderError: Ray is not installed, the cluster cannot be reached or refuses the token, its
            nodes die again and again, or they do not share the folder. What a task raised is
            raised here.
    """
    if not parts:
        return
    with _cluster(address), _cluster_failures():
        tasks = _Tasks(renderer, parts)
        try:
            tasks.follow(on_frames)
        except BaseException:
            tasks.cancel()
            raise


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    _prepare_environment(loopback=address is None)
    try:
        import ray
    except ImportError:
        raise RenderError(
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
    """What Ray reads from the environment when it is imported.

    Without a token, whoever reaches a port of Ray's can run code; some versions ask for one only
    if they are told to.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if loopback:  # the one way to keep Ray from choosing an address that others can reach
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    else:  # attempts to join, which take a second with a wrong token, 41 if it is not Ray at all
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
    """The cluster's HOST:PORT, where somebody listens: Ray itself would try for minutes."""
    from ray._private.services import canonicalize_bootstrap_address_or_die

    found = canonicalize_bootstrap_address_or_die(address)
    host, _, port = found.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), REACH_S).close()
    return found


@contextmanager
def _cluster_failures() -> Iterator[None]:
    """Tell what Ray raises for itself, such as nodes that died again and again, in a sentence."""
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        raise RenderError(
            f"The Ray cluster failed: {_first_sentence(error)} Finished parts are kept: see that "
            "all nodes have the same studio and workspace, and give the same command again."
        ) from error


class _Tasks:
    """A task for each part; Ray gives those of a dead node to another."""

    def __init__(self, renderer: PartRenderer, parts: Sequence[Part]) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._kind = "GPU" if ray.cluster_resources().get("GPU") else "CPU"
        self._parts = renderer.parts
        self._tally: Any = ray.remote(_Tally).options(num_cpus=0, scheduling_strategy=here).remote()
        shared = ray.put(renderer)
        needs: dict[str, Any] = {"num_gpus": 1} if self._kind == "GPU" else {"num_cpus": 1}
        task = ray.remote(max_retries=ATTEMPTS - 1, **needs)(_render)
        device = "cuda:0" if self._kind == "GPU" else "cpu"  # Ray shows each task its own GPU only
        self._pending = {
            task.remote(shared, number, part, device, self._tally): (number, part)
            for number, part in enumerate(parts)
        }
        self._finished = 0
        self._rates: dict[str, Rate] = {}

    def follow(self, on_frames: OnFrames) -> None:
        """Wait for all tasks, telling meanwhile how far they are."""
        import ray

        while self._pending:
            done, _ = ray.wait(list(self._pending), timeout=LOOK_S)
            for task in done:
                self._take(task)
            if not done:
                self._require_nodes()
            on_frames(*self._look())

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
        try:
            ray.get(task)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
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
            time.sleep(LOOK_S)

    def _require_nodes(self) -> None:
        import ray

        if not ray.cluster_resources().get(self._kind):
            raise RenderError(
                f"No node with a {self._kind} is left in the Ray cluster. Finished parts are kept: "
                "start nodes (docs/cluster.md) and give the same command again."
            )

    def _look(self) -> tuple[int, str]:
        """Frames done in all, and each node's rate."""
        import ray

        done, rendered = ray.get(self._tally.look.remote())
        for node, frames in rendered.items():
            self._rates.setdefault(node, Rate(node)).count(frames)
        under_way = sum(done.get(number, 0) for number, _ in self._pending.values())
        return self._finished + under_way, ", ".join(filter(None, map(str, self._rates.values())))


class _Tally:
    """How far each part is, and what each node did. A Ray actor beside the process that waits."""

    def __init__(self) -> None:
        self._done: dict[int, int] = {}
        self._rendered: Counter[str] = Counter()

    def tell(self, number: int, node: str, done: int) -> None:
        before = self._done.get(number, 0)
        self._rendered[node] += done - before if done >= before else done  # less: it began again
        self._done[number] = done

    def look(self) -> tuple[dict[int, int], dict[str, int]]:
        """Frames done of each part, and frames rendered on each node."""
        return self._done, self._rendered


def _render(renderer: PartRenderer, number: int, part: Part, device: str, tally: Any) -> None:
    """A task: render one part on a node."""
    node = socket.gethostname()
    told_s = -LOOK_S

    def on_frame(done: int) -> None:
        nonlocal told_s
        if time.monotonic() - told_s >= LOOK_S or done == len(part.batches):
            told_s = time.monotonic()
            tally.tell.remote(number, node, done)

    try:
        require_devices([device])
        with beside_encoders(processes=os.cpu_count() or 1):  # Ray gives each task a core
            renderer.render(part, device, on_frame)
    except RenderError as error:
        raise RenderError(f"On node {node}: {error}") from error


def _first_sentence(error: BaseException) -> str:
    """Of its message; the rest is traces, and advice on Ray itself."""
    first_line = str(error).strip().partition("\n")[0] or type(error).__name__
    return first_line.partition(". ")[0].rstrip(".:") + "."
