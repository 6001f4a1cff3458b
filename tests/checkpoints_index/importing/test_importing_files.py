import os

import pytest
import torch
from safetensors.torch import save_file
from torch.optim.swa_utils import AveragedModel

from checkpoints_index.errors import CheckpointError, UnusableFileError
from checkpoints_index.importing.bounds.guard import open_once
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.loading import load_content
from checkpoints_index.importing.plan import plan_import
from checkpoints_index.importing.refusals import (
    AmbiguousFilesError,
    NothingToImportError,
    group_skipped,
)
from tests.checkpoints_index.foreign_networks import DCGAN, MLP, discriminator, trained

G = trained(DCGAN())
G_ema = trained(DCGAN(), seed=1)
D = discriminator()


def prefixed(prefix, network):
    return {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}


def optimizer_state():
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


WRAPPED = {
    "plain": G.state_dict(),
    "state_dict": {"epoch": 3, "state_dict": G.state_dict(), "loss": 0.5},
    "generator": {"generator": G.state_dict(), "discriminator": D.state_dict()},
    "netG": {"netD": D.state_dict(), "netG": G.state_dict(), "optG": optimizer_state()},
    "G": {"D": D.state_dict(), "G": G.state_dict(), "optimizer_G": optimizer_state()},
    "model": {"model": {"disc": D.state_dict(), "gen": G.state_dict()}},
    "model_state_dict": {"model_state_dict": G.state_dict()},
    "generator_state_dict": {"generator_state_dict": G.state_dict(), "step": torch.tensor(5)},
    "gen. and disc.": {**prefixed("disc.", D), **prefixed("gen.", G)},
    "generator. and discriminator.": {**prefixed("generator.", G), **prefixed("discriminator.", D)},
    "G. and D.": {"state_dict": {**prefixed("D.", D), **prefixed("G.", G)}},
    "netG. alone": prefixed("netG.", G),
    "model.netG. and model.netD.": {**prefixed("model.netD.", D), **prefixed("model.netG.", G)},
    "DataParallel": torch.nn.DataParallel(G).state_dict(),
    "torch.compile": prefixed("_orig_mod.", G),
    "both": prefixed("module._orig_mod.", G),
    "prefix in prefix": {**prefixed("gen.module.", G), **prefixed("disc.module.", D)},
    "AveragedModel": AveragedModel(G).state_dict(),
}


@pytest.fixture
def saved(tmp_path):
    """Saves something and gives the path."""

    def save(content, name="G.pt", **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, path, **options)
        return path

    return save


def assert_weights(found, network, exact=True):
    assert list(found.weights) == list(network.state_dict())
    for name, tensor in network.state_dict().items():
        rtol = 0 if exact else 1e-2
        torch.testing.assert_close(found.weights[name], tensor, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("content", WRAPPED.values(), ids=WRAPPED)
def test_the_generator_is_found_in_its_wrapping_with_the_names_it_has(content, saved):
    found = GeneratorFinder().find(saved(content))
    assert_weights(found, G)
    assert found.spec.build().load_state_dict(found.weights)


@pytest.mark.parametrize(
    "content",
    [
        {"G": G.state_dict(), "G_ema": G_ema.state_dict()},
        {"g_ema": G_ema.state_dict(), "g": G.state_dict(), "d": D.state_dict()},
        {"generator": G.state_dict(), "ema": G_ema.state_dict()},
        {"ema": {"D": D.state_dict(), "G": G_ema.state_dict()}, "G": G.state_dict()},
        {**prefixed("G.", G), **prefixed("G_ema.", G_ema), **prefixed("D.", D)},
    ],
    ids=["G_ema", "g_ema", "ema", "ema of both", "prefixes"],
)
def test_the_average_of_the_generator_is_preferred_and_it_is_said(content, saved):
    found = GeneratorFinder().find(saved(content))
    assert_weights(found, G_ema)
    assert f"'{found.part}' is taken" in found.remarks[0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("name", ["G.pt", "G.safetensors"])
def test_other_precisions_become_float32(dtype, name, tmp_path):
    state = {n: t.to(dtype) if t.is_floating_point() else t for n, t in G.state_dict().items()}
    path = tmp_path / name
    save_file(state, path) if name.endswith("safetensors") else torch.save(state, path)
    found = GeneratorFinder().find(path)
    assert found.weights["main.0.weight"].dtype == torch.float32
    assert_weights(found, G, exact=False)


def test_files_from_before_zip_are_read(saved):
    path = saved({"G": G.state_dict()}, _use_new_zipfile_serialization=False)
    assert_weights(GeneratorFinder().find(path), G)


def test_batch_norm_without_a_counter_is_completed(saved):
    state = {n: t for n, t in G.state_dict().items() if "num_batches" not in n}
    assert_weights(GeneratorFinder().find(saved(state)), G)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_needs_code_is_refused_by_its_class_and_not_run(zipped, saved, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    for content, wanted in ((Trap(), "mkdir"), (G, "DCGAN")):
        path = saved({"G": content}, _use_new_zipfile_serialization=zipped)
        with pytest.raises(UnusableFileError, match=rf"{wanted}.*state_dict\(\)"):
            GeneratorFinder().find(path)
    assert not (tmp_path / "sprung").exists()


def test_a_torchscript_program_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "G.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), path)
    with pytest.raises(UnusableFileError, match=r"TorchScript.*state_dict"):
        GeneratorFinder().find(path)


@pytest.mark.parametrize("content", [b"", b"no weights at all" * 9, b"PK\x03\x04 and no more"])
@pytest.mark.parametrize("suffix", ["pt", "safetensors", "ckpt"])
def test_what_is_no_checkpoint_is_refused(content, suffix, tmp_path):
    path = tmp_path / f"G.{suffix}"
    path.write_bytes(content)
    with pytest.raises(UnusableFileError, match=r"is empty|is damaged"):
        GeneratorFinder().find(path)


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_truncated_file_is_refused_wherever_it_ends(kind, saved, tmp_path):
    path = tmp_path / ("G.safetensors" if kind == "safetensors" else "G.pt")
    if kind == "safetensors":
        save_file(G.state_dict(), path)
    else:
        saved(G.state_dict(), _use_new_zipfile_serialization=kind == "zip")
    whole = path.read_bytes()
    for end in range(1, len(whole), len(whole) // 40):
        path.write_bytes(whole[:end])
        with pytest.raises(UnusableFileError), open_once(path) as file:
            load_content(file, kind == "safetensors")


def test_a_flipped_byte_is_found_by_the_checksum_of_the_file(saved):
    path = saved({"weight": torch.ones(4000)})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnusableFileError, match="checksum"), open_once(path) as file:
        load_content(file, check=True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"loss": torch.ones(3), "epoch": 4}, "no weights"),
        ({"D": D.state_dict(), "optD": optimizer_state()}, "a discriminator .*D"),
        (optimizer_state(), "optimizer"),
        (torch.ones(3), "a Tensor rather"),
        ([1, 2], "a list rather"),
        ({"sigma": torch.ones(9, 9)}, "no layer"),
    ],
    ids=["statistics", "discriminator", "optimizer", "tensor", "list", "matrix"],
)
def test_files_without_a_generator_are_refused_with_the_reason(content, reason, saved):
    with pytest.raises(UnusableFileError, match=reason):
        GeneratorFinder().find(saved(content))


