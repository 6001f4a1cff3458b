"""One flipped bit anywhere in a small, complete workspace.

After each flip the run that the file belongs to is verified, or all of them, and what the file
tells is read as its readers do. Every flip has to be found by `verify`, unless nothing that is read
has changed; and what is read is either right or refused. Half of the flips give each kind of file
its share, half each byte.

What nobody believes is left out: logs, locks, previews, histograms, sheets and TensorBoard's files.
Of what is read piece by piece, `verify` alone knows: the pixels of datasets and pictures, finished
videos, the places of atlases, and the rows of the database.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import studio
from benchmarks.hostile_parts.outcomes import (
    HARMLESS,
    REFUSED,
    SILENTLY_WRONG,
    count_outcomes,
    open_yard,
)
from checkpoints_index import CheckpointIndex
from checkpoints_index.errors import name_some
from checkpoints_index.importing.finder import GeneratorFinder
from renderers.files import read_json
from renderers.jobs.chunks import list_chunks
from renderers.jobs.parts import PartFolder
from renderers.jobs.rendering import keep_plan, render_missing
from renderers.jobs.verification import read_plan
from renderers.jobs.workers import render_parts
from studio.actions.declared.checkpoint_actions import Verify
from studio.datasets.prepared import PIXELS, PreparedDataset
from studio.runs.config import TrainingConfig
from studio.runs.metrics import read_metrics
from studio.specimens.own_points import read_own_points
from studio.specimens.passports import read_passport
from studio.training.loop.state import digest, read_state
from studio.upkeep.archives import ArchiveFacts, restore_archive
from studio.workspace.database import open_database
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.marks import read_marks
from studio.workspace.paths import Workspace
from studio.workspace.progress import SilentReporter
from studio.workspace.row_seals import COLUMNS
from studio.workspace.trust import list_named

TINY = {
    "preset": "none",
    "batch_size": 4,
    "settings": {
        "generator_options": {"width": 0.125},
        **{"discriminator_width": 0.125, "z_dim": 16, "fixed_points": 3, "state_every": 5},
    },
}
LEFT_OUT = (".lock", "logs", "locks", "leases", "tensorboard", "preview.png", "histograms.jsonl")
SHEET = re.compile(r"-(sheet|directions|inversion)\.png$")
EVERY_RUN = 10  # After each tenth flip every run is verified.
PARTS = "city-timelapse-abc123"  # A film of which one part was rendered.
RECORDS = (
    *("atlas.json", "growth.json", "claim.json", "videos.json", "joined.json", "change.json"),
    *("name.json", "levels.json"),
)
VERIFIED_ALONE = ("database", "pixels", "video", "picture", "map")
SUFFIXES = {
    **{".segment": "segment", ".safetensors": "state", ".mp4": "video"},
    **dict.fromkeys((".png", ".jpg"), "picture"),
    **dict.fromkeys((".bin", ".npy", ".npz"), "map"),
}


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of so many flipped bits."""
    torch.set_num_threads(1)  # The pieces are done by forked processes.
    with open_yard() as yard, redirect_stderr(io.StringIO()):
        attacked = Attacked(make_workspace(yard.inside))
        with redirect_stderr(sys.__stderr__ or sys.stderr):
            return count_outcomes(range(seed, seed + count), attacked.flip_one, yard)


