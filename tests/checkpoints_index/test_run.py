import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from checkpoints_index import CheckpointIndex, GeneratorSpec, writer
from checkpoints_index.calibration import Calibration, Promise
from checkpoints_index.errors import CheckpointError, DamagedCheckpointError
from latent.errors import UserError


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def run(index, spec):
    with index.create("city", spec, storage="exact") as run:
        yield run


@pytest.fixture
def full(run, history):
    for batch, weights in enumerate(history, 1):
        run.append(batch, weights)
    run.flush()
    return run


def test_exact_storage_gives_back_every_bit(full, history):
    assert full.batches == list(range(1, 41))
    assert all(same(full.weights(b), history[b - 1]) for b in (1, 2, 33, 40, 17))


def test_visual_storage_changes_no_pixel_by_more_than_one_level(index, spec, history):
    with index.create("seen", spec, storage="visual") as run:
        for batch, weights in enumerate(history, 1):
            run.append(batch, weights)
        plain_bytes = len(history) * sum(t.nbytes for t in history[0].values())
        assert run.size_bytes < plain_bytes / 5
        calibration = Calibration(spec, Promise(rms=0.2))
        for batch in run.batches:
            assert calibration.keeps_promise(history[batch - 1], run.weights(batch))


def test_a_stream_swaps_weights_in_one_resident_module(full, history):
    pointers = set()
    for batch, G in full.stream([1, 5, 6, 33, 40]):
        pointers.add(tuple(t.data_ptr() for t in G.state_dict().values()))
        assert same(G.state_dict(), history[batch - 1])
        assert not G.training
    assert len(pointers) == 1


def test_a_generator_turns_latent_points_into_pictures_in_eval_mode(full):
    G = full.generator(7)
    pictures = G(torch.randn(3, 16))
    assert not G.training
    assert pictures.shape == (3, 3, 32, 32)
    assert pictures.abs().max() <= 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_kept_to_the_bit(index, spec, history, dtype):
    states = [
        {n: t.to(dtype) if t.is_floating_point() else t for n, t in weights.items()}
        for weights in history[:3]
    ]
    with index.create("half", spec, storage="exact") as run:
        for batch, weights in enumerate(states):
            run.append(batch, weights)
        assert all(same(run.weights(b), states[b]) for b in (0, 1, 2))


def test_infinities_nans_and_negative_zeros_survive_exact_storage(run, history):
    weights = {name: tensor.clone() for name, tensor in history[0].items()}
    first = next(tensor for tensor in weights.values() if tensor.is_floating_point())
    odd = torch.tensor([float("inf"), float("-inf"), float("nan"), -0.0, 1e-45])
    first.view(-1)[: len(odd)] = odd
    run.append(1, history[0])
    run.append(2, weights)
    name = next(iter(weights))
    assert torch.equal(run.weights(2)[name].view(torch.int32), first.view(torch.int32))


def test_batches_must_ascend(full, history):
    with pytest.raises(CheckpointError, match="last checkpoint is 40"):
        full.append(40, history[0])
    with pytest.raises(CheckpointError, match="ascend"):
        list(full.stream([3, 2]))


def test_an_unknown_run_lists_the_known_ones(index, full):
    with pytest.raises(UserError, match=r"'cty' is not in the index\. Known: city"):
        index["cty"]


def test_an_unknown_batch_names_its_neighbours(run, history):
    run.append(10, history[0])
    run.append(20, history[1])
    with pytest.raises(CheckpointError, match=r"no checkpoint 12.*10 and 20"):
        run.weights(12)
    assert run.missing == [(11, 20)]


def test_a_name_that_leaves_the_folder_is_refused(index, spec):
    with pytest.raises(CheckpointError, match="cannot be the name"):
        index.create("../elsewhere", spec)


def test_weights_of_another_generator_are_refused_by_name(run, history):
    other = GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.125}).build()
    with pytest.raises(CheckpointError, match="do not fit the generator of run 'city'"):
        run.append(1, other.state_dict())


def test_weights_that_are_not_finite_are_not_kept_visually(index, spec, history):
    broken = {name: tensor.clone() for name, tensor in history[0].items()}
    max(broken.values(), key=torch.numel).fill_(float("nan"))
    with index.create("seen", spec, storage="visual") as run:
        run.append(1, history[0])
        with pytest.raises(CheckpointError, match="not finite"):
            run.append(2, broken)
        run.append(2, history[1])
        assert run.batches == [1, 2]


def test_a_second_writer_is_refused(index, run, history):
    run.append(1, history[0])
    with pytest.raises(CheckpointError, match="one writer"):
        index["city"].append(2, history[1])


