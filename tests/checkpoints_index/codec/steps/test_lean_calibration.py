import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints_index import GeneratorSpec
from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.steps import lean_calibration
from checkpoints_index.codec.steps.calibration import PEAK_FRACTION, Calibration, mean_change
from checkpoints_index.codec.steps.lean_calibration import (
    LeanCalibration,
    WeightLender,
    calibration_of,
    is_large,
)
from checkpoints_index.codec.steps.step_choice import RoundedTensor
from checkpoints_index.codec.tensor_entry import TensorEntry
from checkpoints_index.storage.error_bound import ErrorBound

OURS = {
    "skyline": {"width": 0.05},
    "dcgan": {"width": 0.125},
    "dcgan transposed": {"width": 0.125, "upsampling": "transposed"},
    "residual": {"width": 0.125},
}
SPECS = {
    name: GeneratorSpec(name.split()[0], {"z_dim": 16, "image_size": 64, **options})
    for name, options in OURS.items()
}


def weights_of(spec, seed=0):
    """Weights, batch norm's statistics among them, that are not as networks begin."""
    torch.manual_seed(seed)
    weights = spec.build().state_dict()
    for tensor in weights.values():
        if tensor.is_floating_point():
            tensor += 0.02 * torch.rand_like(tensor)
    return weights


@pytest.mark.parametrize("name", SPECS)
@torch.inference_mode()
def test_a_generator_that_is_lent_its_weights_draws_the_same_pictures_and_keeps_none(name):
    spec = SPECS[name]
    weights, z = weights_of(spec), torch.randn(2, 16)
    lender, G = WeightLender(spec), spec.build()
    G.load_state_dict(weights)
    with lender.lend(weights, {}):
        assert torch.equal(lender.G(z), G(z))
    changed = next(key for key, tensor in weights.items() if tensor.ndim == 4)
    other = {**weights, changed: 1.5 * weights[changed]}
    G.load_state_dict(other)
    with lender.lend(weights, {changed: lambda: 1.5 * weights[changed]}):
        assert torch.equal(lender.G(z), G(z))
    held = {key: t for key, t in lender.G.state_dict().items() if t.numel()}
    assert not [key for key, tensor in held.items() if tensor.device.type != "meta"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_floats_are_calibrated_as_usual(dtype):
    spec, bound = SPECS["skyline"], ErrorBound()
    weights = {name: tensor.to(dtype) for name, tensor in weights_of(spec).items()}
    lean, usual = LeanCalibration(spec, bound), Calibration(spec, bound)
    assert lean.few == bound.pictures  # Small pictures are probed all at once.
    lean.near = usual.near
    wanted = usual.choose_steps(weights)
    assert wanted
    assert lean.choose_steps(weights) == wanted


@settings(max_examples=60)
@given(
    dtype=st.sampled_from((torch.float32, torch.float16, torch.bfloat16, torch.float64)),
    exponent=st.integers(-12, 0),
    mantissa=st.integers(8, 15),
    seed=st.integers(0, 99),
)
def test_what_is_compared_is_what_is_read_back_to_the_bit(dtype, exponent, mantissa, seed):
    noise = torch.Generator().manual_seed(seed)
    step = mantissa * 2.0**exponent
    weights = {"w": (torch.randn(40, 50, generator=noise) * 300 * step).to(dtype)}
    weights["w"][0] = (torch.arange(50) + 0.5).to(dtype) * step  # halfway between two integers
    layout = TensorLayout.of(weights, {"w": step})
    arrays = layout.new_arrays()
    layout.to_integers(weights, arrays)
    (entry,) = layout.entries
    kept = layout.to_weights(arrays)["w"]
    assert torch.equal(entry.round(weights["w"]), kept)
    assert torch.equal(layout.to_weight(entry, arrays), kept)


@pytest.mark.parametrize("name", ["skyline", "residual"])
@pytest.mark.slow
def test_lean_steps_keep_the_promise_in_all_pictures_and_are_as_large_as_others(name):
    spec, bound = SPECS[name], ErrorBound()
    weights = weights_of(spec)
    lean, usual = LeanCalibration(spec, bound), Calibration(spec, bound)
    lean.few = 2
    steps = lean.choose_steps(weights)
    kept = {
        key: TensorEntry(key, tuple(weights[key].shape), "float32", steps[key]) for key in steps
    }
    rounded = {**weights, **{key: entry.round(weights[key]) for key, entry in kept.items()}}
    assert usual.compare(weights, rounded).is_within(bound, PEAK_FRACTION)
    ratios = [math.log2(steps[key] / step) for key, step in usual.choose_steps(weights).items()]
    assert len(ratios) == len(steps) > 0
    assert abs(sum(ratios) / len(ratios)) < 0.7
    layout = TensorLayout.of(weights, steps)
    of_all, few = lean.compare_kept(weights, layout), lean.compare_kept(weights, layout, lean.few)
    assert lean.few_to_all(weights, steps) == pytest.approx(of_all.rms / few.rms, rel=0.05)
    difference = usual.compare_kept(weights, layout)
    assert of_all.largest == difference.largest
    assert of_all.rms == pytest.approx(difference.rms, rel=1e-3)


def test_only_large_generators_of_ours_are_calibrated_leanly(monkeypatch):
    spec, bound = SPECS["skyline"], ErrorBound()
    assert type(calibration_of(spec, bound)) is Calibration
    assert not is_large(spec.expected_weights())
    monkeypatch.setattr(lean_calibration, "LARGE_BYTES", 1 << 16)
    assert type(calibration_of(spec, bound)) is LeanCalibration
    full = GeneratorSpec("skyline", {"z_dim": 100, "image_size": 1024})
    monkeypatch.undo()
    assert is_large(full.expected_weights())


def test_a_picture_of_a_large_generator_is_probed_alone_and_smaller_ones_together():
    sizes = {32: 16, 256: 6, 512: 2, 1024: 1}
    for size, few in sizes.items():
        options = {"z_dim": 4, "image_size": size, "width": 0.02}
        assert LeanCalibration(GeneratorSpec("skyline", options), ErrorBound()).few == few


def test_the_mean_change_of_a_large_tensor_is_that_of_its_parts(monkeypatch):
    monkeypatch.setattr("checkpoints_index.codec.steps.calibration.CHUNK_ITEMS", 1000)
    before, after = torch.randn(70, 50), torch.randn(70, 50)
    whole = float((after.double() - before.double()).abs().mean())
    assert mean_change(before, after) == pytest.approx(whole, rel=1e-12)


def test_tensors_that_make_up_hardly_any_of_the_weights_are_probed_at_once():
    lean = LeanCalibration(SPECS["skyline"], ErrorBound())
    sizes = (400, 90_000, 50, 9_000, 500)
    tensors = [RoundedTensor(f"{size}", size, 1e-4, 0.0, 1.0) for size in sizes]
    groups = [[tensor.size for tensor in group] for group in lean._group(tensors)]
    assert groups == [[90_000], [9_000], [50, 400, 500]]
    assert list(lean._group([])) == []
    weights = weights_of(SPECS["skyline"])
    exact = lean._render_levels(weights, lean._probed)
    one, two = lean._look_into(weights, exact, {})[:2]
    noise = torch.Generator().manual_seed(0)
    both = lean._measure_sensitivity(weights, [one, two], exact, noise)
    shares = [s * t.size * t.max_step**2 for s, t in zip(both, (one, two), strict=True)]
    each = [t.sensitivity * t.size * t.max_step**2 for t in (one, two)]
    assert shares[0] == pytest.approx(shares[1])
    assert sum(shares) == pytest.approx(sum(each), rel=0.3)
