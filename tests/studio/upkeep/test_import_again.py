"""A later import into a run takes the run's generator, and refuses another one by what differs."""

import pytest
import torch
from torch import nn

from checkpoints_index import CheckpointIndex
from checkpoints_index.importing.refusals import ImportedRunError
from studio.upkeep.imports import ImportRequest, import_run
from studio.workspace.progress import Reporter


def mlp(activation, passes):
    network = nn.Sequential(
        *(nn.Linear(20, 64), nn.BatchNorm1d(64), activation),
        *(nn.Linear(64, 96), nn.BatchNorm1d(96), activation, nn.Linear(96, 784), nn.Tanh()),
    )
    for _ in range(passes):
        network(torch.randn(64, 20))
    return network.state_dict()


def take_in(workspace, folder, **options):
    request = ImportRequest(folder, None, options, None)
    return import_run(workspace, "mine", request, "exact", Reporter(workspace))


def test_a_later_import_takes_the_generator_of_the_run(empty_workspace, tmp_path):
    torch.manual_seed(0)
    torch.save(mlp(nn.ReLU(), 60), tmp_path / "G_1.pt")
    assert take_in(empty_workspace, tmp_path).appended == 1
    spec = CheckpointIndex(empty_workspace.runs)["mine"].spec
    (tmp_path / "G_1.pt").unlink()
    # By themselves, these files would be fitted as leaky ones.
    torch.save(mlp(nn.LeakyReLU(0.2), 60), tmp_path / "G_2.pt")
    assert take_in(empty_workspace, tmp_path).appended == 1
    run = CheckpointIndex(empty_workspace.runs)["mine"]
    assert (run.batches, run.spec) == ([1, 2], spec)
    with pytest.raises(ImportedRunError, match=r"layer 2 is .*ReLU.* there and .*ELU.* here"):
        take_in(empty_workspace, tmp_path, activation="elu")
