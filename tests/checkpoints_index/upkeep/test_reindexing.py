import json

import pytest

from checkpoints_index.storage import segments
from checkpoints_index.storage.error_bound import ErrorBound
from checkpoints_index.upkeep.reindexing import reindex
from tests.checkpoints_index.weights import same


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.fixture(params=["exact", "visual"])
def full(request, index, spec, history):
    """A closed run of three sessions, and what it decodes to."""
    error_bound = ErrorBound(rms=0.2) if request.param == "visual" else None
    run = index.create("city", spec, storage=request.param, error_bound=error_bound)
    for batch, weights in enumerate(history, 1):
        run.append(batch, weights)
        if batch in (15, 36, 40):
            run.close()
    return run, {batch: run.weights(batch) for batch in run.batches}


def reads_back(index, decoded):
    run = index["city"]
    return run.batches == list(decoded) and all(same(run.weights(b), decoded[b]) for b in decoded)


def test_a_run_in_order_is_only_counted(index, full):
    run, _ = full
    before = times_of_change(run.folder)
    assert reindex(index.folder) == [("city", 40, 0, [])]
    assert times_of_change(run.folder) == before


def times_of_change(folder):
    """When each file was changed last, but for the lock, which names who took it last."""
    return {
        path: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != "writer.lock"
    }


@pytest.mark.parametrize("content", [None, b"", b'{"format": 2, "generator": {}}'])
def test_a_missing_or_damaged_description_is_made_anew_from_the_segments(index, full, content):
    run, decoded = full
    path = run.folder / "generator.json"
    described = json.loads(path.read_bytes())
    path.unlink() if content is None else path.write_bytes(content)
    (found,) = reindex(index.folder)
    assert found == ("city", 40, 0, ["made generator.json anew"])
    assert json.loads(path.read_bytes()) == described
    assert index["city"].error_bound == run.error_bound
    assert reads_back(index, decoded)


def test_a_run_of_which_nothing_says_what_it_is_is_named_and_left_alone(index, full):
    run, _ = full
    (run.folder / "generator.json").unlink()
    paths = segments.list_segments(run.folder)
    for path in paths:
        path.write_bytes(path.read_bytes()[:2000])
        flip(path, 40)
    before = [path.read_bytes() for path in paths]
    (found,) = reindex(index.folder)
    assert (found.run, found.checkpoints) == ("city", 0)
    assert "generator.json" in found.notes[0]
    assert [path.read_bytes() for path in paths] == before


def test_a_run_of_an_older_format_is_left_alone(index, full):
    run, _ = full
    (run.folder / "generator.json").write_text('{"format": 1, "generator": {}}')
    for path in segments.list_segments(run.folder):
        path.write_bytes(path.read_bytes().replace(b"CITYSEG2", b"CITYSEG1")[:3000])
    before = {path: path.read_bytes() for path in run.folder.iterdir()}
    (found,) = reindex(index.folder)
    assert found.checkpoints == 0
    assert len(found.notes) == 1
    assert {path: path.read_bytes() for path in run.folder.iterdir()} == before


def table_start(path):
    return segments.read_segment(path).records[-1].end


def tear_off(path):
    path.write_bytes(path.read_bytes()[: table_start(path)])


def tear_in_two(path):
    path.write_bytes(path.read_bytes()[: table_start(path) + 100])


def damage_table(path):
    flip(path, table_start(path) + 70)


def damage_head_of_table(path):
    flip(path, table_start(path) + 10)


def damage_trailer(path):
    flip(path, path.stat().st_size - 3)


@pytest.mark.parametrize(
    "damage", [tear_off, tear_in_two, damage_table, damage_head_of_table, damage_trailer]
)
def test_a_segment_without_its_table_gets_it(index, full, damage):
    run, decoded = full
    paths = segments.list_segments(run.folder)
    whole = [path.read_bytes() for path in paths]
    for path in paths:
        damage(path)
    (found,) = reindex(index.folder)
    assert found == ("city", 40, 0, [f"gave {path.name} its table" for path in paths])
    assert [path.read_bytes() for path in paths] == whole
    assert reads_back(index, decoded)
    assert reindex(index.folder) == [("city", 40, 0, [])]


def test_a_torn_record_is_cut_before_the_table_comes(index, full):
    run, decoded = full
    last = segments.list_segments(run.folder)[-1]
    *_, record = segments.read_segment(last).records
    last.write_bytes(last.read_bytes()[: record.end - 5])
    (found,) = reindex(index.folder)
    assert found[:3] == ("city", 39, 0)
    assert found.notes == [
        f"gave {last.name} its table",
        f"segments.json forgets {last.name}, checkpoints of which are gone: 1",
    ]
    del decoded[40]
    assert reads_back(index, decoded)


def test_a_reader_that_is_open_meanwhile_goes_on(index, full):
    run, decoded = full
    for path in segments.list_segments(run.folder):
        damage_table(path)
    reader = index["city"]
    assert same(reader.weights(40), decoded[40])
    reindex(index.folder)
    assert reader.batches == list(decoded)
    assert all(same(reader.weights(b), decoded[b]) for b in (40, 3, 17))


def test_what_killed_processes_left_behind_is_removed(index, full):
    run, decoded = full
    (run.folder / "000000000001.part").write_bytes(b"half")
    (found,) = reindex(index.folder)
    assert found.notes == ["removed 000000000001.part, left by a killed process"]
    assert not list(run.folder.glob("*.part"))
    assert reads_back(index, decoded)


def test_a_run_that_is_written_to_is_left_alone_with_a_note(index, full, history):
    run, _ = full
    (run.folder / "000000000001.part").write_bytes(b"half")
    with index["city"] as writer:
        writer.append(41, history[0])
        writer.flush()
        (found,) = reindex(index.folder)
        assert "one writer" in found.notes[0]
        assert found.checkpoints == 41
        assert list(run.folder.glob("*.part"))


def test_damaged_records_are_counted(index, full):
    run, _ = full
    path = segments.list_segments(run.folder)[-1]
    flip(path, segments.read_segment(path).records[0].end - 5)
    assert reindex(index.folder) == [("city", 40, 1, [])]


def test_every_run_is_looked_at_and_told_of(index, full, spec):
    index.create("suburb", spec).close()
    (index.folder / "notes").mkdir()
    told = []
    found = reindex(index.folder, lambda done, total: told.append((done, total)))
    assert [(each.run, each.checkpoints) for each in found] == [("city", 40), ("suburb", 0)]
    assert told == [(1, 2), (2, 2)]
