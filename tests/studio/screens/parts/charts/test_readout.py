import json

import numpy as np

from studio.screens.parts.charts.readout import MAX_READ_POINTS, ReadCurve, write_readout
from studio.screens.parts.charts.scales import Span


def curve(title, x, y, **more):
    return ReadCurve(title, "--water", np.array(x, float), np.array(y, float), **more)


def read(*curves, first=1, last=10):
    return json.loads(write_readout(curves, Span.of_batches(first, last)))


def test_each_place_of_a_curve_has_its_own_value():
    (found,) = read(curve("D", range(1, 11), [n / 7 for n in range(10)]))
    assert found["where"][3] == "batch 4"
    assert found["values"][3] == "0.4286"
    assert found["at"] == [round(n / 9, 4) for n in range(10)]


def test_a_mean_and_a_unit_are_said_and_what_is_no_number_is_unknown():
    mean = np.array([1.0, 2.0, 3.0])
    (found,) = read(curve("D", [1, 5, 10], [1, np.nan, 9], mean=mean, unit=" %"))
    assert found["values"] == ["1 %, mean 1 %", "unknown, mean 2 %", "9 %, mean 3 %"]


def test_curves_of_the_same_places_name_them_once():
    one, other, third = read(
        curve("a", [1, 10], [0, 1]), curve("b", [1, 10], [2, 3]), curve("c", [2, 10], [4, 5])
    )
    assert "at" in one
    assert "at" not in other
    assert third["where"] == ["batch 2", "batch 10"]


def test_a_long_run_can_be_read_at_its_ends_and_in_a_part_at_every_batch():
    x = np.arange(1, 20_001)
    (whole,) = read(curve("D", x, x), last=20_000)
    assert len(whole["at"]) == MAX_READ_POINTS
    assert (whole["where"][0], whole["where"][-1]) == ("batch 1", "batch 20,000")
    (part,) = read(curve("D", x, x), first=501, last=600)
    assert part["where"] == [f"batch {batch}" for batch in range(501, 601)]


def test_a_curve_out_of_sight_is_left_out():
    assert read(curve("D", [20, 30], [0, 1])) == []