class Attacked:
    """A workspace whose bits are flipped, each put back before the next one.

    Attributes:
        files: the files whose bits are flipped, by their kind.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.files: dict[str, list[Path]] = {}
        for path in sorted(workspace.root.rglob("*")):
            inside = {*path.relative_to(workspace.root).parts, path.suffix}
            is_read = not inside & set(LEFT_OUT) and not SHEET.search(path.name)
            if path.is_file() and path.stat().st_size and is_read:
                self.files.setdefault(kind_of(path), []).append(path)
        self._all = [(kind, path) for kind, paths in self.files.items() for path in paths]
        self._sizes = [path.stat().st_size for _, path in self._all]
        self._good = {path: self.read(kind, path) for kind, path in self._all}
        refused = [str(path) for path, found in self._good.items() if found is None]
        assert not refused, f"refused without a flip: {name_some(refused, 9)}"
        assert not self.verify(), self.verify()

    def flip_one(self, seed: int) -> str:
        """Flip a bit, look at all that is said of it, and put it back."""
        drawn = random.Random(seed)
        if drawn.random() < 0.5:
            kind = drawn.choice(sorted(self.files))
            path = drawn.choice(self.files[kind])
        else:
            ((kind, path),) = drawn.choices(self._all, self._sizes)
        place = drawn.randrange(8 * path.stat().st_size)
        run = "" if seed % EVERY_RUN == 0 else self._owner(path)
        with flipped(path, place):
            outcome = self.judge(kind, path, run)
        if outcome == SILENTLY_WRONG:
            name = path.relative_to(self.workspace.root)
            print(f"seed {seed}: bit {place} of {name} ({kind})", file=sys.stderr)
        return outcome

    def _owner(self, path: Path) -> str:
        """The run that a file belongs to; empty where it belongs to none, or to several."""
        below = path.relative_to(self.workspace.root).parts
        is_of_run = below[0] in ("runs", "exports", "renders") and len(below) > 2
        return below[1].split("-")[0] if is_of_run else ""

    def judge(self, kind: str, path: Path, run: str) -> str:
        """What becomes of a file of which one bit is another.

        Args:
            run: what is verified; every run where it is empty.
        """
        found, told = self.verify(run), self.read(kind, path)
        is_right = told is not None and is_as_before(kind, told, self._good[path])
        if not found:
            return HARMLESS if is_right else SILENTLY_WRONG
        return REFUSED if told is None or is_right or kind in VERIFIED_ALONE else SILENTLY_WRONG

    def verify(self, run: str = "") -> list[str]:
        """What `studio verify RUN` finds, or `studio verify --all` where no run is given."""
        try:
            action = Verify(run=run, every_run=not run)
            result = action.perform(self.workspace, SilentReporter(self.workspace))
        except EXPECTED_ERRORS as error:
            return [str(error)]
        return [*(f"{each.file}: {each.reason}" for each in result.damaged), *result.failed]

    def read(self, kind: str, path: Path) -> Any:
        """What the readers of a file make of it; None where they refuse it."""
        try:
            return READERS[kind](self.workspace, path)
        except EXPECTED_ERRORS:
            return None


def is_as_before(kind: str, told: Any, good: Any) -> bool:
    """Whether what was read is right; lines that are damaged may be left out of the numbers."""
    return all(entry in good for entry in told) if kind == "numbers" else bool(told == good)


@contextmanager
def flipped(path: Path, place: int) -> Iterator[None]:
    """A file with one bit changed, while the block lasts."""
    offset, mask = place // 8, 1 << place % 8
    whole = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(bytes([whole[offset] ^ mask]))
    try:
        yield
    finally:
        path.write_bytes(whole)


def kind_of(path: Path) -> str:
    """The kind of a file, which is a key of READERS."""
    folder = path.parent.name
    if path.name == PIXELS:
        return "pixels"
    if folder == "film":
        return "chunk"
    if folder == "parts" or path.parent.name == PARTS:
        return "part"
    if path.parent.parent.name == "exports":
        return f"exported {path.suffix[1:]}"
    named = {
        **{"studio.db": "database", "metrics.jsonl": "numbers", "run.toml": "settings"},
        **{"manifest.json": "manifest", "generator.json": "description"},
        **{"segments.json": "list", "imported_points.json": "points"},
        "plan.json": "plan",
        **dict.fromkeys(RECORDS, "record"),
        **{"marks.json": "marks", "trusted.json": "trusted", "trusted_classes.json": "trusted"},
    }
    return named.get(path.name) or SUFFIXES[path.suffix]


def read_run(workspace: Workspace, path: Path) -> Any:
    """What a run is, and the weights of its checkpoints."""
    run = CheckpointIndex(workspace.runs)[path.parent.parent.name]
    weights = {batch: digest(run.weights(batch)) for batch in run.batches}
    return json.dumps(run.spec.to_json()), run.storage, str(run.error_bound), weights


def read_training_state(workspace: Workspace, path: Path) -> Any:
    """The facts and the tensors of a training state."""
    facts, tensors = read_state(path)
    return facts, digest(tensors)


def read_film(workspace: Workspace, path: Path) -> Any:
    """The chunks of the film that grows with a run, looked at as before they are joined."""
    chunks = list_chunks(path.parent)
    changed = [c.path(label) for c in chunks for label in c.files if c.find_changed(label)]
    if changed:
        raise StudioError(f"{changed[0]} is damaged.")
    return [asdict(chunk) for chunk in chunks]


def read_parts(workspace: Workspace, path: Path) -> Any:
    """The parts of a render that is not finished; those that have changed are rendered anew."""
    folder = workspace.render(PARTS)
    parts = PartFolder(folder / "parts", read_plan(folder))
    if parts.find_changed():
        raise StudioError("A part has changed.")
    return parts.plan.to_json(), [parts.is_whole(part) for part in parts.plan.parts]


def read_dataset(workspace: Workspace, path: Path) -> Any:
    """The manifest and the pixels of a dataset."""
    dataset = PreparedDataset.open(path.parent)
    pixels = hashlib.sha256(np.ascontiguousarray(dataset.pixels)).hexdigest()
    return asdict(dataset.manifest), pixels


def read_record(workspace: Workspace, path: Path) -> Any:
    """What is recorded of a film or an atlas; None where it is made anew."""
    return read_json(path)


def read_picture_passport(workspace: Workspace, path: Path) -> Any:
    """The passport of an exported picture."""
    passport = read_passport(path)
    said = asdict(passport)
    return {**said, "z": passport.z.tolist()}


def read_export(workspace: Workspace, path: Path) -> Any:
    """The weights that are imported from an exported checkpoint."""
    found = GeneratorFinder().find(path)
    return json.dumps(found.spec.to_json()), digest(found.weights)


def read_archive(workspace: Workspace, path: Path) -> Any:
    """The run that is restored from an archive; nothing of it stays."""
    with tempfile.TemporaryDirectory() as folder:
        other = Workspace.open(folder)
        name = restore_archive(other, path, None, None, lambda *_: None)
        run = CheckpointIndex(other.runs)[name]
        config = TrainingConfig.read(other.run_config(name))
        weights = {batch: digest(run.weights(batch)) for batch in run.batches}
        facts = ArchiveFacts.of_run(other, name, run.batches)
        points = [(point.label, point.z.tolist(), origin) for point, origin in facts.points]
        return name, config, weights, facts.run, facts.batches, points, facts.marks


def read_rows(workspace: Workspace, path: Path) -> Any:
    """All rows of the database."""
    with open_database(path) as db:
        return [
            tuple(row)
            for table, columns in COLUMNS.items()
            for row in db.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY rowid")
        ]


def read_bytes(workspace: Workspace, path: Path) -> Any:
    """The bytes of a file."""
    return path.read_bytes()


READERS: dict[str, Callable[[Workspace, Path], Any]] = {
    **dict.fromkeys(("segment", "description", "list"), read_run),
    "state": read_training_state,
    "numbers": lambda _, path: read_metrics(path),
    "settings": lambda _, path: TrainingConfig.read(path),
    "marks": lambda w, path: read_marks(w, path.parent.name),
    "trusted": lambda w, _: list_named(w),
    "points": lambda w, path: [
        (p.label, p.z.tolist()) for p in read_own_points(w, path.parent.name)
    ],
    "chunk": read_film,
    "part": read_parts,
    **dict.fromkeys(("manifest", "pixels"), read_dataset),
    "plan": lambda _, path: read_plan(path.parent).to_json(),
    "record": read_record,
    **dict.fromkeys(("video", "picture", "map"), read_bytes),
    "exported jpg": read_picture_passport,
    "exported safetensors": read_export,
    "exported zip": read_archive,
    "database": read_rows,
}


def make_workspace(folder: Path) -> Workspace:
    """Two trained runs with everything that can belong to a run."""
    here = studio.open(folder / "workspace")
    for name, first in (("streets", 0), ("forests", 100)):
        pictures = _draw_pictures(folder / name, first)
        here.datasets_add(folder=pictures, name=name, image_size=32)
    settings = {**TINY["settings"], "negatives": "forests"}
    here.train(dataset="streets", run="city", batches=12, **{**TINY, "settings": settings})
    here.train(dataset="streets", run="exact", batches=6, storage="exact", **TINY)
    (folder / "mine.json").write_text(json.dumps([[0.5] * 16, [0.25] * 16]))
    here.specimens_import(run="city", files=[folder / "mine.json"])
    here.specimens_sample(run="city", batch=8, count=2)
    here.specimens_star(run="city", labels=["8.0"])
    here.pin(run="city", batches=["3,5"])
    here.set(run="city", settings={"learning_rate": 1e-5})
    here.render_timelapse(run="city", points=["0.0", "0.1"])
    here.render_interpolation(run="exact", batch=6, points=["0.0", "0.1"], seconds=0.5)
    here.render_path(run="exact", keys="1@0.0 -> 6@0.1", seconds=0.5)
    here.render_direction(run="city", number=1, seconds=0.5)
    here.render_sheet(run="city")
    here.invert(run="city", picture=folder / "streets" / "0.png", gallery=100)
    here.film(run="city")
    here.atlas(run="city", batch=10, count=20)
    here.atlas_growth(run="city", batches="4,8,12", count=20)
    here.archive(run="exact", batches=["2,4"])
    here.export_checkpoint(run="exact", batch=4)
    workspace = Workspace.open(folder / "workspace")
    here.rename_film(name=next(workspace.renders.glob("exact-path-*")).name, new="way")
    here.rename_specimen(run="city", label="8.1", new="harbour")
    here.trust(alarm="touch alarm", address="http://127.0.0.1:9/alarm")
    here.trust(generator="torch.nn:Identity")
    _begin_film(workspace)
    return workspace


def _draw_pictures(folder: Path, seed: int) -> Path:
    folder.mkdir()
    levels = np.random.default_rng(seed).integers(0, 256, (24, 4, 4, 3), np.uint8)
    for number, picture in enumerate(levels.repeat(10, 1).repeat(10, 2)):
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


def _begin_film(workspace: Workspace) -> None:
    """Render the first part of a film, as if its process had been killed then."""
    (finished,) = workspace.renders.glob("city-timelapse-*")
    folder = workspace.render(PARTS)
    folder.mkdir()
    parts = PartFolder(folder / "parts", keep_plan(folder, read_plan(finished)))
    engine = partial(render_parts, devices=["cpu"])
    source = CheckpointIndex(workspace.runs)["city"]
    render_missing(source, parts, parts.missing()[:1], engine, lambda *_: None)
