import itertools
import math
from functools import partial

import pytest

from checkpoints_index.codec import record_chain
from checkpoints_index.errors import CheckpointError
from checkpoints_index.storage import headers, segments
from checkpoints_index.storage.catalogue import Catalogue
from checkpoints_index.upkeep.thinning import (
    estimate_bytes,
    keep_every,
    keep_only,
    keep_within,
)
from tests.checkpoints_index.upkeep.full_runs import CHECKPOINTS, find, holds, reopen, same


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
    header = headers.pack_header(Catalogue(run.name, run.folder).descriptions[find(run, 0).path])
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
