"""What stands for the points of a generator where nobody named any."""

import pytest
import torch

from checkpoints_index import CheckpointIndex
from checkpoints_index.errors import CheckpointError, UndrawnPointsError
from checkpoints_index.generators.representative import representative_z
from checkpoints_index.generators.spec import GeneratorSpec

OPTIONS = {"scale": 4, "channels": 16, "kernel": 3, "image_size": 64, "z_dim": 768}
ENLARGER = GeneratorSpec("shufflemixer", OPTIONS)


def test_drawn_points_are_those_of_the_distribution():
    spec = GeneratorSpec("dcgan", {"z_dim": 8}, z_distribution="sphere")
    z = representative_z(spec, 5, seed=3)
    drawn = torch.randn(5, 8, generator=torch.Generator().manual_seed(3))
    assert torch.equal(z, spec.shape_z(drawn))


def test_pictures_are_made_up_with_edges_and_flat_places_the_same_each_time():
    z = representative_z(ENLARGER, 6, seed=1)
    assert torch.equal(z, representative_z(ENLARGER, 6, seed=1))
    assert not torch.equal(z, representative_z(ENLARGER, 6, seed=2))
    assert z.shape == (6, 768)
    assert z.abs().max() <= 1
    pictures = z.view(6, 3, 16, 16)
    steps = (pictures[..., 1:] - pictures[..., :-1]).abs()
    assert (steps == 0).float().mean() > 0.3
    assert (steps > 0.2).float().mean() > 0.05
    assert not torch.equal(pictures[0], pictures[1])


@pytest.mark.parametrize(("z_dim", "channels"), [(1296, 1), (192, 3), (7, 0)])
def test_grey_pictures_and_others_have_points_too(z_dim, channels):
    spec = GeneratorSpec("own:Class", {"z_dim": z_dim}, z_distribution="picture")
    z = representative_z(spec, 2, seed=0)
    assert z.shape == (2, z_dim)
    assert z.abs().max() <= 1


def test_points_of_an_enlarger_are_pictures_without_anybody_saying_so():
    assert (ENLARGER.z_distribution, ENLARGER.can_draw) == ("picture", False)
    assert "z_distribution" not in ENLARGER.to_json()
    assert GeneratorSpec.from_json(ENLARGER.to_json()) == ENLARGER
    with pytest.raises(CheckpointError, match="are of the distribution 'picture', not 'normal'"):
        GeneratorSpec("shufflemixer", OPTIONS, z_distribution="normal")


def test_pictures_cannot_be_drawn_but_lie_between_others():
    with pytest.raises(UndrawnPointsError, match="run 'large' are pictures"):
        ENLARGER.require_drawn("large")
    with pytest.raises(UndrawnPointsError, match="this generator"):
        ENLARGER.shape_drawn(torch.zeros(768))
    z = torch.rand(2, 768) * 2 - 1
    assert torch.equal(ENLARGER.shape_z(ENLARGER.unshape_z(z)), z)
    assert ENLARGER.holds_z(z)
    assert not ENLARGER.holds_z(3 * z.sign())


def test_visual_storage_is_as_good_for_pictures_that_nobody_calibrated_with(tmp_path):
    torch.manual_seed(0)
    G = ENLARGER.build()
    with CheckpointIndex(tmp_path).create("large", ENLARGER, storage="visual") as run:
        run.append(1, G.state_dict())
        run.flush()
        kept = run.generator(1)
        assert run.size_bytes < run.plain_bytes
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    waves = [torch.sin(0.7 * k * rows + 0.4 * columns / k) for k in (1.0, 2.0, 3.0)]
    with torch.no_grad():
        z = torch.stack(waves).flatten()[None]
        apart = 127.5 * (G(z) - kept(z))
    assert apart.square().mean().sqrt() < 0.2
    assert apart.abs().max() < 2
