import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from checkpoints_index.generators import shufflemixer
from checkpoints_index.generators.shufflemixer import ShuffleMixer
from renderers.errors import RenderError
from renderers.upscaling import enlarger as enlarger_module
from renderers.upscaling.enlarger import Enlarger, to_levels, to_network
from renderers.upscaling.tiles import cut_spans, enlarge_by_tiles


def network(scale=2, channels=16, kernel=3):
    """A network whose every weight matters, with details as strong as those of a trained one."""
    torch.manual_seed(0)
    made = ShuffleMixer(scale, channels, kernel).eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "norm" not in name:
                weight.add_(torch.randn_like(weight) * 0.05)
        x = torch.rand(1, 3, 24, 24)
        details = made.enlarge(x) - F.interpolate(x, scale_factor=scale, mode="bilinear")
        made.tail.weight.mul_(0.2 / details.std())
        made.tail.bias.zero_()
    return made


NETWORKS = {scale: network(scale) for scale in (2, 3, 4)}


@given(st.integers(1, 5000), st.integers(1, 600), st.integers(0, 60))
def test_spans_cover_a_length_once_and_see_as_far_as_there_is_something(length, most, reach):
    spans = cut_spans(length, most, reach)
    assert [px for span in spans for px in range(span.first, span.end)] == list(range(length))
    assert max(span.end - span.first for span in spans) <= most
    for span in spans:
        assert span.seen_first == max(0, span.first - reach)
        assert span.seen_end == min(length, span.end + reach)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(5, 40), st.sampled_from([2, 3, 4]))
@torch.inference_mode()
def test_tiles_give_the_picture_of_one_pass(height, width, tile_px, scale):
    generator = torch.Generator().manual_seed(height * 100 + width)
    x = torch.rand(1, 3, height, width, generator=generator)
    whole = NETWORKS[scale].enlarge(x)
    tiled = enlarge_by_tiles(NETWORKS[scale], x, tile_px)
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)
    differing = (to_levels(tiled) != to_levels(whole)).float().mean()
    assert differing < 1e-3 + 3 / whole.numel()
    assert (to_levels(tiled).int() - to_levels(whole).int()).abs().max() <= 1


@pytest.mark.parametrize(("channels", "kernel"), [(64, 7), (32, 3)], ids=["base", "tiny"])
@torch.inference_mode()
def test_tiles_of_the_published_networks_give_the_picture_of_one_pass(channels, kernel):
    made = network(4, channels, kernel)
    x = torch.rand(1, 3, 90, 61)
    torch.testing.assert_close(enlarge_by_tiles(made, x, 40), made.enlarge(x), atol=1e-5, rtol=0)


@torch.inference_mode()
def test_tiles_that_saw_less_than_the_reach_would_show_it():
    made, x = NETWORKS[2], torch.rand(1, 3, 60, 60)
    short = nn.Module()
    short.scale, short.reach, short.enlarge = made.scale, made.reach - 4, made.enlarge
    assert (enlarge_by_tiles(short, x, 30) - made.enlarge(x)).abs().max() > 1e-5


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_strips_of_the_large_picture_change_nothing(scale, monkeypatch):
    x = torch.rand(2, 3, 23, 9)
    whole = NETWORKS[scale].enlarge(x)  # With gradients, it is drawn at once.
    monkeypatch.setattr(shufflemixer, "MAX_STRIP", 5 * 2 * 16 * 9 * scale**2)
    with torch.no_grad():
        drawn = NETWORKS[scale].enlarge(x)
    torch.testing.assert_close(drawn, whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("devices", [("cpu",), ("cpu", "cpu", "cpu")])
def test_bands_are_the_picture_from_top_to_bottom_and_every_tile_is_told(devices):
    picture = np.random.default_rng(0).integers(0, 256, (50, 37, 3), np.uint8)
    enlarger = Enlarger(NETWORKS[3], devices, tile_px=16)
    told = []
    bands = list(enlarger.bands(picture, lambda done, total, note="": told.append((done, total))))
    assert [band.shape for band in bands] == [(len(band), 111, 3) for band in bands]
    assert len(bands) == 4
    assert told == [(done, 12) for done in range(1, 13)]
    with torch.inference_mode():
        whole = to_levels(NETWORKS[3].enlarge(to_network(torch.from_numpy(picture)[None])))[0]
    difference = np.abs(np.concatenate(bands).astype(int) - whole.numpy().astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


class Crowded(nn.Module):
    """Enlarges as pixels are repeated, on a device that has no room for more than some pixels."""

    scale, reach = 2, 3

    def __init__(self, most):
        super().__init__()
        self.most = most

    def enlarge(self, x):
        if x.shape[2] * x.shape[3] > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return F.interpolate(x, scale_factor=2)


def test_a_tile_that_finds_no_room_is_cut_until_it_does(monkeypatch):
    monkeypatch.setattr(enlarger_module, "MIN_TILE_PX", 8)
    picture = np.random.default_rng(0).integers(0, 256, (45, 70, 3), np.uint8)
    enlarged = Enlarger(Crowded(most=900), tile_px=64).enlarge(picture)
    assert np.array_equal(enlarged, picture.repeat(2, 0).repeat(2, 1))
    with pytest.raises(RenderError, match="cpu has no room for a tile of"):
        Enlarger(Crowded(most=20), tile_px=64).enlarge(picture)
