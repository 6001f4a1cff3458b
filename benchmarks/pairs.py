"""Two processes at once on one run: nothing is lost, and whoever is refused is told why.

    python benchmarks/pairs.py [--pairs 200] [--seed 0]

Each pair works on a copy of a small workspace. Afterwards all that two commands leave has to be as
if one had come after the other: checkpoints bit for bit, points, pins, films, names.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from hostile_requests import RUN, playground

from checkpoints_index import CheckpointIndex
from latent.points import parse_label, sample_points
from renderers.jobs.verification import find_render, verify_video
from studio.main import main as run_studio
from studio.runs.pins import list_pins
from studio.screens.render.film_list import list_films
from studio.specimens.points import points_of
from studio.specimens.specimens import picture_path
from studio.upkeep.removal import TABLES
from studio.workspace.database import open_database
from studio.workspace.paths import Workspace

BATCHES, GOAL = 6, 8  # The run's, and those that it has once it was resumed.
PINNED, SAMPLED, COUNT = 3, 5, 2  # Thinning would take these batches, if nobody had asked for them.
MOVED = "moved"
MAX_SECONDS = 120

RESUME = f"resume {RUN} --batches {GOAL}"
FILM = f"render timelapse {RUN} --points seed:2"
THIN = f"thin {RUN} --every 2"
PIN = f"pin {RUN} {PINNED}"
DELETE = f"delete run {RUN} --yes"
RENAME = f"rename run {RUN} {MOVED}"
SAMPLE = f"specimens sample {RUN} --batch {SAMPLED} --count {COUNT}"
COMMANDS = (
    *(RESUME, FILM, THIN, PIN, DELETE, RENAME, SAMPLE),
    *(f"verify {RUN}", "reindex", f"set {RUN} learning_rate=1e-5", f"specimens star {RUN} 0.1"),
    *("delete dataset photos --yes", "rename dataset photos pictures"),
)


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: its exit status; None where it hung and was ended.
        said: what it wrote on standard error.
    """

    command: str
    status: int | None
    said: str

    def faults(self) -> Iterator[str]:
        """What is wrong with how it ended: whoever is refused is told in one line."""
        if self.status is None:
            yield "hang"
        elif "Traceback" in self.said or self.status not in (0, 1, 2):
            yield f"traceback: {self.said[-600:]}"
        elif self.status and len(self.said.strip().splitlines()) != 1:
            yield f"no single sentence: {self.said!r}"


def work(root: Path, command: str, log: Path) -> None:
    """Be the process of a command; it ends with the exit status."""
    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.argv = ["studio", "--workspace", str(root), *command.split()]
    run_studio()


