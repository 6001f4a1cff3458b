import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from latent.nearness.onsets import find_onsets


@given(st.integers(1, 6), st.integers(4, 9), st.integers(1, 3), st.integers(0, 10**6))
def test_onsets_are_those_that_one_finds_by_looking_at_each_pair(times, count, k, seed):
    stream = np.random.default_rng(seed)
    near = np.array(
        [
            [stream.permutation(np.delete(np.arange(count), i))[:k] for i in range(count)]
            for _ in range(times)
        ]
    )
    onsets = find_onsets(near)
    for i in range(count):
        for place, other in enumerate(near[-1, i]):
            was = [other in near[time, i] for time in range(times)]
            since = onsets[i, place]
            assert all(was[since:])
            assert since == 0 or not was[since - 1]
