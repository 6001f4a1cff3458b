import errno
import json
import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from checkpoints_index import GeneratorSpec
from checkpoints_index.errors import CheckpointError
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.storage import files
from checkpoints_index.upkeep.export import find_export_damage


@pytest.fixture(params=["exact", "visual"])
def run(request, index, spec, history):
    with index.create("city", spec, storage=request.param) as run:
        for batch, weights in enumerate(history[:3], 1):
            run.append(batch, weights)
    return run


def same_pictures(run, batch, G):
    z = torch.randn(2, run.spec.z_dim, generator=torch.Generator().manual_seed(0))
    return torch.equal(G(z), run.generator(batch)(z))


def test_safetensors_load_back_into_the_generator_they_describe(run, tmp_path):
    path = tmp_path / "G.safetensors"
    run.export(2, path)
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
    assert (facts["run"], facts["batch"], facts["storage"]) == ("city", "2", run.storage)
    error_bound = json.loads(facts["promise"])
    assert error_bound == (vars(run.error_bound) if run.error_bound else None)
    G = GeneratorSpec(facts["architecture"], json.loads(facts["options"])).build()
    G.load_state_dict(load_file(path))
    assert same_pictures(run, 2, G)


def test_a_pt_file_holds_a_plain_state_dict(run, tmp_path):
    path = tmp_path / "G.pt"
    run.export(3, path)
    G = run.spec.build()
    G.load_state_dict(torch.load(path, weights_only=True))
    assert same_pictures(run, 3, G)


def test_other_suffixes_are_refused(run, tmp_path):
    with pytest.raises(CheckpointError, match=r"'G\.onnx' cannot be .* \.safetensors or \.pt"):
        run.export(2, tmp_path / "G.onnx")


def test_a_file_that_is_there_is_replaced_only_when_asked(run, tmp_path):
    path = tmp_path / "G.safetensors"
    path.write_bytes(b"dear")
    with pytest.raises(CheckpointError, match="exists already"):
        run.export(2, path)
    assert path.read_bytes() == b"dear"
    run.export(2, path, overwrite=True)
    assert load_file(path)


def test_folders_on_the_way_are_made(run, tmp_path):
    run.export(2, tmp_path / "a" / "b" / "G.pt")
    assert (tmp_path / "a" / "b" / "G.pt").exists()


def test_a_full_disk_leaves_nothing_behind(run, tmp_path, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", fsync)
    with pytest.raises(CheckpointError, match="No space left on device"):
        run.export(2, tmp_path / "out" / "G.safetensors")
    assert not list((tmp_path / "out").iterdir())


def test_an_unknown_batch_names_its_neighbours(run, tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint 9"):
        run.export(9, tmp_path / "G.pt")


def test_the_plain_size_is_that_of_the_tensors_with_and_without_checkpoints(run, index, spec):
    plain_bytes = sum(tensor.nbytes for tensor in spec.build().state_dict().values())
    assert run.plain_bytes == plain_bytes
    assert index.create("empty", spec).plain_bytes == plain_bytes


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_an_exported_file_that_has_changed_is_found_and_not_imported(run, tmp_path, suffix):
    path = tmp_path / f"G.{suffix}"
    run.export(2, path)
    assert find_export_damage(path) is None
    assert GeneratorFinder().find(path).weights.keys() == run.weights(2).keys()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "checksum" in find_export_damage(path)
    with pytest.raises(CheckpointError):
        GeneratorFinder().find(path, check=True)