def run_at_once(root: Path, commands: Sequence[str]) -> list[Ended]:
    """Carry out commands at once, each in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    logs = [root.with_name(f"{number}.log") for number in range(len(commands))]
    processes = [
        context.Process(target=work, args=(root, command, log))
        for command, log in zip(commands, logs, strict=True)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(MAX_SECONDS)
    ended = []
    for process, command, log in zip(processes, commands, logs, strict=True):
        status = process.exitcode
        if status is None:
            process.kill()
            process.join()
        ended.append(Ended(command, status, log.read_text(errors="replace")))
    return ended


def find_faults(template: Path, root: Path, ended: Sequence[Ended]) -> Iterator[str]:
    """What is not as if one command had come after the other."""
    workspace = Workspace.open(root)
    done = Counter(end.command for end in ended if end.status == 0)
    name = MOVED if done[RENAME] else RUN
    names = [] if done[DELETE] else [name]
    if (found := list(CheckpointIndex(workspace.runs))) != names:
        yield f"runs {found} instead of {names}"
        return
    yield from _leftovers(workspace, names)
    if names:
        yield from _checkpoint_faults(template, workspace, name, done)
        yield from _point_faults(template, workspace, name, done)
        yield from _film_faults(workspace, name, done)


def _leftovers(workspace: Workspace, names: Sequence[str]) -> Iterator[str]:
    """Rows and files of names that are gone, and what lies in the trash."""
    gone = [name for name in (RUN, MOVED) if name not in names]
    with open_database(workspace.database) as db:
        for table in TABLES:
            for name in gone:
                rows = db.execute(f"SELECT count(*) FROM {table} WHERE run = ?", (name,))
                if count := rows.fetchone()[0]:
                    yield f"{count} rows of '{name}' in {table}"
    for folder in (workspace.runs, workspace.renders, workspace.specimens("x").parent):
        for path in folder.rglob("*"):
            if path.name.partition("-")[0] in gone:
                yield f"{path.relative_to(workspace.root)} is left"
    if workspace.trash.exists() and list(workspace.trash.iterdir()):
        yield "something lies in the trash"


def _checkpoint_faults(
    template: Path, workspace: Workspace, name: str, done: Counter[str]
) -> Iterator[str]:
    before = CheckpointIndex(template / "runs")[RUN]
    run = CheckpointIndex(workspace.runs)[name]
    batches, grown = run.batches, list(range(1, GOAL + 1))
    whole = grown if done[RESUME] else before.batches
    if done[THIN]:
        needed = {b for b in before.batches if b % 2 == 0} | {1, BATCHES}
        needed |= {PINNED} if done[PIN] else set()
        needed |= {SAMPLED} if done[SAMPLE] else set()
        needed |= {GOAL} if done[RESUME] else set()
    else:
        needed = set(whole)
    if not needed <= set(batches) <= set(whole):
        yield f"batches {batches} instead of {sorted(needed)}"
    for batch in set(batches) & set(before.batches):
        if run.digest([batch]) != before.digest([batch]):
            yield f"batch {batch} has other weights"
    yield from (f"damaged: {found}" for found in run.verify(True, 1.0) if found.reason)
    pins = [PINNED] if done[PIN] else []
    if list_pins(workspace, name) != pins:
        yield f"pins {list_pins(workspace, name)} instead of {pins}"


def _point_faults(
    template: Path, workspace: Workspace, name: str, done: Counter[str]
) -> Iterator[str]:
    points = points_of(workspace, name)
    places = {place for point in points if (place := parse_label(point.label)) is not None}
    drawn = sorted(number for batch, number in places if batch == SAMPLED)
    if drawn != list(range(COUNT * done[SAMPLE])):
        yield f"specimens {drawn} at batch {SAMPLED}"
    for point in points:
        batch, number = parse_label(point.label) or (-1, -1)
        genuine = sample_points(batch, range(number, number + 1), len(point.z))[0]
        if not torch.equal(point.z, genuine.z):
            yield f"point {point.label} has other numbers"
        if batch in (BATCHES, SAMPLED) and not picture_path(workspace, name, point.label).exists():
            yield f"the picture of {point.label} is lost"
    before = points_of(Workspace.open(template), RUN)
    if len(points) - len(drawn) != len(before):
        yield f"{len(points) - len(drawn)} points instead of {len(before)}"


def _film_faults(workspace: Workspace, name: str, done: Counter[str]) -> Iterator[str]:
    films = list_films(workspace, name)
    wanted = 1 + (done[FILM] > 0)
    if len(films) != wanted:
        yield f"{len(films)} films instead of {wanted}"
    for film in films:
        verdict = verify_video(find_render(workspace.renders, film.path), film.path)
        if verdict.reason:
            yield f"film {film.path.name}: {verdict.reason}"


def try_pair(template: Path, commands: Sequence[str]) -> tuple[str, list[str]]:
    """Run two commands at once on a copy of a workspace: in a word how it went, and the faults."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "workspace"
        shutil.copytree(template, root)
        ended = run_at_once(root, commands)
        faults = [fault for end in ended for fault in end.faults()]
        faults += find_faults(template, root, ended)
        refused = sum(end.status != 0 for end in ended)
        return ("both done", "one refused", "both refused")[refused], faults


def main() -> None:
    """Try the pairs, and count how they went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__"])
    chance, counts = random.Random(given.seed), Counter[str]()
    with playground(BATCHES) as made:
        for _ in range(given.pairs):
            pair = chance.choices(COMMANDS, k=2)
            outcome, faults = try_pair(made.workspace, pair)
            counts["faulty" if faults else outcome] += 1
            print(f"{outcome}: {' | '.join(pair)}", *faults, sep="\n  ", flush=True)
    print(dict(counts))
    sys.exit(bool(counts["faulty"]))


if __name__ == "__main__":
    main()
