"""Training that is killed at random moments and resumed, until so many kills have happened.

One run is left alone; another, of the same settings, is ended with SIGKILL again and again, and
resumed each time. Then every checkpoint of it must be bit-identical to the undisturbed run's, its
index without a gap, its numbers one for every batch, its film one frame a batch, and its events
must say where each session began. Prints one JSON document.

    python -m benchmarks.killed_training [--kills 30] [--batches 1500] [--seed 0] [--recipe gan]
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.store import report
from benchmarks.training_parts.made_up_fonts import add_letters
from checkpoints_index import CheckpointIndex
from renderers.video.video_reader import count_frames
from studio.films.live import join_live_film
from studio.runs.events import list_events
from studio.runs.metrics import read_metrics
from studio.training.loop.state import list_states, read_state
from studio.workspace.paths import Workspace

TINY = {
    "generator_options": "{width=0.05}",
    "discriminator_width": 0.05,
    "z_dim": 16,
    "batch_size": 4,
    "state_every": 40,
    "preview_every": 20,
    "score_every": 100,
    "histograms_every": 100,
    "augmentation": "color,translation,cutout",
    "label_noise": 0.1,
    "label_flips": 0.05,
    "d_updates": 2,
    "d_warm_up": 5,
    "schedule": "cosine",
    "warm_up_batches": 50,
    "cool_down_batches": 50,
    "gradient_penalty": 0.1,
    "penalty_every": 3,
}
EVERY_FRAME = {
    "state_every": 40,
    "preview_every": 20,
    "score_every": 100,
    "histograms_every": 100,
    "film_every": 1,
    "schedule": "cosine",
    "warm_up_batches": 50,
}
UPSCALE = {
    **EVERY_FRAME,
    "generator_options": "{channels=16, kernel=3, scale=4}",
    "recipe_options": "{patch_px=8}",
    "held_out": 6,
    "batch_size": 2,
}
LETTERS = {
    **EVERY_FRAME,
    "generator_options": "{units=[4,6,16,6,4]}",
    "recipe_options": "{inversions_from=20}",
    "held_out": 4,
    "image_size": 216,
    "batch_size": 8,
    "checkpoint_every": 1,
    "reject_updates": "true",
}
SETTINGS = {"gan": TINY, "letters": LETTERS, "upscale": UPSCALE}
EARLY = 0.2  # share of the kills that may hit before the training goes on
EARLY_S, LONGEST_S = 6.0, 3.0  # to a kill: from the start of a process; from its first batch


def studio(root: Path, *words: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "studio", "--workspace", str(root), *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def prepare(root: Path) -> None:
    """A dataset of streets that cross at random places, and one of made-up fonts."""
    rng, pictures = np.random.default_rng(0), root / "pictures"
    pictures.mkdir(parents=True)
    for number in range(64):
        picture = np.full((32, 32, 3), rng.integers(90, 200, 3), np.uint8)
        row, column = rng.integers(4, 24, 2)
        picture[row : row + 4] = picture[:, column : column + 4] = 240
        Image.fromarray(picture).save(pictures / f"{number}.png")
    words = ["datasets", "add", pictures, "--name", "streets", "--image-size", 32]
    words += ["--downscale", "4"]
    assert studio(root, *words).wait() == 0
    add_letters(Workspace.open(root), "fonts", 16)


def train(root: Path, run: str, batches: int, recipe: str) -> subprocess.Popen:
    """Begin a run, or go on with it."""
    if run in CheckpointIndex(root / "runs"):
        return studio(root, "resume", run)
    given = SETTINGS[recipe].items()
    settings = [word for name, value in given for word in ("--set", f"{name}={value}")]
    dataset = "fonts" if recipe == "letters" else "streets"
    words = ["train", dataset, "--run", run, "--batches", batches, "--storage", "exact"]
    return studio(root, *words, "--recipe", recipe, *settings)


def train_with_kills(
    root: Path, batches: int, kills: int, choose: random.Random, recipe: str
) -> int:
    """Train to the end; each session is killed until there were enough kills. Kills that hit."""
    done = 0
    while True:
        process = train(root, "killed", batches, recipe)
        if done < kills and kill_some_time(root, process, choose):
            done += 1
            report(f"{done} kills")
        elif process.wait() == 0:
            return done
        else:
            raise RuntimeError("a resumed run failed; look at its events")


def kill_some_time(root: Path, process: subprocess.Popen, choose: random.Random) -> bool:
    """End a session with SIGKILL, mostly while it trains; False where it ended by itself."""
    if choose.random() < EARLY:
        wait_s = choose.uniform(0, EARLY_S)
    else:
        metrics = Workspace.open(root).metrics("killed")
        before = size_of(metrics)
        while process.poll() is None and size_of(metrics) == before:
            time.sleep(0.05)
        wait_s = choose.uniform(0, LONGEST_S)
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def compare(root: Path, batches: int) -> dict[str, Any]:
    workspace, index = Workspace.open(root), CheckpointIndex(root / "runs")
    whole, killed = index["whole"], index["killed"]
    differing = [
        batch
        for batch in whole.batches
        if batch not in killed.batches or not same(whole.weights(batch), killed.weights(batch))
    ]
    states = [list_states(workspace.training_states(run))[-1] for run in ("whole", "killed")]
    kinds = [event.kind for event in list_events(workspace, "killed", 10_000)]
    film = join_live_film(workspace, "killed")
    return {
        "checkpoints": len(killed.batches),
        "missing": killed.missing,
        "differing": len(differing),
        "training_states_equal": same_states(*states),
        "numbers": len(read_metrics(workspace.metrics("killed"))),
        "film_frames": [count_frames(video.path) for video in film][:1],
        "sessions": kinds.count("started") + kinds.count("resumed"),
        "wanted": batches,
    }


def same_states(one: Path, other: Path) -> bool:
    """Whether two states say the same to the bit; their files hold it in any order."""
    (facts, tensors), (other_facts, other_tensors) = map(read_state, (one, other))
    return (
        facts == other_facts
        and tensors.keys() == other_tensors.keys()
        and same(tensors, other_tensors)
    )


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def measure(root: Path, batches: int, kills: int, seed: int, recipe: str = "gan") -> dict[str, Any]:
    prepare(root)
    began = time.monotonic()
    assert train(root, "whole", batches, recipe).wait() == 0
    report("the undisturbed run is there")
    done = train_with_kills(root, batches, kills, random.Random(seed), recipe)
    return {"kills": done, "seconds": round(time.monotonic() - began), **compare(root, batches)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--batches", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", choices=[*SETTINGS], default="gan")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given = wanted.batches, wanted.kills, wanted.seed, wanted.recipe
        result = measure(Path(folder), *given)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
