from __future__ import annotations

import json
from bisect import bisect_left
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latent.points import LatentPoint, seeded_point
from renderers.errors import RenderError
from renderers.pictures.display_options import DisplayOptions
from renderers.plan.cutting import cut_parts
from renderers.plan.options import RenderOptions
from renderers.plan.render_plan import Caption, RenderPlan, Track, make_plan
from tests.renderers.tiny import two_points

OPTIONS = RenderOptions(part_frames=4)


def test_a_plan_comes_back_from_json_as_it_was() -> None:
    plan = make_plan(two_points(), range(0, 50, 5), OPTIONS, weights=weights(10), borders=[10, 30])
    again = RenderPlan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert again.digest == plan.digest
    torch.testing.assert_close(again.z(3, 4)[0], torch.stack([p.z for p in two_points()]))


def test_whole_rates_keep_the_digests_of_before_and_fractions_come_back_exactly() -> None:
    point = seeded_point(1, 8)
    known = "a3f9b51b819a4f1777c0c70b054d2979fd003b991ac7600b380bedca4269cc4f"
    assert make_plan([point], range(5), RenderOptions()).digest == known
    plan = make_plan([point], range(5), RenderOptions(fps=Fraction(24000, 1001)))
    again = RenderPlan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again.options.fps == Fraction(24000, 1001)
    assert again.digest == plan.digest != known


def weights(count: int) -> list[str]:
    return [f"weights of {position}" for position in range(count)]


def test_whatever_shows_in_a_frame_changes_the_digest() -> None:
    points, nine = two_points(), weights(9)
    renamed = [LatentPoint("other", points[0].z), points[1]]
    moved = [LatentPoint(points[0].label, points[0].z + 1e-6), points[1]]
    plans = [
        make_plan(points, range(9), OPTIONS, weights=nine),
        make_plan(points, range(10), OPTIONS, weights=weights(10)),
        make_plan(points[::-1], range(9), OPTIONS, weights=nine),
        make_plan(renamed, range(9), OPTIONS, weights=nine),
        make_plan(moved, range(9), OPTIONS, weights=nine),
        make_plan(points, range(9), replace(OPTIONS, crf=19), weights=nine),
        make_plan(points, range(9), OPTIONS, weights=[*nine[:-1], "other"]),
        make_plan(points, range(9), OPTIONS, weights=nine, caption=Caption(run="city")),
    ]
    assert len({plan.digest for plan in plans}) == len(plans)
    assert make_plan(points, range(9), OPTIONS, weights=nine).digest == plans[0].digest


def test_a_changed_checkpoint_changes_the_digest_of_its_part_alone() -> None:
    before = make_plan(two_points(), range(12), OPTIONS, weights=weights(12))
    marks = weights(12)
    marks[5] = "changed"
    after = make_plan(two_points(), range(12), OPTIONS, weights=marks)
    same = [a.digest == b.digest for a, b in zip(before.parts, after.parts, strict=True)]
    assert same == [True, False, True]


def test_the_parts_of_a_growing_film_stay_what_they_are() -> None:
    caption = Caption(largest=99)
    before = make_plan(two_points(), range(10), OPTIONS, weights=weights(10), caption=caption)
    after = make_plan(two_points(), range(15), OPTIONS, weights=weights(15), caption=caption)
    assert [part.digest for part in before.first_parts(2).parts] == [
        part.digest for part in after.parts[:2]
    ]


def with_events(*events, numbers=range(100, 112), **caption) -> RenderPlan:
    told = Caption(numbers=tuple(numbers), events=events, **caption)
    options = replace(OPTIONS, fps=2, overlay=("events",))
    return make_plan(two_points(), range(12), options, weights=weights(12), caption=told)


def test_an_event_is_told_with_the_first_frame_that_is_as_far() -> None:
    every_fifth = range(100, 160, 5)
    events = ((99, "before"), (100, "first"), (112, "between"), (155, "last"), (156, "after"))
    plan = with_events(*events, numbers=every_fifth)
    assert plan.notices == ((0, "first"), (3, "between"), (11, "last"))
    assert with_events(*events, numbers=[*every_fifth][::-1]).notices == ()
    assert RenderPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_an_event_changes_the_digests_of_the_parts_that_tell_it_alone() -> None:
    def changed(batch: int, **caption) -> list[bool]:
        told, silent = with_events((batch, "resumed"), **caption), with_events(**caption)
        return [a.digest != b.digest for a, b in zip(told.parts, silent.parts, strict=True)]

    assert changed(101) == [True, False, False]
    assert changed(102) == [True, False, False]
    assert changed(103) == [True, True, False], "it is told for two frames"
    assert changed(104) == [False, True, False]
    assert changed(999) == [False, False, False]
    assert changed(101, curve=(1.0,) * 12) == [True, True, True], "the curve has a mark"


def test_a_track_that_moves_has_a_place_for_each_frame() -> None:
    z = torch.arange(24.0).reshape(6, 4)
    plan = make_plan([Track("moving", z), LatentPoint("still", z[0])], [3] * 6, OPTIONS)
    assert not plan.is_static
    places = plan.z(2, 5)
    assert places.shape == (3, 2, 4)
    torch.testing.assert_close(places[:, 0], z[2:5])
    torch.testing.assert_close(places[:, 1], z[:1].expand(3, -1))
    assert plan.parts[0].digest != plan.parts[1].digest
    with pytest.raises(ValueError, match="a latent vector for each frame"):
        make_plan([Track("short", z)], [3] * 5, OPTIONS)


