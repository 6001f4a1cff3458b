"""Runs of somebody else's whose checksums are whole and whose facts are not: sentences, no more."""

import json
import struct

import pytest
import torch
import xxhash

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.errors import (
    CheckpointError,
    DamagedCheckpointError,
    DamagedDescriptionError,
)
from checkpoints_index.storage import headers, segments
from checkpoints_index.storage.catalogue import DESCRIPTION
from checkpoints_index.storage.ledger import LEDGER
from checkpoints_index.storage.seals import seal_json, unseal_json
from checkpoints_index.upkeep.reindexing import reindex

SPEC = GeneratorSpec("dcgan", {"z_dim": 4, "image_size": 32, "width": 0.03})


@pytest.fixture
def run(index):
    with index.create("city", SPEC, storage="exact") as run:
        for batch in (1, 2, 3):
            run.append(batch, SPEC.build().state_dict())
        run.flush()
    return index["city"]


def look_at(run):
    """Every way in which a folder of somebody else's is met, but for reading weights."""
    index = CheckpointIndex(run.folder.parents[1])
    list(index)
    opened = index["city"]
    assert opened.plain_bytes > 0
    assert opened.missing is not None
    findings = list(opened.verify(deep=True))
    reindex(index.folder)
    return [finding.reason for finding in findings if finding.reason is not None]


def forge(path, change=lambda description: None, text=None, records=None, more=b""):
    """Write a segment anew with whole checksums around another header, or another table."""
    genuine = segments.read_segment(path)
    description = json.loads(json.dumps(genuine.description))
    change(description)
    text = json.dumps(description, sort_keys=True).encode() if text is None else text
    check = xxhash.xxh3_64_intdigest(text)
    header = struct.pack("<8sIQ", headers.SEGMENT_MAGIC, len(text), check) + text
    content, placed = header, []
    for record in genuine.records:
        moved = record._replace(offset=len(content))
        payload = path.read_bytes()[record.end - record.payload_bytes : record.end]
        placed.append(moved)
        content += segments.pack_head(moved) + payload
    told = placed if records is None else records(placed)
    path.write_bytes(content + segments.pack_table(header + more, told, path, len(content)))


def first(**facts):
    return lambda description: description["tensors"][0].update(facts)


