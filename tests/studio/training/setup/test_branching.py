import shutil

import pytest
import torch

from checkpoints_index import CheckpointIndex
from studio.training.loop.state import FOR_GOOD, list_states, read_state
from studio.training.setup.run_request import RunRequest, choose_settings
from studio.workspace.paths import Workspace
from tests.checkpoints_index.weights import same
from tests.studio.conftest import call_main


def weights(workspace, run, batch):
    return CheckpointIndex(workspace.runs)[run].weights(batch)


NETWORKS = ["--set", "generator_options={width=0.125}", "--set", "discriminator_width=0.125"]
NETWORKS += ["--set", "z_dim=16", "--set", "batch_size=4"]


@pytest.fixture(scope="module")
def parent_root(trained_root, tmp_path_factory):
    """A workspace with the run `parent`: 6 batches, every bit kept, with states at 3 and 6."""
    root = tmp_path_factory.mktemp("branching") / "workspace"
    shutil.copytree(trained_root, root)
    words = ["--preset", "none", "--batches", "6", "--storage", "exact", *NETWORKS]
    words += ["--set", "state_every=3"]
    with pytest.MonkeyPatch.context() as monkeypatch:
        command = ["train", "streets", "--run", "parent", *words]
        assert call_main(root, command, monkeypatch) == 0
    return root


@pytest.fixture
def workspace(parent_root, tmp_path):
    """A copy of that workspace to work on."""
    root = tmp_path / "workspace"
    shutil.copytree(parent_root, root)
    return Workspace.open(root)


def test_a_branch_off_a_training_state_goes_on_as_the_run_did(studio, workspace):
    studio("resume", "parent", "--batches", "9")
    states = workspace.training_states("parent")
    batch = int(list_states(states)[0].stem)
    said = studio("train", "--from", f"parent@{batch}", "--run", "child", "--storage", "exact")
    assert said.status == 0, said.err
    child = CheckpointIndex(workspace.runs)["child"]
    assert child.batches[0] == batch + 1
    assert same(child.weights(9), weights(workspace, "parent", 9))
    assert f'parent = "parent@{batch}"' in workspace.run_config("child").read_text()
    assert "with its training state" in studio("events", "child").out


def test_a_branch_off_a_checkpoint_takes_g_from_it_and_d_from_the_nearest_state(studio, workspace):
    said = studio("train", "--from", "parent@2", "--run", "child", "--batches", "3", "--json")
    assert said.json == {"run": "child", "status": "finished", "batch": 3}
    facts, tensors = read_state(list_states(workspace.training_states("child"))[0])
    assert facts["batch"] == 2
    kept = weights(workspace, "parent", 2)
    assert all(torch.equal(tensors[f"G_ema.{name}"], tensor) for name, tensor in kept.items())
    parent_state = read_state(list_states(workspace.training_states("parent"))[0])[1]
    for name in (name for name in tensors if name.startswith("D.")):
        assert torch.equal(tensors[name], parent_state[name])
    assert "D of batch 3 and fresh optimisers" in " ".join(studio("events", "child").out.split())


def test_a_branch_may_have_other_settings_and_says_which(studio):
    words = ["--set", "learning_rate_g=1e-5", "--batches", "8"]
    studio("train", "--from", "parent@6", "--run", "child", *words)
    said = " ".join(studio("events", "child").out.split())
    assert "learning_rate_g: 0.0002 -> 1e-05" in said


def test_d_stays_as_it_is_when_its_loss_is_given_a_penalty(studio, workspace):
    words = ["--preset", "none", "--batches", "2", "--set", "discriminator_norm=auto", *NETWORKS]
    assert studio("train", "streets", "--run", "plain", *words).status == 0
    assert studio("set", "plain", "gradient_penalty=5").status == 0
    assert studio("resume", "plain", "--batches", "4").status == 0
    said = studio("train", "--from", "plain@4", "--run", "child", "--batches", "5")
    assert said.status == 0, said.err
    assert 'discriminator_norm = "batch"' in workspace.run_config("child").read_text()


def test_a_warm_start_begins_at_batch_0_with_the_networks_of_a_run(studio, workspace):
    words = ["--init-from", "parent", "--batches", "1"]
    said = studio("train", "streets", "--run", "warm", *words)
    assert said.status == 0, said.err
    tensors = read_state(list_states(workspace.training_states("warm"))[0])[1]
    parent = read_state(list_states(workspace.training_states("parent"))[-1])[1]
    for name in (name for name in tensors if name.split(".")[0] in ("G", "D", "G_ema")):
        assert torch.equal(tensors[name], parent[name])
    assert CheckpointIndex(workspace.runs)["warm"].batches == [1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--from", "parent@99"], "neither a checkpoint nor a training state of batch 99"),
        (["--from", "nobody@1"], "Run 'nobody' is not in the index"),
        (["--from", "parent@x"], "Write RUN@BATCH"),
        (
            ["--from", "parent@2", "--batches", "2"],
            "begins at batch 2, and was to train to batch 2.",
        ),
        (["--from", "parent@6"], "on from those of 'parent@6': --batches 12"),
        (["--from", "parent@2", "--init-from", "parent"], "give one"),
        (
            ["--from", "parent@2", "--set", "discriminator_width=0.5"],
            "discriminator_width 0.5, where it has 0.125",
        ),
        (
            ["streets", "--init-from", "parent", "--set", "generator_options.z_dim=8"],
            "z_dim 8, where it has 16",
        ),
        ([], "There is nothing to train on"),
    ],
)
def test_what_cannot_be_branched_is_refused_and_no_run_is_made(studio, workspace, words, sentence):
    said = studio("train", "--run", "child", *words)
    assert said.status == 1
    assert sentence in said.err
    assert "child" not in CheckpointIndex(workspace.runs)


def test_states_that_were_kept_for_good_can_be_branched_off(studio, workspace):
    states = workspace.training_states("parent")
    (states / FOR_GOOD).mkdir()
    (states / "3.safetensors").rename(states / FOR_GOOD / "3.safetensors")
    said = studio("train", "--from", "parent@3", "--run", "child", "--batches", "4")
    assert said.status == 0, said.err


def test_a_warm_start_takes_the_networks_of_the_run_and_the_rest_from_the_preset(workspace):
    request = RunRequest("streets", None, "half-an-hour", {}, init_from="parent")
    config = choose_settings(workspace, request)
    assert (config.generator_options, config.z_dim) == ({"width": 0.125}, 16)
    assert (config.discriminator_width, config.discriminator_norm) == (0.125, "batch")
    assert (config.loss, config.parent) == ("relativistic", "parent@6")


def test_a_warm_start_from_an_imported_run_takes_its_generator(workspace):
    workspace.run_config("parent").unlink()
    config = choose_settings(workspace, RunRequest("streets", None, None, {}, init_from="parent"))
    assert config.generator_spec() == CheckpointIndex(workspace.runs)["parent"].spec
