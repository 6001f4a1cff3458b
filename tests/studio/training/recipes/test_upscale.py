"""The recipe `upscale`: its loss, what it shows, what it scores, and what it refuses."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from checkpoints_index import CheckpointIndex
from studio.datasets.held_out import SplitDataset, split_dataset
from studio.datasets.prepared import Manifest, PreparedDataset
from studio.datasets.small_pictures import downscale_dataset
from studio.runs.config import TrainingConfig
from studio.runs.events import list_events
from studio.runs.metrics import read_metrics
from studio.runs.status import read_config
from studio.specimens.points import FIXED, points_of
from studio.training.data.patches import PatchPair
from studio.training.loop.fixed_points import match_truths
from studio.training.loop.guards import DivergedError, read_finite
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.machine.updater import MICRO_BATCH
from studio.training.recipes import build_recipe
from studio.training.recipes.recipe import FixedPoint
from studio.training.recipes.upscale import GAP_PX, Upscaling, cut_pairs
from studio.training.setup.creation import create_run
from studio.training.setup.run_request import RunRequest, choose_settings
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from tests.studio.conftest import train_until

CONFIG = Upscaling.complete(
    TrainingConfig(
        dataset="streets",
        recipe="upscale",
        recipe_options={"patch_px": 8},
        held_out=6,
        generator="shufflemixer",
        generator_options={"scale": 4, "channels": 16, "kernel": 3},
        image_size=32,
        batch_size=4,
        batches=6,
        learning_rate_g=2e-3,
        betas=(0.9, 0.99),
        fixed_points=3,
        score_every=3,
        histograms_every=3,
        state_every=2,
    )
)


def add_pairs(workspace, factors=(4,)):
    return downscale_dataset(PreparedDataset.open(workspace.dataset("streets")), factors)


@pytest.fixture(scope="module")
def root(trained_root, tmp_path_factory):
    """A workspace whose dataset keeps its pictures small as well, with the trained run `large`."""
    root = tmp_path_factory.mktemp("upscale") / "workspace"
    shutil.copytree(trained_root, root)
    workspace = Workspace.open(root)
    add_pairs(workspace, (3, 4))
    train_until(workspace, "large", CONFIG)
    return root


@pytest.fixture
def there(root):
    """The workspace, which no test may change."""
    return Workspace.open(root)


def build(**changed):
    return build_recipe(replace(CONFIG, **changed), Processes.single("cpu"))


def pairs(count=4, seed=0):
    """The same smooth pictures without end, large and small."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=rng) * 2 - 1
    large = F.interpolate(coarse, 32, mode="bicubic")
    small = F.avg_pool2d(large, 4)
    while True:
        yield PatchPair(small, large)


def test_the_loss_is_that_of_pixels_and_a_tenth_of_that_of_spectra():
    recipe, pair = build(), next(pairs())
    with torch.no_grad():
        made = recipe.G.enlarge((pair.small + 1) / 2).double().numpy()
    truth = (pair.large.double().numpy() + 1) / 2
    spectra = np.fft.rfft2(made) - np.fft.rfft2(truth)
    expected = {
        "l1": np.abs(made - truth).mean(),
        "fft": np.stack([spectra.real, spectra.imag]).__abs__().mean(),
    }
    metrics = recipe.step(pairs(), Stopwatch())
    assert metrics["l1"].item() == pytest.approx(expected["l1"], rel=1e-5)
    assert metrics["fft"].item() == pytest.approx(expected["fft"], rel=1e-5)
    total, _ = build().losses(pair)
    assert total.item() == pytest.approx(expected["l1"] + 0.1 * expected["fft"], rel=1e-5)


def test_without_the_loss_of_spectra_pixels_alone_count():
    recipe = build(recipe_options={"fft_weight": 0.0})
    total, terms = recipe.losses(next(pairs()))
    assert list(terms) == ["l1"]
    assert torch.equal(total, terms["l1"])


