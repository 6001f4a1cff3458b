import dataclasses

import numpy as np
import pytest

from studio.runs.config import TrainingConfig
from studio.training.monitor.alarms import Alarms

CONFIG = TrainingConfig(progress_batches=80)
D_WINS = {"d_real": 0.33, "d_fake": 0.005, "g": 6.0, "d_accuracy": 1.0}
EVEN = {"d_real": 0.7, "d_fake": 0.5, "g": 1.2, "d_accuracy": 0.8}


def names(alarms, batches, metrics=lambda batch: {}, pictures=lambda batch: None):
    """The alarms of a stream of batches, as (batch, name)."""
    found = [a for b in batches for a in alarms.check(b, metrics(b), pictures(b))]
    return [(alarm.batch, alarm.name) for alarm in found]


def noisy(mean, deviation, seed=0):
    rng = np.random.default_rng(seed)
    return lambda batch: mean + deviation * rng.standard_normal()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_d_wins_only_after_tens_of_batches_and_again_only_after_it_lost(rng):
    alarms = Alarms(CONFIG)
    assert names(alarms, range(1, 50), lambda batch: D_WINS) == []
    assert names(alarms, range(50, 200), lambda batch: D_WINS) == [(50, "D wins")]
    assert names(alarms, range(200, 240), lambda batch: EVEN) == []
    assert names(alarms, range(240, 300), lambda batch: D_WINS)[-1][1] == "D wins"


def test_d_does_not_win_while_g_holds_its_own():
    losing = {**D_WINS, "g": 1.5}
    assert names(Alarms(CONFIG), range(1, 200), lambda batch: losing) == []


def test_the_critic_of_wasserstein_cannot_win():
    config = dataclasses.replace(CONFIG, loss="wasserstein")
    assert names(Alarms(config), range(1, 200), lambda batch: D_WINS) == []


def test_flipped_labels_raise_the_losses_of_a_d_that_wins():
    config = dataclasses.replace(CONFIG, label_flips=0.1)
    wins = {"d_real": 0.48, "d_fake": 0.34, "g": 4.5, "d_accuracy": 1.0}
    assert names(Alarms(config), range(1, 100), lambda batch: wins) == [(50, "D wins")]
    assert names(Alarms(CONFIG), range(1, 100), lambda batch: wins) == []


def test_g_runs_away_where_it_climbs_far_above_its_past():
    past = noisy(1.2, 0.2)
    climbing = [{"g": past(b) + max(0, b - 300) * 0.15} for b in range(500)]
    ((batch, name),) = names(Alarms(CONFIG), range(500), climbing.__getitem__)
    assert name == "G's loss runs away"
    assert 310 < batch < 350


def test_the_loss_of_a_young_g_that_rises_as_healthy_ones_do_is_no_runaway():
    past = noisy(1.2, 0.3)
    rising = [{"g": past(b) + 1.6 * b / 900} for b in range(900)]
    assert names(Alarms(CONFIG), range(900), rising.__getitem__) == []


@pytest.mark.parametrize("name", ["d_real", "g", "gradient_penalty", "g_grad_norm"])
def test_losses_and_gradients_of_a_hundred_million_sound_from_the_first_batches(name):
    huge = noisy(1e8, 1e7)
    found = names(Alarms(CONFIG), range(1, 300), lambda batch: {**EVEN, name: huge(batch)})
    assert (20, "Out of range") in found
    assert [n for _, n in found].count("Out of range") == 1


def test_losses_that_explode_later_are_out_of_range_too():
    def exploding(batch):
        return {**EVEN, "g": 1.2 * 10 ** min(8, max(0, (batch - 50) / 10))}

    assert (99, "Out of range") in names(Alarms(CONFIG), range(200), exploding)


@pytest.mark.parametrize(
    ("config", "healthy"),
    [
        (CONFIG, lambda batch: {**EVEN, "g": 90.0, "g_grad_norm": 3e4, "d_real": 40.0}),
        (CONFIG, lambda batch: {"g": 1e8 if batch % 30 == 0 else 1.2}),
        (
            dataclasses.replace(CONFIG, loss="wasserstein"),
            lambda batch: {**EVEN, "g": -3e4, "d_real": 5e4, "earth_mover": 2e4},
        ),
    ],
)
def test_large_numbers_of_runs_that_train_are_not_out_of_range(config, healthy):
    assert "Out of range" not in dict(names(Alarms(config), range(600), healthy)).values()


