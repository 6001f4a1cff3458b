"""Networks of trained runs that change at a batch: pictures, states, lineage, refusals, kills."""

import os
import shutil
import signal
import subprocess
import sys

import pytest
import torch

from checkpoints_index import CheckpointIndex, GeneratorSpec
from latent.points import draw_z
from studio.actions.declared.surgery.surgery_actions import SurgeryResult
from studio.screens.checkpoints.surgery_panel import show_surgery
from studio.training.loop.state import below, list_states, read_state, write_state
from studio.workspace.jobs import newest_job
from studio.workspace.paths import Workspace
from tests.checkpoints_index import foreign_networks
from tests.checkpoints_index.foreign_networks import DCGAN, MLP, near_weights
from tests.studio.conftest import call_main, call_on_copy

OPTIONS = {
    "dcgan": "width=0.125",
    "residual": "width=0.125, blocks=1, group_width=4",
    "skyline": "width=0.03125",
}
LAYER = {"dcgan": "blocks.0", "residual": "stages.1.1.0", "skyline": "blocks.1"}


@pytest.fixture(scope="module")
def trained(trained_root, tmp_path_factory):
    """A workspace with three runs of 4 batches, every bit kept, named after their generators.

    In dcgan and skyline one channel is dead; the optimisers know nothing of it.
    """
    root = tmp_path_factory.mktemp("surgery") / "workspace"
    shutil.copytree(trained_root, root)
    workspace = Workspace.open(root)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, options in OPTIONS.items():
            words = ["train", "streets", "--run", name, "--preset", "none", "--batches", "4"]
            words += ["--storage", "exact", "--set", f"generator={name}"]
            words += ["--set", f"generator_options={{{options}}}", "--set", "z_dim=8"]
            words += ["--set", "discriminator_width=0.0625", "--set", "batch_size=4"]
            assert call_main(root, words, monkeypatch) == 0
    kill_channel(workspace, "dcgan", {"stem_norm.weight": 0.0, "stem_norm.bias": -1.0})
    kill_channel(workspace, "skyline", {"blocks.2.0.weight": 0.0})
    return root


def kill_channel(workspace, run, values):
    """Set what makes or reads channel 1 of a network to a value, in state and checkpoint."""
    path = list_states(workspace.training_states(run))[-1]
    facts, tensors = read_state(path)
    for network in ("G", "G_ema"):
        for name, value in values.items():
            tensors[f"{network}.{name}"][1] = value
    write_state(path.parent, facts, tensors)
    checkpoints = CheckpointIndex(workspace.runs)[run]
    checkpoints.truncate(3)
    checkpoints.append(4, below(tensors, "G_ema"))
    checkpoints.close()


@pytest.fixture
def call(trained, tmp_path, capsys, monkeypatch):
    """The command line on a copy of that workspace."""
    return call_on_copy(trained, tmp_path / "workspace", capsys, monkeypatch)


@torch.no_grad()
def draw(workspace, run, batch):
    G = CheckpointIndex(workspace.runs)[run].generator(batch)
    return G(draw_z(16, 8, 5))


def far(workspace, run, other, batch=4):
    return float((draw(workspace, run, batch) - draw(workspace, other, batch)).abs().max())


def changed(call, *words):
    said = call(*words, "--json")
    assert said.status == 0, said.err
    return said.json


@pytest.mark.parametrize("run", ["dcgan", "skyline"])
def test_a_vacuum_takes_what_is_dead_and_pictures_stay(call, run):
    result = changed(call, "vacuum", f"{run}@4", "--run", "lean", "--points", "32")
    (layer,) = [each for each in result["layers"] if each["before"] != each["after"]]
    assert layer["before"] - layer["after"] == 1
    assert result["after"]["weights"] < result["before"]["weights"]
    assert far(call.workspace, run, "lean") < 1e-6
    assert result["largest"] < 1e-3, "of 255"
    assert CheckpointIndex(call.workspace.runs)["lean"].batches == [4]