HEADERS = {
    "no table of facts": {"text": b"[1, 2]"},
    "nested": {"text": b"[" * 100_000},
    "no JSON": {"text": b"\xff{"},
    "no tensors": {"change": lambda d: d.pop("tensors")},
    "tensors that are a text": {"change": lambda d: d.update(tensors="x")},
    "a tensor that is a text": {"change": lambda d: d.update(tensors=["x"])},
    "a number as a name": {"change": first(name=7)},
    "a name twice": {"change": lambda d: d.update(tensors=[d["tensors"][0]] * 2)},
    "a dtype that is none": {"change": first(dtype="__class__")},
    "a dtype that is a function": {"change": first(dtype="load")},
    "a dtype that is not stored": {"change": first(dtype="complex128")},
    "a shape of texts": {"change": first(shape=["x"])},
    "a shape below nothing": {"change": first(shape=[-4])},
    "a shape of petabytes": {"change": first(shape=[2**31, 2**31])},
    "a step that is a text": {"change": first(step="x")},
    "a step of no size": {"change": first(step=0.0)},
    "lattices of no size": {"change": first(step=0.5, lattice_bytes=1)},
    "another fact": {"change": first(evil=1)},
    "reversible by a text": {"change": lambda d: d.update(reversible="x")},
    "another shape": {"change": first(shape=[1])},
    "another name": {"change": first(name="other.weight")},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_forged_header_costs_its_checkpoints_and_is_named(header, run):
    forge(segments.list_segments(run.folder)[0], **header)
    opened = CheckpointIndex(run.folder.parents[1])["city"]
    for batch in opened.batches:
        with pytest.raises(DamagedCheckpointError):
            opened.generator(batch)
    with pytest.raises(DamagedCheckpointError):
        list(opened.stream())
    look_at(run)


TABLES = {
    "an offset beyond the file": lambda records: [records[0]._replace(offset=2**63)],
    "a payload of exabytes": lambda records: [records[0]._replace(payload_bytes=2**62)],
    "a batch that no database keeps": lambda records: [records[0]._replace(batch=2**64 - 1)],
    "an unknown kind": lambda records: [records[0]._replace(kind=200)],
    "one record many times": lambda records: records * 1000,
}


@pytest.mark.parametrize("records", TABLES.values(), ids=TABLES)
def test_a_forged_table_is_passed_over_for_the_records_themselves(records, run):
    before = {batch: run.weights(batch) for batch in run.batches}
    forge(segments.list_segments(run.folder)[0], records=records)
    opened = CheckpointIndex(run.folder.parents[1])["city"]
    assert opened.batches == [1, 2, 3]
    for batch, weights in before.items():
        read = opened.weights(batch)
        assert all(torch.equal(read[name], tensor) for name, tensor in weights.items())
    look_at(run)


def test_a_table_whose_rows_do_not_end_is_passed_over(run):
    forge(segments.list_segments(run.folder)[0], more=b"x")
    assert CheckpointIndex(run.folder.parents[1])["city"].batches == [1, 2, 3]


DESCRIPTIONS = {
    "a generator that is a list": {"generator": []},
    "a generator without options": {"generator": {"architecture": "dcgan"}},
    "options that are a list": {"generator": {"architecture": "dcgan", "options": [1]}},
    "an architecture that is a number": {"generator": {"architecture": 3, "options": {}}},
    "a size that is a text": {
        "generator": {"architecture": "dcgan", "options": {"image_size": "[/red]"}}
    },
    "a latent point of no numbers": {
        "generator": {"architecture": "dcgan", "options": {"z_dim": 0}}
    },
    "a storage that is none": {"storage": "x"},
    "visual storage without a bound": {"storage": "visual"},
    "a bound that is a number": {"storage": "visual", "promise": 7},
    "a bound of other facts": {"storage": "visual", "promise": {"rms": 1}},
    "a bound of texts": {
        "storage": "visual",
        "promise": {"rms": "x", "largest": 1, "pictures": 16},
    },
    "an identity that is a list": {"id": [1]},
}


@pytest.mark.parametrize("facts", DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_forged_description_is_damage_that_reindexing_mends(facts, run):
    path = run.folder / DESCRIPTION
    document, _ = unseal_json(path.read_bytes())
    path.write_bytes(seal_json({**document, **facts}))
    index = CheckpointIndex(run.folder.parents[1])
    with pytest.raises(DamagedDescriptionError):
        index["city"]
    reindex(index.folder)
    assert index["city"].weights(2)


@pytest.mark.parametrize("name", [DESCRIPTION, LEDGER])
def test_lists_in_lists_are_a_sentence_and_no_end_of_the_stack(name, run):
    (run.folder / name).write_bytes(b'{"segments": ' + b"[" * 100_000)
    reasons = []
    try:
        reasons += look_at(run)
    except CheckpointError as error:
        reasons.append(str(error))
    assert "too deep" in " ".join(reasons)


LISTS = {
    "a list": [],
    "an entry that is a text": {"000000000001.segment": "x"},
    "more batches than there can be": {
        "000000000001.segment": {
            **{"id": "", "bytes": 1, "finished": True},
            "batches": [[0, 2**62, 1]],
        }
    },
    "a place outside": {"../../x.segment": {"id": "", "bytes": 1, "finished": True, "batches": []}},
}


@pytest.mark.parametrize("listed", LISTS.values(), ids=LISTS)
def test_a_forged_list_of_segments_is_damage(listed, run):
    (run.folder / LEDGER).write_bytes(seal_json({"segments": listed}))
    assert any(reason for reason in look_at(run))


def test_a_bound_in_a_forged_header_does_not_end_reindexing(run):
    path = segments.list_segments(run.folder)[0]
    forge(path, lambda description: description.update(promise=3))
    (run.folder / DESCRIPTION).unlink()
    (found,) = reindex(run.folder.parents[1])
    assert "error bound is none" in " ".join(found.notes)
