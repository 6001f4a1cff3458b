import subprocess
import sys

import pytest

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.errors import UntrustedClassError
from checkpoints_index.storage.seals import read_sealed_json, seal_json
from checkpoints_index.storage.trusted_classes import list_trusted, trust_class

EVIL = """
from pathlib import Path
import torch
Path({mark!r}).write_text("ran")
class G(torch.nn.Module):
    def __init__(self, z_dim=4):
        super().__init__()
        self.layer = torch.nn.Linear(z_dim, 3 * 32 * 32)
    def forward(self, z):
        return self.layer(z).view(-1, 3, 32, 32).tanh()
"""
READ = "from checkpoints_index import CheckpointIndex as I; print(I({runs!r})['theirs'].build())"


@pytest.fixture
def theirs(tmp_path):
    """(runs, mark): a run of somebody else's, and what is there once its module was imported."""
    mark = tmp_path / "mark"
    (tmp_path / "evilmod.py").write_text(EVIL.format(mark=str(mark)))
    index = CheckpointIndex(tmp_path / "runs")
    index.create("theirs", GeneratorSpec("dcgan", {"z_dim": 4, "image_size": 32}), "exact").close()
    path = tmp_path / "runs" / "theirs" / "checkpoints" / "generator.json"
    description = read_sealed_json(path.read_bytes())
    description["generator"] = {"architecture": "evilmod:G", "options": {"z_dim": 4}}
    path.write_bytes(seal_json(description))
    return tmp_path / "runs", mark


def read_elsewhere(runs):
    """What a process of its own says, which works where the module lies."""
    words = [sys.executable, "-c", READ.format(runs=str(runs))]
    return subprocess.run(words, cwd=runs.parent, capture_output=True, text=True, check=False)


def test_a_run_of_somebody_else_imports_no_class_that_nobody_named(theirs):
    runs, mark = theirs
    with pytest.raises(UntrustedClassError, match="evilmod:G"):
        CheckpointIndex(runs)["theirs"].build()
    assert not mark.exists()


def test_a_class_that_the_owner_named_is_built_in_every_process(theirs):
    runs, mark = theirs
    trust_class(runs, "evilmod:G")
    assert "Linear" in read_elsewhere(runs).stdout
    assert mark.exists()


def test_whoever_creates_a_run_has_named_its_class(tmp_path):
    spec = GeneratorSpec("tests.checkpoints_index.foreign_networks:ViewingGAN", {"z_dim": 12})
    CheckpointIndex(tmp_path).create("own", spec, "exact").close()
    assert list_trusted(tmp_path) == [spec.architecture]
    assert CheckpointIndex(tmp_path)["own"].spec == spec
