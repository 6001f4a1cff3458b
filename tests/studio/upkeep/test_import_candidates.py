"""The sheet of a dry run: what shapes leave open, side by side, each with its option."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from checkpoints_index import GeneratorSpec
from studio.upkeep.import_candidates import CELL_PX, POINTS, find_candidates
from studio.upkeep.imports import ImportRequest, inspect_files
from studio.workspace.progress import Reporter


def mlp(norm):
    layers = [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 96)]
    layers += [nn.BatchNorm1d(96), nn.ReLU()] if norm else [nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(96, 784), nn.Tanh())


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    folder = tmp_path / "mine"
    folder.mkdir()
    for epoch in (1, 2):
        torch.save(mlp(norm=False).state_dict(), folder / f"G_{epoch}.pt")
    return folder


def test_a_dry_run_draws_what_is_open_and_gives_the_options(empty_studio, empty_workspace, folder):
    told = empty_studio("import", folder, "--run", "mine", "--dry-run", "--json").json
    options = told["candidates"]["options"]
    assert "--option activation=relu" in options
    assert "--option output=sigmoid" in options
    assert "--z-distribution uniform" in options
    assert "--option activation=leaky_relu" not in options  # It is what was proposed.
    picture = np.asarray(Image.open(told["candidates"]["sheet"]))
    assert picture.shape[0] > (1 + len(options)) * CELL_PX
    assert picture.shape[1] > POINTS * CELL_PX
    assert list(empty_workspace.runs.iterdir()) == []
    chosen = options[0].split()
    again = empty_studio("import", folder, "--run", "mine", "--dry-run", *chosen, "--json").json
    assert options[0] not in again["candidates"]["options"]


def test_a_sheet_goes_where_it_is_wanted_and_replaces_nothing(empty_studio, folder, tmp_path):
    words = ("import", folder, "--run", "mine", "--sheet", tmp_path / "which.png")
    assert empty_studio(*words).status != 0
    assert empty_studio(*words, "--dry-run").status == 0
    assert (tmp_path / "which.png").is_file()
    assert "is there already" in empty_studio(*words, "--dry-run").err


def test_what_statistics_or_a_person_tell_is_not_asked(empty_workspace, tmp_path):
    torch.manual_seed(0)
    network = mlp(norm=True)
    for _ in range(60):
        network(torch.randn(64, 20))
    torch.save(network.state_dict(), tmp_path / "G_1.pt")
    request = ImportRequest(tmp_path / "G_1.pt", None, {"upsampling": "nearest"}, None)
    plan, _ = inspect_files(request, Reporter(empty_workspace))
    options = [candidate.option for candidate in find_candidates(plan, request)]
    outputs = ["--option output=sigmoid", "--option output=none"]
    # The eps of the last norm is not told by any norm behind it.
    assert options == ["", *outputs, "--option norm_eps=0.001", "--option norm_eps=0.8"]


def test_a_generator_of_our_own_is_proposed_alone(empty_studio, tmp_path):
    G = GeneratorSpec("dcgan", {"z_dim": 16, "image_size": 32, "width": 0.125}).build()
    torch.save({"netG": G.state_dict()}, tmp_path / "netG_100.pt")
    told = empty_studio("import", tmp_path, "--run", "mine", "--dry-run", "--json")
    assert told.status == 0, told.err
    assert not (told.json["candidates"] or {}).get("options")
