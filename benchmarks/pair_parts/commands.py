"""The commands of pairs, each with what it does to a workspace that nobody else works in."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.pair_parts.states import RunState, State, first_state
from benchmarks.pair_parts.template import (
    ARCHIVED,
    BATCHES,
    DATASET,
    IMPORTED,
    NOTED,
    RUN,
    SETTINGS,
    Template,
    film_name,
)
from studio.runs.config import TrainingConfig

GOAL, MADE = 8, 2  # The batches that the run is resumed to, and those of a new one.
PINNED, SAMPLED, COUNT = 3, 5, 2  # Thinning would take these, if nobody had asked for them.
MOVED, BROUGHT, BACK, FRESH, OTHER = "moved", "brought", "back", "fresh", "pictures"
NEW_OWN, LAST = "3.70", f"{BATCHES}.1"

Effect = Callable[[State], None]


class ImpossibleError(Exception):
    """A command cannot be carried out on such a workspace, and is refused."""


@dataclass(frozen=True)
class Command:
    """A command, and what it does.

    Attributes:
        words: what a person writes; {folder} stands for the folder of the template's copy.
        effect: does the same to a state, or raises ImpossibleError or KeyError.
        again: what goes on with it after it was killed, where that is another command.
    """

    words: str
    effect: Effect
    again: str = ""

    def applied(self, state: State) -> State | None:
        """The state that it leaves; None where it is refused."""
        after = copy.deepcopy(state)
        try:
            self.effect(after)
        except (ImpossibleError, KeyError):
            return None
        return after


def make_commands(made: Template) -> list[Command]:
    """All commands, on the names that the template has."""
    batches, settings = ",".join(map(str, ARCHIVED)), " ".join(SETTINGS)
    archive = f"archive {RUN} --batches {batches}"
    first = first_state(made)
    restore = partial(_bring_back, run=first.runs[RUN])
    add_dataset = partial(_add_dataset, pixels=first.datasets[DATASET])
    return [
        Command(f"resume {RUN} --batches {GOAL}", _resume),
        Command(
            f"train {DATASET} --run {FRESH} --batches {MADE} {settings}", _train, f"resume {FRESH}"
        ),
        Command(f"thin {RUN} --every 2", _thin),
        Command(f"pin {RUN} {PINNED}", _pin),
        Command(f"pin {RUN} 4 --remove", _unpin),
        Command(f"delete run {RUN} --yes", _delete_run),
        Command(f"rename run {RUN} {MOVED}", _rename_run),
        Command(f"delete dataset {DATASET} --yes", _delete_dataset),
        Command(f"rename dataset {DATASET} {OTHER}", _rename_dataset),
        Command(f"datasets add {{folder}}/pictures --name {OTHER} --image-size 32", add_dataset),
        Command(f"import {{folder}}/files --run {BROUGHT} --storage exact", _import),
        Command(f"{archive} --out {{folder}}/workspace/exports/a.zip", _archive_as_file),
        Command(f"{archive} --run {BACK}", _archive_as_run),
        Command(f"restore {{folder}}/city.zip --run {BACK}", restore),
        Command(f"export-checkpoint {RUN} {ARCHIVED[0]}", _export_checkpoint),
        Command(f"specimens sample {RUN} --batch {SAMPLED} --count {COUNT}", _sample),
        Command(f"specimens import {RUN} {{folder}}/point.npy --label {NEW_OWN}", _import_point),
        Command(f"specimens export {RUN} {BATCHES}.0 --at-batch 4", _export),
        Command(f"specimens star {RUN} {LAST}", _star),
        Command(f"specimens star {RUN} {NOTED} --undo", _unstar),
        Command(f"rename specimen {RUN} {LAST} square", _name_specimen),
        Command(f"rename film {film_name(made)} growth", _name_film),
        Command(f"delete specimen {RUN} {LAST} --yes", _delete_specimen),
        Command(f"delete film {film_name(made)} --yes", _delete_film),
        Command(f"render timelapse {RUN} --points seed:2", _render),
        Command(f"film {RUN}", _join_film),
        Command(f"set {RUN} learning_rate_g=1e-5", _set),
        Command(f"verify {RUN}", _need_run),
        Command("verify --all", _change_nothing),
        Command("reindex", _change_nothing),
        Command("runs --json", _change_nothing),
        Command(f"specimens list {RUN}", _change_nothing),
        Command(f"near {RUN} {BATCHES}.0 -k 1", _need_run),
    ]


def _change_nothing(state: State) -> None:
    pass


def _need_run(state: State) -> None:
    _run_with(state)


def _run_with(state: State, *batches: int) -> RunState:
    """The run, which has these checkpoints."""
    run = state.runs[RUN]
    _require({*batches} <= run.batches)
    return run


def _require(possible: bool) -> None:
    if not possible:
        raise ImpossibleError


def _resume(state: State) -> None:
    run = state.runs[RUN]
    _require(run.dataset in state.datasets)
    new = set(range(BATCHES + 1, GOAL + 1))
    run.batches |= new
    run.frames |= new
    run.goal = GOAL


def _train(state: State) -> None:
    _require(FRESH not in state.runs and DATASET in state.datasets)
    points = {f"0.{number}": "fixed" for number in range(2)}
    made = set(range(1, MADE + 1))
    state.runs[FRESH] = RunState(made, specimens=points, dataset=DATASET, goal=MADE, frames={*made})


def _thin(state: State) -> None:
    run = state.runs[RUN]
    run.batches = {batch for batch in run.batches if batch % 2 == 0} | run.needed


def _pin(state: State) -> None:
    _run_with(state, PINNED).pins.add(PINNED)


def _unpin(state: State) -> None:
    state.runs[RUN].pins.remove(4)


def _delete_run(state: State) -> None:
    del state.runs[RUN]


def _rename_run(state: State) -> None:
    run = state.runs.pop(RUN)
    run.former.add(RUN)
    run.renamed.append((RUN, MOVED))
    state.runs[MOVED] = run


def _delete_dataset(state: State) -> None:
    del state.datasets[DATASET]


def _rename_dataset(state: State) -> None:
    _require(OTHER not in state.datasets)
    state.datasets[OTHER] = state.datasets.pop(DATASET)
    for run in state.runs.values():
        run.dataset = OTHER if run.dataset == DATASET else run.dataset


def _add_dataset(state: State, pixels: str) -> None:
    _require(OTHER not in state.datasets)
    state.datasets[OTHER] = pixels


def _import(state: State) -> None:
    points = {f"0.{number}": "fixed" for number in range(TrainingConfig.fixed_points)}
    state.runs.setdefault(BROUGHT, RunState(set(IMPORTED), specimens=points))


def _archive_as_file(state: State) -> None:
    _run_with(state, *ARCHIVED)
    _require("a.zip" not in state.archives)
    state.archives.add("a.zip")


def _archive_as_run(state: State) -> None:
    _bring_back(state, _run_with(state, *ARCHIVED))


def _bring_back(state: State, run: RunState) -> None:
    _require(BACK not in state.runs)
    state.runs[BACK] = RunState(
        set(ARCHIVED),
        run.pins & {*ARCHIVED},
        dict(run.specimens),
        set(run.stars),
        dict(run.names),
        dataset=run.dataset,
        goal=run.goal,
    )


def _export_checkpoint(state: State) -> None:
    run = _run_with(state, ARCHIVED[0])
    _require(ARCHIVED[0] not in run.exported)
    run.exported.add(ARCHIVED[0])


def _sample(state: State) -> None:
    run = _run_with(state, SAMPLED)
    first = sum(label.startswith(f"{SAMPLED}.") for label in run.specimens)
    labels = [f"{SAMPLED}.{number}" for number in range(first, first + COUNT)]
    run.specimens |= dict.fromkeys(labels, "sampled")
    run.pictures |= {f"{label}.jpg" for label in labels}


def _import_point(state: State) -> None:
    state.runs[RUN].specimens[NEW_OWN] = "imported"


def _export(state: State) -> None:
    _run_with(state, 4).pictures.add(f"{BATCHES}.0-at-4.jpg")


def _star(state: State) -> None:
    run = state.runs[RUN]
    _require(LAST in run.specimens)
    run.stars.add(LAST)


def _unstar(state: State) -> None:
    state.runs[RUN].stars.discard(NOTED)


def _name_specimen(state: State) -> None:
    run = state.runs[RUN]
    _require(LAST in run.specimens)
    run.names[LAST] = "square"


def _name_film(state: State) -> None:
    run = state.runs[RUN]
    _require("seed:1" in run.films)
    run.film_names.add("growth")


def _delete_specimen(state: State) -> None:
    run = state.runs[RUN]
    del run.specimens[LAST]
    run.stars.discard(LAST)
    run.names.pop(LAST, None)
    run.pictures.discard(f"{LAST}.jpg")


def _delete_film(state: State) -> None:
    run = state.runs[RUN]
    _require("seed:1" in run.films)
    run.films.remove("seed:1")
    run.film_names.discard("growth")


def _render(state: State) -> None:
    run = state.runs[RUN]
    run.films = sorted({*run.films, "seed:2"})


def _join_film(state: State) -> None:
    run = state.runs[RUN]
    _require(bool(run.frames))
    run.films = sorted({*run.films, "live"})


def _set(state: State) -> None:
    state.runs[RUN].asked += 1
