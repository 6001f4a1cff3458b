"""Thinning that is killed, read meanwhile, out of room, or of damaged runs."""

import errno
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from checkpoints_index import CheckpointIndex
from checkpoints_index.errors import CheckpointError, DiskFullError
from checkpoints_index.storage import files, segments
from checkpoints_index.upkeep.rewriting import refuse_unless_readable
from checkpoints_index.upkeep.thinning import (
    keep_every,
)
from tests.checkpoints_index.upkeep.full_runs import (
    CHECKPOINTS,
    find,
    holds,
    read,
    reopen,
    ruin,
)

KILLS = 4  # a storage


READER = """
import sys, torch
from checkpoints_index import CheckpointIndex
run = CheckpointIndex(sys.argv[1])[sys.argv[2]]
keep = list(range(0, 320, 16))
expected = {b: run.weights(b) for b in keep}
print("ready", flush=True)
while run.batches != [*keep, 319]:
    for batch, G in run.stream(keep):
        assert all(torch.equal(t, expected[batch][n]) for n, t in G.state_dict().items()), batch
    for batch in reversed(keep):
        weights = run.weights(batch)
        assert all(torch.equal(t, expected[batch][n]) for n, t in weights.items()), batch
"""


def test_another_process_reads_right_while_a_run_is_thinned(full, forker):
    run, _ = full
    process = forker.start(READER, run.folder.parents[1], run.name)
    assert process.stdout.readline() == "ready\n"
    for every in (2, 4, 8, 16):
        run.thin(keep_every(run.batches, every))
    assert process.wait() == 0


THINNER = """
import sys
from checkpoints_index import CheckpointIndex
CheckpointIndex(sys.argv[1])[sys.argv[2]].thin([*range(0, 320, 5), 319])
"""


def test_a_killed_thinning_leaves_each_checkpoint_as_before_or_as_after(full, tmp_path, forker):
    run, decoded = full
    keep, choose = {*range(0, 320, 5), 319}, random.Random(run.storage)
    index, statuses = CheckpointIndex(tmp_path), []

    def thin(name, lives_s=None):
        """Thin a copy in another process, which is killed after a while; its exit status."""
        subprocess.run(["cp", "-r", run.folder.parent, tmp_path / name], check=True)
        process = forker.start(THINNER, tmp_path, name)
        if lives_s is not None:
            time.sleep(lives_s)
            process.kill()
        return process.wait()

    began = time.monotonic()
    assert thin("undisturbed") == 0
    took_s = time.monotonic() - began
    for n in range(KILLS):
        statuses.append(thin(f"killed-{n}", choose.uniform(0, took_s)))
        killed = index[f"killed-{n}"]
        batches = killed.batches
        assert keep <= set(batches)
        assert holds(killed, batches, decoded)
        killed.thin(keep)
        assert list_records(killed) == list_records(index["undisturbed"])
        assert not list(killed.folder.glob("*.part"))
    assert -signal.SIGKILL in statuses


def list_records(run):
    return [r[1:] for path in segments.list_segments(run.folder) for r in read(path)]


def test_a_full_disk_leaves_the_store_whole_and_thinning_goes_on_when_there_is_room(
    full, monkeypatch
):
    run, decoded = full
    real, synced = os.fsync, []

    def fsync(descriptor):
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if "json" not in name and "." in name:
            synced.append(name)
        if len(synced) == 2:  # The second segment's contents.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(files.os, "fsync", fsync)
    keep = keep_every(run.batches, 4)
    with pytest.raises(DiskFullError, match="No room to thin run"):
        run.thin(keep)
    monkeypatch.undo()
    assert not list(run.folder.glob("*.part"))
    left = reopen(run).batches
    assert len(keep) < len(left) < CHECKPOINTS
    assert holds(reopen(run), left, decoded)
    run.thin(keep)
    assert holds(reopen(run), keep, decoded)


def test_a_segment_that_holds_a_damaged_checkpoint_is_left_alone_and_named(full):
    run, _ = full
    last = segments.list_segments(run.folder)[-1]
    key = segments.read_segment(last).records[0]
    ruin(key)
    before = last.read_bytes()
    with pytest.raises(CheckpointError, match=f"{last.name} .checkpoint"):
        run.thin(keep_every(run.batches, 5))
    assert last.read_bytes() == before
    assert reopen(run).batches[:8] == [0, 5, 10, 15, 20, 25, 30, 35]


def test_a_damaged_checkpoint_may_be_dropped_and_the_others_stay(full):
    run, decoded = full
    victim = find(run, 20)
    ruin(victim)
    lost = {b for b, path, why, readable in run.verify(deep=True) if why and not readable}
    keep = set(run.batches) - lost - {20}
    run.thin(keep)
    assert holds(reopen(run), keep, decoded)


def test_a_new_segment_that_does_not_read_back_is_not_put_in_place(full):
    run, _ = full
    path = segments.list_segments(run.folder)[0]
    records = read(path)
    expected = {record.batch: record.integers_xxh3 for record in records}
    refuse_unless_readable(path, expected)
    ruin(records[len(records) // 2])
    with pytest.raises(CheckpointError, match="does not read back"):
        refuse_unless_readable(path, expected)
    ruin(records[len(records) // 2])
    with pytest.raises(CheckpointError, match="does not read back"):
        refuse_unless_readable(path, {**expected, records[0].batch: 1})
