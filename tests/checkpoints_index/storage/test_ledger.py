"""What is gone from a run's folder is missed, and what was dropped on purpose is not."""

import pytest

from checkpoints_index import CheckpointIndex
from checkpoints_index.storage.catalogue import DESCRIPTION
from checkpoints_index.storage.ledger import LEDGER, Ledger, pack_ranges
from checkpoints_index.storage.seals import read_sealed_json, seal_json
from checkpoints_index.upkeep.reindexing import reindex

SEGMENTS = ((1, 2, 3), (4, 5, 6), (7, 8, 9))


@pytest.fixture
def run(index, spec, history):
    """A closed run of nine checkpoints in three segments."""
    with index.create("city", spec, storage="visual") as run:
        for batches in SEGMENTS:
            for batch in batches:
                run.append(batch, history[batch])
            run._appender.begin_anew()
    return run


def segment_of(run, number):
    return sorted(run.folder.glob("*.segment"))[number]


def find(run):
    """(batch, file, readable) of everything that verify finds in the run as it is on disk."""
    opened = CheckpointIndex(run.folder.parents[1])["city"]
    return [(f.batch, f.path.name, f.readable) for f in opened.verify() if f.reason]


def cut(path, size_bytes):
    path.write_bytes(path.read_bytes()[:size_bytes])


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("left", [None, 0, 0.3])
def test_every_checkpoint_of_a_segment_that_is_gone_is_counted(run, number, left):
    assert find(run) == []
    path = segment_of(run, number)
    if left is None:
        path.unlink()
    else:
        cut(path, int(path.stat().st_size * left))
    lost = {batch for batch, file, readable in find(run) if file == path.name and not readable}
    assert lost - {None} == set(SEGMENTS[number])


def test_a_segment_without_its_end_is_found(run):
    path = segment_of(run, 0)
    cut(path, path.stat().st_size - 1)
    assert set(find(run)) == {(3, path.name, True)}


def test_what_was_dropped_is_not_missed_and_what_was_lost_before_still_is(run):
    gone = segment_of(run, 0)
    gone.unlink()
    run = CheckpointIndex(run.folder.parents[1])["city"]
    run.thin({4, 7, 9})
    run.truncate(7)
    run.close()
    assert find(run) == [(batch, gone.name, False) for batch in SEGMENTS[0]]
    assert Ledger("city", run.folder).entries.keys() == {
        path.name for path in (gone, *run.folder.glob("*.segment"))
    }


def test_reindexing_says_what_is_gone_and_forgets_it(run):
    segment_of(run, 1).unlink()
    (found,) = reindex(run.folder.parents[1])
    assert "of which are gone: 3" in found.notes[0]
    assert find(run) == []


def test_a_changed_list_is_found_and_made_anew_by_the_next_writer(run):
    path = run.folder / LEDGER
    path.write_bytes(path.read_bytes().replace(b'"bytes": ', b'"bytes": 1', 1))
    assert find(run) == [(None, LEDGER, True)]
    with CheckpointIndex(run.folder.parents[1])["city"] as opened:
        opened.begin_writing()
    assert find(run) == []


def test_a_run_without_a_list_is_read_as_before_and_gets_one(run):
    (run.folder / LEDGER).unlink()
    segment_of(run, 0).unlink()
    path = run.folder / DESCRIPTION
    described = {**read_sealed_json(path.read_bytes()), "id": None}
    path.write_bytes(seal_json(described))
    assert find(run) == []
    with CheckpointIndex(run.folder.parents[1])["city"] as opened:
        opened.begin_writing()
    assert len(Ledger("city", run.folder).entries) == 2


def test_a_list_that_is_deleted_is_missed(run, index, spec):
    (run.folder / LEDGER).unlink()
    assert find(run) == [(None, LEDGER, True)]
    with CheckpointIndex(run.folder.parents[1])["city"] as opened:
        opened.begin_writing()
    assert find(run) == []
    with index.create("town", spec) as begun:
        begun.begin_writing()
        assert (begun.folder / LEDGER).exists()  # It stands before the first segment does.


@pytest.mark.parametrize("batches", [[], [5], [1, 2, 3], [0, 10, 20, 21, 40], [1, 5, 6, 8, 10, 12]])
def test_batches_are_the_same_from_their_ranges(batches):
    ranges = pack_ranges(batches)
    assert [b for first, last, step in ranges for b in range(first, last + 1, step)] == batches


def test_a_segment_of_before_in_the_place_of_a_thinned_one_is_found(run):
    path = segment_of(run, 1)
    before = path.read_bytes()
    run.thin({1, 2, 3, 4, 6, 7, 8, 9})
    assert find(run) == []
    path.write_bytes(before)
    assert find(run) == [(4, path.name, True)]
