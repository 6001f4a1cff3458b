"""A small real workspace: city-like pictures, a trained run, and the command line in-process."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex, GeneratorSpec
from studio.main import main
from studio.training.loop.session import train_run
from studio.training.setup.creation import create_run
from studio.workspace.jobs import insert_job
from studio.workspace.paths import Workspace
from studio.workspace.queue.work import working_as_job

BATCHES = 12
UPSCALER = GeneratorSpec(
    "shufflemixer",
    {"z_dim": 3 * 8 * 8, "image_size": 16, "scale": 2, "channels": 16, "kernel": 3},
)
TINY = ("--set", "generator_options={width=0.125}", "--set", "discriminator_width=0.125")
TINY += ("--set", "batch_size=4", "--set", "z_dim=16", "--preset", "none")


class Outcome(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self):
        """The one JSON document that standard output holds."""
        return json.loads(self.out)


def write_pictures(folder: Path, count: int = 24, size: int = 40) -> Path:
    """PNGs of streets crossing at random places."""
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number in range(count):
        picture = np.full((size, size, 3), generator.integers(90, 200, 3), np.uint8)
        at = generator.integers(4, size - 8, 2)
        picture[at[0] : at[0] + 4] = picture[:, at[1] : at[1] + 4] = 240
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


def call_main(root: Path, words, monkeypatch) -> int:
    """The exit status of a command."""
    monkeypatch.setattr(sys, "argv", ["studio", "--workspace", str(root), *map(str, words)])
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def run_studio(root: Path, words, capsys, monkeypatch) -> Outcome:
    capsys.readouterr()
    status = call_main(root, words, monkeypatch)
    return Outcome(status, *capsys.readouterr())


def call_on_copy(original: Path, root: Path, capsys, monkeypatch):
    """The command line on a copy of a workspace; its attribute `workspace` is the copy."""
    shutil.copytree(original, root)

    def call(*words):
        return run_studio(root, words, capsys, monkeypatch)

    call.workspace = Workspace.open(root)
    return call


def train_until(workspace, name, config, until=None):
    """Begin a run, or go on with it, to its end or to a batch."""
    if name not in CheckpointIndex(workspace.runs):
        create_run(workspace, name, config, "exact")
    done = []

    def on_progress(batch, total, note=""):
        done.append(batch)

    return train_run(workspace, name, on_progress, lambda: bool(done) and done[-1] == until)


@contextmanager
def at_work(workspace: Workspace, run: str) -> Iterator[None]:
    """Let this process be the job that trains a run."""
    with working_as_job(workspace, insert_job(workspace, "train", {}, ["train"], run)):
        yield


@pytest.fixture(scope="session")
def trained_root(tmp_path_factory):
    """A workspace with the dataset `streets` and the run `city`, never to be changed."""
    root = tmp_path_factory.mktemp("trained")
    pictures = write_pictures(root / "pictures")
    workspace = root / "workspace"
    dataset = ["datasets", "add", str(pictures), "--name", "streets", "--image-size", "32"]
    train = ["train", "streets", "--run", "city", "--batches", str(BATCHES), *TINY]
    with pytest.MonkeyPatch.context() as monkeypatch:
        for words in (dataset, train):
            assert call_main(workspace, words, monkeypatch) == 0
    return workspace


@pytest.fixture
def workspace(trained_root, tmp_path):
    """A copy of the trained workspace to work on."""
    root = tmp_path / "workspace"
    shutil.copytree(trained_root, root)
    return Workspace.open(root)


@pytest.fixture
def shaped(workspace, request):
    """A run of another distribution than the normal one, of one checkpoint."""
    options = {"z_dim": 16, "image_size": 32, "width": 0.125}
    spec = GeneratorSpec("dcgan", options, z_distribution=request.param)
    torch.manual_seed(0)
    with CheckpointIndex(workspace.runs).create("shaped", spec, storage="exact") as run:
        run.append(5, spec.build().state_dict())
    return spec


@pytest.fixture
def empty_workspace(tmp_path):
    return Workspace.open(tmp_path / "empty")


@pytest.fixture
def studio(workspace, capsys, monkeypatch):
    """The command line on the trained workspace: studio("runs", "--json").json"""
    return lambda *words: run_studio(workspace.root, words, capsys, monkeypatch)


@pytest.fixture
def empty_studio(empty_workspace, capsys, monkeypatch):
    return lambda *words: run_studio(empty_workspace.root, words, capsys, monkeypatch)


@pytest.fixture
def upscaler_run(empty_workspace):
    """The run `large`, whose two checkpoints make pictures twice as large; `city` makes none so."""
    torch.manual_seed(0)
    index = CheckpointIndex(empty_workspace.runs)
    with index.create("large", UPSCALER, storage="exact") as run:
        for batch in (100, 300):
            G = UPSCALER.build()
            with torch.no_grad():
                G.tail.weight.mul_(0.1)
                G.tail.bias.zero_()
            run.append(batch, G.state_dict())
    drawing = GeneratorSpec("dcgan", {"z_dim": 4, "image_size": 32, "width": 0.03})
    with index.create("city", drawing, storage="exact") as run:
        run.append(7, drawing.build().state_dict())
    return index["large"]
