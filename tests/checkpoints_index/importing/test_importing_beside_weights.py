"""What lies beside weights, and how files are called, keeps no weights from being found."""

import argparse
import pathlib
import pickle
from collections import defaultdict

import numpy as np
import pytest
import torch
from torch import nn

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.plan import list_files

OPTIONS = {"z_dim": 4, "image_size": 32, "width": 0.03}
WEIGHTS = GeneratorSpec("dcgan", OPTIONS).build().state_dict()
BESIDE = {
    "settings": argparse.Namespace(lr=0.1, out=pathlib.Path("runs"), seen=np.int64(3)),
    "number": np.float64(0.25),
    "truth": np.bool_(True),
    "array": np.ones((3, 2)),
    "losses": defaultdict(list, {"G": [0.5, np.float32(1)]}),
    "path": pathlib.PurePosixPath("a/b"),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("beside", BESIDE)
def test_values_beside_the_weights_are_passed_over(tmp_path, beside, zipped):
    path = tmp_path / "G_1.pth.tar"
    content = {"state_dict": WEIGHTS, "beside": BESIDE[beside]}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    found = GeneratorFinder().find(path, check=True)
    assert found.spec.architecture == "dcgan"
    assert all(torch.equal(found.weights[name], tensor) for name, tensor in WEIGHTS.items())


def test_weights_in_a_defaultdict_are_found(tmp_path):
    path = tmp_path / "G_1.pt"
    torch.save(defaultdict(dict, {"netG": WEIGHTS}), path)
    assert GeneratorFinder().find(path).part == "netG"


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle", "wrapped"])
def test_a_whole_network_is_told_as_one(tmp_path, how):
    path, network = tmp_path / "G_1.pkl", nn.Sequential(nn.Linear(4, 8), nn.Tanh())
    if how == "pickle":
        path.write_bytes(pickle.dumps(network))
    else:
        content = {"G": network} if how == "wrapped" else network
        torch.save(content, path, _use_new_zipfile_serialization=how != "legacy")
    with pytest.raises(UnusableFileError, match=r"is a whole network .*state_dict\(\)"):
        GeneratorFinder().find(path)


def test_files_of_loose_suffixes_are_looked_at_by_their_content(tmp_path):
    for name in ("G_1.pth.tar", "G_2.tar", "G_3.bin", "G_4.pkl", "G_5.model"):
        torch.save(WEIGHTS, tmp_path / name)
        (tmp_path / f"other-{name}").write_bytes(b"nothing of torch")
    _, paths = list_files(tmp_path)
    assert [path.name[:3] for path in paths] == ["G_1", "G_2", "G_3", "G_4", "G_5"]
