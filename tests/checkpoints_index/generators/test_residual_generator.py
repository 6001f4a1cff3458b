import pytest
import torch
import torch.nn.functional as F

from checkpoints_index.codec.steps.calibration import Calibration
from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage.error_bound import ErrorBound

OPTIONS = {"z_dim": 7, "image_size": 32, "width": 0.125}


def build(**options):
    return GeneratorSpec("residual", {**OPTIONS, **options}).build()


@pytest.mark.parametrize("image_size", [32, 128])
@pytest.mark.parametrize(("blocks", "group_width"), [(1, 0), (2, 4), (3, 16)])
def test_latent_points_become_pictures(image_size, blocks, group_width):
    G = build(image_size=image_size, blocks=blocks, group_width=group_width)
    pictures = G(torch.randn(2, 7))
    assert pictures.shape == (2, 3, image_size, image_size)
    assert pictures.abs().max() <= 1


def test_pictures_reach_1024_pixels():
    with torch.device("meta"):
        G = GeneratorSpec("residual", {"image_size": 1024}).build()
        assert G(torch.empty(1, 100)).shape == (1, 3, 1024, 1024)


def test_a_picture_does_not_depend_on_the_others_of_its_batch():
    G = trained(build(), steps=2)[0].train()
    z = torch.randn(6, 7)
    torch.testing.assert_close(G(z)[4:], G(z[4:]))
    assert list(G.buffers()) == []


def test_while_it_trains_nothing_bounds_a_picture_and_afterwards_it_is_clamped():
    G, z = build(), torch.randn(16, 7)
    free = G.train()(z)
    assert free.abs().max() > 1
    assert torch.equal(G.eval()(z), free.clamp(-1, 1))


@pytest.mark.parametrize("blocks", [1, 8])
def test_with_all_blocks_at_work_untrained_pictures_spread_the_same_at_any_depth(blocks):
    torch.manual_seed(0)
    G = build(blocks=blocks).train()
    for block in (module for module in G.modules() if hasattr(module, "narrow")):
        torch.nn.init.kaiming_normal_(block.narrow.weight)  # far more than it ever begins as
    assert 0.3 < G(torch.randn(16, 7)).std() < 10


def test_blocks_begin_as_the_identity_and_every_weight_then_learns():
    G = build().train()
    block = G.stages[0][0]
    x = torch.randn(2, block.widen.in_channels, 4, 4)
    assert torch.equal(block(x), x)
    _, before, after = trained(G, steps=3)
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_groups_see_group_width_channels_and_whole_groups_fill_every_layer():
    for width in (0.01, 0.3, 0.7):
        blocks = [m for m in build(width=width, group_width=8).modules() if hasattr(m, "mix")]
        assert {block.mix.weight.shape[1] for block in blocks} == {8}


def test_each_size_has_twice_the_channels_up_to_the_most():
    G = GeneratorSpec("residual", {"image_size": 128, "max_channels": 256}).build()
    channels = [stage[-1][0].widen.in_channels for stage in G.stages[1:]]
    assert [G.stages[0][0].widen.in_channels, *channels] == [256, 256, 256, 256, 128, 64]


@pytest.mark.slow
def test_memory_laid_out_channels_last_changes_no_picture():
    G = trained(build(), steps=2)[0]
    z = torch.randn(2, 7)
    pictures = G(z)
    torch.testing.assert_close(
        G.to(memory_format=torch.channels_last)(z), pictures, rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_visual_storage_changes_no_pixel_by_more_than_one_level(index):
    spec = GeneratorSpec("residual", OPTIONS)
    G = spec.build().train()
    states = [trained(G, steps=1)[2] for _ in range(12)]
    with index.create("residual", spec, storage="visual") as run:
        for batch, weights in enumerate(states, 1):
            run.append(batch, weights)
        run.flush()
        calibration = Calibration(spec, ErrorBound())
        differences = [calibration.compare(states[b - 1], run.weights(b)) for b in run.batches]
        assert max(difference.largest for difference in differences) <= 1
        assert run.size_bytes < sum(t.nbytes for state in states for t in state.values())


@pytest.mark.parametrize("image_size", [0, 16, 48, 2048])
def test_a_size_that_is_not_offered_is_refused_with_those_that_are(image_size):
    with pytest.raises(CheckpointError, match=f"64, 128.*not {image_size}"):
        build(image_size=image_size)


@pytest.mark.parametrize(
    "option", [{"width": 0}, {"z_dim": 0}, {"blocks": 0}, {"group_width": 3}, {"group_width": -2}]
)
def test_options_that_cannot_be_built_are_refused_by_name(option):
    with pytest.raises(CheckpointError, match=next(iter(option))):
        build(**option)


def trained(G, steps):
    """G after some steps of an optimiser, and its weights before and after."""
    generator = torch.Generator().manual_seed(0)
    target = F.interpolate(torch.rand(8, 3, 8, 8, generator=generator) * 2 - 1, 32)
    z = torch.randn(8, 7, generator=generator)
    optimizer = torch.optim.Adam(G.parameters(), 2e-3)
    before = {name: tensor.clone() for name, tensor in G.state_dict().items()}
    for _ in range(steps):
        optimizer.zero_grad()
        (G(z) - target).square().mean().backward()
        optimizer.step()
    return G, before, {name: tensor.clone() for name, tensor in G.state_dict().items()}
