import pytest
import torch
import torch.nn.functional as F
from torch import nn

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.dcgan import NearestUpsamplingConvolution, PaletteColors
from checkpoints_index.generators.spec import GeneratorSpec


def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
@pytest.mark.parametrize("full_resolution_block", [False, True])
@pytest.mark.parametrize("image_size", [32, 128])
def test_dcgan_turns_latent_points_into_pictures(image_size, upsampling, full_resolution_block):
    options = {
        "z_dim": 7,
        "image_size": image_size,
        "width": 0.03,
        "upsampling": upsampling,
        "full_resolution_block": full_resolution_block,
    }
    pictures = GeneratorSpec("dcgan", options).build()(torch.randn(2, 7))
    assert pictures.shape == (2, 3, image_size, image_size)
    assert pictures.abs().max() <= 1


@pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
@pytest.mark.parametrize("full_resolution_block", [False, True])
def test_a_palette_mixes_every_pixel_of_its_colours(upsampling, full_resolution_block):
    options = {"image_size": 32, "width": 0.03, "palette": 2, "upsampling": upsampling}
    options["full_resolution_block"] = full_resolution_block
    G = GeneratorSpec("dcgan", options).build()
    one, other = torch.tanh(G.colors.palette.detach()).flatten(1).T  # Each [3].
    pixels = G(torch.randn(2, 100)).permute(0, 2, 3, 1).reshape(-1, 3)
    along = (pixels - one) @ (other - one) / (other - one).square().sum()
    torch.testing.assert_close(pixels, one + along[:, None] * (other - one))
    assert 0 <= along.min() < along.max() <= 1


def test_certain_logits_give_flat_areas_of_one_colour():
    colors = PaletteColors(3)
    logits = F.one_hot(torch.tensor([[0, 1], [2, 1]]), 3).permute(2, 0, 1)[None] * 100.0
    pixels, palette = colors(logits)[0], torch.tanh(colors.palette)[:, :, 0, 0]
    assert torch.equal(pixels[:, 0, 0], palette[:, 0])
    assert torch.equal(pixels[:, 0, 1], pixels[:, 1, 1])
    assert torch.equal(pixels[:, 1, 0], palette[:, 2])


@pytest.mark.parametrize("palette", [1, -3, 257])
def test_a_palette_of_one_colour_or_of_too_many_is_refused(palette):
    with pytest.raises(CheckpointError, match=f"2 to 256 colours.*not {palette}"):
        GeneratorSpec("dcgan", {"palette": palette}).build()


def test_dcgan_reaches_1024_pixels():
    with torch.device("meta"):
        G = GeneratorSpec("dcgan", {"image_size": 1024}).build()
        assert G(torch.empty(1, 100)).shape == (1, 3, 1024, 1024)


def test_dcgan_at_64_pixels_has_the_channels_of_the_reference_code():
    G = GeneratorSpec("dcgan", {"z_dim": 100, "image_size": 64}).build()
    norms = [module for module in G.modules() if isinstance(module, nn.BatchNorm2d)]
    assert [norm.num_features for norm in norms] == [512, 256, 128, 64]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_folded_upsampling_equals_repeating_pixels_and_convolving(memory_format):
    layer = NearestUpsamplingConvolution(3, 5, bias=True).to(memory_format=memory_format)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 6, 6)
    kernel = layer.weight.transpose(0, 1).flip(2, 3)  # a transposed convolution mirrors its kernel
    expected = F.conv2d(F.interpolate(x, scale_factor=2), kernel, layer.bias, padding=1)
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-4)


def test_skyline_has_117_million_and_a_half_parameters_at_1024_pixels():
    with torch.device("meta"):
        G = GeneratorSpec("skyline", {"z_dim": 100, "image_size": 1024}).build()
        assert G(torch.empty(1, 100)).shape == (1, 3, 1024, 1024)
    assert count_parameters(G) == pytest.approx(117.5e6, rel=0.005)


def test_skyline_has_no_batch_norm_and_so_no_buffers():
    G = GeneratorSpec("skyline", {"image_size": 32, "width": 0.02}).build()
    assert list(G.buffers()) == []


@pytest.mark.parametrize("image_size", [32, 64])
def test_a_small_skyline_starts_from_a_smaller_grid(image_size):
    G = GeneratorSpec("skyline", {"z_dim": 5, "image_size": image_size, "width": 0.02}).build()
    pictures = G(torch.randn(3, 5))
    assert G.grid_size == image_size // 32
    assert pictures.shape == (3, 3, image_size, image_size)
    assert pictures.abs().max() <= 1


def test_an_untrained_skyline_shows_different_pictures_for_different_points():
    G = GeneratorSpec("skyline", {"image_size": 64, "width": 0.05}).build()
    one, other = G(torch.randn(2, 100))
    assert (one - other).abs().mean() > 0.1


@pytest.mark.parametrize("architecture", ["dcgan", "skyline"])
@pytest.mark.parametrize("image_size", [0, 16, 48, 2048])
def test_a_size_that_is_not_offered_is_refused_with_those_that_are(architecture, image_size):
    with pytest.raises(CheckpointError, match=f"64, 128.*not {image_size}"):
        GeneratorSpec(architecture, {"image_size": image_size}).build()


@pytest.mark.parametrize(
    ("architecture", "options", "named"),
    [
        ("dcgan", {"width": 0}, "width"),
        ("skyline", {"z_dim": 0}, "z_dim"),
        ("dcgan", {"upsampling": "cubic"}, "cubic"),
        ("dcgan", {"widht": 1}, "widht"),
        ("dcgam", {}, "dcgam"),
    ],
)
def test_options_that_cannot_be_built_are_refused_by_name(architecture, options, named):
    with pytest.raises(CheckpointError, match=named):
        GeneratorSpec(architecture, options).build()
