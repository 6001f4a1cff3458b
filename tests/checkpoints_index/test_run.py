import pickle

import pytest
import torch

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.codec.steps.calibration import Calibration
from checkpoints_index.errors import CheckpointError
from checkpoints_index.storage import segments
from checkpoints_index.storage.error_bound import ErrorBound
from checkpoints_index.writing import encoder
from tests.checkpoints_index.weights import same


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
        calibration = Calibration(spec, ErrorBound())
        for batch in run.batches:
            difference = calibration.compare(history[batch - 1], run.weights(batch))
            assert difference.largest <= 1
            assert difference.is_within(ErrorBound())


def test_a_stream_swaps_weights_in_one_resident_module(full, history):
    pointers = set()
    for batch, G in full.stream([1, 5, 6, 33, 40]):
        pointers.add(tuple(t.data_ptr() for t in G.state_dict().values()))
        assert same(G.state_dict(), history[batch - 1])
        assert not G.training
    assert len(pointers) == 1


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_modules_take_turns_and_stay_until_theirs_comes_again(full, history, memory_format):
    seen = []
    modules = [full.build().to(memory_format=memory_format) for _ in range(2)]
    for batch, G in full.stream([1, 5, 6, 33, 40], into=modules):
        seen.append((batch, G))
        for before, earlier in seen[-2:]:
            assert same(earlier.state_dict(), history[before - 1])
    assert [G for _, G in seen] == [modules[position % 2] for position in range(5)]


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


def test_a_stream_goes_in_any_direction(full, history):
    for batch, G in full.stream([3, 2, 30, 29, 30]):
        assert same(G.state_dict(), history[batch - 1])


def test_an_unknown_run_lists_the_known_ones(index, full):
    with pytest.raises(CheckpointError, match=r"'cty' is not in the index\. Known: city"):
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


@pytest.mark.parametrize("spoil", [max, min])
def test_weights_that_are_not_finite_are_not_kept_visually(index, spec, history, spoil):
    broken = {name: tensor.clone() for name, tensor in history[0].items()}
    floats = [tensor for tensor in broken.values() if tensor.is_floating_point()]
    spoil(floats, key=torch.numel).fill_(float("nan"))
    with index.create("seen", spec, storage="visual") as run:
        run.append(1, history[0])
        run.append(2, broken)
        with pytest.raises(CheckpointError, match=r"2 of run 'seen' is not kept.*finite"):
            run.flush()
        run.append(3, history[1])
        assert run.batches == [1, 3]


def test_a_second_writer_is_refused(index, run, history):
    run.append(1, history[0])
    with pytest.raises(CheckpointError, match="one writer"):
        index["city"].append(2, history[1])


def test_a_reader_sees_what_another_process_appends(index, run, history):
    run.append(1, history[0])
    run.flush()
    reader = index["city"]
    assert reader.batches == [1]
    run.append(2, history[1])
    run.flush()
    assert reader.batches == [1, 2]
    assert same(reader.weights(2), history[1])


def test_a_large_segment_ends_where_a_key_is_due_anyway(index, spec, history, monkeypatch):
    monkeypatch.setattr(encoder, "SEGMENT_BYTES", 1)
    exact, visual = (index.create(storage, spec, storage) for storage in ("exact", "visual"))
    for run in (exact, visual):
        for batch, weights in enumerate(history):
            run.append(batch, weights)
        run.close()
    assert [path.stem.lstrip("0") for path in segments.list_segments(exact.folder)] == ["", "32"]
    assert len(segments.list_segments(visual.folder)) < len(history) / 4  # it has no such places
    assert same(exact.weights(39), history[39])


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
    full.flush()
    assert reader.batches == list(range(1, 22))
    assert same(reader.weights(21), history[0])
    assert same(reader.weights(20), history[19])


def test_truncating_passes_over_a_segment_that_has_only_its_header(index, full):
    full.close()
    (path,) = full.folder.glob("*.segment")
    header = path.read_bytes()[: index["city"]._catalogue.records[1].offset]
    path.with_name("000000000041.segment").write_bytes(header)
    with index["city"] as again:
        again.truncate(2)
        assert again.batches == [1, 2]


def test_a_run_replaced_up_to_its_first_batch_is_read_anew(index, run, history):
    run.append(1, history[0])
    run.flush()
    reader = index["city"]
    assert same(reader.weights(1), history[0])
    run.truncate(0)
    run.append(1, history[5])
    run.append(2, history[6])
    run.flush()
    assert same(reader.weights(1), history[5])


def test_an_open_run_can_be_sent_to_another_process(full, history):
    again = pickle.loads(pickle.dumps(full))
    assert same(again.weights(3), history[2])


def test_the_index_lists_its_runs(index, full):
    assert list(CheckpointIndex(index.folder)) == ["city"]
    assert "city" in index
    assert "town" not in index


def test_keeping_checkpoints_draws_no_random_numbers(index, spec, history):
    """Else a training that is resumed would not be the one that was stopped."""
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with index.create("city", spec, storage="visual") as run:
        for batch, weights in enumerate(history[:5]):
            run.append(batch, weights)
        run.flush()
        run.generator(3)
        list(run.stream())
    assert torch.equal(torch.rand(3), expected)


def test_channels_lie_side_by_side_in_a_generator_of_ours(index, spec):
    weights = index.create("ours", spec, "exact").build().state_dict().values()
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights if w.ndim == 4)
    assert not all(w.is_contiguous() for w in weights)


def test_a_foreign_generator_may_view_its_tensors_as_they_usually_lie(index):
    foreign = GeneratorSpec("tests.checkpoints_index.foreign_networks:ViewingGAN", {"z_dim": 12})
    run = index.create("theirs", foreign, "exact")
    weights = foreign.build().state_dict()
    run.append(1, weights)
    for _, G in run.stream(into=[run.build()]):
        assert same(G.state_dict(), weights)
        assert G(torch.randn(2, 12)).shape == (2, 3, 16, 16)


@pytest.mark.parametrize(
    "learning_rate", [0.0, *(pytest.param(rate, marks=pytest.mark.slow) for rate in (2e-4, 2e-3))]
)
def test_the_promise_holds_from_the_zeros_that_a_residual_network_begins_with(index, learning_rate):
    spec = GeneratorSpec("residual", {"z_dim": 8, "image_size": 32, "width": 0.125})
    torch.manual_seed(0)
    G = spec.build().train()
    optimizer = torch.optim.Adam(G.parameters(), learning_rate)
    z, target = torch.randn(4, 8), torch.rand(4, 3, 32, 32) * 2 - 1
    states = []
    with index.create("residual", spec, storage="visual") as run:
        for batch in range(40):
            states.append({name: tensor.clone() for name, tensor in G.state_dict().items()})
            run.append(batch, states[-1])
            optimizer.zero_grad()
            (G(z) - target).square().mean().backward()
            optimizer.step()
        assert any(not tensor.any() for tensor in states[0].values() if tensor.numel() > 1000)
        calibration = Calibration(spec, ErrorBound())
        for batch in run.batches:
            assert calibration.compare(states[batch], run.weights(batch)).is_within(ErrorBound())
        assert run.size_bytes < 40 * run.plain_bytes / 2
