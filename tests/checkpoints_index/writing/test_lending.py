"""What appending holds of the caller's time and memory where a generator is large.

Threads cannot be told to be slow, so the encoder is held up by a lock of the test.
"""

import gc
import threading

import pytest
import torch

from checkpoints_index import GeneratorSpec
from checkpoints_index.codec.steps import lean_calibration
from checkpoints_index.codec.steps.calibration import Calibration
from checkpoints_index.errors import CheckpointError, NoRoomForCheckpointError
from checkpoints_index.storage import segments
from checkpoints_index.storage.error_bound import ErrorBound
from checkpoints_index.writing import appender
from checkpoints_index.writing.encoder import CheckpointEncoder
from checkpoints_index.writing.segment_writer import SegmentWriter
from checkpoints_index.writing.snapshots import Snapshot

SPEC = GeneratorSpec("skyline", {"z_dim": 8, "image_size": 32, "width": 0.05})


@pytest.fixture(autouse=True)
def all_are_large(monkeypatch):
    monkeypatch.setattr(lean_calibration, "LARGE_BYTES", 0)
    monkeypatch.setattr(appender, "QUEUE_BYTES", 0)


@pytest.fixture
def weights():
    torch.manual_seed(0)
    G = SPEC.build().to(memory_format=torch.channels_last)
    return G.state_dict()


@pytest.fixture
def held_up(monkeypatch):
    """Set to let the encoder work."""
    go, encode = threading.Event(), CheckpointEncoder.encode

    def wait_and_encode(*arguments):
        assert go.wait(30)
        return encode(*arguments)

    monkeypatch.setattr(CheckpointEncoder, "encode", wait_and_encode)
    yield go
    go.set()


def train(weights):
    """Change all weights in place, as a step of the optimiser does."""
    for tensor in weights.values():
        tensor.add_(1e-3 * torch.randn_like(tensor))


def copy_of(weights):
    return {name: tensor.clone() for name, tensor in weights.items()}


def is_within(run, batch, weights):
    return (
        Calibration(SPEC, ErrorBound()).compare(weights, run.weights(batch)).is_within(ErrorBound())
    )


@pytest.mark.parametrize("lent", [True, False])
def test_a_large_generator_is_kept_within_its_bound_while_it_trains(index, weights, lent):
    history = {}
    with index.create("large", SPEC, storage="visual") as run:
        for batch in range(1, 61):  # past a hop
            run.wait_until_copied()
            train(weights)
            history[batch] = copy_of(weights)
            run.append(batch, weights, lent=lent)
        assert run.batches == list(range(1, 61))
        assert all(is_within(run, batch, history[batch]) for batch in run.batches)
        assert run.size_bytes < 60 * run.plain_bytes / 3


def test_lent_weights_are_copied_beside_the_caller_who_waits_before_changing_them(
    index, weights, held_up
):
    with index.create("lent", SPEC, storage="exact") as run:
        run.append(1, weights, lent=True)
        run.wait_until_copied()
        first = copy_of(weights)
        train(weights)
        run.append(2, weights, lent=True)  # There is no memory for it yet, and it returns.
        waited = threading.Event()
        waiting = threading.Thread(target=lambda: (run.wait_until_copied(), waited.set()))
        waiting.start()
        assert not waited.wait(0.3)
        held_up.set()
        assert waited.wait(30)
        waiting.join()
        second = copy_of(weights)
        train(weights)
        run.flush()
        for batch, kept in ((1, first), (2, second)):
            assert all(torch.equal(t, run.weights(batch)[name]) for name, t in kept.items())


def test_a_step_that_waits_long_is_told_of(index, weights, held_up, monkeypatch, caplog):
    monkeypatch.setattr(appender, "LONG_WAIT_SECONDS", 0.2)
    with index.create("waiting", SPEC, storage="exact") as run:
        run.append(1, weights, lent=True)
        run.wait_until_copied()
        assert caplog.text == ""
        run.append(2, weights, lent=True)
        threading.Timer(0.5, held_up.set).start()
        run.wait_until_copied()
        assert "waiting: a step waited" in caplog.text


