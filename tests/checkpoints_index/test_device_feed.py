"""Streams that a device unpacks, on the CPU: the same tensor operations, in order."""

import json
import shutil

import pytest
import torch
import xxhash

from checkpoints_index import CheckpointIndex
from checkpoints_index.codec import payloads
from checkpoints_index.errors import DamagedCheckpointError
from checkpoints_index.reading import resident_integers
from checkpoints_index.reading.device_feed import MAX_STEPS, DeviceFeed
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.reading.stream import stream
from checkpoints_index.reading.transfers import DeviceStreams
from checkpoints_index.storage import payload_room, segments
from checkpoints_index.storage.catalogue import (
    DESCRIPTION,
    Catalogue,
    open_catalogue,
    write_description,
)
from tests.checkpoints_index.weights import same

CPU = torch.device("cpu")
ORDERS = {
    "forwards": range(150),
    "backwards": range(149, 40, -1),
    "by strides": range(3, 150, 5),
    "to and fro": [7, 8, 9, 8, 8, 7, 20, 19, 120, 121, 3, 4, 96, 97, 149, 148, 0, 1],
}


@pytest.fixture(scope="module", params=["exact", "visual", "tracked"])
def run(request, spec, history, averages, tmp_path_factory):
    """150 checkpoints of one segment: several keys, predicted blocks, skip deltas, or trackers."""
    index = CheckpointIndex(tmp_path_factory.mktemp("runs"))
    storage = "exact" if request.param == "exact" else "visual"
    with index.create("city", spec, storage=storage) as run:
        pass
    if request.param == "visual":
        describe_as_older(run, spec)
    with index["city"] as run:
        for batch in range(150):
            tracked = request.param == "tracked"
            weights = averages[batch] if tracked else history[34 + abs(batch % 10 - 5)]
            run.append(batch, weights)
        run.flush()
        yield run


def describe_as_older(run, spec):
    """Let a new run have the format in which all differences of visual storage lead back."""
    run_id = json.loads((run.folder / DESCRIPTION).read_bytes())["id"]
    write_description(run.folder, spec, "visual", run.error_bound, run_id, segments.FORMAT)


def leads_back(run):
    """Whether all differences of a run can be undone, so that there are two ways to each."""
    return run.storage == "visual" and run._catalogue.format == segments.FORMAT


@pytest.fixture(scope="module")
def decoded(run):
    return {batch: run.weights(batch) for batch in run.batches}


@pytest.fixture
def copied(run, tmp_path):
    """The run in a folder of its own, which may be damaged."""
    shutil.copytree(run.folder.parents[1], tmp_path / "runs")
    return CheckpointIndex(tmp_path / "runs")["city"]


def walk(run, batches, device=CPU, unpack_on_device=True):
    """What a stream gives, as copies on the CPU."""
    resident = [run.build().to(device) for _ in range(2)]
    catalogue = Catalogue(run.name, run.folder)
    for batch, G in stream(catalogue, list(batches), device, resident, unpack_on_device):
        yield batch, {name: tensor.cpu().clone() for name, tensor in G.state_dict().items()}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_what_a_device_unpacks_are_the_weights_that_were_kept(run, decoded, order):
    walked = list(walk(run, order))
    assert [batch for batch, _ in walked] == list(order)
    assert all(same(weights, decoded[batch]) for batch, weights in walked)


def test_segments_follow_on_each_other(index, spec, history):
    with index.create("city", spec, storage="visual") as run:
        for batch, weights in enumerate(history):
            run.append(batch, weights)
    decoded = {batch: run.weights(batch) for batch in run.batches}
    assert len(segments.list_segments(run.folder)) > 1
    for order in (range(40), range(39, -1, -1)):
        assert all(same(weights, decoded[batch]) for batch, weights in walk(run, order))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_a_gpu_unpacks_the_weights_that_were_kept(run, decoded, order):
    walked = walk(run, order, torch.device("cuda"), None)
    assert all(same(weights, decoded[batch]) for batch, weights in walked)


def open_feed(run):
    catalogue = open_catalogue(run.folder.parents[1], run.name)
    return DeviceFeed(CheckpointReader(catalogue), DeviceStreams(CPU), depth=3)


def test_only_the_first_checkpoint_is_decoded_on_the_cpu(run):
    feed, steps = open_feed(run), []
    for batch in (40, 41, 42, 40 + MAX_STEPS, 40 + MAX_STEPS):
        staged = feed.decode(batch)
        assert (staged.whole is None) == (batch != 40)
        steps.append(len(staged.steps))
    assert (steps[:3], steps[4]) == ([0, 1, 1], 0)
    assert 1 < steps[3] < MAX_STEPS, "or fewer by way of a skip delta"


def test_what_lies_far_away_is_decoded_on_the_cpu(run):
    feed = open_feed(run)
    assert [feed.decode(batch).whole is None for batch in (2, 30, 31)] == [False, False, True]


def test_a_key_begins_anew_without_what_lies_before_it(run):
    if run.storage == "visual":
        pytest.skip("visual segments have one key")
    feed = open_feed(run)
    assert feed.decode(3).whole is not None
    assert [step.from_nothing for step in feed.decode(66).steps] == [True, False, False]


def test_memory_that_crosses_the_bus_is_used_again(run):
    feed = open_feed(run)
    feed.decode(40)
    buffers = [feed.decode(batch).steps[0].staged.buffer for batch in range(41, 60)]
    places = {buffer.__array_interface__["data"][0] for buffer in buffers[6:]}
    assert len(places) == 3


