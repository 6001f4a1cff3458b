"""How latent points of an imported generator are distributed: said, told, kept, followed."""

import pytest
import torch
from torch import nn

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.errors import CheckpointError
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.storage.catalogue import DESCRIPTION
from checkpoints_index.upkeep.reindexing import reindex

DRAW = {
    "normal": lambda count: torch.randn(count, 20),
    "uniform": lambda count: torch.rand(count, 20) * 2 - 1,
    "sphere": lambda count: nn.functional.normalize(torch.randn(count, 20)),
}


def mlp():
    return nn.Sequential(
        *(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU()),
        *(nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 784), nn.Tanh()),
    )


@pytest.mark.parametrize("distribution", list(DRAW))
def test_statistics_of_batch_norm_tell_how_z_is_distributed(distribution, tmp_path):
    torch.manual_seed(0)
    network = mlp()
    for _ in range(60):
        network(DRAW[distribution](64))
    torch.save(network.state_dict(), tmp_path / "G_1.pt")
    found = GeneratorFinder().find(tmp_path / "G_1.pt")
    assert found.spec.z_distribution == distribution
    assert f"{distribution} z" in " ".join(found.remarks)
    said = GeneratorFinder(z_distribution="sphere").find(tmp_path / "G_1.pt")
    assert said.spec.z_distribution == "sphere"


def test_shaped_points_have_the_distribution_that_their_name_says():
    normal = torch.randn(2000, 50, generator=torch.Generator().manual_seed(1))
    uniform, sphere = (
        GeneratorSpec("dcgan", {}, z_distribution=name).shape_z(normal)
        for name in ("uniform", "sphere")
    )
    assert -1 <= uniform.min() < -0.99
    assert 0.99 < uniform.max() <= 1
    assert uniform.mean().abs() < 0.01
    assert abs(uniform.var() - 1 / 3) < 0.01
    assert torch.allclose(sphere.norm(dim=1), torch.ones(2000))
    assert torch.equal(GeneratorSpec("dcgan").shape_z(normal), normal)


def test_a_run_keeps_the_distribution_also_when_its_description_is_lost(tmp_path):
    options = {"z_dim": 4, "image_size": 32, "width": 0.03}
    spec = GeneratorSpec("dcgan", options, z_distribution="uniform")
    with CheckpointIndex(tmp_path).create("city", spec, storage="exact") as run:
        run.append(1, spec.build().state_dict())
    assert CheckpointIndex(tmp_path)["city"].spec == spec
    (tmp_path / "city" / "checkpoints" / DESCRIPTION).unlink()
    reindex(tmp_path)
    assert CheckpointIndex(tmp_path)["city"].spec == spec


def test_an_unknown_distribution_is_refused():
    with pytest.raises(CheckpointError, match="z_distribution: 'cube' is none of normal, uniform"):
        GeneratorSpec("dcgan", {}, z_distribution="cube")
