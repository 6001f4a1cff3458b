from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from renderers.errors import RenderError
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


class _DeadlySource(GrowingSource):
    def _die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_when_processes_die_again_and_again_the_person_is_told_the_signal(tmp_path: Path) -> None:
    source = _DeadlySource(die_once=tmp_path / "never")
    with pytest.raises(RenderError, match=r"died again and again, the last one on cpu by SIGKILL"):
        render(tmp_path, source, devices=DEVICES)
