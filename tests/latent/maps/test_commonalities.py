import numpy as np
import pytest

from latent.maps.commonalities import find_common_labels, find_commonalities


def groups(*sizes):
    return np.repeat(np.arange(len(sizes)) - 1, sizes)  # The first are in no group.


def test_what_a_group_has_more_of_is_told_with_its_effect():
    members, stream = groups(300, 100, 100), np.random.default_rng(0)
    light, even = stream.normal(size=(2, 500))
    light[members == 1] += 2
    first, second = find_commonalities(members, {"light": light, "even": even})
    (found,) = second
    assert (found.trait, first) == ("light", [])
    assert found.effect == pytest.approx(2, abs=0.3)
    assert found.inside - found.outside == pytest.approx(2, abs=0.3)


def test_of_noise_hardly_anything_is_told():
    stream, told = np.random.default_rng(1), 0
    for _ in range(200):
        members = groups(100, *[int(n) for n in stream.integers(5, 60, 6)])
        traits = {str(n): stream.normal(size=len(members)) for n in range(8)}
        told += any(find_commonalities(members, traits))
    assert told <= 6  # One in a hundred is allowed.


def test_a_small_difference_is_not_told_however_many_points_there_are():
    members, stream = groups(50_000, 50_000), np.random.default_rng(2)
    light = stream.normal(size=100_000) + 0.5 * (members == 0)
    assert find_commonalities(members, {"light": light, "flat": np.ones(100_000)}) == [[]]


def test_a_label_that_gathers_in_a_group_is_told_and_few_of_it_are_not():
    members = groups(40, 20, 20)
    inside = np.flatnonzero(members == 0)[:10].tolist()
    marked = [*inside, *range(30)]
    none, few = find_common_labels(members, {"river": inside}, marked), inside[:1]
    (found,) = none[0]
    assert (found.trait, found.inside, found.outside, none[1]) == ("river", 1, 0, [])
    assert found.effect == pytest.approx(4)
    assert find_common_labels(members, {"river": few}, marked) == [[], []]
    assert find_common_labels(members, {}, []) == [[], []]
