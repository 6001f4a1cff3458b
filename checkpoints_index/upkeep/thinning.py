"""Which checkpoints of a run to keep when room is needed, and how much room they take then."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path

from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.record_chain import KEY_INTERVAL, SKIP_INTERVAL
from checkpoints_index.errors import CheckpointError, DamagedCheckpointError
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.storage import segments
from checkpoints_index.storage.catalogue import Catalogue
from checkpoints_index.storage.segments import RECORD_HEAD_BYTES, Record
from checkpoints_index.upkeep.rewriting import batches_in, encode_anew, plan_segments

SAMPLED_SEGMENTS = 3  # So many are packed on trial before anything is dropped for a budget.
MARGIN = 1.02  # Where the estimate is a little too high one pass is enough, else it takes two.


def keep_every(
    batches: Sequence[int], every: int, start: int | None = None, end: int | None = None
) -> set[int]:
    """The batches of the first checkpoint in each ten, say: 0, 10, 20, where they are there.

    The first and the last checkpoint of the run always stay, and so does all outside the range.
    Doing it again changes nothing.

    Args:
        batches: those of the run, ascending.
        every: number of batches of which one stays.
        start, end: the half-open range that is thinned; all of the run by default.

    Raises:
        CheckpointError: `every` is not positive.

    Example:
        >>> sorted(keep_every(range(1, 43), 10))
        [1, 10, 20, 30, 40, 42]
    """
    if every < 1:
        raise CheckpointError(f"Every {every} batches cannot be: give 1 or more.")
    first_of: dict[int, int] = {}
    outside = set()
    for batch in batches:
        if (start is None or batch >= start) and (end is None or batch < end):
            first_of.setdefault(batch // every, batch)
        else:
            outside.add(batch)
    return outside | set(first_of.values()) | _ends(batches)


def keep_only(batches: Sequence[int], pinned: Collection[int]) -> set[int]:
    """The pinned checkpoints that there are, and nothing else."""
    return set(batches) & set(pinned)


def keep_within(
    batches: Sequence[int],
    estimate: Callable[[Collection[int]], float],
    budget_bytes: int,
    pinned: Collection[int] = (),
) -> set[int]:
    """As many checkpoints as fit: the first, the last, the pinned, and the rest evenly.

    Evenly means over the whole run, so that the film goes on at one pace and no part of the growth
    counts less than another: of consecutive batches, the gaps differ by one at most. Who wants the
    beginning slower thins the rest first, with `keep_every` and a range.

    Args:
        batches: those of the run, ascending.
        estimate: gives the bytes that some of them take when the others are dropped.
        budget_bytes: what they may take.
        pinned: batches that stay in any case.

    Raises:
        CheckpointError: the first, the last and the pinned do not fit by themselves.
    """
    always = _ends(batches) | keep_only(batches, pinned)
    if estimate(batches) <= budget_bytes:
        return set(batches)
    needed = estimate(always)
    if needed > budget_bytes:
        raise CheckpointError(
            f"{budget_bytes:,} bytes are too few: the first, the last and the pinned checkpoints "
            f"({len(always):,} in all) take about {needed:,.0f}. Allow that much, or pin fewer."
        )
    fits, too_many = 1, batches[-1] - batches[0] + 1
    while too_many - fits > 1:
        count = (fits + too_many) // 2
        if estimate(_spread(batches, count) | always) <= budget_bytes:
            fits = count
        else:
            too_many = count
    return _spread(batches, fits) | always


def estimate_bytes(catalogue: Catalogue, keep: Collection[int], correction: float = 1.0) -> float:
    """Estimate how many bytes a run takes when only some checkpoints stay.

    Weights between two batches move like a random walk, so their variances add up, and a
    difference of variance v (in units of what is rounded away) takes 1/2 log2(1 + v) bits a
    weight, as for any Gaussian source (Cover & Thomas 2006, chapter 10). Segments that lose
    nothing are not estimated.

    Args:
        catalogue: that of the run.
        keep: the batches that stay.
        correction: factor for what is estimated.
    """
    kept = set(keep)
    return sum(
        _estimate_segment(catalogue, path, kept, correction) for path in catalogue.descriptions
    )


def choose_for_budget(
    catalogue: Catalogue, budget_bytes: int, pinned: Collection[int] = ()
) -> set[int]:
    """The checkpoints to keep so that a run takes no more than so many bytes; nothing is dropped.

    Since what is dropped is gone, some segments are packed on trial to set the estimate right.

    Args:
        catalogue: that of the run.
        budget_bytes: what the run may take.
        pinned: batches that stay in any case.

    Raises:
        CheckpointError: the first, the last and the pinned do not fit by themselves.
    """
    choose = partial(keep_within, catalogue.batches, budget_bytes=budget_bytes, pinned=pinned)
    kept = choose(estimate=partial(estimate_bytes, catalogue))
    correction = MARGIN * _measure_estimate(catalogue, kept)
    return choose(estimate=partial(estimate_bytes, catalogue, correction=correction))


def _spread(batches: Sequence[int], count: int) -> set[int]:
    """The first checkpoint in each of so many equal stretches of the run."""
    first, length = batches[0], batches[-1] - batches[0] + 1
    first_of: dict[int, int] = {}
    for batch in batches:
        first_of.setdefault((batch - first) * count // length, batch)
    return set(first_of.values())


def _ends(batches: Sequence[int]) -> set[int]:
    return {batches[0], batches[-1]} if batches else set()


def _estimate_segment(catalogue: Catalogue, path: Path, keep: set[int], correction: float) -> float:
    batches = batches_in(catalogue, path)
    staying = [batch for batch in batches if batch in keep]
    if batches and not staying:
        return 0
    if len(staying) == len(batches):
        return path.stat().st_size
    try:
        layout = TensorLayout.from_json(catalogue.descriptions[path] or {})
    except ValueError:  # Its header is damaged, or not ours: it is left as it is.
        return path.stat().st_size
    records = catalogue.records_in(path)
    key_bytes = max(record.payload_bytes for record in records)
    weights = sum(entry.size for entry in layout.entries)
    variances = dict(zip(batches, _accumulate_variances(batches, records, weights), strict=True))
    keys, deltas = _lay_out(staying, layout.reversible)
    payloads = keys * key_bytes + sum(
        min(key_bytes, weights / 16 * math.log2(1 + variances[new] - variances[base]))
        for base, new in deltas
    )
    overhead = 2 * records[0].offset + 2 * RECORD_HEAD_BYTES * (keys + len(deltas))
    return correction * (payloads + overhead)


def _accumulate_variances(batches: list[int], records: list[Record], weights: int) -> list[float]:
    """Variance of the moves from the first checkpoint of a segment to each, summed up."""
    variances = {
        record.batch: 4.0 ** min(64, 8 * record.payload_bytes / weights) - 1
        for record in records
        if record.kind in (segments.DELTA, segments.TRACKED_DELTA)
    }
    usual = sum(variances.values()) / max(1, len(variances))  # Keys do not say how far it was.
    return list(accumulate(variances.get(batch, usual) for batch in batches))


def _lay_out(batches: list[int], reversible: bool) -> tuple[int, list[tuple[int, int]]]:
    """The number of keys, and the (base, batch) of all deltas, in a segment of these batches."""
    if reversible:
        return 1, [*pairwise(batches), *pairwise(batches[::SKIP_INTERVAL])]
    pairs = enumerate(pairwise(batches), 1)
    return -(-len(batches) // KEY_INTERVAL), [pair for n, pair in pairs if n % KEY_INTERVAL]


def _measure_estimate(catalogue: Catalogue, keep: set[int]) -> float:
    """What a few segments that lose checkpoints really take, over what was estimated for them."""
    reduced = list(plan_segments(catalogue, keep).reduced.items())
    reader = CheckpointReader(catalogue)
    estimated = measured = 0.0
    for path, staying in reduced[:: max(1, -(-len(reduced) // SAMPLED_SEGMENTS))]:
        try:
            payload_bytes = sum(len(record.payload) for record in encode_anew(reader, staying))
        except DamagedCheckpointError:
            continue  # It is refused, or its damaged checkpoints are dropped.
        measured += payload_bytes + 2 * catalogue.records_in(path)[0].offset
        estimated += _estimate_segment(catalogue, path, keep, 1.0)
    reader.close()
    return measured / estimated if estimated else 1.0
