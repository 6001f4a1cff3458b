import pytest

from studio.runs.events import Event
from studio.screens.parts.charts.axes import BATCH, PICTURES, TIME, places_along
from studio.screens.parts.charts.curves import (
    VIEWS,
    marks_along,
    marks_of,
    overlay_runs,
    show_choices,
    show_curves,
    waiting_fraction,
    within,
    zoom_by,
)

PHASES = {"data_s": 0.01, "d_s": 0.4, "g_s": 0.5, "checkpoint_s": 0.05, "frames_s": 0.04}


def entries(count, **more):
    return [
        {"batch": b, "d_real": 1.0, "d_fake": 0.5, "g": 2.0, "seconds": 1.0, **more}
        for b in range(1, count + 1)
    ]


def test_an_old_run_shows_its_losses_and_says_what_it_did_not_write_down():
    assert "D, real" in show_curves(entries(5), [], "losses", False)
    for view in set(VIEWS) - {"losses"}:
        assert "Nothing is known yet" in show_curves(entries(5), [], view, False)


def test_before_the_second_batch_there_is_nothing_to_draw():
    for count in (0, 1):
        assert "second batch" in show_curves(entries(count), [], "losses", False)


def test_the_fraction_of_waiting_for_data_is_a_number():
    metrics = entries(50, data_s=0.9) + entries(100, **PHASES)
    assert waiting_fraction(metrics) == pytest.approx(0.01)
    assert waiting_fraction(entries(5)) is None
    assert "<b" in show_curves(metrics, [], "time", False)
    assert "1.0%" in show_curves(metrics, [], "time", False)


def test_what_happened_is_marked_at_its_batch_and_what_is_wrong_stands_out():
    events = [
        Event("city", 3, "alarm", "Mode collapse: 3.1", 3.0),
        Event("city", 3, "changed", "ema: 0.9 -> 0.99", 2.0),
        Event("city", 4, "saved", "state of batch 4", 4.0),
        Event("city", None, "changed", "batches: 5 -> 9", 5.0),
    ]
    (mark,) = marks_of(events)
    assert (mark.at, mark.kind) == (3, "wrong")
    assert mark.text == "Batch 3: ema: 0.9 -> 0.99; Mode collapse: 3.1"


def test_the_chosen_view_is_pressed():
    assert show_choices("speed", True).count('aria-pressed="true"') == 3
    assert "log scale" not in show_choices("time", False)


def test_runs_are_laid_over_each_other_by_batch_or_by_time():
    fast, slow = entries(10), [{**entry, "seconds": 60.0} for entry in entries(10)]
    colours = {"fast": "--accent", "slow": "--water"}
    assert "batch 10" in overlay_runs({"fast": fast, "slow": slow}, colours, "g", BATCH, False)
    assert "10 min" in overlay_runs({"fast": fast, "slow": slow}, colours, "g", TIME, False)
    assert places_along(slow, TIME)[-1] == 600


def test_curves_show_the_stretch_that_is_zoomed_to_and_its_numbers():
    metrics = entries(100)
    shown = show_curves(metrics, [], "losses", False, (20, 40))
    assert "batch 20" in shown
    assert "batch 40" in shown
    assert "batch 100" in show_curves(metrics, [], "losses", False, None)


def test_zooming_keeps_within_the_run_and_comes_back_to_all():
    metrics = entries(100)
    zoom = None
    for _ in range(20):  # However often one presses, there is a curve.
        zoom = zoom_by(metrics, zoom, "in")
    assert len(within(metrics, zoom)) >= 2
    for _ in range(99):
        zoom = zoom_by(metrics, zoom, "right")
    assert zoom[1] == metrics[-1]["batch"]
    for _ in range(20):
        zoom = zoom_by(metrics, zoom, "out")
    assert zoom is None
    assert zoom_by(metrics, (20, 40), "all") is None
    assert zoom_by(metrics, (20, 40), (1.5, 0.5)) == (30, 40)
    assert zoom_by([], (20, 40), "in") is None


def test_curves_lie_over_batches_pictures_or_time():
    run = [{**entry, "seconds": 2.0, "pictures_per_s": 32.0} for entry in entries(50)]
    assert places_along(run, PICTURES)[-1] == 50 * 64
    assert "3,200 pictures" in show_curves(run, [], "losses", False, None, PICTURES)
    assert "2 min" in show_curves(run, [], "losses", False, None, TIME)
    part = show_curves(run, [], "losses", False, (20, 40), PICTURES)
    assert "1,280 pictures" in part  # Those before the part count as well.
    assert "2,560 pictures" in part


def test_a_mark_stands_where_its_batch_is_and_one_of_no_batch_here_is_left_out():
    run = entries(10)
    run[4]["seconds"] = 11.0  # It stood still for a while.
    events = [Event("city", batch, "alarm", "wrong", 1.0) for batch in (5, 10, 11)]
    assert [mark.at for mark in marks_along(run, events, places_along(run, TIME))] == [15.0, 20.0]


def test_a_part_that_was_marked_is_of_what_lies_along_the_curves():
    run = entries(100)
    for entry in run[50:]:
        entry["seconds"] = 3.0
    assert zoom_by(run, None, (0.5, 1.0)) == (50, 100)
    low, high = zoom_by(run, None, (0.5, 1.0), TIME)
    assert (low, high) == (67, 100)  # Half of the time, not half of the batches.