def test_it_learns():
    recipe, batches = build(), pairs()
    losses = [recipe.step(batches, Stopwatch())["l1"].item() for _ in range(30)]
    assert losses[-1] < 0.7 * losses[0]
    weights = recipe.rendered.state_dict()
    assert not torch.equal(weights["tail.weight"], recipe.G.state_dict()["tail.weight"])


def test_smaller_passes_have_the_gradient_of_the_batch():
    whole, parted = build(fit_memory=True), build(fit_memory=True)
    parted.numbers[MICRO_BATCH] = 1
    for recipe in (whole, parted):
        recipe.step(pairs(), Stopwatch())
    for one, other in zip(whole.G.parameters(), parted.G.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-6)


def test_a_weight_that_is_no_number_is_found():
    recipe = build()
    with torch.no_grad():
        recipe.G.tail.bias[0] = float("nan")
    with pytest.raises(DivergedError, match="not finite"):
        read_finite(recipe, recipe.step(pairs(), Stopwatch()))


def test_the_curves_have_scores_on_held_out_pictures_beside_those_of_bicubic(there):
    numbers = read_metrics(there.metrics("large"))
    assert {"l1", "fft", "g_grad_norm", "learning_rate_g", "data_s", "g_s"} <= numbers[-1].keys()
    assert not {"swd", "d_s", "learning_rate_d"} & numbers[-1].keys()
    scored = [entry for entry in numbers if "psnr" in entry]
    assert [entry["batch"] for entry in scored] == [3, 6]
    assert len({entry["psnr_bicubic"] for entry in scored}) == 1
    assert 5 < scored[-1]["psnr"] < 40
    assert 0 < scored[-1]["ssim"] < scored[-1]["ssim_bicubic"] < 1


def test_fixed_points_are_held_out_pictures_made_small(there):
    dataset = PreparedDataset.open(there.dataset("streets"))
    split = split_dataset(dataset, 6)
    unseen = {dataset.small(4)[number].tobytes() for number in split.held_out}
    points = points_of(there, "large", FIXED)
    assert len(points) == 3
    for point in points:
        small = ((point.z.view(3, 8, 8) + 1) * 127.5).round().to(torch.uint8)
        assert small.permute(1, 2, 0).numpy().tobytes() in unseen
    more = Upscaling.choose_points(CONFIG, split, 5)
    assert all(torch.equal(a.z, b.z) for a, b in zip(points, more, strict=False))
    assert len(Upscaling.choose_points(CONFIG, split, 50)) == 6


def test_the_film_shows_low_result_truth_and_four_times_the_difference():
    rng = np.random.default_rng(0)
    truth, made = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    small = np.asarray(Image.fromarray(truth).resize((8, 8)))
    z = torch.from_numpy(small.copy()).permute(2, 0, 1).flatten().float() / 127.5 - 1
    points = [FixedPoint(z, truth), FixedPoint(z)]
    shown = Upscaling.show(CONFIG, np.stack([made, made]), points)
    assert shown.shape == (2, 32, 4 * 32 + 3 * GAP_PX, 3)
    starts = [(32 + GAP_PX) * place for place in range(4)]
    low, result, true, apart = (shown[0][:, start : start + 32] for start in starts)
    assert np.array_equal(low, small.repeat(4, 0).repeat(4, 1))
    assert np.array_equal(result, made)
    assert np.array_equal(true, truth)
    far = np.abs(made.astype(int) - truth)
    assert np.array_equal(apart, np.minimum(4 * far, 255))
    assert not shown[1][:, starts[2] : starts[2] + 32].any()


def test_a_truth_belongs_to_its_own_point_alone():
    one, other, third = torch.zeros(3), torch.ones(3), torch.full((3,), 2.0)
    truth = np.zeros((4, 4, 3), np.uint8)
    matched = match_truths([other, third], [FixedPoint(one), FixedPoint(other, truth)])
    assert matched[0].truth is truth
    assert matched[1].truth is None


