"""studio import: what a person has becomes an ordinary run."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from checkpoints_index import CheckpointIndex
from tests.checkpoints_index.foreign_networks import (
    DCGAN,
    Residual,
    discriminator,
    near_weights,
    trained,
)

REPOSITORY = Path(__file__).parents[3]
CLASS = "tests.checkpoints_index.foreign_networks:Residual"
G = trained(DCGAN())
# What else would be told by statistics, at the cost of seconds: for what is not about that.
SAID = ("--option", "activation=relu", "--option", "norm_eps=1e-5")


@pytest.fixture
def folder(tmp_path):
    """A few epochs of a GAN as the tutorial saves them."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for epoch in (0, 5, 10, 100):
        torch.save(near_weights(G, epoch), folder / f"netG_epoch_{epoch}.pth")
        torch.save(discriminator().state_dict(), folder / f"netD_epoch_{epoch}.pth")
    return folder


def test_a_folder_becomes_an_ordinary_run(empty_studio, empty_workspace, folder, tmp_path):
    studio = empty_studio
    done = studio("import", folder, "--run", "mine", "--storage", "exact", "--json").json
    assert (done["imported"], done["checkpoints"]) == (4, 4)
    assert (done["first_batch"], done["last_batch"]) == (0, 100)
    assert {Path(s["path"]).name for s in done["skipped"]} == {
        f"netD_epoch_{epoch}.pth" for epoch in (0, 5, 10, 100)
    }
    (run,) = studio("runs", "--json").json
    assert (run["name"], run["status"], run["checkpoints"]) == ("mine", "imported", 4)
    kept = CheckpointIndex(empty_workspace.runs)["mine"]
    for epoch in (0, 5, 10, 100):
        for name, tensor in near_weights(G, epoch).items():
            assert torch.equal(kept.weights(epoch)[name], tensor)
    assert studio("verify", "mine", "--deep", "--json").json["ok"]
    film = ("render", "timelapse", "mine", "--points", "0.0", "--out", tmp_path / "m.mp4", "--json")
    assert studio(*film).json["videos"][0]["frames"] == 4
    assert len(studio("specimens", "sample", "mine", "--batch", 100, "--count", 2, "--json").json)


@pytest.mark.slow
def test_an_imported_run_has_an_atlas(empty_studio, folder):
    assert empty_studio("import", folder, "--run", "mine").status == 0
    assert empty_studio("atlas", "mine", "--count", 40, "--json").json["batch"] == 100


def test_a_dry_run_tells_the_plan_and_writes_nothing(empty_studio, empty_workspace, folder):
    plan = empty_studio("import", folder, "--run", "mine", "--dry-run", "--json").json
    assert [(f["batch"], Path(f["path"]).name) for f in plan["files"]] == [
        (epoch, f"netG_epoch_{epoch}.pth") for epoch in (0, 5, 10, 100)
    ]
    assert "chain, z 16 -> 32 px" in plan["recognised"]
    told = empty_studio("import", folder, "--run", "mine", *SAID, "--dry-run")
    assert "netG_epoch_100.pth" in told.out
    assert "Left out: 'netD_epoch_0.pth'" in told.out
    assert "nothing else was" in told.out
    assert list(empty_workspace.runs.iterdir()) == []


def test_an_import_again_goes_on_with_the_files_that_are_new(empty_studio, folder):
    assert empty_studio("import", folder, "--run", "mine", *SAID).status == 0
    torch.save(near_weights(G, 3), folder / "netG_epoch_200.pth")
    torch.save(near_weights(G, 4), folder / "netG_epoch_7.pth")
    again = empty_studio("import", folder, "--run", "mine", *SAID, "--json").json
    assert (again["imported"], again["checkpoints"]) == (1, 5)
    assert any("lies before 100" in skipped["reason"] for skipped in again["skipped"])


def test_a_dry_run_on_a_run_that_is_there_tells_what_would_come_in(empty_studio, folder):
    words = ("import", folder, "--run", "mine", *SAID)
    assert empty_studio(*words).status == 0
    nothing = empty_studio(*words, "--dry-run")
    assert "Run 'mine' has 4 of these checkpoints already." in nothing.out
    assert "0 checkpoints would be imported into run 'mine'." in nothing.out
    assert "netG_epoch_5.pth" not in nothing.out
    torch.save(near_weights(G, 3), folder / "netG_epoch_200.pth")
    torch.save(near_weights(G, 4), folder / "netG_epoch_7.pth")
    planned = empty_studio(*words, "--dry-run", "--json").json
    assert [(f["batch"], Path(f["path"]).name) for f in planned["files"]] == [
        (200, "netG_epoch_200.pth")
    ]
    assert (planned["there"], planned["first_batch"], planned["last_batch"]) == (4, 200, 200)
    assert any("lies before 100" in skipped["reason"] for skipped in planned["skipped"])
    done = empty_studio(*words, "--json").json
    assert (done["imported"], done["skipped"]) == (1, planned["skipped"])