@pytest.mark.parametrize(
    "run",
    ["dcgan", *(pytest.param(name, marks=pytest.mark.slow) for name in ("residual", "skyline"))],
)
def test_widening_and_deepening_keep_pictures_and_the_branch_trains_on(call, run):
    workspace = call.workspace
    wide = changed(call, "widen", f"{run}@4", "--run", "wide", "--by", "0.5", "--points", "32")
    assert all(each["after"] > each["before"] for each in wide["layers"])
    assert far(workspace, run, "wide") < 1e-6
    changed(call, "deepen", "wide", "--run", "deep", "--layers", LAYER[run], "--points", "32")
    assert torch.equal(draw(workspace, "wide", 4), draw(workspace, "deep", 4))
    assert call("resume", "deep", "--batches", "6").status == 0
    assert CheckpointIndex(workspace.runs)["deep"].batches == [4, 5, 6]
    assert far(workspace, run, "deep", 4) < 1e-6
    assert not torch.equal(draw(workspace, "deep", 4), draw(workspace, "deep", 6))
    lineage = {each["run"]: each for each in call("lineage", "--json").json}
    assert (lineage["deep"]["kind"], lineage["deep"]["parent"]) == ("deepen", "wide")
    assert lineage["wide"]["batch"] == 4


def test_a_cull_says_by_how_much_pictures_differ(call):
    result = changed(call, "cull", "dcgan@4", "--run", "few", "--share", "0.5", "--points", "32")
    assert all(2 * each["after"] == each["before"] for each in result["layers"])
    measured = 127.5 * far(call.workspace, "dcgan", "few")
    assert measured > 1e-3
    assert result["largest"] == pytest.approx(measured, rel=2), "other points, the same order"
    assert 0 < result["rms"] < result["largest"]
    assert SurgeryResult.model_validate(result).sheet.is_file()


@pytest.mark.parametrize("words", [("cull", "--share", "0.3"), ("widen", "--by", "0.3")])
def test_optimisers_lose_and_gain_with_their_units_and_d_stays(call, words):
    verb, *options = words
    changed(call, verb, "dcgan@4", "--run", "new", *options, "--points", "16")
    workspace = call.workspace
    old, new = (
        read_state(list_states(workspace.training_states(run))[-1])[1] for run in ("dcgan", "new")
    )
    for name in (name for name in old if name.startswith(("D.", "optimizer_d.", "rng"))):
        assert torch.equal(old[name], new[name])
    network = CheckpointIndex(workspace.runs)["new"].build()
    for index, (name, parameter) in enumerate(network.named_parameters()):
        for slot in ("exp_avg", "exp_avg_sq"):
            kept, before = new[f"optimizer_g.{index}.{slot}"], old[f"optimizer_g.{index}.{slot}"]
            assert kept.shape == parameter.shape == new[f"G.{name}"].shape
            if verb == "widen":
                alike = torch.sum if slot == "exp_avg" else torch.mean
                assert alike(kept.double()).item() == pytest.approx(alike(before.double()).item())
            else:
                assert {*kept.flatten().tolist()} <= {*before.flatten().tolist()}
        assert new[f"optimizer_g.{index}.step"] == old[f"optimizer_g.{index}.step"]


def test_a_killed_and_resumed_branch_is_bit_identical(call):
    changed(call, "cull", "dcgan@4", "--run", "once", "--share", "0.3", "--points", "16")
    shutil.copytree(call.workspace.run("once"), call.workspace.run("twice"))
    call("resume", "once", "--batches", "7")
    call("resume", "twice", "--batches", "5")
    call("resume", "twice", "--batches", "7")
    runs = CheckpointIndex(call.workspace.runs)
    once, twice = (runs[name].weights(7) for name in ("once", "twice"))
    assert all(torch.equal(tensor, twice[name]) for name, tensor in once.items())


@pytest.mark.slow
def test_films_sheets_and_comparisons_work_on_the_branch(call, tmp_path):
    changed(call, "cull", "dcgan@4", "--run", "few", "--share", "0.3", "--points", "16")
    sheet = ["render", "sheet", "few", "--batch", "4", "--out", tmp_path / "sheet.png"]
    assert call(*sheet).status == 0, call(*sheet).err
    film = ["render", "timelapse", "few", "--points", "0.0", "--plain", "--out", tmp_path / "a.mp4"]
    assert call(*film).status == 0
    assert call("verify", "few", "--deep").status == 0
    assert call("compare", "dcgan", "few").status == 0


