from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.runs.config import TrainingConfig
from studio.training.recipes.schedules import rate_factor, updates_of_d

SCHEDULES = ("constant", "linear", "cosine", "step", "exponential")


@pytest.fixture
def config():
    return TrainingConfig(batches=1000, schedule_every=100, schedule_factor=0.5)


@pytest.mark.parametrize(
    ("schedule", "at"),
    [
        ("constant", {1: 1, 500: 1, 1000: 1, 2000: 1}),
        ("linear", {500: 0.75, 1000: 0.5, 2000: 0.5}),
        ("cosine", {250: 0.75 + 0.25 * 0.5**0.5, 500: 0.75, 1000: 0.5, 2000: 0.5}),
        ("step", {1: 1, 99: 1, 100: 0.5, 199: 0.5, 200: 0.25, 1000: 0.5**10}),
        ("exponential", {50: 0.5**0.5, 100: 0.5, 200: 0.25}),
    ],
)
def test_each_schedule_is_where_its_name_says(config, schedule, at):
    scheduled = replace(config, schedule=schedule)
    found = {batch: rate_factor(scheduled, batch) for batch in at}
    assert found == pytest.approx(at)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_warm_up_raises_any_schedule_in_a_straight_line(config, schedule):
    cold = replace(config, schedule=schedule)
    warmed = replace(cold, warm_up_batches=10)
    for batch, fraction in {1: 0.1, 5: 0.5, 10: 1, 11: 1, 700: 1}.items():
        assert rate_factor(warmed, batch) == pytest.approx(fraction * rate_factor(cold, batch))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_cool_down_lowers_any_schedule_in_a_straight_line_to_the_last_batch(config, schedule):
    hot = replace(config, schedule=schedule)
    cooled = replace(hot, cool_down_batches=9)
    for batch, fraction in {1: 1, 991: 1, 992: 0.9, 996: 0.5, 1000: 0.1}.items():
        assert rate_factor(cooled, batch) == pytest.approx(fraction * rate_factor(hot, batch))


def test_a_run_that_goes_on_is_cooled_down_at_its_new_end(config):
    cooled = replace(config, cool_down_batches=100)
    longer = replace(cooled, batches=3000)
    assert rate_factor(cooled, 1000) < 0.01
    assert rate_factor(longer, 1000) == 1
    assert rate_factor(longer, 3000) < 0.01


@pytest.mark.parametrize("schedule", SCHEDULES[1:])
def test_a_schedule_may_end_at_nothing(config, schedule):
    ending = replace(config, schedule=schedule, schedule_factor=0.0)
    assert rate_factor(ending, 1000) == 0


@pytest.mark.parametrize(
    ("g", "d", "expected"),
    [
        (1, 1, [1, 1, 1, 1, 1, 1]),
        (1, 5, [5, 5, 5, 5, 5, 5]),
        (5, 1, [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]),
        (2, 3, [1, 2, 1, 2, 1, 2]),
        (3, 2, [0, 1, 1, 0, 1, 1]),
    ],
)
def test_updates_of_d_are_spread_evenly_between_those_of_g(config, g, d, expected):
    config = replace(config, g_updates=g, d_updates=d)
    assert [updates_of_d(config, batch) for batch in range(1, len(expected) + 1)] == expected


@given(g=st.integers(1, 64), d=st.integers(1, 64), batches=st.integers(1, 200))
def test_updates_of_d_add_up_to_the_ratio_at_any_batch(g, d, batches):
    config = TrainingConfig(g_updates=g, d_updates=d)
    updates = [updates_of_d(config, batch) for batch in range(1, batches + 1)]
    assert sum(updates) == batches * d // g
    assert max(updates) - min(updates) <= 1


@given(
    schedule=st.sampled_from(SCHEDULES),
    batch=st.integers(1, 3000),
    every=st.integers(1, 2000),
    factor=st.floats(0, 1),
    warm_up=st.integers(0, 500),
    cool_down=st.integers(0, 2000),
)
def test_a_factor_on_learning_rates_lies_between_nothing_and_all(
    schedule, batch, every, factor, warm_up, cool_down
):
    ends = {"warm_up_batches": warm_up, "cool_down_batches": cool_down}
    settings = {"schedule_every": every, "schedule_factor": factor, **ends}
    config = TrainingConfig(batches=1000, schedule=schedule, **settings)
    assert 0 <= rate_factor(config, batch) <= 1
