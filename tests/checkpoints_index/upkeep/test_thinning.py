import errno
import itertools
import math
import os
import random
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest
import torch

from checkpoints_index import CheckpointIndex
from checkpoints_index.codec import record_chain
from checkpoints_index.errors import CheckpointError, DiskFullError
from checkpoints_index.storage import files, segments
from checkpoints_index.storage.catalogue import Catalogue
from checkpoints_index.upkeep.rewriting import refuse_unless_readable
from checkpoints_index.upkeep.thinning import (
    estimate_bytes,
    keep_every,
    keep_only,
    keep_within,
)

CHECKPOINTS = 320
KILLS = 4  # a storage


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def ruin(record):
    """Change more of a payload than its parity can bring back."""
    for position in range(record.offset + segments.RECORD_HEAD_BYTES, record.end, 40):
        flip(record.path, position)


def flip(path, position):
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 1]))


@pytest.fixture(scope="module")
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


def reopen(run):
    return CheckpointIndex(run.folder.parents[1])[run.name]


def read(path):
    return segments.read_segment(path).records


def holds(run, batches, decoded):
    """Whether a run holds these batches, every one as it was, and nothing that is damaged."""
    whole = all(finding.reason is None for finding in run.verify(deep=True))
    kept = run.batches == sorted(batches)
    return whole and kept and all(same(run.weights(b), decoded[b]) for b in batches)


def test_what_is_kept_reads_back_bit_for_bit_and_the_rest_is_gone(full):
    run, decoded = full
    before, size_bytes = run.digest([0, 20, 310]), run.size_bytes
    keep = keep_every(run.batches, 10)
    told = []
    run.thin(keep, lambda done, total: told.append((done, total)))
    assert holds(reopen(run), keep, decoded)
    assert holds(run, keep, decoded)
    assert run.digest([0, 20, 310]) == before
    assert run.size_bytes < size_bytes / 3
    total = len(told)
    assert told == [(n, total) for n in range(1, total + 1)]
    assert total in (len(keep), len(keep) - 1)  # a segment of one checkpoint loses nothing
    with pytest.raises(CheckpointError, match="no checkpoint 11"):
        run.weights(11)


def test_rewritten_segments_have_the_keys_and_skip_deltas_of_any_other(full, monkeypatch):
    run, _ = full
    monkeypatch.setattr(record_chain, "SKIP_INTERVAL", 4)
    run.thin(keep_every(run.batches, 2))
    catalogue, skips = Catalogue(run.name, run.folder), 0
    for path in catalogue.descriptions:
        records = catalogue.records_in(path)
        kinds = [record.kind for record in records]
        length = len({record.batch for record in records})
        if run.storage == "exact":
            assert kinds.count(segments.KEY) == math.ceil(length / record_chain.KEY_INTERVAL)
            assert segments.SKIP_DELTA not in kinds
        else:
            assert kinds.count(segments.KEY) == 1
            assert kinds.count(segments.SKIP_DELTA) == (length - 1) // record_chain.SKIP_INTERVAL
            skips += kinds.count(segments.SKIP_DELTA)
        assert segments.read_segment(path).finished
    assert skips or run.storage == "exact"


