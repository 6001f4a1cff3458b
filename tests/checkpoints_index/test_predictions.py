"""Exact storage whose differences are predicted, and runs of the format before, which has none."""

import copy
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from checkpoints_index import CheckpointIndex
from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.packing import PREDICTED
from checkpoints_index.codec.record_chain import RecordChain
from checkpoints_index.errors import CheckpointError
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.storage import segments
from checkpoints_index.storage.catalogue import open_catalogue
from checkpoints_index.storage.headers import read_header
from tests.checkpoints_index.weights import same, weights_of_format_2

FORMAT_2 = Path(__file__).parent / "format_2"  # The last version without format 3 wrote it.
COUNT = 70  # Two keys follow the first one.


def forms_in(path):
    """The forms of all blocks of all differences of an exact segment."""
    description = read_header(path).description
    count = len(TensorLayout.from_json(description).blocks)
    forms = set()
    for record in segments.read_segment(path).records:
        payload = segments.read_payload(record)
        if record.kind == segments.DELTA:
            lengths = np.frombuffer(payload, "<u4", count)
            starts = 4 * count + lengths.cumsum() - lengths
            forms |= {payload[start] for start in starts}
    return forms


@pytest.fixture(scope="module")
def averages(history):
    """COUNT moving averages of real training steps, as EMA makes them."""
    average, states = copy.deepcopy(history[0]), []
    for batch in range(COUNT):
        for name, tensor in average.items():
            new = history[min(batch % 78, 78 - batch % 78) % 40][name]
            tensor.lerp_(new, 0.01) if tensor.is_floating_point() else tensor.copy_(new)
        states.append(copy.deepcopy(average))
    return states


@pytest.fixture(scope="module")
def averaged(spec, averages, tmp_path_factory):
    index = CheckpointIndex(tmp_path_factory.mktemp("runs"))
    with index.create("city", spec, storage="exact") as run:
        for batch, weights in enumerate(averages):
            run.append(batch, weights)
        run.flush()
        yield run


@pytest.fixture
def older(tmp_path):
    folder = tmp_path / "runs" / "old" / "checkpoints"
    shutil.copytree(FORMAT_2, folder)
    return CheckpointIndex(tmp_path / "runs")["old"]


def test_moving_averages_are_predicted_and_read_in_any_order(averaged, averages):
    (path,) = segments.list_segments(averaged.folder)
    assert PREDICTED in forms_in(path)
    choose = random.Random(0)
    anywhere = [choose.randrange(COUNT) for _ in range(60)]
    for threads in (1, 3):
        reader = CheckpointReader(open_catalogue(averaged.folder.parents[1], "city"), threads)
        for batch in (*range(COUNT), *reversed(range(COUNT)), *anywhere):
            assert same(reader.weights(batch), averages[batch])
    for batch in anywhere[:12]:
        fresh = CheckpointReader(open_catalogue(averaged.folder.parents[1], "city"), 1)
        assert same(fresh.weights(batch), averages[batch])


def test_predictions_make_moving_averages_smaller(averaged, averages):
    without = RecordChain(TensorLayout.of(averages[0], {}))
    for batch, weights in enumerate(averages):
        without.layout.to_integers(weights, without.spare)
        without.encode_spare(batch)
    assert averaged.size_bytes < 0.9 * without.size_bytes


def test_thinning_keeps_every_bit_of_what_is_predicted(spec, averages, index):
    with index.create("city", spec, storage="exact") as run:
        for batch, weights in enumerate(averages):
            run.append(batch, weights)
        run.flush()
        kept = [batch for batch in range(COUNT) if batch % 3]
        run.thin(kept)
        assert run.batches == kept
        assert all(same(run.weights(batch), averages[batch]) for batch in reversed(kept))
        assert all(finding.reason is None for finding in run.verify(deep=True))


def test_a_writer_that_comes_later_goes_on_with_predictions(spec, averages, index):
    for part in (range(20), range(20, 40)):
        run = index.create("city", spec, storage="exact") if not part.start else index["city"]
        for batch in part:
            run.append(batch, averages[batch])
        run.close()
    run = index["city"]
    assert all(PREDICTED in forms_in(path) for path in segments.list_segments(run.folder))
    assert all(same(run.weights(batch), averages[batch]) for batch in range(40))


def test_a_run_of_the_format_before_is_read_and_goes_on_in_its_format(older):
    spec = older.spec
    for batch in (5, 1, 3, 2, 4):
        assert same(older.weights(batch), weights_of_format_2(spec, batch**2 / 2**20))
    for batch in range(6, 12):
        older.append(batch, weights_of_format_2(spec, batch**2 / 2**20))
    older.flush()
    for path in segments.list_segments(older.folder):
        assert read_header(path).description["format"] == segments.FORMAT
        assert PREDICTED not in forms_in(path)
    assert all(
        same(older.weights(b), weights_of_format_2(spec, b**2 / 2**20)) for b in (11, 2, 8, 6)
    )
    older.close()


def test_a_segment_of_the_format_before_is_thinned_in_its_format(older):
    older.thin([1, 2, 4, 5])
    (path,) = segments.list_segments(older.folder)
    assert PREDICTED not in forms_in(path)
    assert all(
        same(older.weights(b), weights_of_format_2(older.spec, b**2 / 2**20)) for b in (1, 2, 4, 5)
    )


def test_a_run_of_a_format_to_come_is_refused_with_both_named(older, tmp_path):
    description = older.folder / "generator.json"
    description.write_text('{"format": 5, "generator": {"architecture": "dcgan", "options": {}}}')
    with pytest.raises(
        CheckpointError, match=r"are of format 5, and this version reads formats 2 to 4"
    ):
        CheckpointIndex(tmp_path / "runs")["old"]
