"""Training that enlarges pictures, against a plain loop that reads whole pictures for each patch.

Both train the same network on patches of the same pictures with the same loss and optimiser. The
plain loop is that of most published code: a dataset that opens a picture file, decodes all of it,
makes it small by Pillow, and cuts a patch out of both, in worker processes of a DataLoader. Ours
cuts patches out of prepared pairs, half of its steps before the plain loop and half after, so that
whatever else the machine does hits both alike. Prints one JSON document: pictures (patches) a
second of each, the share of its time that each waited for data, and how many pairs each can read
when no step waits for them.

    python -m benchmarks.upscaling [--pictures 200] [--size 512] [--steps 20]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.optim import Adam
from torch.utils.data import DataLoader, Dataset

from benchmarks.store import report
from benchmarks.training_parts.steps import drain, summary
from studio.datasets.folder import prepare_folder
from studio.datasets.held_out import split_dataset
from studio.runs.config import TrainingConfig
from studio.training.data.patches import PatchPair
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes import build_recipe
from studio.training.recipes.upscale import Upscaling, spectral_loss

SCALE, PATCH_PX, BATCH_SIZE, WORKERS = 4, 16, 8, 2
SETTLING = 4  # Steps before the first one that counts; so many batches a DataLoader has ready.
CONFIG = TrainingConfig(
    recipe="upscale",
    recipe_options={"patch_px": PATCH_PX},
    held_out=8,
    generator="shufflemixer",
    generator_options={"scale": SCALE, "channels": 32, "kernel": 3},
    image_size=128,
    z_dim=3 * 32**2,
    batch_size=BATCH_SIZE,
    learning_rate_g=5e-4,
    betas=(0.9, 0.99),
)


def write_photos(folder: Path, count: int, size: int) -> Path:
    """JPEGs of smooth noise of all scales with sharp edges, which compress as photographs do."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number in range(count):
        levels = sum(
            np.asarray(
                Image.fromarray(rng.integers(0, 256, (s, s, 3), dtype=np.uint8)).resize(
                    (size, size), Image.Resampling.BICUBIC
                ),
                float,
            )
            for s in (4, 16, 64)
        )
        picture = (levels / 3).astype(np.uint8)
        top, left = rng.integers(size // 2, size=2)
        picture[top : top + size // 3, left : left + size // 4] = rng.integers(0, 256, 3)
        Image.fromarray(picture).save(folder / f"{number}.jpg", quality=92)
    return folder


class WholePictures(Dataset[tuple[Tensor, Tensor]]):
    """Opens a picture, makes all of it small, and cuts a patch out of both."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.iterdir())

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        with Image.open(self.files[index]) as file:
            large = file.convert("RGB")
        width, height = large.size
        small = large.resize((width // SCALE, height // SCALE), Image.Resampling.BICUBIC)
        top, left = (int(torch.randint(side - PATCH_PX + 1, ())) for side in small.size[::-1])
        inner = np.asarray(small)[top : top + PATCH_PX, left : left + PATCH_PX]
        outer = np.asarray(large)[
            top * SCALE : (top + PATCH_PX) * SCALE, left * SCALE : (left + PATCH_PX) * SCALE
        ]
        return as_tensor(inner), as_tensor(outer)


def as_tensor(pixels: np.ndarray) -> Tensor:
    """uint8 [s, s, 3] -> float32 [3, s, s] in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 255


class PlainUpscaling:
    """The step of published code, on the same network."""

    def __init__(self) -> None:
        self.G = Upscaling.build_networks(CONFIG)["G"]
        self.optimizer = Adam(self.G.parameters(), 5e-4, betas=(0.9, 0.99))

    def step(self, pairs: Iterator[Any]) -> tuple[float, float]:
        """One update; the seconds that it took, and those that it waited for data."""
        began = time.perf_counter()
        small, large = next(pairs)
        waited = time.perf_counter() - began
        self.optimizer.zero_grad()
        made = self.G.enlarge(small)
        loss = (made - large).abs().mean() + 0.1 * spectral_loss(made, large)
        loss.backward()
        self.optimizer.step()
        return time.perf_counter() - began, waited


class OurUpscaling:
    """The recipe's step; it moves the average of the weights besides."""

    def __init__(self) -> None:
        self.recipe, self.watch = build_recipe(CONFIG, Processes.single("cpu")), Stopwatch()

    def step(self, pairs: Iterator[PatchPair]) -> tuple[float, float]:
        """One update; the seconds that it took, and those that it waited for data."""
        began = time.perf_counter()
        self.recipe.step(pairs, self.watch)
        return time.perf_counter() - began, self.watch.take()["data_s"]


def endless(loader: DataLoader[Any]) -> Iterator[Any]:
    while True:
        yield from loader


def measure(folder: Path, count: int, size: int, steps: int) -> dict[str, Any]:
    photos = write_photos(folder / "photos", count, size)
    report(f"{count} pictures of {size} px are there")
    dataset = prepare_folder(photos, folder / "prepared", size, downscale=(SCALE,))
    split = split_dataset(dataset, CONFIG.held_out)
    loader = DataLoader(WholePictures(photos), BATCH_SIZE, shuffle=True, num_workers=WORKERS)
    plain, ours = PlainUpscaling(), OurUpscaling()
    with closing(Upscaling.open_data(CONFIG, split, 0, Processes.single("cpu"))) as pairs:
        # Ours comes before and after, since the workers of a DataLoader run on between its steps.
        before = [ours.step(pairs) for _ in range(SETTLING + steps // 2)][SETTLING:]
        whole = endless(loader)
        plain_steps = [plain.step(whole) for _ in range(SETTLING + steps)][SETTLING:]
        reading = {"whole_pictures": drain(whole, 6, BATCH_SIZE, SETTLING)}
        del whole
        after = [ours.step(pairs) for _ in range(SETTLING + steps // 2)][SETTLING:]
        reading["prepared_pairs"] = drain(pairs, 100, BATCH_SIZE, SETTLING)
    timed = {"whole_pictures": plain_steps, "prepared_pairs": before + after}
    result = {way: summary(own, BATCH_SIZE) for way, own in timed.items()}
    paces = [result[way]["pictures_per_s"] for way in ("prepared_pairs", "whole_pictures")]
    return {
        "pictures": count,
        "size_px": size,
        **result,
        "pairs_read_per_s": reading,
        "prepared_is_faster": round(paces[0] / paces[1], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=20)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), wanted.pictures, wanted.size, wanted.steps)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
