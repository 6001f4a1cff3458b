"""Runs of several segments, written once for all tests of upkeep."""

import itertools
import subprocess

import pytest

from checkpoints_index import CheckpointIndex
from tests.checkpoints_index.upkeep.full_runs import CHECKPOINTS


@pytest.fixture(scope="session")
def originals(tmp_path_factory, spec, history):
    """Runs of 320 batches in several segments, and what they decode to."""
    index, states = CheckpointIndex(tmp_path_factory.mktemp("originals")), there_and_back(history)
    for storage in ("exact", "visual"):
        run = index.create(storage, spec, storage=storage)
        for batch in range(CHECKPOINTS):
            run.append(batch, next(states))
            if batch in (39, 289, CHECKPOINTS - 1):
                run.close()  # the next one begins a segment
    return index, {name: {b: index[name].weights(b) for b in range(CHECKPOINTS)} for name in index}


def there_and_back(states):
    """One optimiser step after another, without end and without a jump."""
    return itertools.cycle([*states, *states[-2:0:-1]])


@pytest.fixture(params=["exact", "visual"])
def full(request, tmp_path, originals):
    """A copy of one of them, and what it decodes to."""
    index, decoded = originals
    subprocess.run(["cp", "-r", index.folder / request.param, tmp_path], check=True)
    return CheckpointIndex(tmp_path)[request.param], decoded[request.param]