def test_segments_that_lose_nothing_are_left_untouched_and_those_that_lose_all_are_removed(full):
    run, decoded = full
    first, *_, last = segments.list_segments(run.folder)
    before = last.stat()
    run.thin([b for b in run.batches if b >= int(last.stem)])
    assert segments.list_segments(run.folder) == [last]
    assert (last.stat().st_ino, last.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not first.exists()
    assert holds(reopen(run), [b for b in decoded if b >= int(last.stem)], decoded)


def test_thinning_again_changes_nothing(full):
    run, _ = full
    keep = keep_every(run.batches, 7)
    run.thin(keep)
    before = {path: path.stat().st_mtime_ns for path in segments.list_segments(run.folder)}
    run.thin(keep)
    assert {p: p.stat().st_mtime_ns for p in segments.list_segments(run.folder)} == before


def test_thinning_what_was_thinned_goes_further(full):
    run, decoded = full
    run.thin(keep_every(run.batches, 3))
    keep = keep_every(run.batches, 60)
    run.thin(keep)
    assert holds(reopen(run), keep, decoded)


def test_appending_goes_on_after_thinning(full, history):
    run, decoded = full
    keep = keep_every(run.batches, 10)
    with run:
        run.append(CHECKPOINTS, history[0])
        run.thin(keep)
        assert holds(run, keep, decoded)
        run.append(CHECKPOINTS, history[0])
        assert run.batches == [*sorted(keep), CHECKPOINTS]
        assert len(run.weights(CHECKPOINTS)) == len(history[0])


def test_a_run_that_is_written_to_is_not_thinned(full, history):
    run, _ = full
    with reopen(run) as writer:
        writer.append(CHECKPOINTS, history[0])
        with pytest.raises(CheckpointError, match="one writer"):
            run.thin([0])
    assert len(run.batches) == CHECKPOINTS + 1


def test_a_run_is_never_emptied(full):
    run, _ = full
    with pytest.raises(CheckpointError, match="None of the 320 checkpoints of run"):
        run.thin([5000])
    assert len(run.batches) == CHECKPOINTS


def test_open_readers_go_on_reading_right(full):
    run, decoded = full
    reader = reopen(run)
    assert same(reader.weights(40), decoded[40])
    run.thin(keep_every(run.batches, 20))
    for batch in (40, 60, 300, 40):
        assert same(reader.weights(batch), decoded[batch])
    with pytest.raises(CheckpointError, match="no checkpoint 41"):
        reader.weights(41)


def test_a_stream_that_is_under_way_goes_on_with_what_stays(full):
    run, decoded = full
    keep = keep_every(run.batches, 10)
    wanted = sorted(keep)
    stream = reopen(run).stream(wanted)
    assert [batch for batch, _ in itertools.islice(stream, 5)] == wanted[:5]
    run.thin(keep)
    for batch, (streamed, G) in zip(wanted[5:], stream, strict=True):
        assert streamed == batch
        assert same(G.state_dict(), decoded[batch])


def test_a_stream_that_wants_what_was_dropped_says_so(full):
    run, _ = full
    stream = reopen(run).stream()
    next(stream)
    run.thin([0, 319])
    with pytest.raises(CheckpointError, match=r"no checkpoint \d+"):
        list(stream)


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


def find(run, batch):
    return Catalogue(run.name, run.folder).records[batch]


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


@pytest.mark.parametrize("fraction", [0.7, 0.3])
def test_a_budget_is_kept_and_nearly_used(full, fraction):
    run, decoded = full
    budget_bytes = int(fraction * run.size_bytes)
    run.thin_to_budget(budget_bytes, pinned=[123])
    assert run.size_bytes <= budget_bytes
    assert {0, 123, 319} <= set(run.batches)
    assert holds(reopen(run), run.batches, decoded)
    assert run.size_bytes > 0.6 * budget_bytes


def test_the_estimate_is_about_what_a_run_takes(full):
    run, _ = full
    catalogue = Catalogue(run.name, run.folder)
    assert estimate_bytes(catalogue, run.batches) == run.size_bytes
    keep = keep_every(run.batches, 4)
    estimated = estimate_bytes(catalogue, keep)
    run.thin(keep)
    assert estimated == pytest.approx(run.size_bytes, rel=0.4)


def test_a_segment_that_a_killed_writer_left_empty_is_in_nobodys_way(full):
    run, decoded = full
    header = segments.pack_header(Catalogue(run.name, run.folder).descriptions[find(run, 0).path])
    segments.segment_path(run.folder, CHECKPOINTS).write_bytes(header)
    budget_bytes = run.size_bytes - 10
    run.thin_to_budget(budget_bytes)
    assert run.size_bytes <= budget_bytes
    assert holds(reopen(run), run.batches, decoded)


def test_a_choice_for_a_budget_drops_nothing(full):
    run, _ = full
    chosen = run.choose_for_budget(run.size_bytes // 2)
    assert len(chosen) < len(run.batches) == CHECKPOINTS


def test_a_budget_below_what_is_pinned_is_refused(full):
    run, _ = full
    with pytest.raises(CheckpointError, match="1,000 bytes are too few"):
        run.thin_to_budget(1000, pinned=[5])
    assert len(run.batches) == CHECKPOINTS


def test_every_tenth_means_the_first_of_each_ten_with_the_first_and_the_last():
    assert keep_every(range(1, 43), 10) == {1, 10, 20, 30, 40, 42}
    assert keep_every([5, 205, 405], 100) == {5, 205, 405}
    thinned = sorted(keep_every(range(1, 43), 10))
    assert keep_every(thinned, 10) == set(thinned)
    assert keep_every([], 10) == set()


def test_all_outside_the_range_stays():
    kept = keep_every(range(100), 10, start=20, end=60)
    assert kept == {*range(20), 20, 30, 40, 50, *range(60, 100)}


def test_every_zero_is_refused():
    with pytest.raises(CheckpointError, match="Every 0"):
        keep_every([1, 2], 0)


def test_only_what_is_pinned_and_there_is_kept():
    assert keep_only([1, 2, 3], [2, 7]) == {2}


def test_a_budget_is_spent_evenly_over_the_whole_run():
    for budget_bytes in (1005, 6000, 9000):
        kept = keep_within(range(1000), lambda keep: 10 * len(keep), budget_bytes, pinned=[501])
        assert {0, 501, 999} <= kept
        assert budget_bytes - 30 < 10 * len(kept) <= budget_bytes
        gaps = {b - a for a, b in itertools.pairwise(sorted(kept - {501, 999}))}
        assert max(gaps) - min(gaps) <= 2  # two where only the pinned one lay between


def test_a_budget_that_is_not_reached_drops_nothing():
    assert keep_within(range(10), partial(sum), 1000) == set(range(10))
