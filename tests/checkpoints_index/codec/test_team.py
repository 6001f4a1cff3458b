import gc
import threading

import pytest

from checkpoints_index.codec.thread_pool import ThreadPool


@pytest.fixture(params=[1, 3])
def team(request):
    team = ThreadPool(request.param)
    yield team
    team.close()


def test_results_come_in_order(team):
    assert team.map(lambda a, b: a - b, range(7), range(0, 70, 10)) == [-9 * k for k in range(7)]


def test_shares_cover_every_position_once(team):
    shares = team.shares(10)
    assert len(shares) == team.size
    assert sorted(position for share in shares for position in share) == list(range(10))


def test_what_one_raises_is_raised_once_the_others_are_done(team):
    done = []

    def work(number):
        if number == 0:
            raise ValueError("the first one fails")
        done.append(number)

    with pytest.raises(ValueError, match="the first one fails"):
        team.map(work, range(3))
    assert done in ([1, 2], [2, 1])


def test_what_another_thread_raises_is_raised_too():
    def work(number):
        if number == 2:
            raise ValueError("another one fails")

    team = ThreadPool(2)
    with pytest.raises(ValueError, match="another one fails"):
        team.map(work, range(3))
    team.close()


def threads_named(name):
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]


def test_threads_begin_when_they_are_needed_and_a_closed_team_leaves_none():
    team = ThreadPool(4, "closed")
    assert threads_named("closed") == []
    for _ in range(2):
        assert team.map(abs, [-1, -2, -3]) == [1, 2, 3]
        threads = threads_named("closed")
        assert len(threads) == 3
        team.close()
        for thread in threads:
            thread.join(5)
        assert threads_named("closed") == []


def test_a_forgotten_team_leaves_no_thread():
    team = ThreadPool(3, "forgotten")
    assert team.map(abs, [-1, -2, -3]) == [1, 2, 3]
    threads = threads_named("forgotten")
    assert len(threads) == 2
    del team
    gc.collect()
    for thread in threads:
        thread.join(5)
    assert threads_named("forgotten") == []
