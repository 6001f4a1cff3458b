"""Segments: any records come back, torn tails lose the last ones, flipped bits are noticed."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints_index.storage import headers, segments
from checkpoints_index.storage.segments import PendingRecord

U64 = st.integers(0, 2**64 - 1)
PENDING = st.builds(
    PendingRecord,
    kind=st.sampled_from([segments.KEY, segments.DELTA, segments.SKIP_DELTA]),
    batch=st.integers(0, 2**62),
    base=st.integers(0, 2**62),
    # Payloads may look like the beginning of a record.
    payload=st.binary(max_size=60) | st.just(segments.RECORD_MAGIC * 3),
    integers_xxh3=U64,
    parity=st.just(0),
)
DESCRIPTIONS = st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8), max_size=4)
SOME = settings(max_examples=60, deadline=None)


def build(path, description, pending_records, finished):
    """Write a segment; its records."""
    content = header = headers.pack_header(description)
    records = []
    for pending in pending_records:
        record = pending.at(path, len(content))
        content += segments.pack_head(record) + pending.payload
        records.append(record)
    if finished:
        content += segments.pack_table(header, records, path, len(content))
    path.write_bytes(content)
    return records


@SOME
@given(DESCRIPTIONS, st.lists(PENDING, max_size=6), st.booleans())
def test_any_records_are_found_by_table_and_by_scan(description, pending_records, finished):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "0.segment")
        records = build(path, description, pending_records, finished)
        for segment in (segments.read_segment(path), segments.scan_segment(path)):
            assert segment.description == description
            assert segment.records == records
            assert segment.lost == []
            assert segment.finished == finished
            assert segment.whole_bytes == segment.file_bytes == path.stat().st_size
        payloads = [segments.read_payload(record) for record in records]
        assert payloads == [pending.payload for pending in pending_records]


@SOME
@given(st.lists(PENDING, min_size=1, max_size=5), st.booleans(), st.data())
def test_a_torn_tail_loses_the_records_that_it_cuts_and_no_others(pending_records, finished, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "0.segment")
        records = build(path, {}, pending_records, finished)
        content = path.read_bytes()
        size_bytes = data.draw(st.integers(records[0].offset, len(content) - 1))
        path.write_bytes(content[:size_bytes])
        segment = segments.read_segment(path)
        whole = [record for record in records if record.end <= size_bytes]
        assert segment.records == whole
        assert not segment.finished
        end_of_table = len(content) - 24  # Without its trailer, a table is whole but not found.
        expected = whole[-1].end if whole else records[0].offset
        assert segment.whole_bytes == expected or size_bytes >= end_of_table


@SOME
@given(st.lists(PENDING, min_size=1, max_size=5), st.booleans(), st.data())
def test_a_flipped_bit_is_noticed_and_the_other_records_are_found(pending_records, finished, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "0.segment")
        records = build(path, {"id": "7"}, pending_records, finished)
        content = bytearray(path.read_bytes())
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        segment = segments.read_segment(path)
        hit = [r for r in records if r.offset <= position < r.end]
        assert [record for record in records if record not in hit] == [
            record for record in segment.records if record not in hit
        ]
        read = [segments.read_payload(record) for record in segment.records]
        expected = {r.offset: p.payload for r, p in zip(records, pending_records, strict=True)}
        for record, payload in zip(segment.records, read, strict=True):
            assert payload in (None, expected[record.offset])
            assert (payload is None) <= (record in hit)
        assert segment.description == {"id": "7"}