def test_a_dry_run_refuses_what_the_import_would(studio, empty_studio, folder, tmp_path):
    refused = studio("import", folder, "--run", "city", *SAID, "--dry-run")
    assert (refused.status, "no import began" in refused.err) == (1, True)
    assert empty_studio("import", folder, "--run", "mine", *SAID).status == 0
    other = ("--option", "activation=elu", "--option", "norm_eps=1e-5", "--dry-run")
    assert "another generator" in empty_studio("import", folder, "--run", "mine", *other).err
    exact = empty_studio("import", folder, "--run", "mine", *SAID, "--storage", "exact")
    planned = empty_studio(
        "import", folder, "--run", "mine", *SAID, "--storage", "exact", "--dry-run"
    )
    assert planned.status == 1
    assert planned.err.splitlines()[-1] == exact.err.splitlines()[-1]


def test_a_run_of_something_else_is_not_added_to(studio, empty_studio, folder, tmp_path):
    refused = studio("import", folder, "--run", "city", *SAID)
    assert refused.status == 1
    assert "no import began" in refused.err
    assert empty_studio("import", folder, "--run", "mine", *SAID).status == 0
    torch.save(DCGAN(size=64).state_dict(), tmp_path / "other.pt")
    refused = empty_studio("import", tmp_path / "other.pt", "--run", "mine")
    assert "another generator" in refused.err
    refused = empty_studio("import", folder, "--run", "mine", *SAID, "--storage", "exact")
    assert "'visual', not 'exact'" in refused.err


def test_a_class_of_ones_own_is_named_with_its_options(empty_studio, tmp_path):
    network = trained(Residual(nz=5, base=8))
    (tmp_path / "files").mkdir()
    for step in (100, 200):
        torch.save({"G": near_weights(network, step)}, tmp_path / "files" / f"{step}.ckpt")
    words = ("import", tmp_path / "files", "--run", "mine", "--storage", "exact")
    refused = empty_studio(*words)
    assert refused.status == 1
    assert "--generator package.module:Class" in refused.err
    named = ("--generator", CLASS, "--option", "nz=5", "--option", "base=8")
    assert empty_studio(*words, *named).status == 0
    out = tmp_path / "film.mp4"
    film = empty_studio("render", "timelapse", "mine", "--points", "seed:1", "--out", out, "--json")
    assert film.json["videos"][0]["frames"] == 2
    assert "NAME=VALUE" in empty_studio(*words, "--option", "nz").err


def test_damaged_and_diverged_files_are_left_out_by_name(empty_studio, folder):
    path = folder / "netG_epoch_5.pth"
    path.write_bytes(path.read_bytes()[:-300])
    diverged = near_weights(G, 1)
    diverged["main.0.weight"][0] = float("nan")
    torch.save(diverged, folder / "netG_epoch_10.pth")
    path = folder / "netG_epoch_100.pth"
    flipped = bytearray(path.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    path.write_bytes(flipped)
    ended = empty_studio("import", folder, "--run", "mine", *SAID, "--json")
    assert ended.status == 0
    assert ended.json["imported"] == 1
    reasons = {Path(s["path"]).name: s["reason"] for s in ended.json["skipped"]}
    assert "damaged" in reasons["netG_epoch_5.pth"]
    assert "not finite" in reasons["netG_epoch_10.pth"]
    assert "checksum" in reasons["netG_epoch_100.pth"]


def test_doubt_about_the_number_ends_with_a_pattern_that_settles_it(empty_studio, tmp_path):
    for epoch, step in ((5, 200), (6, 400)):
        torch.save(near_weights(G, step), tmp_path / f"epoch_{epoch}_step_{step}.pt")
    refused = empty_studio("import", tmp_path, "--run", "mine", *SAID, "--dry-run")
    assert refused.status == 1
    assert r"--pattern 'step_(\d+)'" in refused.err
    settled = ("import", tmp_path, "--run", "mine", *SAID, "--pattern", r"step_(\d+)", "--json")
    assert empty_studio(*settled).json["last_batch"] == 400


def test_an_import_that_was_killed_goes_on_with_what_is_missing(
    empty_studio, empty_workspace, tmp_path
):
    folder = tmp_path / "many"
    folder.mkdir()
    batches = range(0, 1500, 10)
    for batch in batches:
        torch.save(near_weights(G, batch), folder / f"G_{batch}.pt")
    words = ["import", str(folder), "--run", "mine", *SAID, "--storage", "exact", "--json"]
    command = [sys.executable, "-m", "studio", "--workspace", str(empty_workspace.root), *words]
    index = CheckpointIndex(empty_workspace.runs)

    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not ("mine" in index and index["mine"].batches):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    there = index["mine"].batches
    assert 0 < len(there) < len(batches)
    assert empty_studio(*words).json["checkpoints"] == len(batches)
    run = index["mine"]
    assert run.batches == list(batches)
    for batch in batches[::37]:
        for name, tensor in near_weights(G, batch).items():
            assert torch.equal(run.weights(batch)[name], tensor)
