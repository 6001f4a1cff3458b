import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints_index import GeneratorSpec
from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.steps.calibration import PEAK_FRACTION, Calibration
from checkpoints_index.codec.steps.step_choice import RoundedTensor
from checkpoints_index.errors import CheckpointError
from checkpoints_index.storage.error_bound import ErrorBound

LAYERS = [
    {"layer": "Linear", "name": "hidden", "in_features": 8, "out_features": 128},
    {"layer": "Linear", "name": "last", "in_features": 128, "out_features": 768},
    {"layer": "Unflatten", "dim": 1, "unflattened_size": [3, 16, 16]},
    {"layer": "Tanh"},
]
SPEC = GeneratorSpec("chain", {"z_dim": 8, "image_size": 16, "layers": LAYERS})
CALIBRATION = Calibration(SPEC, ErrorBound(pictures=4))
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
MAGNITUDES = (0.0, 1e-300, 1e-45, 1e-38, 1e-36, 1e-20, 1e-4, 1.0, 1e4, 1e19, 1e30, 3e38, 1e300)


def weights_of(magnitudes, dtype=torch.float32, seed=0):
    """A state dict whose tensors are normal numbers times a magnitude each, all finite."""
    noise = torch.Generator().manual_seed(seed)
    largest = torch.finfo(dtype).max
    weights = {}
    for magnitude, (name, shape) in zip(magnitudes, SPEC.expected_weights().items(), strict=False):
        drawn = torch.randn(shape.shape, generator=noise, dtype=torch.float64) * magnitude
        weights[name] = drawn.clamp(-largest, largest).to(dtype)
    return weights


def kept_in_visual_storage(weights, changes=None):
    """What comes back of weights, and their steps."""
    steps = CALIBRATION.choose_steps(weights, changes)
    layout = TensorLayout.of(weights, steps)
    arrays = layout.new_arrays()
    layout.to_integers(weights, arrays)
    return layout.to_weights(arrays), steps


@settings(max_examples=40)
@given(
    magnitudes=st.tuples(*[st.sampled_from(MAGNITUDES)] * 4),
    dtype=st.sampled_from(FLOATS),
    change=st.sampled_from((None, 0.0, 1e-45, 1e-4, 1e30)),
    spikes=st.sampled_from((1.0, 1e8)),
)
def test_steps_are_chosen_for_all_finite_weights_and_the_promise_holds(
    magnitudes, dtype, change, spikes
):
    weights = weights_of(magnitudes, dtype)
    for tensor in weights.values():
        spiked = tensor.view(-1)[:1] * spikes
        tensor.view(-1)[:1] = torch.where(spiked.isfinite(), spiked, tensor.view(-1)[:1])
    changes = None if change is None else dict.fromkeys(weights, change)
    kept, steps = kept_in_visual_storage(weights, changes)
    for name, tensor in weights.items():
        error = (kept[name].double() - tensor.double()).abs().max()
        rounding = tensor.double().abs().max() * 2 * torch.finfo(dtype).eps
        assert kept[name].isfinite().all()
        assert error <= (steps[name] * 0.63 + rounding if name in steps else 0)
    assert CALIBRATION.compare(weights, kept).is_within(ErrorBound())


@pytest.mark.parametrize("magnitude", [0.0, 1e-36, 1e30])
def test_a_layer_that_is_all_zero_tiny_or_huge_is_kept(magnitude):
    weights = SPEC.build().state_dict()
    weights["hidden.weight"] = torch.full_like(weights["hidden.weight"], magnitude)
    kept, steps = kept_in_visual_storage(weights)
    error = (kept["hidden.weight"] - weights["hidden.weight"]).abs().max()
    assert error <= steps.get("hidden.weight", 0) / 2
    assert "last.weight" in steps or magnitude == 1e30


def test_a_layer_of_zeros_is_rounded_where_it_is_known_how_far_it_will_move():
    weights = SPEC.build().state_dict()
    weights["last.weight"].zero_()
    assert "last.weight" not in CALIBRATION.choose_steps(weights)
    steps = CALIBRATION.choose_steps(weights, {"last.weight": 2e-4})
    assert 0 < steps["last.weight"] <= 2e-4 / 8


@pytest.mark.parametrize(
    ("free", "seed"), [(2, 4), (2, 49), (8, 20), (16, 37), (40, 13), (100, 94)]
)
def test_steps_are_found_where_few_values_of_the_picture_bear_all_of_the_error(free, seed):
    torch.manual_seed(seed)
    weights = SPEC.build().state_dict()
    weights["last.bias"][free:] = 50.0  # Saturated: there the picture depends on no weight.
    if seed % 2:
        weights["hidden.weight"].fill_(1e-36)  # And the rest of it is the same for every z.
    kept, steps = kept_in_visual_storage(weights)
    assert "last.weight" in steps
    assert CALIBRATION.compare(weights, kept).is_within(ErrorBound(), PEAK_FRACTION)


def test_numbers_of_64_bits_are_rounded_as_those_of_32_are():
    single = SPEC.build().state_dict()
    double = {name: tensor.double() for name, tensor in single.items()}
    assert CALIBRATION.choose_steps(double) == CALIBRATION.choose_steps(single) != {}
    kept, steps = kept_in_visual_storage(double)
    lattice = kept["last.weight"] / steps["last.weight"]
    assert kept["last.weight"].dtype == torch.float64
    assert torch.equal(lattice, lattice.round())


@given(change=st.floats(1e-12, 1e38), step=st.floats(2.0**-120, 1e38))
def test_the_bits_of_a_difference_are_a_number_however_far_weights_move(change, step):
    bits = RoundedTensor("weight", 1, change, 1.0, 1.0).bits(step)
    assert math.isfinite(bits)
    assert bits >= 0


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_weights_that_are_no_numbers_are_refused_by_visual_and_kept_by_exact(index, number):
    weights = SPEC.build().state_dict()
    weights["last.weight"][0, 0] = number
    with index.create("exact", SPEC, storage="exact") as run:
        run.append(1, weights)
        assert torch.equal(run.weights(1)["last.weight"][0, 0].isfinite(), torch.tensor(False))
    with index.create("visual", SPEC, storage="visual") as run:
        run.append(1, weights)
        with pytest.raises(CheckpointError, match=r"'last\.weight' holds numbers that are not fin"):
            run.flush()
        assert run.batches == []
