"""Render parts on several machines: Ray actors do them, in a folder that all nodes share."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from renderers.errors import MissingPackageError, RenderError, UnfinishedRenderError
from renderers.jobs.cluster_tasks import ClusterTasks
from renderers.plan.cutting import Part
from renderers.plan.part_work import PartWork
from renderers.progress import OnProgress

CONNECT_S = 5  # A cluster has this long to answer.
# Memory of Ray's object store; it can be small, since parts go through the shared folder.
LOCAL_STORE_BYTES = 100 << 20


def render_parts_on_cluster(
    renderer: PartWork,
    parts: Sequence[Part],
    address: str | None,
    on_progress: OnProgress,
) -> None:
    """Render parts in Ray actors: one on each GPU where the cluster has some, else on each core.

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
        Exception: what an actor raised, with its own class; it names the node.
    """
    if not parts:
        return
    with _cluster(address), _cluster_failures():
        tasks = ClusterTasks(renderer, parts)
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


def _first_sentence(error: BaseException) -> str:
    """The first sentence of a message; the rest is traces, and advice on Ray itself."""
    first_line = str(error).strip().partition("\n")[0] or type(error).__name__
    return first_line.partition(". ")[0].rstrip(".:") + "."
