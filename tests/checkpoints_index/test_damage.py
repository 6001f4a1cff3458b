"""Bad days: torn files, flipped bytes, full disks, killed writers."""

import errno
import json
import os
import random
import time

import pytest
import torch

from checkpoints_index import CheckpointIndex
from checkpoints_index.errors import (
    CheckpointError,
    DamagedCheckpointError,
    DamagedDescriptionError,
    DiskFullError,
    RunExistsError,
)
from checkpoints_index.storage import segments
from checkpoints_index.upkeep.reindexing import reindex
from checkpoints_index.writing import encoder, segment_writer
from tests.checkpoints_index.weights import same
from tests.mounting import small_file_system


@pytest.fixture(params=["exact", "visual"])
def full(request, index, spec, history):
    """A closed run of 40 checkpoints, and what they decode to."""
    with index.create("city", spec, storage=request.param) as run:
        for batch, weights in enumerate(history, 1):
            run.append(batch, weights)
        run.flush()
        decoded = {batch: run.weights(batch) for batch in run.batches}
    return run, decoded


def last_segment(run):
    return max(run.folder.glob("*.segment"))


def find_record(run, batch):
    return CheckpointIndex(run.folder.parents[1])["city"]._catalogue.records[batch]


def flip(path, position, mask=1):
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ mask]))


def ruin(record):
    """Change more of a payload than its parity can bring back."""
    for place in range(record.offset + segments.RECORD_HEAD_BYTES, record.end, 40):
        flip(record.path, place)


def every_record(run):
    catalogue = run._catalogue
    catalogue.refresh()
    return [r for path in catalogue.descriptions for r in catalogue.records_in(path)]


@pytest.mark.parametrize("thinned", [False, True])
def test_one_flipped_bit_of_a_record_costs_no_checkpoint(index, full, thinned, caplog):
    run, decoded = full
    if thinned:
        run.thin(range(1, 41, 3))
    choose = random.Random(1)
    for record in every_record(run)[::9]:
        place, mask = choose.randrange(record.offset, record.end), 1 << choose.randrange(8)
        flip(record.path, place, mask)
        damaged = index["city"]
        assert same(damaged.weights(record.batch), decoded[record.batch])
        assert damaged.batches == run.batches
        assert [f.readable for f in damaged.verify() if f.reason][:1] == [True]
        flip(record.path, place, mask)
    assert "repaired the bytes of batch" in caplog.text


def test_a_flipped_bit_of_the_key_of_an_open_segment_costs_no_checkpoint(index, full):
    run, decoded = full
    key = every_record(run)[0]
    with key.path.open("r+b") as file:
        ends = [record.end for record in every_record(run) if record.path == key.path]
        file.truncate(max(ends))  # The table is not there yet.
    for place in (key.offset + 9, key.offset + 50, key.end - 3, key.end - 3000):
        flip(key.path, place)
        assert same(index["city"].weights(20), decoded[20])
        flip(key.path, place)