def test_diversity_that_falls_far_below_its_peak_is_a_collapse():
    def diversity(batch):
        return {"diversity": min(batch * 0.5, 60) if batch < 400 else 8.0}

    assert names(Alarms(CONFIG), range(700), diversity) == [(415, "Mode collapse")]


def test_a_collapse_that_comes_and_goes_every_few_batches_is_told_once():
    def diversity(batch):
        return {"diversity": 8.0 if batch > 400 and batch // 40 % 2 else 60.0}

    assert [name for _, name in names(Alarms(CONFIG), range(1000), diversity)] == ["Mode collapse"]


def test_pictures_that_never_come_to_differ_are_a_collapse():
    assert names(Alarms(CONFIG), range(1, 500), lambda batch: {"diversity": 0.2}) == [
        (301, "Mode collapse")
    ]


def test_a_resume_into_pictures_of_little_diversity_is_no_collapse():
    assert names(Alarms(CONFIG), range(9000, 9800), lambda batch: {"diversity": 8.0}) == []


def swinging(rng, period, drift=0.0, noise=0.0):
    base, swing, direction = rng.uniform(0, 255, (3, 4, 16, 16, 3)).astype(np.float32)

    def pictures(batch):
        moved = base + 0.1 * np.sin(2 * np.pi * batch / period) * swing + drift * batch * direction
        return moved + noise * rng.standard_normal(base.shape).astype(np.float32)

    return pictures


@pytest.mark.parametrize("period", [8, 24, 96, 300])
def test_pictures_that_swing_have_their_period_named(rng, period):
    alarms = Alarms(TrainingConfig())
    pictures = swinging(rng, period, drift=1e-4, noise=4.0)
    found = [a for batch in range(1100) for a in alarms.check(batch, {}, pictures(batch))]
    assert [alarm.name for alarm in found] == ["Flopping"]
    said = int(found[0].text.split("about ")[1].split()[0])
    assert said == pytest.approx(period, rel=0.06, abs=1)


def test_pictures_that_drift_through_noise_do_not_flop(rng):
    pictures = swinging(rng, period=1e9, drift=1e-3, noise=10.0)
    assert names(Alarms(CONFIG), range(1100), pictures=pictures) == []


def test_one_excursion_and_back_does_not_flop(rng):
    base, away = rng.uniform(0, 255, (2, 4, 16, 16, 3)).astype(np.float32)
    drift = swinging(rng, period=1e9, drift=1e-3)

    def pictures(batch):
        return drift(batch) + (away if 400 < batch < 440 else base)

    assert names(Alarms(CONFIG), range(1000), pictures=pictures) == []


def test_pictures_of_long_before_are_no_progress_until_they_move(rng):
    still, other = rng.uniform(0, 255, (2, 4, 16, 16, 3)).astype(np.float32)
    alarms = Alarms(CONFIG)
    assert names(alarms, range(300), pictures=lambda batch: still) == [(80, "No visible progress")]
    assert names(alarms, range(300, 360), pictures=lambda batch: other) == []
    assert names(alarms, range(360, 500), pictures=lambda batch: other) == [
        (380, "No visible progress")
    ]


def test_half_the_pictures_a_second_is_an_alarm_and_one_long_checkpoint_is_not():
    def pace(batch):
        return {"pictures_per_s": 2.0 if batch % 20 == 0 else 100.0 if batch < 400 else 45.0}

    ((batch, name),) = names(Alarms(CONFIG), range(700), pace)
    assert name == "Slower"
    assert 440 < batch < 470


def test_settings_that_change_the_pace_begin_it_anew():
    alarms = Alarms(CONFIG)
    names(alarms, range(200), lambda batch: {"pictures_per_s": 100.0})
    alarms.configure(dataclasses.replace(CONFIG, d_updates=5))
    assert names(alarms, range(200, 500), lambda batch: {"pictures_per_s": 30.0}) == []


def test_a_disk_that_will_be_full_is_told_once_and_again_after_there_was_room():
    alarms = Alarms(CONFIG)
    sounded = [bool(alarms.check_disk(1, full_at, 1000)) for full_at in (900, 1010, 990, 2000, 800)]
    assert sounded == [True, False, False, False, True]
    (alarm,) = Alarms(CONFIG).check_disk(7, 901, 1000)
    assert str(alarm).startswith(
        "Disk full: there is room for checkpoints up to batch 900 of 1,000."
    )


def test_old_runs_with_few_numbers_are_looked_at_too():
    assert names(Alarms(CONFIG), range(300), lambda batch: {"seconds": 0.1, "g": 1.0}) == []
