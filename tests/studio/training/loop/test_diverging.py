"""Runs made to diverge are held by caps and by rejecting updates, and go on with finite numbers."""

import math
from dataclasses import replace

import pytest

from checkpoints_index import CheckpointIndex
from studio.datasets.prepared import PreparedDataset
from studio.datasets.small_pictures import downscale_dataset
from studio.runs.config import TrainingConfig
from studio.runs.events import list_events
from studio.runs.metrics import read_metrics
from studio.training.data.batches import Batches
from studio.training.data.patches import Patches, PatchPair
from studio.training.loop.session import train_run
from studio.training.recipes.upscale import Upscaling
from studio.training.setup.creation import create_run
from studio.workspace.errors import EXPECTED_ERRORS

SMALL = {
    "dataset": "streets",
    "image_size": 32,
    "batch_size": 4,
    "batches": 12,
    "held_out": 6,
    "fixed_points": 1,
    "film_every": 0,
    "score_every": 0,
    "histograms_every": 0,
    "state_every": 4,
    "checkpoint_every": 4,
}
CONFIGS = {
    "gan": TrainingConfig(
        **SMALL, z_dim=8, generator_options={"width": 0.03}, discriminator_width=0.03
    ),
    "upscale": Upscaling.complete(
        TrainingConfig(
            **SMALL,
            recipe="upscale",
            recipe_options={"patch_px": 8},
            generator="shufflemixer",
            generator_options={"scale": 4, "channels": 16, "kernel": 3},
        )
    ),
}
# Each number moves by 1 in every update, which no network without norms survives.
ABSURD = {"learning_rate_g": 1.0, "learning_rate_d": 1.0, "betas": (0.0, 0.0)}
ABSURD |= {"discriminator": "residual"}
POISONED = (3, 4, 8)  # Which of the draws of data are NaN.


@pytest.fixture(params=CONFIGS)
def config(request, workspace):
    downscale_dataset(PreparedDataset.open(workspace.dataset("streets")), (4,))
    return CONFIGS[request.param]


@pytest.fixture
def poisoned(monkeypatch):
    """Turns some draws of pictures and of patches into numbers that are none."""

    def poison(drawing, spoil):
        take, drawn = drawing.__next__, []

        def take_poisoned(self):
            drawn.append(take(self))
            return spoil(drawn[-1]) if len(drawn) in POISONED else drawn[-1]

        monkeypatch.setattr(drawing, "__next__", take_poisoned)

    poison(Batches, lambda pictures: pictures * math.nan)
    poison(Patches, lambda pair: PatchPair(pair.small * math.nan, pair.large))


def train(workspace, name, config):
    create_run(workspace, name, config, "exact")
    ended = train_run(workspace, name, lambda *_: None, lambda: False)
    return ended, read_metrics(workspace.metrics(name))


def assert_finite(workspace, name, metrics):
    assert all(math.isfinite(value) for entry in metrics for value in entry.values())
    run = CheckpointIndex(workspace.runs)[name]
    for batch in run.batches:
        assert all(tensor.isfinite().all() for tensor in run.weights(batch).values())


def test_poisoned_data_are_held_by_rejecting_updates(workspace, config, poisoned):
    ended, metrics = train(workspace, "held", replace(config, reject_updates=True))
    assert ended == ("finished", 12)
    assert_finite(workspace, "held", metrics)
    assert [entry["batch"] for entry in metrics] == list(range(1, 13))
    counts = [entry["rejected_updates"] for entry in metrics]
    assert counts == sorted(counts)
    assert counts[-1] == len(POISONED)
    assert metrics[-1]["learning_rate_g"] == config.learning_rate_g
    kinds = [event.kind for event in list_events(workspace, "held")]
    assert kinds.count("rejected") == 1
    assert "rolled_back" not in kinds


def test_absurd_learning_rates_diverge_and_are_held_by_caps(workspace, config):
    absurd = replace(config, **ABSURD)
    with pytest.raises(EXPECTED_ERRORS, match="diverged at batch"):
        train(workspace, "free", replace(absurd, rollbacks=0))
    caps = {"weight_cap": 0.25, "bias_cap": 0.25, "update_cap": 0.05}
    ended, metrics = train(workspace, "held", replace(absurd, **caps, reject_updates=True))
    assert ended == ("finished", 12)
    assert_finite(workspace, "held", metrics)
    assert metrics[-1]["rejected_updates"] == 0