def test_where_parts_are_cut_does_not_change_the_digest() -> None:
    cut = make_plan(two_points(), range(9), OPTIONS, borders=[3])
    uncut = make_plan(two_points(), range(9), OPTIONS)
    assert cut.cuts != uncut.cuts
    assert cut.digest == uncut.digest


@pytest.mark.parametrize(
    ("batches", "borders", "longest", "cuts"),
    [
        (range(10), [], 100, (0,)),
        (range(10), [], 4, (0, 4, 8)),
        (range(10), [0, 3, 7], 4, (0, 3, 7)),
        (range(10), [2, 3, 4, 6], 4, (0, 4, 6)),
        (range(0, 100, 10), [25, 75], 5, (0, 3, 8)),
        (range(8), [500], 4, (0, 4)),
        ([5], [], 1, (0,)),
    ],
)
def test_parts_are_cut_at_borders_where_they_can_be(batches, borders, longest, cuts) -> None:
    assert cut_parts(batches, borders, longest) == cuts


def test_parts_cover_all_batches_once_and_in_order() -> None:
    plan = make_plan(two_points(), range(0, 999, 3), OPTIONS, borders=range(0, 999, 10))
    joined = [batch for part in plan.parts for batch in part.batches]
    assert joined == list(range(0, 999, 3))
    assert max(len(part.batches) for part in plan.parts) <= 4
    assert [part.first for part in plan.parts] == list(plan.cuts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": False}, "Nothing to render"),
        ({"fps": 0}, "fps 0 is out of range: use 1 to 240"),
        ({"overlay": ("clock",)}, "no overlay 'clock'. Known: batch, run, label, curve"),
        ({"precision": "fp4"}, "no precision 'fp4'"),
        ({"columns": 0}, "columns 0 is out of range"),
        ({"crf": -1}, "crf. -1 is out of range"),
        ({"encoder": "mpeg1"}, "no encoder 'mpeg1'"),
    ],
)
def test_options_out_of_range_are_refused_with_the_range(change, message) -> None:
    with pytest.raises(RenderError, match=message):
        RenderOptions(**change)


def test_points_and_batches_that_make_no_film_are_refused() -> None:
    points = two_points()
    with pytest.raises(RenderError, match="0 points and 3 checkpoints"):
        make_plan([], range(3), OPTIONS)
    with pytest.raises(RenderError, match="2 points and 0 checkpoints"):
        make_plan(points, [], OPTIONS)
    with pytest.raises(RenderError, match="seed:1 is there twice"):
        make_plan([points[0], points[0]], [1], OPTIONS)
    with pytest.raises(RenderError, match="different lengths"):
        make_plan([points[0], LatentPoint("long", torch.zeros(9))], [1], OPTIONS)


def test_plans_keep_the_digests_and_the_json_of_version_0_1_0() -> None:
    z = torch.arange(12.0).reshape(3, 4)
    points = [LatentPoint("seed:1", z[0]), Track("moving", z)]
    options = RenderOptions(display=DisplayOptions(crop=(0, 0, 8, 8), scale=4))
    caption = Caption((5, 7, 9), "city", (1.0, 2.0, 3.0), 9, ((6, "x"),))
    plan = make_plan(points, [5, 5, 9], options, weights=["a", "a", "b"], caption=caption)
    assert plan.digest == "dbe40e07a126e2c8fad8cbb407dc87d312e6831f8f9872fd9eca6b8ab53d647c"
    assert plan.to_json()["options"]["look"]["scale"] == 4


BATCHES = st.lists(st.integers(0, 10**6), min_size=1, max_size=60)


@given(
    batches=BATCHES | BATCHES.map(sorted),
    borders=st.lists(st.integers(0, 10**6), max_size=20),
    longest=st.integers(1, 70),
)
def test_parts_are_never_too_long_and_cut_at_a_border_or_when_full(
    batches, borders, longest
) -> None:
    cuts = cut_parts(batches, borders, longest)
    ends = [*cuts[1:], len(batches)]
    lengths = [end - cut for cut, end in zip(cuts, ends, strict=True)]
    assert cuts[0] == 0
    assert all(1 <= length <= longest for length in lengths)
    ascends = batches == sorted(batches)
    reached = {bisect_left(batches, border) for border in borders} if ascends else set()
    assert all(
        length == longest or end in reached
        for length, end in zip(lengths[:-1], cuts[1:], strict=True)
    )


@settings(max_examples=30, deadline=None)
@given(batches=BATCHES, moving=st.booleans(), part_frames=st.integers(1, 30), data=st.data())
def test_any_plan_comes_back_from_json_and_its_parts_are_the_film(
    batches, moving, part_frames, data
) -> None:
    numbers = st.floats(-9, 9, width=32)
    rows = st.lists(numbers, min_size=3, max_size=3)
    size = len(batches)
    z = data.draw(st.lists(rows, min_size=size, max_size=size) if moving else rows)
    plan = make_plan([Track("t", torch.tensor(z))], batches, RenderOptions(part_frames=part_frames))
    again = RenderPlan.from_json(json.loads(json.dumps(plan.to_json())))
    assert (again, again.digest, again.parts) == (plan, plan.digest, plan.parts)
    assert [batch for part in plan.parts for batch in part.batches] == list(batches)
    torch.testing.assert_close(again.z(0, size)[:, 0], torch.tensor(z).expand(size, 3))
    assert plan.first_parts(len(plan.parts) - 1).parts == plan.parts[:-1] if plan.cuts[1:] else True
