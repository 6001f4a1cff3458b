"""A recipe of somebody's own that is no GAN: what it says of itself holds for its run."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar
from unittest.mock import patch

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from checkpoints_index import CheckpointIndex
from renderers.video.video_reader import read_frames
from studio.films.live import join_live_film
from studio.runs.config import TrainingConfig
from studio.runs.metrics import read_metrics
from studio.runs.setting_fields import setting
from studio.specimens.points import FIXED, points_at, points_of
from studio.training.loop.session import train_run
from studio.training.monitor.alarms import Alarms
from studio.training.recipes import RECIPES, check_recipe
from studio.training.recipes.recipe import D_WINS, FixedPoint, Recipe, WatchedLoss
from studio.training.recipes.recipe_options import describe_options
from studio.training.scores.score import RunScore
from studio.training.setup.creation import create_run
from studio.upkeep.reindexing import restore_points
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from tests.studio.conftest import run_studio

SCALE, SIZE = 4, 32


@dataclass(frozen=True)
class EnlargeOptions:
    """Options of `Enlarge`."""

    weight: float = setting(1.0, "Weight of the loss", minimum=0, maximum=10)
    passes: int = setting(1, "Updates of a batch", minimum=1, maximum=4)


class Enlarge(Recipe):
    """Learns pictures from their small ones; points are small held-out pictures."""

    options_type = EnlargeOptions
    phases = ("blow",)
    loss_words: ClassVar = {"l1": "L1"}
    watched_loss = WatchedLoss("l1", "The loss", min_rise=0.2)
    silent_alarms = frozenset({D_WINS})
    score = RunScore("closeness", "closeness", has_fallen="risen")
    of_checkpoint = ("enlarger",)

    def __init__(self, config, processes, negatives=None):
        self.config, self.processes, self.batch, self.numbers = config, processes, 0, {}
        self.rng = torch.Generator().manual_seed(config.seed)
        self.before_rendered_changes = lambda: None
        G = self.build_networks(config)["G"]
        self.modules = {"enlarger": G, "unused": torch.nn.Linear(2, 2)}
        self.optimizers = {"optimizer_blow": torch.optim.Adam(G.parameters(), 1e-3)}

    @classmethod
    def choose_points(cls, config, data, count):
        truths = data.pixels[data.spread(data.held_out, count)][:, :SIZE, :SIZE]
        return [FixedPoint(shrink(torch.from_numpy(t)[None])[0], t) for t in truths]

    @classmethod
    def show(cls, config, pictures, points):
        truths = [p.truth if p.truth is not None else 0 * pictures[0] for p in points]
        return np.concatenate([pictures, np.stack(truths)], axis=2)

    def begin_scoring(self, data):
        assert len(data.held_out)
        return lambda: {"closeness": 1.0}

    def measured_networks(self, z):
        return {"blower": (self.modules["enlarger"], z)}

    @property
    def rendered(self):
        return self.modules["enlarger"]

    def configure(self, config):
        self.config = config

    def step(self, reals: Iterator, watch):
        with watch("data"):
            batch = next(reals)
        with watch("blow"):
            levels = ((batch + 1) * 127.5).permute(0, 2, 3, 1)
            loss = (self.modules["enlarger"](shrink(levels)) - batch).abs().mean()
            (optimizer,) = self.optimizers.values()
            optimizer.zero_grad()
            loss.backward()
            self.before_rendered_changes()
            optimizer.step()
            self.batch += 1
        return {"l1": loss.detach()}


def shrink(levels):
    """uint8 or float [N, S, S, 3] in 0..255 -> small pictures, flat, in -1..1."""
    pictures = levels.permute(0, 3, 1, 2).float() / 127.5 - 1
    return F.avg_pool2d(pictures, SCALE).flatten(1)


CONFIG = TrainingConfig(
    dataset="streets",
    recipe="enlarge",
    recipe_options={"weight": 2},
    held_out=4,
    generator="shufflemixer",
    generator_options={"scale": SCALE, "channels": 16, "kernel": 3},
    z_dim=3 * (SIZE // SCALE) ** 2,
    image_size=SIZE,
    batch_size=2,
    batches=4,
    fixed_points=3,
    score_every=2,
    histograms_every=2,
    preview_every=2,
)


@pytest.fixture(autouse=True)
def known():
    """Makes the recipe known, and forgets it afterwards."""
    with patch.dict(RECIPES, {"enlarge": Enlarge}):
        yield


@pytest.fixture(scope="module")
def trained(trained_root, tmp_path_factory):
    """A workspace with the run `large`, trained by the recipe to its end."""
    root = tmp_path_factory.mktemp("enlarged") / "workspace"
    shutil.copytree(trained_root, root)
    workspace = Workspace.open(root)
    with patch.dict(RECIPES, {"enlarge": Enlarge}):
        create_run(workspace, "large", CONFIG, "visual")
        train_run(workspace, "large", lambda done, total, note="": None, lambda: False)
    return workspace


def test_a_run_of_another_recipe_is_watched_by_its_own_word(trained):
    last = read_metrics(trained.metrics("large"))[-1]
    assert {"l1", "learning_rate_blow", "blow_s", "data_s", "closeness"} <= last.keys()
    assert not {"d_s", "g_s", "swd", "learning_rate_g"} & last.keys()
    line = json.loads(trained.histograms("large").read_text().splitlines()[-1])
    assert list(line["networks"]) == ["blower"]


def test_its_film_shows_more_than_the_picture_and_its_frames_the_picture_alone(trained):
    film = next(read_frames(join_live_film(trained, "large", labels=["0.0"])[0].path))
    with CheckpointIndex(trained.runs)["large"] as run:
        assert run.spec.z_distribution == "picture"
        picture = run.generator(4)(points_of(trained, "large", FIXED)[0].z[None])
    assert film.shape[1] == 2 * film.shape[0]
    assert picture.shape == (1, 3, SIZE, SIZE)


def test_its_points_are_the_same_after_the_database_was_lost(trained):
    points = points_of(trained, "large", FIXED)
    assert [point.label for point in points] == ["0.0", "0.1", "0.2"]
    trained.database.unlink()
    assert restore_points(trained, "large", CONFIG.z_dim) == []
    again = points_of(trained, "large", FIXED)
    assert all(torch.equal(a.z, b.z) for a, b in zip(points, again, strict=True))
    assert [p.label for p in points_at(trained, "large", 4, range(9), CONFIG.z_dim)] == [
        point.label for point in points
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["specimens", "sample", "large", "--batch", "4", "--count", "2"],
        ["near", "large", "seed:3"],
        ["render", "timelapse", "large", "--points", "seed:1", "--batches", "0:4"],
        ["atlas", "large", "--space", "z", "--count", "50"],
        ["directions", "large"],
    ],
    ids=lambda words: words[0],
)
def test_what_draws_points_is_refused_with_what_can_be_done(trained, words, capsys, monkeypatch):
    outcome = run_studio(trained.root, words, capsys, monkeypatch)
    assert outcome.status != 0
    assert "are pictures that are given to it, so none can be drawn" in outcome.err
    assert "studio specimens list large" in outcome.err
    assert outcome.err.count("\n") <= 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"wieght": 1.0}, "no option 'wieght'. Did you mean weight?"),
        ({"weight": 11}, "recipe_options: weight is from 0 to 10, not 11"),
        ({"passes": 1.5}, "recipe_options: passes is of type int, not 1.5"),
    ],
)
def test_options_are_checked_before_a_run_is_made(workspace, options, said):
    with pytest.raises(EXPECTED_ERRORS, match=said):
        create_run(workspace, "large", replace(CONFIG, recipe_options=options), "exact")
    assert not workspace.run("large").exists()


def test_options_are_settings_with_a_default_a_help_and_a_range():
    (weight, passes) = describe_options(EnlargeOptions)
    assert (weight.name, weight.default, weight.maximum, passes.type) == ("weight", 1.0, 10, int)


def test_a_recipe_without_options_takes_none():
    with pytest.raises(EXPECTED_ERRORS, match="'gan' has no options of its own, so none is 'a'"):
        check_recipe(TrainingConfig(recipe_options={"a": 1}))


def test_a_silenced_alarm_is_never_heard_and_a_watched_loss_is():
    alarms = Alarms(CONFIG)
    heard = []
    for batch in range(400):
        numbers = {"l1": 0.1 + 0.001 * (batch % 7), "d_real": 0.0, "d_fake": 0.0, "g": 20.0}
        if batch > 300:
            numbers["l1"] = 0.01 * (batch - 280)
        heard += alarms.check(batch, numbers)
    assert {alarm.name for alarm in heard} == {"The loss runs away"}
