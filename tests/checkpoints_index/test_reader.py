"""Paths through the records of a segment."""

import random

import pytest

from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.storage.catalogue import open_catalogue
from tests.checkpoints_index.weights import same


@pytest.fixture(scope="module", params=["exact", "visual"])
def run(request, spec, history, tmp_path_factory):
    """150 checkpoints of one segment: several keys or skip deltas."""
    from checkpoints_index import CheckpointIndex

    index = CheckpointIndex(tmp_path_factory.mktemp("runs"))
    with index.create("city", spec, storage=request.param) as run:
        for batch in range(150):
            run.append(batch, history[30 + batch % 10])
        run.flush()
        yield run


def open_reader(run, threads=1):
    return CheckpointReader(open_catalogue(run.folder.parents[1], "city"), threads)


def test_any_order_of_reading_gives_the_same_weights(run):
    expected = {batch: open_reader(run).weights(batch) for batch in (0, 5, 31, 32, 64, 100, 149)}
    reader, choose = open_reader(run), random.Random(0)
    for _ in range(40):
        batch = choose.choice(list(expected))
        assert same(reader.weights(batch), expected[batch])


def test_scrubbing_back_gives_what_scrubbing_forward_gave(run):
    reader = open_reader(run)
    forward = [reader.weights(batch) for batch in range(90, 130)]
    back = [reader.weights(batch) for batch in reversed(range(90, 130))]
    assert all(same(a, b) for a, b in zip(forward, reversed(back), strict=True))


def test_several_threads_decode_what_one_does(run):
    for batch in (3, 77, 140):
        assert same(open_reader(run, threads=3).weights(batch), open_reader(run).weights(batch))
