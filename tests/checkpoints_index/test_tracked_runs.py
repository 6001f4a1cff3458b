"""Visual storage whose lattices are tracked, and runs of the format before, which are not."""

import json
import random
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from checkpoints_index import CheckpointIndex
from checkpoints_index.codec.record_chain import SKIP_INTERVAL, RecordChain
from checkpoints_index.errors import DamagedCheckpointError
from checkpoints_index.reading import reader as reading
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.storage import segments
from checkpoints_index.storage.catalogue import DESCRIPTION, open_catalogue, write_description
from checkpoints_index.storage.headers import read_header
from checkpoints_index.upkeep.reindexing import reindex
from tests.checkpoints_index.weights import same, weights_of_format_2

FORMAT_2 = Path(__file__).parent / "format_2_visual"  # The last version without format 4 wrote it.
COUNT = 110  # Two skip deltas follow the key.


def is_near(run, batch, weights):
    """Whether a checkpoint is these weights, but for half a step."""
    path = next(r.path for r in records_of(run) if r.batch == batch)
    steps = {t["name"]: t["step"] or 0 for t in read_header(path).description["tensors"]}
    kept = run.weights(batch)
    return all(
        bool(((kept[n].double() - w.double()).abs() <= 0.5001 * steps[n]).all())
        for n, w in weights.items()
    )


def records_of(run):
    catalogue = open_catalogue(run.folder.parents[1], run.name)
    return [r for path in catalogue.descriptions for r in catalogue.records_in(path)]


def open_reader(run):
    return CheckpointReader(open_catalogue(run.folder.parents[1], run.name), threads=1)


def ruin(record):
    """Destroy more of a payload than its parity brings back."""
    with record.path.open("r+b") as file:
        file.seek(record.offset + segments.RECORD_HEAD_BYTES)
        file.write(bytes(record.payload_bytes))


def append_all(run, averages, batches):
    for batch in batches:
        run.append(batch, averages[batch])
    run.flush()


@pytest.fixture(scope="module")
def averaged(spec, averages, tmp_path_factory):
    """A run, and what each of its checkpoints is, read in order."""
    index = CheckpointIndex(tmp_path_factory.mktemp("runs"))
    with index.create("city", spec, storage="visual") as run:
        append_all(run, averages, range(COUNT))
        reader = open_reader(run)
        yield run, [reader.weights(batch) for batch in range(COUNT)]


@pytest.fixture
def tracked(averaged, tmp_path):
    """A run of its own with the same checkpoints, to be harmed; and what each of them is."""
    run, expected = averaged
    shutil.copytree(run.folder, tmp_path / "runs" / "city" / "checkpoints")
    return CheckpointIndex(tmp_path / "runs")["city"], expected


@pytest.fixture
def older(tmp_path):
    folder = tmp_path / "runs" / "old" / "checkpoints"
    shutil.copytree(FORMAT_2, folder)
    return CheckpointIndex(tmp_path / "runs")["old"]


def test_moving_averages_are_tracked_in_groups_that_readers_may_enter(averaged):
    run, _ = averaged
    records = records_of(run)
    kinds = [record.kind for record in records]
    assert kinds.count(segments.TRACKED_DELTA) > 0.8 * COUNT
    assert kinds.count(segments.KEY) == 1
    for entry, following in pairwise(records):
        if entry.kind in (segments.KEY, segments.SKIP_DELTA):
            assert following.kind == segments.DELTA


def test_moving_averages_are_read_in_any_order(averaged):
    run, expected = averaged
    choose, reader = random.Random(0), open_reader(run)
    anywhere = [choose.randrange(COUNT) for _ in range(60)]
    for batch in (*reversed(range(COUNT)), *range(COUNT), *anywhere, *range(COUNT - 1, 0, -7)):
        assert same(reader.weights(batch), expected[batch])
    for batch in anywhere[:20]:
        assert same(open_reader(run).weights(batch), expected[batch])


