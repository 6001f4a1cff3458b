import pytest

from studio.runs.events import Event
from studio.screens.parts.curves import (
    VIEWS,
    marks_of,
    overlay_runs,
    show_choices,
    show_curves,
    training_seconds,
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
    assert show_choices("speed", True).count('aria-pressed="true"') == 2
    assert "log scale" not in show_choices("time", False)


def test_runs_are_laid_over_each_other_by_batch_or_by_time():
    fast, slow = entries(10), [{**entry, "seconds": 60.0} for entry in entries(10)]
    colours = {"fast": "--accent", "slow": "--water"}
    assert "batch 10" in overlay_runs({"fast": fast, "slow": slow}, colours, "g", False, False)
    assert "10 min" in overlay_runs({"fast": fast, "slow": slow}, colours, "g", True, False)
    assert training_seconds(slow)[-1] == 600


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