def test_a_flipped_bit_of_the_header_of_an_open_segment_costs_no_checkpoint(index, full, caplog):
    run, decoded = full
    record = every_record(run)[-1]
    with record.path.open("r+b") as file:
        file.truncate(record.end)  # The table, which has the header once more, is not there yet.
    end = next(r.offset for r in every_record(run) if r.path == record.path)
    for place in (2, 9, 14, 30, end // 2, end - 1):
        flip(record.path, place, 1 << place % 8)
        damaged = index["city"]
        assert damaged.batches == run.batches
        assert same(damaged.weights(record.batch), decoded[record.batch])
        named = [f for f in damaged.verify() if f.reason == "the header of its segment has changed"]
        assert [f.readable for f in named] == [True]
        assert all(f.readable for f in damaged.verify())
        flip(record.path, place, 1 << place % 8)
    assert "repaired the bytes of its header" in caplog.text


def test_a_torn_segment_loses_only_its_last_record(index, full, history, caplog):
    run, decoded = full
    last = find_record(run, 40)
    with last.path.open("r+b") as file:
        file.truncate(last.end - 5)
    assert index["city"].batches == list(range(1, 40))
    with index["city"] as again:
        again.append(40, history[39])
        assert "cut a torn tail" in caplog.text
        assert same(again.weights(39), decoded[39])
        assert again.batches == list(range(1, 41))


@pytest.mark.parametrize("full", ["exact"], indirect=True)
def test_a_damaged_record_of_an_exact_run_is_named_and_spares_what_does_not_need_it(index, full):
    run, decoded = full
    record = find_record(run, 10)
    ruin(record)
    damaged = index["city"]
    with pytest.raises(DamagedCheckpointError, match=f"10 of run 'city'.*{record.path.name}"):
        damaged.weights(10)
    with pytest.raises(DamagedCheckpointError, match="checkpoint 10, which it needs"):
        damaged.weights(12)
    assert same(damaged.weights(9), decoded[9])
    assert same(damaged.weights(33), decoded[33])
    lost = [f.batch for f in damaged.verify() if not f.readable]
    assert lost == list(range(10, 33)), "every checkpoint that cannot be read is counted"
    assert {f.batch for f in damaged.verify(deep=True) if f.reason} == set(range(10, 33))


def test_a_damaged_delta_of_a_visual_run_costs_no_checkpoint(index, spec, history, monkeypatch):
    monkeypatch.setattr(encoder, "WASTEFUL_FRACTION", 0)  # One segment has a skip delta.
    choose = torch.Generator().manual_seed(0)
    weights = {name: tensor.clone() for name, tensor in history[0].items()}
    with index.create("city", spec, storage="visual") as run:
        for batch in range(1, 61):  # At random, which no tracker follows.
            for tensor in weights.values():
                if tensor.numel() >= 1024:
                    tensor += 2e-4 * torch.randn(tensor.shape, generator=choose)
            run.append(batch, weights)
        decoded = {batch: run.weights(batch) for batch in run.batches}
    catalogue = run._catalogue
    records = [r for path in catalogue.descriptions for r in catalogue.records_in(path)]
    skip = next(record for record in records if record.kind == segments.SKIP_DELTA)
    victim = catalogue.records[skip.batch - 3]
    assert victim.kind == segments.DELTA
    ruin(victim)
    damaged = index["city"]
    assert all(same(damaged.weights(b), decoded[b]) for b in range(skip.base, skip.batch + 2))
    (found,) = [f for f in damaged.verify() if f.reason]
    assert (found.batch, found.readable) == (victim.batch, True)


def test_a_finished_segment_outlives_its_header(index, full):
    run, decoded = full
    flip(last_segment(run), 40)
    damaged = index["city"]
    assert same(damaged.weights(40), decoded[40])
    assert any("header" in f.reason and f.readable for f in damaged.verify() if f.reason)


def test_a_table_that_is_damaged_is_not_believed(index, full):
    run, decoded = full
    path = last_segment(run)
    flip(path, path.stat().st_size - 60)
    damaged = index["city"]
    assert damaged.batches == list(range(1, 41))
    assert same(damaged.weights(40), decoded[40])


def read_or_refuse(run, batch):
    try:
        return run.weights(batch)
    except DamagedCheckpointError:
        return None


def test_any_flipped_byte_is_detected_or_harmless(index, full):
    run, decoded = full
    choose = random.Random(0)
    paths = sorted(run.folder.glob("*.segment"))
    for _ in range(60):
        path = choose.choice(paths)
        position, mask = choose.randrange(path.stat().st_size), 1 << choose.randrange(8)
        flip(path, position, mask)
        reader = index["city"]
        for batch in choose.sample(reader.batches, min(6, len(reader.batches))):
            weights = read_or_refuse(reader, batch)
            assert weights is None or same(weights, decoded[batch])
        flip(path, position, mask)


def append_until_full(run, history, flush_every):
    """The last batch that was flushed before the disk was full."""
    acknowledged = 0
    try:
        for batch in range(1, 1000):
            run.append(batch, history[batch % 40])
            if batch % flush_every == 0:
                run.flush()
                acknowledged = batch
    except DiskFullError:
        return acknowledged
    pytest.fail("the disk never filled up")


def test_a_full_disk_keeps_what_waits_and_goes_on_when_there_is_room(
    index, spec, history, monkeypatch
):
    with index.create("city", spec, storage="exact") as run:
        run.append(1, history[0])
        run.flush()
        real = os.writev
        monkeypatch.setattr(segment_writer.os, "writev", lambda fd, parts: real(fd, parts[:1]))
        run.append(2, history[1])
        for _ in range(3):
            with pytest.raises(DiskFullError, match="No room for checkpoint 2"):
                run.flush()
        with pytest.raises(DiskFullError, match="No room for checkpoint 2"):
            run.append(3, history[2])
        assert run.batches == [1]
        assert same(run.weights(1), history[0])
        monkeypatch.undo()
        run.append(3, history[2])
        run.flush()
    assert all(same(index["city"].weights(b), history[b - 1]) for b in (1, 2, 3))


def test_a_disk_that_fills_up_for_good_loses_nothing_that_was_acknowledged(
    index, spec, history, monkeypatch
):
    run = index.create("city", spec, storage="exact")
    room, real = [400_000], os.writev

    def write(descriptor, parts):
        room[0] -= sum(map(len, parts))
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, parts)

    monkeypatch.setattr(segment_writer.os, "writev", write)
    acknowledged = append_until_full(run, history, flush_every=1)
    with pytest.raises(DiskFullError):
        run.close()
    again = index["city"]
    assert again.last_batch == acknowledged > 3
    assert all(same(again.weights(b), history[b % 40]) for b in again.batches)