@pytest.mark.parametrize("room", [0, 3, 20])
def test_walking_back_needs_no_more_memory_than_it_is_given(averaged, monkeypatch, room):
    run, expected = averaged
    reader = open_reader(run)
    size = reader.layout(reader.find(0)).integers_bytes
    monkeypatch.setattr(reading, "CACHE_BYTES", room * size)
    for batch in (*reversed(range(COUNT)), 50, 49, 60, 48, 47):
        assert same(reader.weights(batch), expected[batch])
        assert len(reader._passed) <= room


def test_walking_back_decodes_a_group_once_where_there_is_room(averaged, monkeypatch):
    run, expected = averaged
    reads = []
    read = segments.read_payload
    monkeypatch.setattr(
        segments, "read_payload", lambda record, *more: reads.append(record) or read(record, *more)
    )
    reader = open_reader(run)
    for batch in reversed(range(COUNT)):
        assert same(reader.weights(batch), expected[batch])
    assert len(reads) < 1.5 * COUNT


def test_trackers_make_moving_averages_smaller(averaged, averages):
    run, _ = averaged
    reader = open_reader(run)
    layout, _ = reader.integers(0)
    plain = RecordChain(layout.__class__(layout.entries, reversible=True))
    for batch, weights in enumerate(averages):
        layout.to_integers(weights, plain.spare)
        plain.encode_spare(batch)
    deltas = sum(r.payload_bytes for r in records_of(run) if r.kind != segments.KEY)
    assert deltas < 0.9 * (plain.size_bytes - plain.key_bytes)


def test_a_stream_of_differences_gives_the_same_weights(averaged):
    run, expected = averaged
    for batch, G in run.stream([*range(20, 70), 3, 2, 1, 100]):
        assert same(G.state_dict(), expected[batch])


@pytest.mark.parametrize("keep", [range(0, COUNT, 3), range(7, 9), (0, 47, 48, 49, 96, 109)])
def test_thinning_keeps_every_bit_of_what_is_tracked(tracked, keep):
    run, expected = tracked
    run.thin(keep)
    assert run.batches == list(keep)
    assert all(same(run.weights(batch), expected[batch]) for batch in reversed(keep))
    assert all(finding.reason is None for finding in run.verify(deep=True))


def test_a_writer_that_is_killed_within_a_group_is_followed_by_another(averages, tracked):
    run, expected = tracked
    (path,) = segments.list_segments(run.folder)
    victim = run._catalogue.records[70]
    with path.open("r+b") as file:
        file.truncate(victim.offset + segments.RECORD_HEAD_BYTES + 11)
    run = CheckpointIndex(run.folder.parents[1])["city"]
    assert run.batches == list(range(70))
    append_all(run, averages, range(70, COUNT))
    later = segments.list_segments(run.folder)[-1]
    assert segments.read_segment(later).records[0].kind == segments.KEY
    steps = [read_header(p).description["tensors"] for p in (path, later)]
    for batch in (69, 5, *range(COUNT - 1, 69, -1), 12):
        weights = run.weights(batch)
        assert batch >= 70 or same(weights, expected[batch])
        assert batch < 70 or is_near(run, batch, averages[batch])
    assert steps[0] is not steps[1]
    run.truncate(90)
    append_all(run, averages, range(91, COUNT))
    assert all(is_near(run, batch, averages[batch]) for batch in (109, 91, 90, 75))
    assert all(finding.reason is None for finding in run.verify(deep=True))
    run.close()


def test_a_damaged_tracked_record_costs_what_is_behind_it_up_to_the_next_entry(tracked):
    run, expected = tracked
    ruin(run._catalogue.records[60])
    lost = range(60, 2 * SKIP_INTERVAL)
    damaged = CheckpointIndex(run.folder.parents[1])["city"]
    for batch in (59, 96, 109, 97, 0):
        assert same(damaged.weights(batch), expected[batch])
    with pytest.raises(DamagedCheckpointError, match="its bytes have changed"):
        damaged.weights(60)
    with pytest.raises(DamagedCheckpointError, match="checkpoint 60, which it needs"):
        damaged.weights(95)
    assert [f.batch for f in damaged.verify() if not f.readable] == list(lost)
    assert [f.batch for f in damaged.verify(deep=True) if not f.readable] == list(lost)


