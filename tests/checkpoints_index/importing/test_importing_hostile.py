"""Files that were made to end an import in a traceback, a hang, or a network that is not theirs."""

import json
import os
import struct
import zipfile

import numpy as np
import pytest
import torch

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.errors import CheckpointError, UnusableFileError
from checkpoints_index.importing.bounds.archives import bound_archive
from checkpoints_index.importing.bounds.guard import open_once
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.loading import load_content
from checkpoints_index.importing.refusals import NothingToImportError
from studio.actions.declared.import_actions import Import
from studio.workspace.paths import Workspace
from studio.workspace.progress import SilentReporter

os.environ["KERAS_BACKEND"] = "torch"
WEIGHTS = (
    GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.125}).build().state_dict()
)
PICTURE = torch.ones(3 * 16 * 16, 4)


def floats(change):
    return {name: change(t) if t.is_floating_point() else t for name, t in WEIGHTS.items()}


def repeated(*shape):
    return torch.zeros(1).as_strided(shape, (0,) * len(shape))


def named(layer):
    return {f"{layer}.weight": PICTURE, f"{layer}.bias": torch.ones(len(PICTURE))}


def shared(depth=7, width=30):
    held = {}
    for _ in range(depth):
        held = {str(i): held for i in range(width)}
    return held


CONTENTS = {
    "stride 0": ({"0.weight": repeated(10**6, 10**6)}, "repeats its numbers"),
    "stride 0 of the right shape": (floats(lambda t: repeated(*t.shape)), "repeats its numbers"),
    "one storage, many tensors": (
        {f"l{i}.weight": torch.zeros(64, 64).view(64, 64) for i in range(2)}
        | dict.fromkeys((f"m{i}.weight" for i in range(90)), torch.zeros(64, 64)),
        "same numbers as many",
    ),
    "complex": (floats(lambda t: t.to(torch.complex64)), "is complex64; weights are plain"),
    "float8": (floats(lambda t: t.to(torch.float8_e4m3fn)), "is float8_e4m3fn; weights"),
    "integers": (floats(lambda t: t.to(torch.int8)), "is int8, and weights are float32"),
    "too large": (floats(lambda t: t.double() + 1e300), "too large for float32"),
    "sparse": (floats(lambda t: t.to_sparse()), "is sparse"),
    "meta": (floats(lambda t: t.to("meta")), "device 'meta', without its numbers"),
    "not a number": (floats(lambda t: t * float("nan")), "not finite"),
    "very many tensors": (
        dict.fromkeys((f"l{i}.weight" for i in range(20_001)), torch.ones(1)),
        "has 20,001 tensors, at most 20,000 are read",
    ),
    "shared mappings": (shared(), "mappings in one another"),
    "an empty tensor": ({"0.weight": torch.ones(768, 0)}, "without numbers"),
    **{
        name or "no name": (named(name), "as no module of PyTorch can be")
        for name in (*("", "forward", "_modules", "training", "_chain", "_nameless", "a..b"),)
    },
    "a layer in a layer's place": (named("a") | named("a.b"), "do not follow|Two parts"),
}


@pytest.mark.parametrize(("content", "reason"), CONTENTS.values(), ids=CONTENTS)
def test_a_hostile_file_is_refused_with_a_sentence_and_holds_no_name(content, reason, tmp_path):
    torch.save(content, tmp_path / "g_40.pt")
    assert_refused(tmp_path, reason)


def assert_refused(folder, reason):
    workspace = Workspace(folder / "workspace")
    with pytest.raises(NothingToImportError, match=reason):
        Import(folder=folder, run="run").perform(workspace, SilentReporter(workspace))
    assert "run" not in CheckpointIndex(workspace.runs)
    assert not (workspace.runs / "run").exists()


def rezipped(path, compression=zipfile.ZIP_STORED, twice=()):
    """A file of torch.save with its entries written anew."""
    torch.save(WEIGHTS, path)
    with zipfile.ZipFile(path) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            for _ in range(2 if name.endswith(twice) else 1):
                archive.writestr(name, content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"compression": zipfile.ZIP_DEFLATED}, "compressed parts"),
        ({"twice": ("data.pkl",)}, "two of its parts have one name"),
    ],
)
def test_an_archive_that_torch_did_not_write_is_refused(options, reason, tmp_path):
    rezipped(tmp_path / "g_40.pt", **options)
    assert_refused(tmp_path, reason)


