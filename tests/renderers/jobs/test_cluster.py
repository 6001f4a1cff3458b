from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from renderers import progress
from renderers.errors import RenderError, UnfinishedRenderError
from renderers.frames.devices import concurrency_of
from renderers.jobs import cluster_tasks
from renderers.jobs.cluster import render_parts_on_cluster
from renderers.jobs.parts import PartFolder, PartRenderer
from renderers.jobs.workers import render_parts
from renderers.plan.pacing import measure_change
from renderers.plan.render_plan import RenderPlan, make_plan
from renderers.progress import Silence, ignore_progress
from renderers.video.video_reader import read_frames
from tests.renderers.tiny import SHORT_PARTS, GrowingSource, UnreadableSourceError, two_points

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.skipif(not find_spec("ray"), reason="the extra `cluster` is not installed"),
]

ROOT = Path(__file__).parents[3]
LOOPBACK = {"node_ip_address": "127.0.0.1", "include_dashboard": False, "num_cpus": 1}
FRAMES = 80


@pytest.fixture(scope="module")
def ray_environment() -> Iterator[pytest.MonkeyPatch]:
    """What all processes of Ray have in common; no token of the person's is read or made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(16))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # loopback, on Linux too
        patch.setenv("RAY_health_check_initial_delay_ms", "1000")  # a dead node shows in seconds
        patch.setenv("RAY_health_check_period_ms", "1000")
        patch.setenv("RAY_health_check_failure_threshold", "3")
        patch.setenv("PYTHONPATH", str(ROOT))
        yield patch


@pytest.fixture(scope="module")
def cluster(ray_environment) -> Iterator:
    """A node with one core."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=LOOPBACK)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def plan() -> RenderPlan:
    return make_plan(two_points(), range(FRAMES), SHORT_PARTS)


def renderer_in(folder: Path, plan: RenderPlan, **source) -> PartRenderer:
    source = {"log": folder / "passes.log", **source}
    return PartRenderer(GrowingSource(**source), PartFolder(folder / "parts", plan))


def render(renderer: PartRenderer, address: str | None, on_progress=None) -> list[int]:
    """Render all parts on a cluster; the reported numbers of frames."""
    reports: list[int] = []

    def listen(done: int, total: int, note: str = "") -> None:
        reports.append(done)
        if on_progress:
            on_progress(done)

    render_parts_on_cluster(renderer, renderer.parts.plan.parts, address, listen)
    return reports


def passes(folder: Path) -> list[str]:
    return (folder / "passes.log").read_text().splitlines()


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in (folder / "parts").glob("*.tmp.*")]


def decoded(renderer: PartRenderer) -> list[np.ndarray]:
    paths = [path for part in renderer.parts.plan.parts for path in renderer.parts.paths(part)]
    return [np.stack(list(read_frames(path))) for path in paths]


def assert_undisturbed(renderer: PartRenderer, folder: Path) -> None:
    """Every frame is the one of a render in this process."""
    folder.mkdir()
    local = renderer_in(folder, renderer.parts.plan)
    render_parts(local, local.parts.plan.parts, ["cpu"], ignore_progress)
    for frames, others in zip(decoded(renderer), decoded(local), strict=True):
        np.testing.assert_array_equal(frames, others)


def test_a_node_that_dies_in_the_middle_leaves_the_film_exact(tmp_path, cluster, plan) -> None:
    renderer = renderer_in(tmp_path, plan, pause_s=0.1)
    second = cluster.add_node(**LOOPBACK)
    killed: list[int] = []

    def kill_when_both_render(done: int) -> None:
        whole = len(list((tmp_path / "parts").glob("*.json")))
        if done and not killed and len(passes(tmp_path)) - whole == 2:
            cluster.remove_node(second, allow_graceful=False)
            killed.append(done)

    reports = render(renderer, cluster.address, kill_when_both_render)
    assert killed[0] < FRAMES == reports[-1]
    assert len(passes(tmp_path)) > len(plan.parts)
    assert all(renderer.parts.is_whole(part) for part in plan.parts)
    assert_undisturbed(renderer, tmp_path / "local")


def test_an_error_of_the_source_comes_through_a_task_with_its_class_and_node(
    tmp_path, cluster, plan
) -> None:
    renderer = renderer_in(tmp_path, plan, damaged=25)
    with pytest.raises(UnreadableSourceError, match="checkpoint 25 is damaged") as caught:
        render(renderer, cluster.address)
    assert caught.value.batch == 25
    assert caught.value.__notes__[0].startswith("On node ")
    assert renderer.parts.is_whole(plan.parts[0])
    assert leftovers(tmp_path) == []


class _CountingSource(GrowingSource):
    """Notes each module that is built, and in which process."""

    def build(self):
        assert self.log
        with self.log.with_name("built.log").open("a") as file:
            print(os.getpid(), file=file)
        return super().build()


def test_an_actor_keeps_its_modules_from_part_to_part(tmp_path, cluster, plan) -> None:
    parts = renderer_in(tmp_path, plan).parts
    render(PartRenderer(_CountingSource(log=tmp_path / "passes.log"), parts), cluster.address)
    built = (tmp_path / "built.log").read_text().splitlines()
    assert len(plan.parts) > 2
    assert len(set(built)) == 1
    # The source builds one itself whenever it is asked for checkpoints.
    assert len(built) - len(plan.parts) == concurrency_of("cpu") + 1