def test_resuming_goes_on_to_the_bit(workspace):
    add_pairs(workspace)
    for until in (2, 5, None):
        train_until(workspace, "parts", CONFIG, until)
    train_until(workspace, "whole", CONFIG)
    index = CheckpointIndex(workspace.runs)
    for batch in (1, 3, 6):
        whole, parts = (index[name].weights(batch) for name in ("whole", "parts"))
        assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_gradient_that_is_no_number_sends_the_run_back(workspace, monkeypatch):
    add_pairs(workspace)
    spoiled, losses = [], Upscaling.losses

    def spoil(self, inputs):
        total, terms = losses(self, inputs)
        if self.batch == 4 and not spoiled:
            spoiled.append(True)
            total = total * float("nan")
        return total, terms

    monkeypatch.setattr(Upscaling, "losses", spoil)
    assert train_until(workspace, "spoiled", CONFIG) == ("finished", 6)
    kinds = [event.kind for event in list_events(workspace, "spoiled")]
    assert "rolled_back" in kinds
    assert CheckpointIndex(workspace.runs)["spoiled"].batches == [1, 2, 3, 4, 5, 6]


def test_naming_the_recipe_is_enough(there):
    request = RunRequest("streets", None, None, {"recipe": "upscale"})
    config = choose_settings(there, request)
    assert config.generator_options == {"scale": 4, "channels": 32, "kernel": 3}
    assert (config.z_dim, config.image_size, config.betas) == (192, 32, (0.9, 0.99))


def test_pictures_have_a_size_that_the_scale_divides():
    three = {"scale": 3, "channels": 16, "kernel": 3}
    sizes = {}
    for image_size in (32, 128, 1024):
        config = replace(CONFIG, image_size=image_size, generator_options=three)
        sizes[image_size] = Upscaling.complete(config).image_size
    assert sizes == {32: 33, 128: 126, 1024: 384}


def test_the_middles_of_pairs_are_the_same_place(tmp_path):
    rows, columns = np.mgrid[:21, :21].astype(np.uint8)
    small = np.stack([rows, columns, rows], 2)[None]
    large = np.zeros((1, 64, 64, 3), np.uint8)
    large[:, :63, :63] = small.repeat(3, 1).repeat(3, 2)
    np.save(tmp_path / "pixels-x3.npy", small)
    manifest = Manifest("some", 64, 1, "made up", small=((3, ""),))
    split = SplitDataset(PreparedDataset(tmp_path, manifest, large), np.array([0]), np.array([0]))
    three = replace(CONFIG, image_size=36, generator_options={"scale": 3})
    low, high = cut_pairs(three, split, split.held_out)
    assert (low.shape, high.shape) == ((1, 12, 12, 3), (1, 36, 36, 3))
    assert low[0, 0, 0].tolist() == [4, 4, 4]
    assert np.array_equal(low.repeat(3, 1).repeat(3, 2), high)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"generator": "dcgan", "generator_options": {}}, "trains the generator 'shufflemixer'"),
        ({"held_out": 0}, "set held_out to a number of pictures"),
        ({"negatives": "streets"}, "learns from one dataset alone"),
        ({"recipe_options": {"fft_wieght": 1}}, "Did you mean fft_weight?"),
        ({"recipe_options": {"patch_px": 16}}, "its patches are 16 x 4 wide"),
        ({"generator_options": {"scale": "four"}}, "generator_options.scale is 2, 3 or 4"),
        ({"generator_options": {"scale": 2}}, "studio datasets downscale streets --downscale 2"),
    ],
)
def test_what_it_cannot_train_with_is_refused_before_a_run_is_made(there, changed, said):
    with pytest.raises(EXPECTED_ERRORS, match=said):
        create_run(there, "refused", replace(CONFIG, **changed), "exact")
    assert not there.run("refused").exists()


def test_its_settings_are_kept_with_the_run(there):
    kept = read_config(there, "large")
    assert (kept.recipe_options, kept.held_out) == ({"patch_px": 8}, 6)
