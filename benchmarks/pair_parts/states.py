"""What a workspace holds, in short: as it should be, and as it is found."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.pair_parts.template import BATCHES, OWN, Template
from checkpoints_index import CheckpointIndex
from renderers.files import read_json
from renderers.jobs.chunks import list_chunks
from studio.datasets.listing import list_datasets, open_dataset
from studio.runs.config import TrainingConfig
from studio.runs.events import list_events
from studio.runs.pins import list_pins
from studio.specimens.specimens import list_specimens
from studio.upkeep.film_names import given_name
from studio.upkeep.reindexing import former_names
from studio.upkeep.removal import list_beside
from studio.workspace.database import open_database
from studio.workspace.paths import Workspace

MAX_EVENTS = 1000


@dataclass
class RunState:
    """What belongs to a run.

    Attributes:
        batches: those that have a checkpoint.
        specimens: label -> origin.
        names: label -> the name that somebody gave it.
        films: for each render the labels of its videos; the film of the training is `live`.
        film_names: those that somebody gave.
        pictures: the names of exported pictures, without that of the run.
        exported: the batches that were written as files.
        dataset: what it is trained on; None where it was imported.
        goal: the batch that it is trained to.
        frames: the batches of the film that grew while it trained.
        renamed: (old name, new name), as its events tell.
        asked: how often a setting was changed.
    """

    batches: set[int] = field(default_factory=set)
    pins: set[int] = field(default_factory=set)
    specimens: dict[str, str] = field(default_factory=dict)
    stars: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    former: set[str] = field(default_factory=set)
    films: list[str] = field(default_factory=list)
    film_names: set[str] = field(default_factory=set)
    pictures: set[str] = field(default_factory=set)
    exported: set[int] = field(default_factory=set)
    dataset: str | None = None
    goal: int = 0
    frames: set[int] = field(default_factory=set)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    asked: int = 0

    @property
    def needed(self) -> set[int]:
        """The batches that thinning leaves, whatever it is told."""
        seen = {int(label.partition(".")[0]) for label in self.specimens}
        seen |= {int(found) for name in self.pictures for found in re.findall(r"-at-(\d+)", name)}
        return ({min(self.batches), max(self.batches)} | self.pins | seen) & self.batches


@dataclass
class State:
    """What a workspace holds.

    Attributes:
        datasets: name -> digest of the pixels.
        archives: the names of files that runs were archived as.
    """

    runs: dict[str, RunState] = field(default_factory=dict)
    datasets: dict[str, str] = field(default_factory=dict)
    archives: set[str] = field(default_factory=set)


def observe(workspace: Workspace) -> State:
    """What there is."""
    return State(
        {name: _observe_run(workspace, name) for name in CheckpointIndex(workspace.runs)},
        {name: open_dataset(workspace, name).manifest.digest for name in list_datasets(workspace)},
        {path.name for path in workspace.exports.glob("*.zip")},
    )


def first_state(made: Template) -> State:
    """What the template holds; that it is what its commands made is looked at here.

    Raises:
        AssertionError: something is lost already.
    """
    state = observe(made.workspace)
    (run,) = state.runs.values()
    assert run.batches == run.frames == set(range(1, BATCHES + 1)), run
    assert {"0.0", "0.1", "2.0", "6.0", "6.1", OWN} == {*run.specimens}, run
    assert all((run.stars, run.names, run.former, run.pins)), run
    return state


def differences(wanted: State, found: State) -> list[str]:
    """What is other than it should be, a line each."""
    lines = []
    if {*wanted.runs} != {*found.runs}:
        return [f"runs {sorted(found.runs)} instead of {sorted(wanted.runs)}"]
    for name in ("datasets", "archives"):
        if getattr(wanted, name) != getattr(found, name):
            lines.append(f"{name} {getattr(found, name)} instead of {getattr(wanted, name)}")
    for name, run in wanted.runs.items():
        for each in dataclasses.fields(run):
            is_so, should = getattr(found.runs[name], each.name), getattr(run, each.name)
            if is_so != should:
                lines.append(f"{each.name} of '{name}': {is_so} instead of {should}")
    return lines


def _observe_run(workspace: Workspace, name: str) -> RunState:
    specimens = list_specimens(workspace, name)
    config, folders = workspace.run_config(name), list_beside(workspace, name)
    pictures, exports = workspace.specimens(name), f"{name}-"
    texts = [event.text for event in list_events(workspace, name, MAX_EVENTS)]
    told = [re.fullmatch(r"name: (\S+) -> (\S+)", text) for text in texts]
    settings = TrainingConfig.read(config) if config.exists() else None
    with open_database(workspace.database) as db:
        rows = db.execute("SELECT count(*) FROM changes WHERE run = ?", (name,))
        asked = rows.fetchone()[0]
    return RunState(
        batches=set(CheckpointIndex(workspace.runs)[name].batches),
        pins=set(list_pins(workspace, name)),
        specimens={s.label: s.origin for s in specimens},
        stars={s.label for s in specimens if s.starred},
        names={s.label: s.name for s in specimens if s.name},
        former=set(former_names(workspace, name)),
        films=sorted(filter(None, map(_describe_film, folders))),
        film_names=set(filter(None, map(given_name, folders))),
        pictures={path.name.removeprefix(exports) for path in pictures.glob("*.jpg")},
        exported={int(p.stem.rpartition("-")[2]) for p in pictures.glob("*.safetensors")},
        dataset=settings.dataset if settings else None,
        goal=settings.batches if settings else 0,
        frames={b for chunk in list_chunks(workspace.live_film(name)) for b in chunk.batches},
        renamed=[(match[1], match[2]) for match in reversed(told) if match],
        asked=asked,
    )


def _describe_film(folder: Path) -> str:
    """The labels of the videos of a render, or `live`; empty for exports and what is begun."""
    if (folder / "joined.json").exists():
        return "live"
    videos = (read_json(folder / "videos.json") or {"videos": []})["videos"]
    return " ".join(sorted(video["label"] for video in videos))