def test_a_folder_is_planned_in_order_and_what_is_left_out_is_named(saved, tmp_path):
    for number in (10, 2, 100):
        saved(G.state_dict(), f"epochs/netG_{number}.pth")
        saved(D.state_dict(), f"epochs/netD_{number}.pth")
    saved({"loss": torch.ones(9)}, "statistics.pt")
    (tmp_path / ".hidden.pt").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no weights")
    seen = []
    plan = plan_import(tmp_path, GeneratorFinder(), on_progress=lambda *at: seen.append(at))
    assert [file.batch for file in plan.files] == [2, 10, 100]
    assert [file.path.name for file in plan.files] == [f"netG_{n}.pth" for n in (2, 10, 100)]
    assert {file.path.name for file in plan.skipped} == {
        *(f"netD_{n}.pth" for n in (2, 10, 100)),
        "statistics.pt",
    }
    assert seen[-1] == (7, 7)
    assert len(group_skipped(plan.skipped, tmp_path)) == 2


def test_a_pattern_leaves_out_the_files_that_it_does_not_match(saved, tmp_path):
    for number in (1, 2):
        saved(G.state_dict(), f"G_{number}.pt")
        saved(G_ema.state_dict(), f"ema_{number}.pt")
    with pytest.raises(AmbiguousFilesError) as refusal:
        plan_import(tmp_path, GeneratorFinder())
    assert refusal.value.pattern == r"G_(\d+)"
    plan = plan_import(tmp_path, GeneratorFinder(), r"ema_(\d+)")
    assert [file.path.name for file in plan.files] == ["ema_1.pt", "ema_2.pt"]
    assert len(plan.skipped) == 2


def test_two_generators_in_a_folder_are_refused_by_both_names(saved, tmp_path):
    saved(G.state_dict(), "G_1.pt")
    saved(DCGAN(size=64).state_dict(), "G_2.pt")
    saved(MLP().state_dict(), "G_3.pt")
    with pytest.raises(
        CheckpointError, match=r"'G_1\.pt' and 'G_2\.pt' hold different.*32 px.*64 px"
    ):
        plan_import(tmp_path, GeneratorFinder())


def test_where_no_file_has_a_generator_all_reasons_are_told(saved, tmp_path):
    saved(D.state_dict(), "netD_1.pt")
    (tmp_path / "G_1.pt").write_bytes(b"")
    with pytest.raises(
        NothingToImportError, match=r"'G_1\.pt': is empty.*'netD_1\.pt': begins with"
    ):
        plan_import(tmp_path, GeneratorFinder())


def test_a_change_from_the_generator_to_its_average_is_told(saved, tmp_path):
    saved({"G": G.state_dict()}, "1.pt")
    saved({"G": G.state_dict(), "G_ema": G_ema.state_dict()}, "2.pt")
    plan = plan_import(tmp_path, GeneratorFinder())
    assert any("'G' is taken from '1.pt', 'G_ema' from '2.pt'" in line for line in plan.remarks)


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_files_is_refused(name, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=name):
        plan_import(tmp_path / name, GeneratorFinder())


def test_a_wrapper_that_holds_itself_is_refused(saved):
    content = {}
    content["model"] = content
    with pytest.raises(UnusableFileError, match="no weights"):
        GeneratorFinder().find(saved(content))


def test_a_link_to_a_folder_is_said(saved, tmp_path):
    path = saved(G.state_dict(), "mine/G_1.pt")
    (tmp_path / "mine" / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere").mkdir()
    plan = plan_import(path.parent, GeneratorFinder())
    assert [(s.path.name, s.reason[:24]) for s in plan.skipped] == [
        ("more", "is a link to a folder, w")
    ]
