import gc
import threading

import pytest

from checkpoints_index.codec.thread_pool import ThreadPool


@pytest.fixture(params=[1, 3])
def pool(request):
    pool = ThreadPool(request.param)
    yield pool
    pool.close()


def test_results_come_in_order(pool):
    assert pool.map(lambda a, b: a - b, range(7), range(0, 70, 10)) == [-9 * k for k in range(7)]


def test_splits_cover_every_position_once(pool):
    parts = pool.split(10)
    assert len(parts) == pool.size
    assert sorted(position for part in parts for position in part) == list(range(10))


def test_what_one_raises_is_raised_once_the_others_are_done(pool):
    done = []

    def work(number):
        if number == 0:
            raise ValueError("the first one fails")
        done.append(number)

    with pytest.raises(ValueError, match="the first one fails"):
        pool.map(work, range(3))
    assert done in ([1, 2], [2, 1])


def test_what_another_thread_raises_is_raised_too():
    def work(number):
        if number == 2:
            raise ValueError("another one fails")

    pool = ThreadPool(2)
    with pytest.raises(ValueError, match="another one fails"):
        pool.map(work, range(3))
    pool.close()


def threads_named(name):
    return [thread for thread in threading.enumerate() if thread.name.startswith(name)]


def test_threads_begin_when_they_are_needed_and_a_closed_team_leaves_none():
    pool = ThreadPool(4, "closed")
    assert threads_named("closed") == []
    for _ in range(2):
        assert pool.map(abs, [-1, -2, -3]) == [1, 2, 3]
        threads = threads_named("closed")
        assert len(threads) == 3
        pool.close()
        for thread in threads:
            thread.join(5)
        assert threads_named("closed") == []


def test_a_forgotten_team_leaves_no_thread():
    pool = ThreadPool(3, "forgotten")
    assert pool.map(abs, [-1, -2, -3]) == [1, 2, 3]
    threads = threads_named("forgotten")
    assert len(threads) == 2
    del pool
    gc.collect()
    for thread in threads:
        thread.join(5)
    assert threads_named("forgotten") == []
