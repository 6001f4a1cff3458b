import math

import pytest
import torch
import torch.nn.functional as F

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.shufflemixer import ShuffleMixer
from checkpoints_index.generators.spec import GeneratorSpec

BASE, TINY = {"channels": 64, "kernel": 7}, {"channels": 32, "kernel": 3}
SMALL = {"channels": 16, "kernel": 5}


def randomised(network):
    """The network with weights of which each one, gains and biases too, matters."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            drawn = torch.randn(weight.shape, generator=generator)
            fan_in = math.prod(weight.shape[1:]) if weight.ndim > 1 else 25
            weight.copy_(drawn / fan_in**0.5 + (1 if "norm" in name else 0))
    return network


def evaluate(weights, x, scale, kernel, shuffle=True):
    """The network of the paper once more, in float64, by functions and einsum alone."""
    w = {name: tensor.double() for name, tensor in weights.items()}

    def convolve(x, name, groups=1):
        kernel = w[f"{name}.weight"]
        padded = F.pad(x, [kernel.shape[-1] // 2] * 4)
        return F.conv2d(padded, kernel, w.get(f"{name}.bias"), groups=groups)

    def pointwise(x, name):
        mixed = torch.einsum("oc,nchw->nohw", w[f"{name}.weight"][:, :, 0, 0], x)
        return mixed + w[f"{name}.bias"].view(1, -1, 1, 1)

    def silu(x):
        return x / (1 + torch.exp(-x))

    def norm(x, name):
        mean = x.sum(1, keepdim=True) / x.shape[1]
        variance = ((x - mean) ** 2).sum(1, keepdim=True) / x.shape[1]
        return (x - mean) / (variance + 1e-5) ** 0.5 * w[f"{name}.body.weight"].view(1, -1, 1, 1)

    def mlp(x, name):
        half = x.shape[1] // 2
        first = pointwise(silu(pointwise(x[:, :half], f"{name}.fc.0")), f"{name}.fc.2")
        channels = [*first.unbind(1), *x[:, half:].unbind(1)]
        if shuffle:
            d = len(channels) // 8
            channels = [channels[group * d + place] for place in range(d) for group in range(8)]
        return torch.stack(channels, 1)

    def enlarge_map(x, name, step):
        x = pointwise(x, name)
        n, _, h, wide = x.shape
        grouped = x.view(n, -1, step, step, h, wide).permute(0, 1, 4, 2, 5, 3)
        return silu(grouped.reshape(n, -1, h * step, wide * step))

    y = convolve(x.double(), "to_feat")
    for i in range(5):
        before = y
        for j in range(2):
            name = f"blocks.{i}.net.{j}"
            y = mlp(norm(y, f"{name}.norm1"), f"{name}.mlp1") + y
            y = convolve(y, f"{name}.spatial", groups=y.shape[1])
            y = mlp(norm(y, f"{name}.norm2"), f"{name}.mlp2") + y
        y = y + before
        y = pointwise(silu(convolve(y, f"blocks.{i}.conv.0")), f"blocks.{i}.conv.2") + y
    if scale == 4:
        y = enlarge_map(enlarge_map(y, "upsapling.0", 2), "upsapling.3", 2)
    else:
        y = enlarge_map(y, "upsapling.0", scale)
    return convolve(y, "tail") + bilinear(x.double(), scale)


def bilinear(x, scale):
    """Pixels lie in the middle of their squares, and borders go on for ever."""
    for dim in (2, 3):
        size = x.shape[dim]
        at = ((torch.arange(size * scale).double() + 0.5) / scale - 0.5).clamp(0, size - 1)
        low = at.floor().long()
        high = (low + 1).clamp(max=size - 1)
        part = (at - low).view([-1, 1] if dim == 2 else [1, -1])
        x = x.index_select(dim, low) * (1 - part) + x.index_select(dim, high) * part
    return x


@pytest.mark.parametrize(
    ("options", "scale", "count"),
    [
        (BASE, 2, 393_939),
        (BASE, 3, 414_739),
        (BASE, 4, 410_579),
        (TINY, 2, 108_435),
        (TINY, 3, 113_715),
        (TINY, 4, 112_659),
    ],
)
def test_the_six_published_networks_have_their_numbers_of_parameters(options, scale, count):
    with torch.device("meta"):
        network = ShuffleMixer(scale, **options)
        assert network(torch.empty(2, 3, 5, 9)).shape == (2, 3, 5 * scale, 9 * scale)
    assert sum(weight.numel() for weight in network.parameters()) == count


def official_names(scale):
    layer = [f"{norm}.body.weight" for norm in ("norm1", "norm2")]
    layer += [f"spatial.{kind}" for kind in ("weight", "bias")]
    layer += [
        f"{mlp}.fc.{i}.{kind}"
        for mlp in ("mlp1", "mlp2")
        for i in (0, 2)
        for kind in ("weight", "bias")
    ]
    blocks = [f"blocks.{i}.net.{j}.{name}" for i in range(5) for j in range(2) for name in layer]
    convolutions = [f"blocks.{i}.conv.{j}" for i in range(5) for j in (0, 2)]
    convolutions += ["upsapling.0", *(["upsapling.3"] if scale == 4 else []), "tail"]
    both = [f"{name}.{kind}" for name in convolutions for kind in ("weight", "bias")]
    return {"to_feat.weight", *blocks, *both}


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_generator_loads_the_official_layout_strictly(scale):
    options = {"z_dim": 3 * 6 * 6, "image_size": 6 * scale, "scale": scale, **SMALL}
    G = GeneratorSpec("shufflemixer", options).build()
    names = official_names(scale)
    assert len(names) == (147 if scale == 4 else 145)
    written = {name: torch.randn(G.get_parameter(name).shape) for name in sorted(names)}
    G.load_state_dict(written, strict=True)
    assert set(G.state_dict()) == names
    assert all(torch.equal(G.state_dict()[name], tensor) for name, tensor in written.items())


@pytest.mark.parametrize(
    ("scale", "options", "shuffle"),
    [(2, SMALL, True), (3, SMALL, True), (4, TINY, True), (4, BASE, True), (2, SMALL, False)],
)
@torch.no_grad()
def test_the_network_equals_an_independent_evaluation(scale, options, shuffle):
    network = randomised(ShuffleMixer(scale, shuffle=shuffle, **options))
    x = torch.rand(2, 3, 11, 14, generator=torch.Generator().manual_seed(1))
    expected = evaluate(network.state_dict(), x, scale, options["kernel"], shuffle)
    spread = expected.std()
    torch.testing.assert_close(network.double()(x.double()), expected, atol=1e-9 * spread, rtol=0)
    inner = network.float()(x).double()
    torch.testing.assert_close(inner, expected, atol=1e-5 * max(1, spread), rtol=0)


@torch.no_grad()
def test_a_latent_point_is_a_small_picture_in_the_range_of_generators():
    spec = GeneratorSpec(
        "shufflemixer", {"z_dim": 3 * 7 * 7, "image_size": 14, "scale": 2, **SMALL}
    )
    G = randomised(spec.build())
    z = torch.rand(4, spec.z_dim) * 2 - 1
    small = (z.view(4, 3, 7, 7) + 1) / 2
    expected = G.enlarge(small) * 2 - 1
    assert expected.abs().max() > 1
    assert torch.equal(G(z), expected.clamp(-1, 1))
    assert torch.equal(G.train()(z), expected)


@pytest.mark.parametrize(("options", "reach"), [(BASE, 37), (TINY, 17), (SMALL, 27)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_reach_is_how_far_a_pixel_is_seen(options, reach, scale):
    network = ShuffleMixer(scale, **options)
    assert network.reach == reach
    if options is SMALL:
        network = randomised(network).double()
        x = torch.rand(1, 3, 3, 2 * reach + 5, dtype=torch.float64, requires_grad=True)
        middle = reach + 2
        columns = slice(middle * scale, (middle + 1) * scale)
        network(x)[:, :, :, columns].sum().backward()
        seen = x.grad.abs().sum((0, 1, 2)).nonzero().flatten()
        assert middle - reach <= seen.min() <= middle - reach + 1
        assert middle + reach - 1 <= seen.max() <= middle + reach


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"z_dim": 100}, "z_dim must be 192, not 100: .* small picture of 3 x 8 x 8 px"),
        ({"image_size": 33}, "image_size is a multiple of scale 4, not 33"),
        ({"scale": 5}, "scale is one of 2, 3, 4, not 5"),
        ({"channels": 20}, "channels is a multiple of 8 from 16 to 512, not 20"),
        ({"channels": 8}, "channels is a multiple of 8 from 16"),
        ({"kernel": 4}, "kernel is an odd number from 1 to 63, not 4"),
        ({"shuffle": 1}, "takes shuffle such as True, not 1"),
        ({"z_dim": None}, "z_dim is a whole number"),
    ],
)
def test_what_fits_no_shufflemixer_is_refused_in_a_sentence(changed, said):
    options = {"z_dim": 192, "image_size": 32, "scale": 4, **SMALL, **changed}
    with pytest.raises(CheckpointError, match=said):
        GeneratorSpec("shufflemixer", options).build()


def test_a_shufflemixer_says_that_it_needs_the_length_of_its_points():
    with pytest.raises(CheckpointError, match="'shufflemixer' needs z_dim"):
        GeneratorSpec("shufflemixer", {"image_size": 32}).build()