def test_a_batch_without_a_training_state_begins_with_fresh_optimisers(call):
    changed(call, "widen", "dcgan@2", "--run", "new", "--points", "16")
    assert far(call.workspace, "dcgan", "new", 2) < 1e-6
    assert call("resume", "new", "--batches", "3").status == 0


def test_an_imported_run_is_changed_as_far_as_it_can_be(call):
    spec = GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.125})
    with CheckpointIndex(call.workspace.runs).create("given", spec, storage="exact") as run:
        run.append(9, spec.build().state_dict())
    changed(call, "widen", "given", "--run", "new", "--points", "16")
    assert far(call.workspace, "given", "new", 9) < 1e-6
    assert call("lineage", "new", "--json").json[1]["kind"] == "widen"


def test_the_app_shows_what_was_changed(call):
    changed(call, "cull", "dcgan@4", "--run", "few", "--share", "0.5", "--points", "16")
    shown = show_surgery(newest_job(call.workspace, "cull"))
    assert "cull of dcgan@4: run few" in shown
    assert "<img" in shown
    call("vacuum", "residual@4", "--run", "n", "--below", "0")
    refused = show_surgery(newest_job(call.workspace, "vacuum"))
    assert "Nothing was changed" in refused
    assert "every unit of its layers stays" in refused


def test_a_look_makes_no_run(call):
    result = changed(call, "cull", "dcgan@4", "--share", "0.5", "--dry-run", "--points", "16")
    assert result["run"] is None
    assert {*CheckpointIndex(call.workspace.runs)} == {"city", *OPTIONS}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vacuum", "residual@4", "--run", "n", "--below", "0"], "every unit of its layers stays"),
        (["vacuum", "nothing@4", "--run", "n"], "is not in the index"),
        (["vacuum", "dcgan@99", "--run", "n"], "neither a checkpoint nor a training state"),
        (["vacuum", "dcgan@4"], "Give --run"),
        (["cull", "dcgan@4", "--run", "city"], "exists already"),
        (["cull", "dcgan@4", "--run", "n", "--layers", "stem,top"], "no layer 'top'. Known: stem"),
        (["deepen", "dcgan@4", "--run", "n"], "Give --layers"),
        (["deepen", "skyline@4", "--run", "n", "--layers", "dense"], "behind blocks.0"),
        (["widen", "../x@4", "--run", "n"], "name"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_leaves_nothing(call, words, said):
    before = {path.name for path in call.workspace.runs.iterdir()}
    refused = call(*words)
    assert refused.status != 0
    assert said in " ".join(refused.err.split())
    assert "Traceback" not in refused.err
    assert {path.name for path in call.workspace.runs.iterdir()} == before


@pytest.fixture
def imported(call, tmp_path):
    """imported(network, *options): the run `given` of three files of a network's state dict."""

    def bring(network, *options):
        folder = tmp_path / "of-others"
        folder.mkdir()
        for batch in (3, 6):
            torch.save(near_weights(network, batch), folder / f"G_{batch}.pt")
        torch.save(network.state_dict(), folder / "G_9.pt")
        words = [word for each in options for word in ("--option", each)]
        said = call("import", folder, "--run", "given", "--storage", "exact", *words)
        assert said.status == 0, said.err

    return bring


def dead(network, **tensors):
    """A network whose tensors have a value at their second place."""
    weights = network.state_dict()
    for name, value in tensors.items():
        weights[name.replace("__", ".")][1] = value
    return network


NETWORKS = {
    # As the tutorial has it: one channel that its norm silences, one that nobody reads.
    "dcgan": lambda: dead(
        foreign_networks.trained(DCGAN(nz=8)),
        main__1__weight=0.0,
        main__1__bias=-1.0,
        main__6__weight=0.0,
    ),
    # As the best-known collection has it: one that is the same for every point, and not 0.
    "mlp": lambda: dead(foreign_networks.trained(MLP(latent_dim=8)), model__3__weight=0.0),
}
OPTIONS_OF = {
    "dcgan": ("activation=relu", "norm_eps=1e-5"),
    "mlp": ("activation=leaky_relu", "norm_eps=1e-5"),
}


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("dcgan", {"main.0", "main.3"}),
        pytest.param("mlp", {"model.2"}, marks=pytest.mark.slow),
    ],
)
def test_an_imported_network_is_vacuumed_and_its_films_stay(call, imported, tmp_path, name, gone):
    imported(NETWORKS[name](), *OPTIONS_OF[name])
    looked = changed(call, "vacuum", "given@9", "--dry-run", "--points", "33")
    assert {each["layer"] for each in looked["layers"]} == gone
    result = changed(call, "vacuum", "given@9", "--run", "lean", "--points", "33")
    assert result["after"]["weights"] < result["before"]["weights"]
    assert far(call.workspace, "given", "lean", 9) < 1e-6
    film = ["render", "interpolation", "lean", "--batch", "9", "--points", "seed:1,seed:2"]
    film += ["--seconds", "0.2", "--fps", "10", "--plain", "--out", tmp_path / "lean.mp4"]
    assert call(*film).status == 0
    assert (tmp_path / "lean.mp4").stat().st_size > 0
    refused = call("resume", "lean", "--batches", "20")
    assert refused.status != 0
    assert "Traceback" not in refused.err


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_an_imported_network_is_widened_and_deepened_and_draws_what_it_did(call, imported, name):
    imported(NETWORKS[name](), *OPTIONS_OF[name])
    first = {"dcgan": "main.0", "mlp": "model.0"}[name]
    wide = changed(call, "widen", "given@9", "--run", "wide", "--by", "0.5", "--points", "17")
    assert all(each["after"] > each["before"] for each in wide["layers"])
    assert far(call.workspace, "given", "wide", 9) < 1e-6
    changed(call, "deepen", "wide", "--run", "deep", "--layers", first, "--points", "17")
    assert torch.equal(draw(call.workspace, "wide", 9), draw(call.workspace, "deep", 9))
    changed(call, "cull", "deep", "--run", "back", "--share", "0.3", "--points", "17")
    assert far(call.workspace, "given", "back", 9) < 1e-6, "the weakest are those that were added"
    changed(call, "cull", "deep", "--run", "few", "--share", "0.7", "--points", "17")
    assert far(call.workspace, "given", "few", 9) > 1e-4
    assert call("verify", "few", "--deep").status == 0