def test_the_pace_of_a_film_is_measured_on_a_cluster(tmp_path, cluster, monkeypatch) -> None:
    monkeypatch.setattr("renderers.plan.pacing.PART_CHECKPOINTS", 8)
    given = GrowingSource(), two_points(), range(20)
    on_cluster = partial(render_parts_on_cluster, address=cluster.address)
    here = partial(render_parts, devices=["cpu"])
    change = measure_change(*given, tmp_path / "cluster", on_cluster)
    assert change.tolist() == measure_change(*given, tmp_path / "here", here).tolist()


class _FailingSource(GrowingSource):
    """The device fails, the first time that a task comes so far."""

    def _die(self) -> None:
        assert self.die_once
        if not self.die_once.exists():
            self.die_once.touch()
            raise torch.AcceleratorError("CUDA error: unspecified launch failure")


def test_a_device_that_fails_on_a_node_gives_its_part_to_another_task(
    tmp_path, cluster, plan, caplog
) -> None:
    parts = renderer_in(tmp_path, plan).parts
    source = _FailingSource(log=tmp_path / "passes.log", die_once=tmp_path / "failed")
    renderer = PartRenderer(source, parts)
    render(renderer, cluster.address)
    assert "On node " in caplog.text
    assert "CUDA error: unspecified launch failure." in caplog.text
    assert len(passes(tmp_path)) == len(plan.parts) + 1
    assert_undisturbed(renderer, tmp_path / "local")


class _HangingSource(GrowingSource):
    """The device never answers, the first time that a task comes so far."""

    def _die(self) -> None:
        assert self.die_once
        if not self.die_once.exists():
            self.die_once.touch()
            time.sleep(3600)


def test_a_device_that_hangs_on_a_node_gives_its_part_to_another_task(
    tmp_path, cluster, plan, caplog, monkeypatch
) -> None:
    """A core stands for a GPU, of which the machines that run the tests have none."""
    monkeypatch.setattr(cluster_tasks, "Silence", lambda kind: Silence("cuda:0"))
    monkeypatch.setattr(progress, "MAX_SILENCE_S", 5.0)
    parts = renderer_in(tmp_path, plan).parts
    source = _HangingSource(log=tmp_path / "passes.log", die_once=tmp_path / "hung")
    renderer = PartRenderer(source, parts)
    render(renderer, cluster.address)
    assert "has shown no frame for 1 min." in caplog.text
    assert len(passes(tmp_path)) == len(plan.parts) + 1
    assert_undisturbed(renderer, tmp_path / "local")


def test_a_card_that_has_gone_is_one_that_failed(tmp_path, cluster, caplog) -> None:
    """Ray believes in a GPU of the second node, and torch finds none there."""
    node = cluster.add_node(**LOOPBACK, num_gpus=1)
    renderer = renderer_in(tmp_path, make_plan(two_points(), range(20), SHORT_PARTS))
    try:
        with pytest.raises(
            UnfinishedRenderError, match="No GPU of the Ray cluster is left"
        ) as caught:
            render(renderer, cluster.address)
    finally:
        cluster.remove_node(node)
    assert "No CUDA GPUs are available, where Ray has one: there is cpu" in caplog.text
    assert "On node " in caplog.text
    assert "is left out, since it failed 3 times" in caplog.text
    assert str(caught.value).endswith("failed 3 times each. Finished parts are kept.")


def test_an_interrupt_stops_the_tasks_which_delete_what_they_began(tmp_path, cluster, plan) -> None:
    renderer = renderer_in(tmp_path, plan, pause_s=0.1)

    def interrupt(done: int) -> None:
        if leftovers(tmp_path):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(renderer, cluster.address, interrupt)
    assert leftovers(tmp_path) == []
    assert len(passes(tmp_path)) < len(plan.parts)


def test_a_cluster_of_this_machine_alone_listens_on_loopback(tmp_path, ray_environment) -> None:
    listening: set[str] = set()
    few = make_plan(two_points(), range(5), SHORT_PARTS)

    def list_listening(done: int) -> None:
        ours = {process.pid for process in psutil.Process().children(recursive=True)}
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.pid in ours:
                listening.add(connection.laddr.ip)

    assert render(renderer_in(tmp_path, few), None, list_listening)[-1] == 5
    assert listening
    assert listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_an_address_without_a_cluster_is_told(tmp_path, ray_environment, plan, address) -> None:
    with pytest.raises(RenderError, match=f"Cannot join the Ray cluster '{address}'"):
        render(renderer_in(tmp_path, plan), address)


def test_a_wrong_token_is_told(tmp_path, cluster) -> None:
    command = [sys.executable, "-m", "tests.renderers.jobs.test_cluster", cluster.address]
    environment = {**os.environ, "RAY_AUTH_TOKEN": "wrong"}
    result = subprocess.run(
        [*command, str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert "renderers.errors.RenderError: Cannot join the Ray cluster" in result.stderr


def test_without_ray_the_extra_is_named(tmp_path, plan, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RenderError, match=r"pip install 'latent-city-studio\[cluster\]'"):
        render(renderer_in(tmp_path, plan), None)


if __name__ == "__main__":
    small = make_plan(two_points(), range(FRAMES), SHORT_PARTS)
    render(renderer_in(Path(sys.argv[2]), small), sys.argv[1])
