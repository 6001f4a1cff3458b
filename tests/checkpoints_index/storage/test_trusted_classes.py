import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.errors import CheckpointError, UntrustedClassError
from checkpoints_index.storage.seals import read_sealed_json, seal_json
from checkpoints_index.storage.trusted_classes import distrust_class, list_trusted, trust_class

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


def read_in(folder, runs):
    """How a process of its own that works in a folder ends."""
    words = [sys.executable, "-c", READ.format(runs=str(runs))]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_many_who_name_classes_at_once_lose_none(tmp_path, monkeypatch):
    (tmp_path / "networks_of_mine.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "runs").mkdir()
    names = [f"networks_of_mine:G{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: trust_class(tmp_path / "runs", name), names))
        assert sorted(list_trusted(tmp_path / "runs")) == sorted(names)
        list(pool.map(lambda name: distrust_class(tmp_path / "runs", name), names[2:]))
    assert list(list_trusted(tmp_path / "runs")) == names[:2]


def test_a_run_of_somebody_else_imports_no_class_that_nobody_named(theirs):
    runs, mark = theirs
    with pytest.raises(UntrustedClassError, match="evilmod:G"):
        CheckpointIndex(runs)["theirs"].build()
    assert not mark.exists()


def test_a_class_that_the_owner_named_is_built_in_every_process(theirs, tmp_path, monkeypatch):
    runs, mark = theirs
    monkeypatch.chdir(runs.parent)
    trust_class(runs, "evilmod:G")
    (tmp_path / "elsewhere").mkdir()
    assert "Linear" in read_in(tmp_path / "elsewhere", runs).stdout
    assert mark.exists()


def test_a_class_that_was_named_is_not_taken_from_another_folder(theirs, tmp_path, monkeypatch):
    runs, _ = theirs
    monkeypatch.chdir(runs.parent)
    trust_class(runs, "evilmod:G")
    other, mark = tmp_path / "other", tmp_path / "other-mark"
    other.mkdir()
    (other / "evilmod.py").write_text(EVIL.format(mark=str(mark)))
    said = read_in(other, runs).stderr
    assert "UntrustedClassError" in said
    assert str(runs.parent / "evilmod.py") in said
    assert not mark.exists()


def test_a_list_of_an_earlier_version_which_kept_no_places_names_nothing(theirs):
    runs, mark = theirs
    (runs / "trusted_classes.json").write_text('["evilmod:G"]')
    assert "UntrustedClassError" in read_in(runs.parent, runs).stderr
    assert not mark.exists()
    assert list_trusted(runs) == {}


def test_any_flipped_bit_of_the_list_is_refused_or_harmless(tmp_path, monkeypatch):
    (tmp_path / "mymodule.py").write_text("")
    monkeypatch.chdir(tmp_path)
    trust_class(tmp_path, "mymodule:G")
    whole = (tmp_path / "trusted_classes.json").read_bytes()
    for place in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        (tmp_path / "trusted_classes.json").write_bytes(flipped)
        try:
            named = list_trusted(tmp_path)
        except CheckpointError:
            continue
        assert named == {"mymodule:G": tmp_path / "mymodule.py"}, place


def test_a_class_that_is_trusted_no_longer_is_not_built(theirs, monkeypatch):
    runs, mark = theirs
    monkeypatch.chdir(runs.parent)
    trust_class(runs, "evilmod:G")
    distrust_class(runs, "evilmod:G")
    assert "UntrustedClassError" in read_in(runs.parent, runs).stderr
    assert not mark.exists()


def test_whoever_creates_a_run_has_named_its_class(tmp_path):
    spec = GeneratorSpec("tests.checkpoints_index.foreign_networks:ViewingGAN", {"z_dim": 12})
    CheckpointIndex(tmp_path).create("own", spec, "exact").close()
    assert list_trusted(tmp_path) == {spec.architecture: Path(__file__).parents[2]}
    assert CheckpointIndex(tmp_path)["own"].spec == spec