def test_a_damaged_record_behind_an_entry_costs_no_more(tracked):
    run, expected = tracked
    ruin(run._catalogue.records[SKIP_INTERVAL + 1])
    damaged = CheckpointIndex(run.folder.parents[1])["city"]
    assert [f.batch for f in damaged.verify(deep=True) if not f.readable] == list(range(49, 96))
    assert same(damaged.weights(48), expected[48])
    assert same(damaged.weights(96), expected[96])


def test_a_damaged_skip_delta_costs_nothing(tracked):
    run, expected = tracked
    ruin(next(r for r in records_of(run) if r.kind == segments.SKIP_DELTA))
    damaged = CheckpointIndex(run.folder.parents[1])["city"]
    assert all(same(damaged.weights(b), expected[b]) for b in (109, 50, 47, 96, 48))


def test_one_flipped_bit_of_a_tracked_record_costs_nothing(tracked):
    run, expected = tracked
    record = run._catalogue.records[60]
    with record.path.open("r+b") as file:
        at = record.offset + segments.RECORD_HEAD_BYTES + record.payload_bytes // 3
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 4]))
    damaged = CheckpointIndex(run.folder.parents[1])["city"]
    assert all(same(damaged.weights(batch), expected[batch]) for batch in range(55, 70))
    (found,) = [f for f in damaged.verify() if f.reason]
    assert (found.batch, found.readable) == (60, True)


def test_a_run_of_the_format_before_is_read_and_goes_on_in_its_format(older):
    spec = older.spec
    for batch in (5, 1, 3, 2, 4, 6):
        assert is_near(older, batch, weights_of_format_2(spec, batch / 2**17))
    append_all(older, {b: weights_of_format_2(spec, b / 2**17) for b in range(7, 30)}, range(7, 30))
    for path in segments.list_segments(older.folder):
        assert read_header(path).description["format"] == segments.FORMAT
    assert all(record.kind != segments.TRACKED_DELTA for record in records_of(older))
    assert all(is_near(older, b, weights_of_format_2(spec, b / 2**17)) for b in (29, 2, 28, 14, 6))
    older.thin([1, 2, 5, 6, *range(8, 30, 2)])
    assert all(record.kind != segments.TRACKED_DELTA for record in records_of(older))
    assert all(is_near(older, b, weights_of_format_2(spec, b / 2**17)) for b in (28, 2, 8, 5))
    older.close()


def test_the_run_of_a_new_index_has_the_new_format(averaged):
    run, _ = averaged
    assert json.loads((run.folder / DESCRIPTION).read_bytes())["format"] == segments.TRACKING_FORMAT


def test_a_description_made_anew_keeps_the_format(tracked):
    run, expected = tracked
    (run.folder / DESCRIPTION).unlink()
    index = CheckpointIndex(run.folder.parents[1])
    reindex(index.folder)
    assert index["city"]._catalogue.format == segments.TRACKING_FORMAT
    assert same(index["city"].weights(70), expected[70])


def test_a_run_that_is_described_as_older_is_not_tracked(spec, averages, index):
    run = index.create("city", spec, storage="visual")
    bound, folder = run.error_bound, run.folder
    run.close()
    run_id = json.loads((folder / DESCRIPTION).read_bytes())["id"]
    write_description(folder, spec, "visual", bound, run_id, segments.FORMAT)
    with index["city"] as run:
        append_all(run, averages, range(30))
        assert all(record.kind != segments.TRACKED_DELTA for record in records_of(run))
        assert is_near(run, 29, averages[29])