def test_an_archive_that_unpacks_to_gigabytes_is_refused_before_it_does(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", bytes(1 << 25))
    with (
        zipfile.ZipFile(path) as archive,
        pytest.raises(UnusableFileError, match="would unpack to 33,554,432 bytes"),
    ):
        bound_archive(archive, path.stat().st_size)


def test_a_model_of_keras_that_unpacks_to_gigabytes_is_refused_before_it_does(tmp_path):
    pytest.importorskip("keras")
    path = tmp_path / "g_40.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(1 << 26))
    assert path.stat().st_size < 100_000
    with pytest.raises(UnusableFileError, match="would unpack to 67,108,866 bytes"):
        GeneratorFinder().find(path)


def test_files_of_very_many_tensors_are_refused(tmp_path):
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"l{i}.weight": empty for i in range(20_001)}).encode()
    (tmp_path / "g_40.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    assert_refused(tmp_path, "has 20,001 tensors")


@pytest.mark.parametrize("suffix", ["pt", "safetensors", "h5", "keras"])
def test_what_is_no_regular_file_is_named_and_never_waited_for(suffix, tmp_path):
    os.mkfifo(tmp_path / f"g_1.{suffix}")
    (tmp_path / f"g_2.{suffix}").symlink_to("/dev/zero")
    (tmp_path / f"g_3.{suffix}").symlink_to(f"g_3.{suffix}")
    assert_refused(tmp_path, r"no regular file.*cannot be read")


@pytest.mark.parametrize("config", [b"[" * 100_000, b"{", b"[]", b"3", b'{"class_name": 3}'])
def test_a_damaged_description_of_a_keras_model_is_a_reason(config, tmp_path):
    pytest.importorskip("keras")
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "g_40.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("model_config", data=1)
        file.attrs["model_config"] = config if len(config) < 60_000 else config[:60_000]
    with pytest.raises(UnusableFileError):
        GeneratorFinder().find(path)


@pytest.mark.parametrize("kind", ["claims", "external", "virtual"])
def test_hdf5_that_claims_more_than_it_holds_or_leads_elsewhere_is_refused(kind, tmp_path):
    pytest.importorskip("keras")
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "g_40.h5"
    with h5py.File(path, "w") as file:
        if kind == "claims":
            file.create_dataset("kernel", (10**6, 10**6), "f4", chunks=(100, 100))
        elif kind == "external":
            file.create_dataset("kernel", (9,), "u1", external=[("/etc/passwd", 0, 9)])
        else:
            file["kernel"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(UnusableFileError, match=r"claims 4,000|other files|other places"):
        GeneratorFinder().find(path)


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("dcgan", {"image_size": 10**9}),
        ("dcgan", {"z_dim": 10**12}),
        ("dcgan", {"image_size": "64"}),
        ("dcgan", {"width": 1e9}),
        ("residual", {"width": "wide"}),
        ("chain", {"layers": [{"layer": "Linear", "in_features": 10**9, "out_features": 10**9}]}),
        ("chain", {"layers": [{"layer": "Linear", "in_features": -1, "out_features": 2}]}),
        ("chain", {"layers": [{"layer": "Tanh", "name": "forward"}]}),
        ("chain", {"layers": {"layer": "Tanh"}}),
        ("package.module:Class", {"image_size": 10**9}),
    ],
)
def test_a_generator_that_cannot_be_is_refused_before_it_is_built(architecture, options):
    with pytest.raises(
        CheckpointError, match=r"whole number|weights|cannot be|can be called|takes width"
    ):
        GeneratorSpec(architecture, options).build()


def with_storage_of(path, change):
    """A file of torch.save of which the part of one tensor has other bytes, and whole checksums."""
    torch.save(WEIGHTS, path)
    with zipfile.ZipFile(path) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            archive.writestr(name, change(content) if name.endswith("data/0") else content)


@pytest.mark.parametrize(
    "change", [lambda c: c[:8], lambda c: c + bytes(64)], ids=["shorter", "longer"]
)
def test_weights_are_never_read_beyond_the_part_that_has_them(change, tmp_path):
    with_storage_of(tmp_path / "g_40.pt", change)
    assert_refused(tmp_path, "bytes of it stand for weights of")


def test_a_complex_kernel_of_keras_is_refused_rather_than_halved(tmp_path):
    pytest.importorskip("keras")
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "g_40.h5"
    with h5py.File(path, "w") as file:
        file["kernel"] = np.ones(3, np.complex64)
    with pytest.raises(UnusableFileError, match="complex, and weights are real"):
        GeneratorFinder().find(path)


def test_a_model_whose_weights_cannot_be_counted_is_refused_before_it_is_made():
    pytest.importorskip("keras")
    from checkpoints_index.generators.keras_model import refuse_if_huge

    described = {"module": "keras", "class_name": "Sequential", "config": {"layers": 3}}
    with pytest.raises(CheckpointError, match="cannot be told without making them"):
        refuse_if_huge(described)


def test_what_is_looked_at_is_what_is_read(tmp_path):
    path = tmp_path / "G.pt"
    torch.save(WEIGHTS, path)
    with open_once(path) as file:
        path.unlink()
        path.write_bytes(b"another file")
        content = load_content(file, check=True)
        assert torch.equal(content["stem.weight"], WEIGHTS["stem.weight"])
        assert len(file.read()) == file.size_bytes > 1000


def test_a_chain_that_draws_another_size_than_it_says_is_refused():
    layers = [
        {"layer": "Linear", "in_features": 4, "out_features": 768},
        {"layer": "Unflatten", "dim": 1, "unflattened_size": [3, 16, 16]},
    ]
    GeneratorSpec("chain", {"layers": layers, "z_dim": 4, "image_size": 16}).build()
    with pytest.raises(CheckpointError, match="says 32 px draws pictures of"):
        GeneratorSpec("chain", {"layers": layers, "z_dim": 4, "image_size": 32}).build()
    with pytest.raises(CheckpointError, match="cannot be built"):
        GeneratorSpec("chain", {"layers": layers, "z_dim": 5, "image_size": 16}).build()
