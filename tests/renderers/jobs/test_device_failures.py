from __future__ import annotations

import logging
import multiprocessing
from pathlib import Path

import pytest
import torch

from benchmarks.failing_cards import count_failures
from renderers import progress
from renderers.errors import CompilationError, UnfinishedRenderError
from renderers.frames.device_failures import (
    describe_failure,
    is_device_failure,
    is_out_of_memory,
)
from renderers.jobs.parts import PartFolder
from renderers.jobs.verification import read_plan
from renderers.plan.outputs import Video
from renderers.plan.render_plan import RenderPlan, make_plan
from tests.renderers.failing_cards import FAILURES, film_on_cards
from tests.renderers.jobs.test_rendering import assert_same, decoded, names, render
from tests.renderers.tiny import SHORT_PARTS, GrowingSource, two_points

FRAMES = 100


@pytest.fixture
def plan() -> RenderPlan:
    return make_plan(two_points(), range(FRAMES), SHORT_PARTS)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: describe_failure(failure())[:40])
def test_what_a_card_raises_is_told_from_mistakes_of_the_program(failure) -> None:
    error = failure()
    assert is_device_failure(error)
    wrapped = CompilationError("The generator", "it failed")
    wrapped.__cause__ = error
    assert is_device_failure(wrapped)
    assert "\n" not in describe_failure(wrapped)
    assert describe_failure(wrapped) in str(error)


@pytest.mark.parametrize(
    "mistake",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x8 and 9x128)"),
        RuntimeError("Expected all tensors to be on the same device, cuda:0 and cpu!"),
        torch.AcceleratorError("CUDA error: device-side assert triggered\nCUDA kernel errors ..."),
        torch.AcceleratorError("CUDA error: invalid argument\nCUDA kernel errors ..."),
        RuntimeError("cuDNN error: CUDNN_STATUS_BAD_PARAM"),
        ValueError("CUDA error: said by somebody else"),
    ],
)
def test_mistakes_of_the_program_are_no_failures_of_a_card(mistake) -> None:
    assert not is_device_failure(mistake)
    assert not is_out_of_memory(mistake)


def test_memory_that_a_library_lacks_is_memory_that_is_lacking() -> None:
    assert [is_out_of_memory(failure()) for failure in FAILURES].count(True) == 4


@pytest.mark.slow
def test_a_card_that_always_fails_is_left_out_and_the_film_is_that_of_the_others(
    tmp_path: Path, plan: RenderPlan, caplog: pytest.LogCaptureFixture
) -> None:
    notes: list[str] = []
    with caplog.at_level(logging.WARNING):
        videos = film_on_cards(
            tmp_path / "cards",
            GrowingSource(pause_s=0.15),  # The other one is not done before this one is left out.
            plan,
            {"cuda:0": 0.0, "cuda:1": 1.0},
            lambda done, total, note="": notes.append(note),
        )
    said = [record.getMessage() for record in caplog.records]
    assert said.count("cuda:1 is left out, since it failed 3 times.") == 1
    assert len([line for line in said if line.startswith("cuda:1 ")]) == 4
    assert "cuda:1 is left out" in notes[-2]
    assert_undisturbed(videos, tmp_path)
    assert names(tmp_path / "cards" / "render") == [".lock", "plan.json", "videos.json"]


WORDS = 50  # More than a part of 20 checkpoints takes, and less than two parts.


