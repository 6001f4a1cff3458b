import numpy as np

from studio.screens.checkpoints.timeline.jumps import APART, MAX_JUMPS, find_jumps


def metrics(changes):
    return [{"batch": n, "change": float(c)} for n, c in enumerate(changes, 1)]


def test_a_jump_in_a_calm_stretch_is_found_and_early_unrest_is_none():
    unrest = np.random.default_rng(0).uniform(10, 30, 300)
    calm = np.random.default_rng(1).uniform(1, 2, 700)
    calm[400] = 25
    assert find_jumps(metrics([*unrest, *calm])) == [701]


def test_what_nobody_sees_is_no_jump():
    changes = np.full(200, 0.1)
    changes[100] = 3
    assert find_jumps(metrics(changes)) == []


def test_of_jumps_side_by_side_the_largest_is_told_and_never_too_many():
    changes = np.ones(20_000)
    changes[500:505] = [20, 20, 50, 20, 20]
    assert find_jumps(metrics(changes)) == [503]
    changes[::30] = 40
    found = find_jumps(metrics(changes))
    assert len(found) == MAX_JUMPS
    assert min(np.diff(found)) >= APART


def test_runs_without_such_numbers_have_no_jumps():
    assert find_jumps([]) == []
    assert find_jumps([{"batch": n} for n in range(100)]) == []
    assert find_jumps([{"batch": n, "change": float("nan")} for n in range(100)]) == []
    assert find_jumps([{"batch": n, "change": "1"} for n in range(100)]) == []