def test_one_copy_of_lent_weights_is_made_and_two_of_others(index, weights, monkeypatch):
    made = []
    create = Snapshot.__init__
    monkeypatch.setattr(
        Snapshot, "__init__", lambda self, given: (create(self, given), made.append(self))[0]
    )
    for lent, copies in ((True, 1), (False, 2)):
        with index.create(f"copies-{copies}", SPEC, storage="visual") as run:
            for batch in range(1, 9):
                run.append(batch, weights, lent=lent)
                run.wait_until_copied()
        assert len(made) == copies
        made.clear()


def test_copies_of_large_weights_lie_in_memory_as_the_weights_do(weights):
    snapshot = Snapshot(weights)
    snapshot.copy_from(weights)
    copied, device = snapshot.wait()
    assert device.type == "cpu"
    for name, tensor in weights.items():
        assert copied[name].stride() == tensor.stride()
        assert torch.equal(copied[name], tensor)


def test_what_was_lent_is_flushed_and_closed_like_all_else(index, weights):
    run = index.create("flushed", SPEC, storage="exact")
    run.append(1, weights, lent=True)
    run.flush()
    assert run.batches == [1]
    run.append(2, weights, lent=True)
    run.close()
    assert run.batches == [1, 2]
    assert not [t for t in threading.enumerate() if t.name in ("copy weights", "append flushed")]


def test_weights_are_taken_back_where_the_disk_is_full_and_nothing_is_lost(
    index, weights, monkeypatch
):
    is_full, write = threading.Event(), SegmentWriter.write

    def write_if_there_is_room(writer, pending):
        if is_full.is_set():
            raise NoRoomForCheckpointError("full", pending.batch, 1)
        write(writer, pending)

    monkeypatch.setattr(SegmentWriter, "write", write_if_there_is_room)
    history = {}
    with index.create("full", SPEC, storage="exact") as run:

        def append_all(batches):
            for batch in batches:
                run.append(batch, weights, lent=True)
                history[batch] = copy_of(weights)
                run.wait_until_copied()  # It comes back although nothing can be written.
                train(weights)

        append_all(range(1, 4))
        run.flush()
        is_full.set()
        with pytest.raises(NoRoomForCheckpointError):
            append_all(range(4, 100))
        is_full.clear()
        run.flush()
        assert run.batches == list(history)
        for batch, kept in history.items():
            assert all(torch.equal(t, run.weights(batch)[name]) for name, t in kept.items())


def test_a_copy_that_fails_is_told_at_the_next_call_and_nobody_waits_for_it(
    index, weights, monkeypatch
):
    with index.create("failing", SPEC, storage="exact") as run:
        run.append(1, weights, lent=True)
        run.flush()
        copy = Snapshot.copy_from
        monkeypatch.setattr(Snapshot, "copy_from", lambda *_: 1 / 0)
        run.append(2, weights, lent=True)
        run.wait_until_copied()
        with pytest.raises(ZeroDivisionError):
            run.flush()
        monkeypatch.setattr(Snapshot, "copy_from", copy)
        run.append(3, weights, lent=True)
        run.flush()
        assert run.batches == [1, 3]


def test_weights_that_are_no_numbers_are_refused_and_given_back(index, weights):
    with index.create("finite", SPEC, storage="visual") as run:
        run.append(1, weights, lent=True)
        run.wait_until_copied()
        next(iter(weights.values())).fill_(float("nan"))
        run.append(2, weights, lent=True)
        run.wait_until_copied()
        with pytest.raises(CheckpointError, match="not finite"):
            run.flush()
        assert run.batches == [1]


def test_a_large_generator_tracks_on_a_gpu_alone(index, weights):
    encoder = CheckpointEncoder("run", SPEC, ErrorBound(), run_format=segments.TRACKING_FORMAT)
    tracks = {
        device: encoder._new_chain(weights, {}, torch.device(device), True).layout.tracks
        for device in ("cpu", "cuda")
    }
    encoder.close()
    gc.collect()
    assert tracks == {"cpu": False, "cuda": True}
