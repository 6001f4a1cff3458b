"""A run's folder from somebody else: its description, its segments, its list, its settings.

Commands that look at it say a sentence. A checkpoint that is read is the genuine one; where a
forger wrote whole checksums, it has at least the tensors that the run's generator has.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.hostile_parts.mutations import mutate_bytes, mutate_json
from benchmarks.hostile_parts.outcomes import (
    HARMLESS,
    REFUSED,
    SILENTLY_WRONG,
    TRACEBACK,
    Yard,
    count_outcomes,
    open_yard,
)
from benchmarks.hostile_parts.segments import forge_segment
from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.storage.seals import KEY, seal_json, unseal_json
from studio.actions.catalogue import known_actions
from studio.upkeep.run_verification import verify_belongings
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from studio.workspace.progress import SilentReporter

RUN, BATCHES = "city", 6
SPEC = GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.125})
CHAIN = GeneratorSpec(
    "chain",
    {
        "z_dim": 4,
        "image_size": 16,
        "layers": [
            {"layer": "Linear", "name": "a.0", "in_features": 4, "out_features": 768},
            {"layer": "Unflatten", "dim": 1, "unflattened_size": [3, 16, 16]},
            {"layer": "Tanh"},
        ],
    },
)
Weights = dict[int, dict[str, Tensor]]


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of looking at, and reading, so many mutants of two small runs."""
    with open_yard() as yard:
        kept = yard.folder / "kept"
        genuine = {spec.architecture: _make_run(kept, spec) for spec in (SPEC, CHAIN)}
        seeds = range(seed, seed + count)
        return count_outcomes(seeds, lambda at: _look_at_mutant(at, yard, genuine), yard)


def _make_run(kept: Path, spec: GeneratorSpec) -> Weights:
    """A run of few checkpoints, and what they are once they are read back."""
    index = CheckpointIndex(Workspace.open(kept / spec.architecture).runs)
    torch.manual_seed(0)
    G = spec.build()
    storage = "visual" if spec is SPEC else "exact"
    with index.create(RUN, spec, storage=storage) as run:
        for batch in range(1, BATCHES + 1):
            run.append(batch, G.state_dict())
            with torch.no_grad():
                for weight in G.parameters():
                    weight += 1e-4 * torch.randn_like(weight)
        run.flush()
    run = index[RUN]
    return {batch: run.weights(batch) for batch in run.batches}


def _look_at_mutant(seed: int, yard: Yard, genuine: dict[str, Weights]) -> str:
    drawn = random.Random(seed)
    kind = drawn.choice(sorted(genuine))
    shutil.copytree(yard.folder / "kept" / kind, yard.inside / "workspace")
    workspace = Workspace.open(yard.inside / "workspace")
    try:
        is_forged = _mutate_run(workspace.runs / RUN, drawn)
        return _look(workspace, genuine[kind], is_forged)
    finally:
        shutil.rmtree(workspace.root)


def _mutate_run(folder: Path, drawn: random.Random) -> bool:
    """Change one file of a run; whether a forger did, whose checksums are right."""
    path = drawn.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
    content, is_forged = path.read_bytes(), drawn.random() < 0.7
    if not is_forged:
        path.write_bytes(mutate_bytes(content, drawn) if content else b"x")
    elif path.suffix == ".segment":
        path.write_bytes(forge_segment(path, drawn))
    elif path.suffix == ".json":
        path.write_bytes(_forge_json(content, drawn))
    else:
        path.write_bytes(drawn.choice((b"", b"\xff" * 99, b"[" * 99_999, b"a = 1\n")))
    return is_forged


def _forge_json(content: bytes, drawn: random.Random) -> bytes:
    """Another document: sealed as a forger would where it can be, or without a seal."""
    document, _ = unseal_json(content)
    text = mutate_json(document, drawn)
    try:
        changed = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(changed, dict) or KEY in changed or drawn.random() < 0.2:
        return text
    return seal_json(changed, indent=1)


def _look(workspace: Workspace, genuine: Weights, is_forged: bool) -> str:
    """What becomes of the commands that meet the folder, and of its checkpoints."""
    outcomes = [_try(lambda name=name: _perform(workspace, name)) for name in ("runs", "verify")]
    outcomes += [_try(lambda: list(verify_belongings(workspace, RUN)))]
    outcomes += [_try(lambda: _read(workspace, genuine, is_forged))]
    outcomes += [_try(lambda: _perform(workspace, "reindex"))]
    outcomes += [_try(lambda: _read(workspace, genuine, is_forged))]
    return next((o for o in (SILENTLY_WRONG, TRACEBACK, REFUSED) if o in outcomes), HARMLESS)


def _try(look: Callable[[], object]) -> str:
    try:
        return SILENTLY_WRONG if look() is False else HARMLESS
    except EXPECTED_ERRORS as error:
        return REFUSED if " " in str(error).strip() else TRACEBACK


def _perform(workspace: Workspace, command: str) -> None:
    options = {"run": RUN, "deep": True} if command == "verify" else {}
    known_actions()[command](**options).perform(workspace, SilentReporter(workspace))


@torch.inference_mode()
def _read(workspace: Workspace, genuine: Weights, is_forged: bool) -> bool:
    """Whether each checkpoint that is read is right, and draws a picture of the size said."""
    refusals = list[Exception]()
    run = CheckpointIndex(workspace.runs)[RUN]
    size = (1, 3, run.spec.image_size, run.spec.image_size)
    for batch in run.batches[: 2 * BATCHES]:
        try:
            weights = run.weights(batch)
            if not is_forged and not _same(weights, genuine.get(batch, {})):
                return False
            picture = run.generator(batch)(torch.zeros(1, run.spec.z_dim))
        except EXPECTED_ERRORS as error:
            refusals.append(error)
            continue
        if tuple(picture.shape) != size or run.digest([batch]) == "":
            return False
    if refusals:
        raise refusals[0]
    return True


def _same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
