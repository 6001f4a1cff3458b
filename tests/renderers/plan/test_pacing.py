from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from renderers.errors import UnfinishedRenderError
from renderers.jobs.workers import render_parts
from renderers.plan.pacing import measure_change, spread, spread_change
from tests.renderers.tiny import GreySource, GrowingSource, two_points

ENGINE = partial(render_parts, devices=["cpu"])


def test_frames_are_spread_evenly_from_the_first_to_the_last_checkpoint() -> None:
    assert spread(5, 5).tolist() == [0, 1, 2, 3, 4]
    assert spread(9, 3).tolist() == [0, 4, 8]
    assert spread(3, 6).tolist() == [0, 0, 1, 1, 2, 2]
    assert spread(1, 4).tolist() == [0, 0, 0, 0]


def test_every_frame_shows_the_same_change() -> None:
    change = np.concatenate(
        [[0], np.full(100, 4.0), np.full(400, 1.0)]
    )  # early batches change more
    shown = spread_change(change, 201)
    assert (shown[0], shown[-1], len(shown)) == (0, 500, 201)
    assert (np.diff(shown) >= 0).all()
    seen = np.cumsum(change)[shown]
    assert np.abs(np.diff(seen) - 4).max() <= 4
    assert (shown[:101] == np.arange(101)).all()


def test_without_a_length_few_checkpoints_need_to_be_held() -> None:
    change = np.concatenate([[0], np.linspace(10, 0.1, 999)])
    shown = spread_change(change, None)
    held = len(shown) - len(set(shown.tolist()))
    assert 100 < len(shown) < 1000
    assert held <= 0.06 * len(shown)


def test_checkpoints_that_do_not_change_are_spread_evenly() -> None:
    assert spread_change(np.zeros(5), 3).tolist() == [0, 2, 4]
    assert spread_change(np.zeros(5), None).tolist() == [0, 1, 2, 3, 4]


@dataclass(frozen=True)
class _StandsStillSource:
    """As another source, but batch 10 and all after it look like batch 10."""

    source: GrowingSource

    def build(self) -> nn.Module:
        return self.source.build()

    def stream(
        self, batches: Sequence[int], device: str, into: Sequence[nn.Module] = ()
    ) -> Iterator[tuple[int, nn.Module]]:
        for batch in batches:
            for _, G in self.source.stream([min(batch, 10)], device):
                yield batch, G


def test_change_is_measured_between_neighbouring_checkpoints(tmp_path) -> None:
    reports: list[tuple[int, int]] = []
    source = _StandsStillSource(GrowingSource())
    change = measure_change(
        *(source, two_points(), range(20), tmp_path / "change", ENGINE),
        on_progress=lambda *n: reports.append(n[:2]),
    )
    assert change.shape == (20,)
    assert change[0] == 0
    assert (change[1:11] > 0.5).all()
    assert (change[11:] == 0).all()
    assert reports[-1] == (20, 20)


def test_change_between_checkpoints_that_were_passed_over_goes_evenly(
    monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr("renderers.plan.pacing.MAX_CHECKPOINTS", 5)
    change = measure_change(GreySource(), two_points(), range(0, 9), tmp_path / "a", ENGINE)
    compared = measure_change(GreySource(), two_points(), range(0, 9, 2), tmp_path / "b", ENGINE)
    assert change[1] == pytest.approx(change[2])
    assert change[1:3].sum() == pytest.approx(compared[1])
    assert change.sum() == pytest.approx(compared.sum())


def test_change_is_the_same_in_parts_and_on_several_devices(monkeypatch, tmp_path) -> None:
    given = GrowingSource(), two_points(), range(12)
    whole = measure_change(*given, tmp_path / "whole", ENGINE)
    monkeypatch.setattr("renderers.plan.pacing.PART_CHECKPOINTS", 4)
    assert measure_change(*given, tmp_path / "parts", ENGINE).tolist() == whole.tolist()
    engine = partial(render_parts, devices=["cpu", "cpu"])
    assert measure_change(*given, tmp_path / "devices", engine).tolist() == whole.tolist()


def test_what_was_measured_before_it_was_killed_is_not_measured_again(
    monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr("renderers.plan.pacing.PART_CHECKPOINTS", 4)
    given = GrowingSource(), two_points(), range(12), tmp_path
    asked: list[int] = []

    def first_alone(renderer, parts, *, on_progress) -> None:
        asked.append(len(parts))
        ENGINE(renderer, parts[:1], on_progress=on_progress)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_change(*given, first_alone)
    with pytest.raises(KeyboardInterrupt):
        measure_change(*given, first_alone)
    assert asked == [3, 2]
    change = measure_change(*given, ENGINE)
    assert change.tolist() == measure_change(*given[:3], tmp_path / "anew", ENGINE).tolist()


def test_a_damaged_note_is_measured_anew(tmp_path) -> None:
    given = GrowingSource(), two_points(), range(6), tmp_path, ENGINE
    change = measure_change(*given)
    (note,) = tmp_path.iterdir()
    note.write_text("{}")
    with pytest.raises(UnfinishedRenderError, match="batches 0 to 5 cannot be read"):
        measure_change(*given)
    assert measure_change(*given).tolist() == change.tolist()


@given(
    change=st.lists(st.floats(0, 1e6), min_size=2, max_size=60),
    frames=st.none() | st.integers(2, 100),
)
def test_checkpoints_are_spread_in_order_from_the_first_to_the_last(change, frames) -> None:
    change[0] = 0.0
    shown = spread_change(np.array(change), frames)
    assert shown.dtype == np.int64
    assert len(shown) == frames or frames is None
    assert (np.diff(shown) >= 0).all()
    assert (shown[0], shown[-1]) == (0, len(change) - 1)
