"""What the checkpoints of a training that fails cost, and what the eye loses of them.

Trains the DCGAN-64 of `benchmarks/store.py` in three ways that fail, one after the other, keeps
every batch in `exact` and in `visual` storage, and prints one JSON document with a row for each
stretch of batches: kB a checkpoint, their ratio, how the calibration points and 512 unseen latents
differ, how many values are saturated (within 2 of 0 or 255), and how much pictures vary from city
to city.

- `lost`:      D learns four times as fast as G, without smoothed labels and without batch norm. G
               never learns to draw different cities: pictures vary by a few levels of 255 only;
- `unbounded`: from there on D stands still, and G goes on against it, five times as fast, by a loss
               without bound (-D);
- `saturated`: the last layer's weights are made twenty times as large, and G goes on in that way.
               tanh saturates nearly everywhere, and few of the values bear all of the error.

    python -m benchmarks.collapsed [--lost 64] [--unbounded 64] [--saturated 96] [--folder DIR]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.store import SPEC, STORAGES, UNSEEN, Training, bce, report
from checkpoints_index import CheckpointIndex, CheckpointRun
from checkpoints_index.codec.steps.calibration import Calibration
from checkpoints_index.storage.error_bound import ErrorBound

PHASES = {"lost": 64, "unbounded": 64, "saturated": 96}  # and their batches
RATE_G, RATE_D, UNBOUNDED_RATE = 2e-4, 8e-4, 1e-3
BATCH_SIZE = 8
GAIN = 20  # of the last layer, where tanh saturates
STRETCH = 32  # batches of a row
LOOK_EVERY = 8  # checkpoints between those whose pictures are compared
CHUNK = 64  # unseen latents in a pass
SATURATED = 2  # levels from 0 or from 255


class FailingTraining(Training):
    """The training of the store's benchmark, with a D that wins and later stands still."""

    def __init__(self) -> None:
        super().__init__(RATE_G, batch_size=BATCH_SIZE)
        self.D = nn.Sequential(*(x for x in self.D if not isinstance(x, nn.BatchNorm2d)))
        self.optimizer_D = torch.optim.Adam(self.D.parameters(), RATE_D, betas=(0.5, 0.999))
        self._phase = "lost"

    @torch.no_grad()
    def enter(self, phase: str) -> None:
        self._phase = phase
        if phase != "lost":
            self.optimizer_G.param_groups[0]["lr"] = UNBOUNDED_RATE
        if phase == "saturated":
            last = [weight for weight in self.G.parameters() if weight.ndim == 4][-1]
            last.mul_(GAIN)

    def step(self) -> None:
        real, fake = next(self._crops), self.G(torch.randn(self._z_shape))
        has_lost = self._phase == "lost"
        if has_lost:
            self.optimizer_D.zero_grad()
            (bce(self.D(real), 1.0) + bce(self.D(fake.detach()), 0.0)).backward()
            self.optimizer_D.step()
        self.optimizer_G.zero_grad()
        (bce(self.D(fake), 1.0) if has_lost else -self.D(fake).mean()).backward()
        self.optimizer_G.step()
        self.batch += 1


def measure(index: CheckpointIndex, batches: dict[str, int]) -> list[dict[str, Any]]:
    training = FailingTraining()
    runs = {storage: index.create(storage, SPEC, storage) for storage in STORAGES}
    calibration, rows = Calibration(SPEC, ErrorBound()), []
    for phase, count in batches.items():
        training.enter(phase)
        for first in range(0, count, STRETCH):
            before = {storage: run.size_bytes for storage, run in runs.items()}
            kept = keep(training, runs, min(STRETCH, count - first))
            grown = {storage: run.size_bytes - before[storage] for storage, run in runs.items()}
            sizes = {storage: round(grown[storage] / len(kept) / 1000, 1) for storage in STORAGES}
            row = {
                "phase": phase,
                "batches": [kept[0], kept[-1]],
                "kB_per_checkpoint": sizes,
                "ratio": round(grown["visual"] / grown["exact"], 4),
                **compare(runs, kept[::LOOK_EVERY], calibration),
            }
            report(json.dumps(row))
            rows.append(row)
    for run in runs.values():
        run.close()
    return rows


def keep(training: FailingTraining, runs: dict[str, CheckpointRun], count: int) -> list[int]:
    """Train for some batches and keep each; returns them."""
    kept = []
    for _ in range(count):
        training.step()
        kept.append(training.batch)
        for run in runs.values():
            run.append(training.batch, training.G.state_dict())
    for run in runs.values():
        run.flush()
    return kept


def compare(
    runs: dict[str, CheckpointRun], batches: list[int], calibration: Calibration
) -> dict[str, Any]:
    """How pictures of some checkpoints differ, and what they are like."""
    unseen = torch.randn(UNSEEN, SPEC.z_dim, generator=torch.Generator().manual_seed(1))
    worst, counts, saturated, varying = 0, np.zeros(256, np.int64), [], []
    for batch in batches:
        exact, visual = (runs[storage].weights(batch) for storage in ("exact", "visual"))
        worst = max(worst, calibration.compare(exact, visual).largest)
        a, b = draw(exact, unseen), draw(visual, unseen)
        counts += torch.bincount((a - b).abs().flatten().long(), minlength=256).numpy()
        saturated.append(float(((a - 127.5).abs() >= 127.5 - SATURATED).float().mean()))
        varying.append(float(a.std(0).mean()))
    shares = counts / counts.sum()
    return {
        "calibration_points_largest": worst,
        "unseen_largest": int(np.flatnonzero(counts)[-1]),
        "unseen_shares": {f"by_{d}": float(f"{shares[d:].sum():.3g}") for d in (1, 2, 3)},
        "saturated": round(float(np.mean(saturated)), 3),
        "levels_between_cities": round(float(np.mean(varying)), 2),
    }


@torch.inference_mode()
def draw(weights: dict[str, Tensor], z: Tensor) -> Tensor:
    """Pictures of latent points [N, z_dim] in levels 0..255: float32 [N, 3, 64, 64]."""
    G = SPEC.build()
    G.load_state_dict(weights)
    return torch.cat([((G(part).clamp(-1, 1) + 1) * 127.5).round() for part in z.split(CHUNK)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for phase, count in PHASES.items():
        parser.add_argument(f"--{phase}", type=int, default=count, help="batches in that way")
    parser.add_argument("--folder", type=Path, help="keep the runs here")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        index = CheckpointIndex(wanted.folder or Path(scratch))
        batches = {phase: getattr(wanted, phase) for phase in PHASES}
        print(json.dumps(measure(index, batches), indent=1))


if __name__ == "__main__":
    main()