def test_a_reader_sees_what_another_process_appends(index, run, history):
    run.append(1, history[0])
    reader = index["city"]
    assert reader.batches == [1]
    run.append(2, history[1])
    assert reader.batches == [1, 2]
    assert same(reader.weights(2), history[1])


def test_appending_goes_on_after_reopening(index, full, history):
    full.close()
    with index["city"] as again:
        again.append(41, history[0])
        assert same(again.weights(41), history[0])
        assert same(again.weights(40), history[39])


def test_truncating_drops_later_checkpoints_and_readers_notice(index, full, history):
    reader = index["city"]
    assert reader.last_batch == 40
    full.truncate(20)
    full.append(21, history[0])
    assert reader.batches == list(range(1, 22))
    assert same(reader.weights(21), history[0])
    assert same(reader.weights(20), history[19])


def test_a_run_replaced_up_to_its_first_batch_is_read_anew(index, run, history):
    run.append(1, history[0])
    reader = index["city"]
    assert same(reader.weights(1), history[0])
    run.truncate(0)
    run.append(1, history[5])
    run.append(2, history[6])
    assert same(reader.weights(1), history[5])


def test_a_torn_segment_loses_only_its_last_record(index, full, history, caplog):
    full.close()
    (path,) = full.folder.glob("*.segment")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 5)
    assert index["city"].batches == list(range(1, 40))
    with index["city"] as again:
        again.append(40, history[39])
        assert "cut a torn tail" in caplog.text
        assert same(again.weights(39), history[38])
        assert same(again.weights(40), history[39])


def test_a_flipped_byte_is_found_named_and_spares_what_does_not_need_it(index, full, history):
    full.close()
    (path,) = full.folder.glob("*.segment")
    content = bytearray(path.read_bytes())
    record = full._catalogue.records[10]
    content[record.end - 3] ^= 1
    path.write_bytes(content)
    damaged = index["city"]
    with pytest.raises(DamagedCheckpointError, match=f"10 of run 'city'.*{path.name}"):
        damaged.weights(10)
    with pytest.raises(DamagedCheckpointError, match="checkpoint 10, which it needs"):
        damaged.weights(12)
    assert same(damaged.weights(9), history[8])
    assert same(damaged.weights(33), history[32])
    bad = {batch for batch, _, reason in damaged.verify() if reason}
    assert bad == {10}
    assert {b for b, _, reason in damaged.verify(deep=True) if reason} == set(range(10, 33))


def read_or_refuse(run, batch):
    try:
        return run.weights(batch)
    except DamagedCheckpointError:
        return None


def test_any_flipped_byte_is_detected_or_harmless(index, run, history):
    for batch in range(1, 7):
        run.append(batch, history[batch - 1])
    run.close()
    (path,) = run.folder.glob("*.segment")
    whole = path.read_bytes()
    for position in range(0, len(whole), len(whole) // 97):
        content = bytearray(whole)
        content[position] ^= 0x10
        path.write_bytes(content)
        reader = index["city"]
        for batch in reader.batches:
            weights = read_or_refuse(reader, batch)
            assert weights is None or same(weights, history[batch - 1])


def test_a_full_disk_leaves_the_store_whole_and_goes_on_when_there_is_room(
    index, run, history, monkeypatch
):
    run.append(1, history[0])
    real = os.write
    monkeypatch.setattr(writer.os, "write", lambda fd, data: real(fd, data[: len(data) // 2]))
    with pytest.raises(CheckpointError, match="No room for checkpoint 2"):
        run.append(2, history[1])
    monkeypatch.undo()
    run.append(2, history[1])
    assert all(same(index["city"].weights(b), history[b - 1]) for b in (1, 2))


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


def test_a_killed_writer_loses_nothing_that_was_flushed(index, spec, tmp_path):
    index.create("city", spec, storage="exact").close()
    process = subprocess.Popen(
        [sys.executable, "-c", APPENDER, str(index.folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    acknowledged = [int(process.stdout.readline()) for _ in range(4)]
    time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().split()]
    process.wait()
    with index["city"] as run:
        assert run.batches == list(range(1, run.last_batch + 1))
        assert run.last_batch >= acknowledged[-1]
        assert all(reason is None for _, _, reason in run.verify(deep=True))
        run.append(run.last_batch + 1, run.weights(1))


def test_an_open_run_can_be_sent_to_another_process(full, history):
    again = pickle.loads(pickle.dumps(full))
    assert same(again.weights(3), history[2])


def test_the_index_lists_its_runs(index, full):
    assert list(CheckpointIndex(index.folder)) == ["city"]
    assert "city" in index
    assert "town" not in index
