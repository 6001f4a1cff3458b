from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from renderers.errors import RenderError
from renderers.jobs.workers import describe_death
from tests.renderers.jobs.test_rendering import assert_same, decoded, names, passes, render
from tests.renderers.tiny import GrowingSource, UnreadableSourceError

DEVICES = ["cpu", "cpu"]


@pytest.mark.slow
def test_two_devices_give_the_frames_of_one(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    one = decoded(render(tmp_path / "one"))
    reports: list[tuple[int, int]] = []
    videos = render(
        tmp_path,
        devices=DEVICES,
        on_progress=lambda done, total, note="": reports.append((done, total)),
    )
    assert_same(videos, one)
    assert sorted(passes(tmp_path)) == ["0 20", "20 20", "40 20", "60 20", "80 20"]
    assert reports[0] == (0, 100)
    assert reports[-1] == (100, 100)
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)


@pytest.mark.slow
def test_two_devices_give_the_frames_of_one_even_if_a_process_dies(tmp_path: Path) -> None:
    source = GrowingSource(log=tmp_path / "passes.log", die_once=tmp_path / "died")
    videos = render(tmp_path, source, batches=range(60), devices=DEVICES)
    assert (tmp_path / "died").exists()
    assert len(passes(tmp_path)) == 4
    (tmp_path / "one").mkdir()
    assert_same(videos, decoded(render(tmp_path / "one", batches=range(60))))
    assert names(tmp_path / "render") == [".lock", "plan.json", "videos.json"]


def test_an_error_of_the_source_comes_through_a_process_with_its_class_and_trace(
    tmp_path: Path,
) -> None:
    with pytest.raises(UnreadableSourceError, match="is damaged") as caught:
        render(tmp_path, GrowingSource(damaged=25), devices=DEVICES)
    assert caught.value.batch == 25
    assert "in stream" in caught.value.__notes__[0]
    assert not [name for name in names(tmp_path / "render" / "parts") if "tmp" in name]


def test_a_source_that_no_other_process_can_have_is_refused_in_a_sentence(tmp_path: Path) -> None:
    class Local(GrowingSource):
        pass

    with pytest.raises(RenderError, match=r"cannot be handed .*at the top of a module"):
        render(tmp_path, Local(), batches=range(60), devices=DEVICES)


def test_a_process_that_died_is_replaced_though_no_other_is_left(tmp_path: Path) -> None:
    """A single part is given to a single process, so that only another one can render it."""
    source = GrowingSource(log=tmp_path / "passes.log", die_once=tmp_path / "died")
    videos = render(tmp_path, source, batches=range(20), devices=DEVICES)
    assert (tmp_path / "died").exists()
    assert [video.frames for video in videos] == [20, 20, 20]
    assert passes(tmp_path) == ["0 20", "0 20"]


@pytest.mark.parametrize(
    ("status", "told", "memory"),
    [
        (-signal.SIGKILL, "by SIGKILL, which the system sends where memory runs out", True),
        (-signal.SIGSEGV, "by SIGSEGV", False),
        (-signal.SIGTERM, "by SIGTERM", False),
        (1, "with exit status 1", False),
        (0, "with exit status 0", False),
        (None, "with exit status None", False),
    ],
)
def test_memory_is_named_only_where_the_system_may_have_run_out_of_it(status, told, memory) -> None:
    death = describe_death(status)
    assert death == f"lost its process {told}"
    assert ("memory" in death) is memory


class _DeadlySource(GrowingSource):
    def _die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_when_processes_die_again_and_again_the_person_is_told_the_signal(tmp_path: Path) -> None:
    source = _DeadlySource(die_once=tmp_path / "never")
    with pytest.raises(
        RenderError, match="failed 3 times, and at last lost its process by SIGKILL"
    ):
        render(tmp_path, source, devices=DEVICES)


SCRIPT = """
from functools import partial
from pathlib import Path

from renderers.jobs.rendering import render_film
from renderers.jobs.workers import render_parts
from renderers.plan.render_plan import make_plan
from tests.renderers.tiny import SHORT_PARTS, GrowingSource, two_points

with Path("runs.log").open("a") as log:
    log.write("run\\n")
plan = make_plan(two_points(), range(20), SHORT_PARTS)
engine = partial(render_parts, devices=["cpu", "cpu"])
render_film(GrowingSource(), plan, "render", "film.mp4", engine)
print(__file__, __spec__)
"""


def test_processes_do_not_run_the_script_again_that_asked_for_the_film(tmp_path: Path) -> None:
    script = tmp_path / "film.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, str(script)]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "runs.log").read_text() == "run\n"
    assert ran.stdout == f"{script} None\n"
    assert len(list(tmp_path.glob("film-*.mp4"))) == 2
