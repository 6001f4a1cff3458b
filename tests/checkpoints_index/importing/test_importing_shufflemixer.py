"""Files of super-resolution networks as BasicSR, which trained the published ones, writes them."""

import pytest
import torch

from checkpoints_index import CheckpointIndex
from checkpoints_index.errors import UnusableFileError
from checkpoints_index.generators.shufflemixer import ShuffleMixer
from checkpoints_index.importing.finder import GeneratorFinder
from checkpoints_index.importing.plan import plan_import
from checkpoints_index.importing.transfer import import_files, open_import


@pytest.mark.parametrize("key", ["params", "params_ema"])
@pytest.mark.parametrize("options", [(64, 7), (32, 3), (16, 13)], ids=["base", "tiny", "other"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_published_files_are_known_with_their_scale_channels_and_kernel(
    scale, options, key, tmp_path
):
    channels, kernel = options
    network = ShuffleMixer(scale, channels, kernel)
    torch.save({key: network.state_dict()}, tmp_path / f"net_x{scale}.pth")
    found = GeneratorFinder().find(tmp_path / f"net_x{scale}.pth")
    assert found.spec.architecture == "shufflemixer"
    assert found.spec.options == {
        "z_dim": 3 * 64 * 64,
        "image_size": 64 * scale,
        "scale": scale,
        "channels": channels,
        "kernel": kernel,
    }
    G = found.spec.build()
    G.load_state_dict(found.weights, strict=True)
    x = torch.rand(1, 3, 5, 6)
    assert torch.equal(G.enlarge(x), network(x))
    (remark,) = found.remarks
    assert f"{scale} times as wide" in remark
    assert f"{64 * scale} px made of 64 px" in remark


def test_the_average_of_the_weights_is_taken_where_a_file_has_both(tmp_path):
    plain, average = ShuffleMixer(2, 16, 3), ShuffleMixer(2, 16, 3)
    both = {"params": plain.state_dict(), "params_ema": average.state_dict()}
    torch.save(both, tmp_path / "net_g_5000.pth")
    found = GeneratorFinder(None, {"image_size": 32}).find(tmp_path / "net_g_5000.pth")
    assert found.part == "params_ema"
    assert found.spec.image_size == 32
    assert torch.equal(found.weights["tail.weight"], average.tail.weight)


def test_a_folder_of_published_files_becomes_a_run_that_makes_pictures_of_small_ones(tmp_path):
    networks = {batch: ShuffleMixer(3, 16, 3) for batch in (5000, 10000)}
    for batch, network in networks.items():
        torch.save({"params": network.state_dict()}, tmp_path / f"net_g_{batch}.pth")
    finder = GeneratorFinder(None, {"image_size": 18})
    plan = plan_import(tmp_path, finder)
    assert [file.batch for file in plan.files] == [5000, 10000]
    index = CheckpointIndex(tmp_path / "runs")
    with open_import(index, "small", plan, "exact") as run:
        import_files(run, plan, finder)
    G = index["small"].generator(10000)
    z = torch.rand(2, 3 * 6 * 6) * 2 - 1
    expected = networks[10000]((z.view(2, 3, 6, 6) + 1) / 2) * 2 - 1
    torch.testing.assert_close(G(z), expected.clamp(-1, 1), atol=1e-6, rtol=0)


def test_a_network_that_is_none_of_the_family_is_not_taken_for_one(tmp_path):
    weights = ShuffleMixer(2, 16, 3).state_dict()
    weights["upsapling.0.weight"] = torch.zeros(16 * 25, 16, 1, 1)  # Five times as wide.
    torch.save({"params": weights}, tmp_path / "net.pth")
    with pytest.raises(UnusableFileError, match="not those of 'shufflemixer'"):
        GeneratorFinder("shufflemixer").find(tmp_path / "net.pth")
    with pytest.raises(UnusableFileError):
        GeneratorFinder().find(tmp_path / "net.pth")