@pytest.mark.slow
def test_one_card_alone_is_taken_up_twice_by_new_processes_which_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    short, counts = make_plan(two_points(), range(60), SHORT_PARTS), list[tuple[int, int]]()
    videos = film_on_cards(
        tmp_path / "card",
        GrowingSource(),
        short,
        {"cuda:0": 1.0},
        lambda done, total, note="": counts.append((done, total)),
        spared=WORDS,
    )
    assert len([r for r in caplog.records if r.getMessage().startswith("cuda:0 said: ")]) == 2
    assert counts[0] == (0, 60)
    assert counts[-1] == (60, 60)
    assert_undisturbed(videos, tmp_path, 60)


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards have seconds rather than minutes, and workers need no time to import torch."""
    multiprocessing.set_forkserver_preload(["tests.renderers.failing_cards"])
    monkeypatch.setattr(progress, "MAX_SILENCE_S", 2.0)
    monkeypatch.setattr(progress, "MAX_PACES", 0)


@pytest.mark.slow
def test_the_parts_of_a_card_that_hangs_are_rendered_by_the_others(
    tmp_path: Path, plan: RenderPlan, impatience: None, caplog: pytest.LogCaptureFixture
) -> None:
    videos = film_on_cards(
        tmp_path / "cards",
        GrowingSource(pause_s=0.2),
        plan,
        {"cuda:0": 0.0, "cuda:1": 1.0},
        spared=10,
        start_method="forkserver",
        hangs=True,
    )
    said = [record.getMessage() for record in caplog.records]
    assert said.count("cuda:1 has shown no frame for 1 min.") >= 1
    assert not [line for line in said if line.startswith("cuda:0")]
    assert_undisturbed(videos, tmp_path)
    assert names(tmp_path / "cards" / "render") == [".lock", "plan.json", "videos.json"]


@pytest.mark.slow
def test_one_card_that_hangs_again_and_again_ends_in_one_sentence_and_its_parts_stay(
    tmp_path: Path, plan: RenderPlan, impatience: None
) -> None:
    cards = {"cuda:0": 1.0}
    with pytest.raises(UnfinishedRenderError) as caught:
        film_on_cards(
            *(tmp_path / "card", GrowingSource(), plan, cards),
            spared=WORDS,
            start_method="forkserver",
            hangs=True,
        )
    assert str(caught.value) == (
        "No device is left to render on: cuda:0 failed 3 times, and at last has shown no frame for "
        "1 min. Finished parts are kept."
    )
    folder = tmp_path / "card" / "render"
    parts = PartFolder(folder / "parts", read_plan(folder))
    assert [parts.is_whole(part) for part in plan.parts] == [True, True, True, False, False]
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_one_card_that_fails_again_and_again_ends_in_one_sentence_and_its_parts_stay(
    tmp_path: Path, plan: RenderPlan
) -> None:
    with pytest.raises(UnfinishedRenderError) as caught:
        film_on_cards(tmp_path / "card", GrowingSource(), plan, {"cuda:0": 1.0}, spared=WORDS)
    said = str(caught.value)
    assert said.startswith("No device is left to render on: cuda:0 failed 3 times, and at last ")
    assert said.endswith(" Finished parts are kept.")
    assert "\n" not in said
    folder = tmp_path / "card" / "render"
    parts = PartFolder(folder / "parts", read_plan(folder))
    assert [parts.is_whole(part) for part in plan.parts] == [True, True, True, False, False]
    counts: list[int] = []
    videos = film_on_cards(
        tmp_path / "card",
        GrowingSource(),
        plan,
        {"cuda:0": 0.0},
        lambda done, total, note="": counts.append(done),
    )
    assert counts[0] == 60
    assert_undisturbed(videos, tmp_path)


def test_a_part_that_is_too_large_for_a_card_goes_to_one_that_has_not_tried_it(
    tmp_path: Path,
) -> None:
    """Only one part, so that only one card works at a time, and the others are spare."""
    short = make_plan(two_points(), range(20), SHORT_PARTS)
    chances = {"cuda:0": 1.0, "cuda:1": 0.0}
    assert_undisturbed(
        film_on_cards(tmp_path / "cards", GrowingSource(), short, chances), tmp_path, 20
    )


def assert_undisturbed(videos: list[Video], root: Path, frames: int = FRAMES) -> None:
    (root / "one").mkdir()
    assert_same(videos, decoded(render(root / "one", batches=range(frames))))


@pytest.mark.slow
def test_films_on_cards_that_fail_at_random_have_every_frame_or_say_that_no_card_is_left() -> None:
    counts = count_failures(films=4, seed=1)
    assert counts["finished"] + counts["ended_in_the_sentence"] == 4
    assert counts["errors"] + counts["deaths"] > 0
    assert counts["wrong"] == counts["left"] == 0