def test_a_small_file_system_that_fills_up_leaves_every_acknowledged_checkpoint(
    tmp_path, spec, history
):
    with small_file_system(tmp_path / "small", "1m") as mount:
        run = CheckpointIndex(mount).create("city", spec, storage="exact")
        acknowledged = append_until_full(run, history, flush_every=5)
        filled = CheckpointIndex(mount)["city"]
        assert filled.last_batch >= acknowledged > 5
        assert all(same(filled.weights(b), history[b % 40]) for b in filled.batches)
        with pytest.raises(DiskFullError):
            run.close()


APPENDER = """
import sys, torch
from checkpoints_index import CheckpointIndex
run = CheckpointIndex(sys.argv[1])["city"]
weights = run.spec.build().state_dict()
for batch in range(1, 100000):
    for tensor in weights.values():
        if tensor.is_floating_point():
            tensor += 1e-3
    run.append(batch, weights)
    if batch % 5 == 0:
        run.flush()
        print(batch, flush=True)
"""


@pytest.mark.parametrize("storage", ["exact", "visual"])
def test_a_killed_writer_loses_nothing_that_was_flushed(index, spec, storage, forker):
    index.create("city", spec, storage=storage).close()
    process = forker.start(APPENDER, index.folder)
    acknowledged = [int(process.stdout.readline()) for _ in range(4)]
    time.sleep(0.02)
    process.kill()
    acknowledged += [int(line) for line in process.stdout.read().split()]
    process.wait()
    with index["city"] as run:
        assert run.batches == list(range(1, run.last_batch + 1))
        assert run.last_batch >= acknowledged[-1]
        assert all(found.reason is None for found in run.verify(deep=True))
        run.append(run.last_batch + 1, run.weights(1))


def test_a_killed_writer_has_on_disk_what_it_wrote_seconds_ago(index, spec, forker):
    """Nobody calls flush(): the thread writes and syncs by itself."""
    index.create("city", spec, storage="exact").close()
    script = APPENDER.replace("run.flush()", "pass").replace(
        "run.append(batch, weights)", "run.append(batch, weights); __import__('time').sleep(0.02)"
    )
    process = forker.start(script, index.folder)
    while int(process.stdout.readline()) < 20:
        pass
    time.sleep(1)
    process.kill()
    process.wait()
    assert index["city"].last_batch >= 20


@pytest.mark.slow
def test_a_writer_that_nobody_closes_writes_all_at_the_end(index, spec, forker):
    index.create("city", spec, storage="exact").close()
    script = APPENDER.replace("100000", "8").replace("run.flush()", "pass")
    assert forker.start(script, index.folder).wait() == 0
    assert index["city"].batches == list(range(1, 8))


def test_a_failure_of_the_writer_reaches_the_caller(index, spec, history, monkeypatch):
    with index.create("city", spec, storage="exact") as run:
        run.append(1, history[0])
        run.flush()

        def fail(descriptor, data):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(segment_writer.os, "writev", fail)
        run.append(2, history[1])
        with pytest.raises(CheckpointError, match=r"Checkpoint 2 .* could not be written"):
            run.flush()
        monkeypatch.undo()
        run.flush()
        assert run.batches == [1, 2]


def test_a_segment_of_another_run_is_not_served_as_this_runs(index, spec, history):
    for name, storage in (("city", "exact"), ("town", "exact"), ("hamlet", "visual")):
        with index.create(name, spec, storage=storage) as run:
            run.append(1, history[len(name)])
    for other in ("town", "hamlet"):
        segment = last_segment(index[other])
        (index["city"].folder / segment.name).write_bytes(segment.read_bytes())
        with pytest.raises(DamagedCheckpointError, match=f"of another run .*'{other}'"):
            index["city"].weights(1)
        assert [f.readable for f in index["city"].verify() if f.reason] == [False]


def test_an_edited_description_is_refused_and_reindex_mends_it(index, full):
    run, decoded = full
    path = run.folder / "generator.json"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"z_dim": 16', b'"z_dim": 17'))
    with pytest.raises(DamagedDescriptionError, match="its checksum differs"):
        index["city"]
    reindex(index.folder)
    assert path.read_bytes() == content
    assert same(index["city"].weights(7), decoded[7])


def test_an_edited_description_of_an_older_run_names_what_both_say(index, full):
    run, decoded = full
    path = run.folder / "generator.json"
    document = json.loads(path.read_bytes())
    del document["xxh3"], document["id"]
    path.write_text(json.dumps(document))
    assert same(index["city"].weights(7), decoded[7])
    document["generator"]["options"]["z_dim"] = 17
    path.write_text(json.dumps(document))
    with pytest.raises(DamagedCheckpointError, match=r"z_dim 16 in the segment, 17 in generator"):
        index["city"].weights(7)
    assert any(f.reason for f in index["city"].verify())
    reindex(index.folder)
    assert same(index["city"].weights(7), decoded[7])


def test_a_lost_description_is_told_from_an_unknown_run(index, full, spec):
    run, _ = full
    (run.folder / "generator.json").unlink()
    with pytest.raises(DamagedDescriptionError, match="made anew from the segments"):
        index["city"]
    assert list(index) == ["city"]
    with pytest.raises(RunExistsError):
        index.create("city", spec)
