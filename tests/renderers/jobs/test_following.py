from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from renderers.jobs.following import follow_film
from renderers.jobs.workers import render_parts
from renderers.plan.render_plan import Caption, RenderPlan, make_plan
from renderers.video.video_reader import count_frames
from tests.renderers.jobs.test_rendering import assert_same, decoded, names, passes, render
from tests.renderers.tiny import SHORT_PARTS, GrowingSource, UnreadableSourceError, two_points

ENGINE = partial(render_parts, devices=["cpu"])


class Training:
    """A run that has so many batches at each call, and what the film had at that time."""

    def __init__(self, root: Path, *counts: int) -> None:
        self._file, self._counts = root / "film.mp4", list(counts)
        self.seen: list[int] = []

    def plan_now(self) -> tuple[RenderPlan | None, bool]:
        self.seen.append(count_frames(self._file) if self._file.exists() else 0)
        count, is_over = self._counts.pop(0), not self._counts
        caption = Caption(largest=99)
        plan = (
            make_plan(two_points(), range(count), SHORT_PARTS, caption=caption) if count else None
        )
        return plan, is_over


def follow(root: Path, training: Training, source: GrowingSource | None = None):
    source = source or GrowingSource(log=root / "passes.log")
    return follow_film(
        source, training.plan_now, root / "render", root / "film.mp4", ENGINE, poll_s=0
    )


def test_a_film_grows_with_its_run_and_can_be_played_meanwhile(tmp_path) -> None:
    training = Training(tmp_path, 0, 15, 45, 47, 90, 100)
    videos = follow(tmp_path, training)
    assert training.seen == [0, 0, 0, 40, 40, 80]
    assert passes(tmp_path) == ["0 20", "20 20", "40 20", "60 20", "80 20"]
    (tmp_path / "whole").mkdir()
    assert_same(videos, decoded(render(tmp_path / "whole")))
    assert names(tmp_path / "render") == [".lock", "plan.json", "videos.json"]


def test_a_film_that_was_killed_follows_on(tmp_path) -> None:
    damaged = GrowingSource(log=tmp_path / "passes.log", damaged=50)
    with pytest.raises(UnreadableSourceError, match="checkpoint 50 is damaged"):
        follow(tmp_path, Training(tmp_path, 45, 90, 100), damaged)
    videos = follow(tmp_path, Training(tmp_path, 100))
    assert passes(tmp_path) == ["0 20", "20 20", "40 20", "40 20", "60 20", "80 20"]
    assert [video.frames for video in videos] == [100, 100, 100]
    assert np.stack(decoded(videos)[0]).shape[0] == 100


def test_a_run_that_ends_without_a_checkpoint_has_no_film(tmp_path) -> None:
    assert follow(tmp_path, Training(tmp_path, 0, 0)) == []
    assert not list(tmp_path.rglob("*.mp4"))