def test_a_chain_without_a_hidden_layer_is_refused(call):
    chain = [
        {"layer": "Linear", "name": "a", "in_features": 8, "out_features": 3072},
        {"layer": "Unflatten", "dim": 1, "unflattened_size": [3, 32, 32]},
    ]
    spec = GeneratorSpec("chain", {"layers": chain, "z_dim": 8, "image_size": 32})
    with CheckpointIndex(call.workspace.runs).create("given", spec, storage="exact") as run:
        run.append(9, spec.build().state_dict())
    refused = call("vacuum", "given@9", "--run", "n")
    assert "it has no hidden layer" in " ".join(refused.err.split())


def test_an_architecture_that_does_not_say_where_its_units_are_is_refused(call):
    spec = GeneratorSpec("shufflemixer", {"image_size": 32, "z_dim": 192, "channels": 16})
    with CheckpointIndex(call.workspace.runs).create("given", spec, storage="exact") as run:
        run.append(9, spec.build().state_dict())
    refused = call("vacuum", "given@9", "--run", "n")
    assert "does not say where their units are" in " ".join(refused.err.split())


KILLED = """
import os, signal, sys
from studio.training.surgery import branch_making
step = int(sys.argv[1])
calls = 0
def deadly(function):
    def called(*given, **named):
        global calls
        calls += 1
        if calls == step:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*given, **named)
        calls += 1
        if calls == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return called
for name in ("_write_checkpoint", "write_state", "record_event", "record_parentage"):
    setattr(branch_making, name, deadly(getattr(branch_making, name)))
sys.argv = ["studio", *sys.argv[2:]]
from studio.main import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", range(1, 9))
def test_a_killed_surgery_leaves_no_half_run_and_the_second_try_works(call, step):
    workspace = call.workspace
    words = ["--workspace", workspace.root, "widen", "dcgan@4", "--run", "new", "--points", "16"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(step), *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL
    assert "new" not in CheckpointIndex(workspace.runs)
    assert "new" not in [run["name"] for run in call("runs", "--json").json]
    changed(call, "widen", "dcgan@4", "--run", "new", "--points", "16")
    assert far(workspace, "dcgan", "new") < 1e-6
    assert not [path for path in workspace.runs.iterdir() if path.name.startswith(".new")]
