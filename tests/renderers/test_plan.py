from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from latent.errors import UserError
from latent.points import LatentPoint
from renderers.plan import Plan, RenderOptions, cut_parts, make_plan
from tests.renderers.tiny import two_points

OPTIONS = RenderOptions(part_batches=4)


def test_a_plan_comes_back_from_json_as_it_was() -> None:
    plan = make_plan(two_points(), range(0, 50, 5), OPTIONS, "weights", [10, 30])
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert again.digest == plan.digest
    torch.testing.assert_close(again.z, torch.stack([point.z for point in two_points()]))


def test_whatever_shows_in_a_frame_changes_the_digest() -> None:
    points = two_points()
    renamed = [LatentPoint("other", points[0].z), points[1]]
    moved = [LatentPoint(points[0].label, points[0].z + 1e-6), points[1]]
    plans = [
        make_plan(points, range(9), OPTIONS, "weights"),
        make_plan(points, range(10), OPTIONS, "weights"),
        make_plan(points[::-1], range(9), OPTIONS, "weights"),
        make_plan(renamed, range(9), OPTIONS, "weights"),
        make_plan(moved, range(9), OPTIONS, "weights"),
        make_plan(points, range(9), replace(OPTIONS, crf=19), "weights"),
        make_plan(points, range(9), OPTIONS, "other weights"),
    ]
    assert len({plan.digest for plan in plans}) == len(plans)
    assert make_plan(points, range(9), OPTIONS, "weights").digest == plans[0].digest


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
        ({"scale": 0}, "scale 0 is out of range"),
        ({"columns": 0}, "columns 0 is out of range"),
        ({"crf": -1}, "crf. -1 is out of range"),
        ({"encoder": "mpeg1"}, "no encoder 'mpeg1'"),
    ],
)
def test_options_out_of_range_are_refused_with_the_range(change, message) -> None:
    with pytest.raises(UserError, match=message):
        RenderOptions(**change)


def test_points_and_batches_that_make_no_film_are_refused() -> None:
    points = two_points()
    with pytest.raises(UserError, match="0 points and 3 checkpoints"):
        make_plan([], range(3), OPTIONS)
    with pytest.raises(UserError, match="2 points and 0 checkpoints"):
        make_plan(points, [], OPTIONS)
    with pytest.raises(UserError, match="2 comes after 5"):
        make_plan(points, [1, 5, 2], OPTIONS)
    with pytest.raises(UserError, match="seed:1 is there twice"):
        make_plan([points[0], points[0]], [1], OPTIONS)
    with pytest.raises(UserError, match="different lengths"):
        make_plan([points[0], LatentPoint("long", torch.zeros(9))], [1], OPTIONS)
