"""Sessions of the engine on a run of nearly nothing, with a film that is a dict."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

from checkpoints_index import CheckpointIndex
from studio.runs.events import list_events, record_event
from studio.training.data.batches import Batches
from studio.training.loop.engine import Training
from studio.training.loop.live_control import LiveControl
from studio.training.loop.training_context import TrainingContext
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes import build_recipe

CPU = torch.device("cpu")


class Frames(dict):
    """Stands for the film: what was added is there to be looked at, without an encoder."""

    def add(self, batch, frames):
        self[batch] = frames

    def close_chunk(self):
        self.closed = list(self)

    def truncate(self, batch):
        for later in [known for known in self if known > batch]:
            del self[later]


@dataclass
class Session:
    """What a session of a run left."""

    last: int
    recipe: Any
    film: Frames
    metrics: dict[int, dict[str, float]] = field(default_factory=dict)
    flushed: list[int] = field(default_factory=list)


@pytest.fixture
def start(workspace, config, pixels):
    """Trains a run of the workspace by name: start("city", until=4).last"""

    def run(
        name: str,
        until: int = config.batches,
        config=config,
        on_batch: Callable = lambda batch, numbers, frames: None,
        should_stop: Callable[[], bool] = lambda: False,
        spoil: Callable = lambda recipe: None,
        **limits,
    ) -> Session:
        index = CheckpointIndex(workspace.runs)
        if name not in index:
            index.create(name, config.generator_spec(), "exact").close()
            workspace.run_config(name).write_text(config.to_toml())
        processes = Processes.single(CPU)
        recipe = build_recipe(config, processes)
        spoil(recipe)
        data = Batches(pixels, config.image_size, config.batch_size, config.seed, True, CPU)
        session = Session(0, recipe, Frames())

        def take(batch, numbers, frames):
            session.metrics[batch] = numbers
            on_batch(batch, numbers, frames)

        with index[name] as checkpoints:
            context = TrainingContext(
                checkpoints,
                session.film,
                LiveControl(workspace, name, config),
                lambda count: torch.randn(
                    count, config.z_dim, generator=torch.Generator().manual_seed(1)
                ),
                take,
                lambda: session.flushed.append(len(session.metrics)),
                lambda batch, kind, text: record_event(workspace, name, batch, kind, text),
            )
            states, watch = workspace.training_states(name), Stopwatch()
            training = Training(
                recipe, data, states, watch, processes, context, should_stop, **limits
            )
            try:
                session.last = training.run(until)
            finally:
                data.close()
        return session

    return run


@pytest.fixture
def kept(workspace):
    """The checkpoints of a run: kept("city").batches"""
    return lambda name: CheckpointIndex(workspace.runs)[name]


@pytest.fixture
def events(workspace):
    """What happened to a run, oldest first, by kind."""
    return lambda name: [(e.batch, e.kind, e.text) for e in reversed(list_events(workspace, name))]