def find_delta(run, batch):
    return open_catalogue(run.folder.parents[1], run.name).records[batch]


def ruin(record):
    """Change more of a payload than its parity can bring back."""
    content = bytearray(record.path.read_bytes())
    for place in range(record.offset + segments.RECORD_HEAD_BYTES, record.end, 40):
        content[place] ^= 1
    record.path.write_bytes(content)


def test_a_damaged_record_is_gone_round_or_named_as_the_reader_does(copied, decoded):
    ruin(find_delta(copied, 60))
    walked = walk(copied, range(55, 66))
    if leads_back(copied):
        assert all(same(weights, decoded[batch]) for batch, weights in walked)
        return
    got = []
    with pytest.raises(DamagedCheckpointError, match=r"60 of run 'city'.*its bytes have changed"):
        got.extend(batch for batch, _ in walked)
    assert got == list(range(55, 60))


def forge(run, batch, other):
    """Write the segment anew with the payload of another record in that of a batch."""
    wrong, own = find_delta(run, other), find_delta(run, batch)
    genuine = segments.read_segment(own.path)
    content, placed = genuine.path.read_bytes()[: genuine.records[0].offset], []
    header = content
    for record in genuine.records:
        source = wrong if record == own else record
        start = source.offset + segments.RECORD_HEAD_BYTES
        moved = record._replace(
            offset=len(content),
            payload_bytes=source.payload_bytes,
            payload_xxh3=source.payload_xxh3,
        )
        placed.append(moved)
        content += segments.pack_head(moved) + own.path.read_bytes()[start : source.end]
    table = segments.pack_table(header, placed, own.path, len(content))
    own.path.write_bytes(content + table)


@pytest.mark.parametrize("stop", [63, 149])
def test_integers_that_are_not_those_that_were_stored_end_the_stream(copied, stop):
    """A payload whose own checksum is right leads elsewhere: seen soon, and at the last one."""
    forge(copied, 60, 55)
    walked = []
    with pytest.raises(DamagedCheckpointError, match="is not what was stored"):
        walked.extend(batch for batch, _ in walk(copied, range(50, stop)))
    assert walked[-1] < min(stop - 1, 51 + resident_integers.CHECK_INTERVAL)


def test_integers_are_checked_before_others_take_their_place(copied):
    """A stream that goes on far away would otherwise never look at what it leaves."""
    forge(copied, 60, 55)
    walked = []
    with pytest.raises(DamagedCheckpointError, match=r"6[01] of run 'city'"):
        walked.extend(batch for batch, _ in walk(copied, [58, 59, 60, 61, 3]))
    # Lengths of bits that depend on wrong integers of storage exact are found out at once.
    assert walked == ([58, 59] if copied.storage == "exact" else [58, 59, 60, 61])


def spoil(run, batch):
    """Let the delta of a batch be bytes that no packer makes, under checksums that hold."""
    record = find_delta(run, batch)
    payload = segments.read_payload(record)
    layout = CheckpointReader(open_catalogue(run.folder.parents[1], "city")).layout(record)
    bounds = payloads.find_blocks(payload, len(layout.blocks)).tolist()
    start = segments.RECORD_HEAD_BYTES + record.offset + bounds[0]
    content = bytearray(record.path.read_bytes())
    content[start] = 0x63
    head = record._replace(
        payload_xxh3=xxhash.xxh3_64_intdigest(
            bytes(content[record.offset + segments.RECORD_HEAD_BYTES : record.end])
        )
    )
    content[record.offset : record.offset + segments.RECORD_HEAD_BYTES] = segments.pack_head(head)
    last = max(r.end for r in segments.read_segment(record.path).records)
    record.path.write_bytes(content[:last])


def test_bytes_that_no_packer_made_are_left_to_the_reader(copied, decoded):
    """What is refused before it is sent ends as it does where nothing is sent."""
    spoil(copied, 60)
    if leads_back(copied):
        assert all(same(weights, decoded[b]) for b, weights in walk(copied, range(58, 63)))
    else:
        with pytest.raises(DamagedCheckpointError, match="60 of run"):
            list(walk(copied, range(58, 63)))


def test_bytes_that_no_packer_made_cost_no_checkpoint_that_does_not_need_them(copied, decoded):
    """A reader that came upon them among many records reads the others as before."""
    spoil(copied, 60)
    reader = CheckpointReader(open_catalogue(copied.folder.parents[1], "city"))
    if leads_back(copied):
        assert same(reader.weights(62), decoded[62])
    else:
        with pytest.raises(DamagedCheckpointError, match="checkpoint 60, which it needs"):
            reader.weights(62)
    for batch in (59, 50, 33):
        assert same(reader.weights(batch), decoded[batch])


def test_payloads_may_lie_in_memory_that_is_used_again(run, decoded, monkeypatch):
    """As large ones do; those of these networks are small."""
    monkeypatch.setattr(payload_room, "LARGE_BYTES", 0)
    reader = CheckpointReader(open_catalogue(run.folder.parents[1], "city"))
    for batch in (40, 3, 62, 61, 60, 17):
        assert same(reader.weights(batch), decoded[batch])
    order = [*range(20, 40), *range(39, 30, -1), 5, 6, 50, 44]
    assert all(same(weights, decoded[batch]) for batch, weights in walk(run, order))
