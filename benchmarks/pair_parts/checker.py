"""Whether what two commands left is as if one had come after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.pair_parts.commands import BACK, BROUGHT, MOVED, Command
from benchmarks.pair_parts.processes import Ended
from benchmarks.pair_parts.states import State, differences, first_state, observe
from benchmarks.pair_parts.template import (
    FORMER,
    IMPORTED,
    OWN,
    RUN,
    Template,
    digest_weights,
    digests,
)
from checkpoints_index import CheckpointIndex, CheckpointRun
from latent.points import LatentPoint, parse_label, sample_point
from renderers.files import read_json
from renderers.frames.frame_renderer import FrameRenderer
from renderers.jobs.verification import find_changed_videos, read_plan
from renderers.video.video_reader import read_frames
from studio.specimens.passports import read_passport
from studio.specimens.points import points_of
from studio.upkeep.removal import TABLES, list_beside
from studio.upkeep.run_verification import verify_belongings
from studio.workspace.database import open_database
from studio.workspace.jobs import working_jobs
from studio.workspace.paths import Workspace

MAX_RMS = 8.0  # Levels: JPEG and H.264 change pictures by up to 3, another batch is 19 or more off.


class Checker:
    """Holds a workspace against the template that it is a copy of.

    Args:
        made: the template.
    """

    def __init__(self, made: Template) -> None:
        self.first = first_state(made)
        self._weights = digests(made.workspace, RUN)
        self._own = {p.label: p.z for p in points_of(made.workspace, RUN)}[OWN]

    def find_faults(
        self, root: Path, commands: Sequence[Command], ended: Sequence[Ended]
    ) -> Iterator[str]:
        """What is lost or wrong, a line each.

        Args:
            root: the workspace.
            ended: how each of the commands ended; one that was killed and given again is told as
                killed, and stands here a second time.
        """
        workspace = Workspace.open(root)
        wanted = self._explanations(commands, ended)
        if not wanted:
            yield "no order of the commands explains that these were done and those refused"
            return
        found = observe(workspace)
        yield from min((differences(state, found) for state in wanted), key=len)
        yield from _find_leftovers(workspace, found)
        for name in found.runs:
            yield from self._find_wrong_weights(workspace, name)
            yield from self._find_wrong_points(workspace, name)
            yield from _find_wrong_pictures(workspace, name)
            for finding in verify_belongings(workspace, name):
                yield f"{finding.file}: {finding.reason}"

    def _explanations(self, commands: Sequence[Command], ended: Sequence[Ended]) -> list[State]:
        """The states that there may be: one for each order that explains who was refused."""
        found: list[State] = []
        pairs = list(zip(commands, ended, strict=True))
        for order in permutations(pairs):
            for counted in product((True, False), repeat=sum(e.was_killed for _, e in pairs)):
                state = self._play(order, iter(counted))
                if state is not None and state not in found:
                    found.append(state)
        return found

    def _play(
        self, order: Sequence[tuple[Command, Ended]], counted: Iterator[bool]
    ) -> State | None:
        """The state after some commands in an order; None where they cannot have come so."""
        state = self.first
        for command, end in order:
            after = command.applied(state)
            if end.was_killed:
                state = after if after is not None and next(counted) else state
            elif end.is_done and after is None:
                return None
            elif end.is_done and after is not None:
                state = after
            elif after is not None and not end.had_to_wait:
                return None  # It was refused without need.
        return state

    def _find_wrong_weights(self, workspace: Workspace, name: str) -> Iterator[str]:
        run = CheckpointIndex(workspace.runs)[name]
        if name in (RUN, MOVED, BACK):
            known = {batch: batch for batch in self._weights}
        else:
            known = IMPORTED if name == BROUGHT else {}
        for batch in run.batches:
            own = known.get(batch)
            if own is not None and digest_weights(run, batch) != self._weights[own]:
                yield f"batch {batch} of '{name}' has other weights"
        for damaged in run.verify(True, 1.0):
            if damaged.reason:
                yield f"batch {damaged.batch} of '{name}': {damaged.reason}"

    def _find_wrong_points(self, workspace: Workspace, name: str) -> Iterator[str]:
        for point in points_of(workspace, name):
            is_own = point.label in (OWN, "3.70")
            genuine = self._own if is_own else _drawn(point)
            if not torch.equal(point.z, genuine):
                yield f"point {point.label} of '{name}' has other numbers"


def _drawn(point: LatentPoint) -> torch.Tensor:
    batch, number = parse_label(point.label) or (-1, -1)
    return sample_point(batch, number, len(point.z)).z


def _find_leftovers(workspace: Workspace, found: State) -> Iterator[str]:
    """Rows and files of names that are gone, jobs that nobody does, and what lies in the trash."""
    gone = [name for name in (RUN, MOVED) if name not in found.runs]
    with open_database(workspace.database) as db:
        for table in TABLES:
            for name in gone:
                rows = db.execute(f"SELECT count(*) FROM {table} WHERE run = ?", (name,))
                if count := rows.fetchone()[0]:
                    yield f"{count} rows of '{name}' in {table}"
    for folder in (workspace.runs, workspace.renders, workspace.exports):
        for path in folder.rglob("*"):
            if path.name.partition("-")[0] in gone or path.name in gone:
                yield f"{path.relative_to(workspace.root)} is left"
            if ".tmp" in path.name:
                yield f"{path.relative_to(workspace.root)} was not finished"
    if workspace.trash.exists() and list(workspace.trash.iterdir()):
        yield "something lies in the trash"
    if jobs := working_jobs(workspace):
        yield f"job {jobs[0].text} is told to work"


def _find_wrong_pictures(workspace: Workspace, name: str) -> Iterator[str]:
    """Exports and films that do not show what their run draws."""
    run = CheckpointIndex(workspace.runs)[name]
    points = {point.label: point.z for point in points_of(workspace, name)}
    for path in sorted(workspace.specimens(name).glob("*.jpg")):
        passport = read_passport(path)
        if passport.run not in (name, RUN, FORMER):
            yield f"{path.name} says that it is of run {passport.run}"
        if passport.label in points and not torch.equal(points[passport.label], passport.z):
            yield f"{path.name} says that it shows another point"
        if passport.batch in run.batches:
            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("RGB"))
            yield from _compare(pixels, run, passport.batch, passport.z, path.name)
    for folder in list_beside(workspace, name):
        if (folder / "videos.json").exists():
            yield from _find_wrong_film(folder, run)


def _find_wrong_film(folder: Path, run: CheckpointRun) -> Iterator[str]:
    plan = read_plan(folder)
    z = np.frombuffer(plan.z_bytes[0], "<f4").astype(np.float32).reshape(-1, plan.z_dim)
    for path, reason in find_changed_videos(folder):
        yield f"{path.name}: {reason}"
    for video in read_json(folder / "videos.json")["videos"]:
        path = folder / Path(video["path"]).name
        if not path.exists():
            yield f"film {path.name} is lost"
            continue
        frames = list(read_frames(path))
        if len(frames) != len(plan.batches):
            yield f"film {path.name} has {len(frames)} frames instead of {len(plan.batches)}"
            continue
        for batch, frame in zip(plan.batches, frames, strict=True):
            if batch in run.batches:
                point = torch.from_numpy(z[0].copy())
                yield from _compare(frame, run, batch, point, f"{path.name} at {batch}")


def _compare(
    pixels: np.ndarray, run: CheckpointRun, batch: int, z: torch.Tensor, name: str
) -> Iterator[str]:
    """Whether pixels, however large, show a point at a batch."""
    frame = FrameRenderer().render(run.generator(batch), z[None])[0]
    height, width, _ = frame.shape
    small = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX))
    rms = float(np.sqrt(np.mean((small.astype(float) - frame) ** 2)))
    if rms > MAX_RMS:
        yield f"{name} shows something else: {rms:.0f} levels off"
