"""What training waits for: data from a prepared set, from memory and from a folder; checkpoints.

Prints one JSON document. All of a part is measured in turns of one run, so that what else the
machine does falls on every way alike; steps are medians.

- `data`: pictures a second of the same training step fed from `memory` (one resident batch) and
          from a `prepared` set (ours); and of the plain loop of the PyTorch DCGAN tutorial on a
          `folder` of large JPEGs: its step, a Dataset with Resize and CenterCrop, a DataLoader
          with two workers. For three networks: `tiny`, of 32x32, whose step is nearly as short as
          on a faster device; `small`, of 64x64, those of the demo; and `dcgan`, of 64x64, the
          tutorial's own (3.6 and 2.8 M parameters). Also the share of time spent waiting for data;
- `feeds_alone`: pictures a second with no step at all: what a faster device could be given;
- `cost`: what one checkpoint a batch adds to the time of a step of `dcgan` (visual storage), one
          and live frames of nine points together, and `torch.save` of everything.

    python -m benchmarks.training [--quick] [--turns 6] [--sizes 1024,2048,4096]

Batches of 64, on the CPU; --sizes are the heights of the JPEGs, half as wide again. The whole takes
about eight minutes on two idle cores, --quick about one, with the small networks alone.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim import Adam
from torch.utils.data import DataLoader, Dataset

from benchmarks.store import report, slowdown
from benchmarks.training_parts.steps import Steps, drain, seconds_of, summary
from checkpoints_index import CheckpointIndex, GeneratorSpec
from latent.points import sample_points
from renderers.frames.frame_renderer import FrameRenderer
from studio.datasets.folder import prepare_folder
from studio.runs.config import TrainingConfig
from studio.training.data.batches import Batches
from studio.training.loop.live_film import LiveFilm
from studio.training.loop.state import tensors_of
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes import Recipe, build_recipe
from studio.training.recipes.gan import GAN

IMAGE_SIZE, BATCH_SIZE, WORKERS, POINTS = 64, 64, 2, 9
TINY = 32  # px
ENDLESS = 10**6  # pictures of a folder that has as many as the tutorial's
DECODED_AHEAD = 2 * WORKERS  # batches that a DataLoader has before it is asked
WAYS = ("nothing", "checkpoint", "checkpoint_and_frames", "torch_save_of_everything")
SETTLING = 2  # steps at the beginning of a turn that are not counted
NETS = {
    "tiny": TrainingConfig(
        image_size=TINY,
        batch_size=BATCH_SIZE,
        generator_options={"width": 0.375},
        discriminator_width=0.25,
    ),
    "small": TrainingConfig(
        image_size=IMAGE_SIZE,
        batch_size=BATCH_SIZE,
        generator_options={"width": 0.375, "full_resolution_block": True},
        discriminator_width=0.25,
    ),
    "dcgan": TrainingConfig(
        image_size=IMAGE_SIZE,
        batch_size=BATCH_SIZE,
        generator_options={"upsampling": "transposed"},
    ),
}


class Effort(NamedTuple):
    """How long to measure."""

    turns: int
    steps: int  # of a turn


class Training:
    """The studio's recipe, fed from anywhere, and how long it waited."""

    def __init__(self, config: TrainingConfig) -> None:
        self.recipe: Recipe = build_recipe(config, Processes.single("cpu"))
        self._watch = Stopwatch()

    def step(self, reals: Iterator[Tensor]) -> tuple[float, float]:
        """Seconds of a step, and how many of them it waited for data."""
        began = time.perf_counter()
        self.recipe.step(reals, self._watch)
        return time.perf_counter() - began, self._watch.take()["data_s"]


class PlainTraining:
    """The loop of the PyTorch DCGAN tutorial, with the same networks."""

    def __init__(self, config: TrainingConfig) -> None:
        self.z_dim = config.z_dim
        self.G, self.D = GAN.build_networks(config).values()
        self.optimizer_g, self.optimizer_d = (
            Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (self.G, self.D)
        )

    def step(self, reals: Iterator[Tensor]) -> tuple[float, float]:
        """Seconds of a step, and how many of them it waited for data."""
        began = time.perf_counter()
        real = next(reals)
        waited = time.perf_counter() - began
        ones, zeros = torch.ones(len(real)), torch.zeros(len(real))

        self.D.zero_grad()
        d_real = binary_cross_entropy_with_logits(self.D(real).view(-1), ones)
        d_real.backward()
        fake = self.G(torch.randn(len(real), self.z_dim))
        d_fake = binary_cross_entropy_with_logits(self.D(fake.detach()).view(-1), zeros)
        d_fake.backward()
        self.optimizer_d.step()

        self.G.zero_grad()
        g = binary_cross_entropy_with_logits(self.D(fake).view(-1), ones)
        g.backward()
        self.optimizer_g.step()
        (d_real + d_fake).item(), g.item()  # which the tutorial prints
        return time.perf_counter() - began, waited


class Folder(Dataset):
    """An ImageFolder with Resize, CenterCrop, ToTensor and Normalize, as torchvision does them."""

    def __init__(self, folder: Path, size: int) -> None:
        self.paths, self.size = sorted(folder.glob("*.jpg")), size

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.paths[index % len(self.paths)]) as file:
            picture = file.convert("RGB")
        scale = self.size / min(picture.size)
        width, height = (round(scale * length) for length in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        left, top = (width - self.size) // 2, (height - self.size) // 2
        picture = picture.crop((left, top, left + self.size, top + self.size))
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        return pixels.float().div(255).sub(0.5).div(0.5)


def make_jpegs(folder: Path, height: int, count: int) -> Path:
    """Crops of two photographs, enlarged, with grain, so that decoding costs what it does."""
    folder.mkdir()
    choose, photographs = np.random.default_rng(0), load_sample_images().images
    size = (height * 3 // 2, height)
    for number in range(count):
        photograph = Image.fromarray(photographs[number % 2])
        left, top = (int(choose.integers(100)) for _ in "xy")
        crop = photograph.crop((left, top, left + 480, top + 320))
        pixels = np.asarray(crop.resize(size, Image.Resampling.BICUBIC), np.int16)
        grain = choose.normal(0, 6, size=pixels.shape).astype(np.int16)
        picture = Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))
        picture.save(folder / f"{number}.jpg", quality=90)
    return folder


def measure_data(
    config: TrainingConfig, pixels: np.ndarray, folders: list[Path], effort: Effort
) -> dict[str, Any]:
    """Pictures a second from memory, from the prepared set, and from each folder of JPEGs."""
    training, plain = Training(config), PlainTraining(config)
    shorter = (IMAGE_SIZE // config.image_size) ** 2  # are the steps of small pictures
    count = shorter * effort.turns * effort.steps
    with closing(draw(pixels, config.image_size)) as batches:
        resident = next(batches)
        memory = iter(lambda: resident, None)
        fed = take_turns(training, {"memory": memory, "prepared": batches}, count)
        result: dict[str, Any] = {way: summary(steps, BATCH_SIZE) for way, steps in fed.items()}
        of_memory = seconds_of(fed["memory"]) / seconds_of(fed["prepared"])
        result["prepared"]["of_memory"] = round(of_memory, 3)
        for folder in folders:
            ours = {"prepared": batches}  # before the folder, and after
            before = take_turns(training, ours, count // 2)["prepared"]
            reals = load(folder, config.image_size)
            steps = feed_from_folder(plain, reals, effort.turns * effort.steps // 2)
            after = take_turns(training, ours, count // 2)["prepared"]
            faster = seconds_of(steps) / seconds_of(before + after)
            result[folder.name] = {
                **summary(steps, BATCH_SIZE),
                "prepared_is_faster": round(faster, 2),
            }
            report(f"{folder.name}: prepared is {faster:.2f} times as fast")
    return result


def measure_feeds(pixels: np.ndarray, folders: list[Path]) -> dict[str, float]:
    """Pictures a second that are read, with no step to wait for them."""
    with closing(draw(pixels, IMAGE_SIZE)) as batches:
        result = {"prepared": drain(batches, 100, BATCH_SIZE, DECODED_AHEAD)}
    for folder in folders:
        reals = load(folder, IMAGE_SIZE)
        result[folder.name] = drain(reals, 3, BATCH_SIZE, DECODED_AHEAD)
    return result


def draw(pixels: np.ndarray, size: int) -> Batches:
    return Batches(pixels, size, BATCH_SIZE, 0, True, torch.device("cpu"))


def load(folder: Path, size: int) -> Iterator[Tensor]:
    dataset: Dataset = Folder(folder, size)
    return iter(DataLoader(dataset, BATCH_SIZE, shuffle=True, num_workers=WORKERS))


def take_turns(
    training: Training, ways: dict[str, Iterator[Tensor]], count: int
) -> dict[str, Steps]:
    """So many steps of each way, one of each after the other."""
    steps: dict[str, Steps] = {way: [] for way in ways}
    for _ in range(SETTLING + count):
        for way, reals in ways.items():
            steps[way].append(training.step(reals))
    return {way: own[SETTLING:] for way, own in steps.items()}


def feed_from_folder(training: PlainTraining, reals: Iterator[Tensor], count: int) -> Steps:
    """One long turn, whose workers end with it: they would slow down whose turn comes next."""
    return [training.step(reals) for _ in range(DECODED_AHEAD + count)][DECODED_AHEAD:]


class Keeping:
    """The ways to keep what a step made: each is to be called after it."""

    def __init__(self, training: Training, spec: GeneratorSpec, folder: Path) -> None:
        self.training, self.recipe = training, training.recipe
        index = CheckpointIndex(folder / "runs")
        self.run, self.filmed = (index.create(name, spec, "visual") for name in ("run", "filmed"))
        points = sample_points(0, range(POINTS), spec.z_dim)
        self.z, self.renderer = torch.stack([point.z for point in points]), FrameRenderer()
        self.film = LiveFilm(folder / "film", [point.label for point in points])
        self.whole = folder / "everything.pt"

    def nothing(self) -> None:
        pass

    def checkpoint(self) -> None:
        self.run.append(self.recipe.batch, self.recipe.rendered.state_dict())

    def checkpoint_and_frames(self) -> None:
        self.filmed.append(self.recipe.batch, self.recipe.rendered.state_dict())
        frames = self.renderer.render(self.recipe.rendered, self.z)
        self.film.add(self.recipe.batch, frames)

    def torch_save_of_everything(self) -> None:
        torch.save(dict(tensors_of(self.recipe)), self.whole)

    def settle(self) -> None:
        """Finish what goes on beside the steps, so that it is nobody else's burden."""
        self.run.flush()
        self.filmed.flush()
        self.film.close_chunk()

    def close(self) -> None:
        self.run.close()
        self.filmed.close()
        self.film.close()


def measure_cost(folder: Path, config: TrainingConfig, effort: Effort) -> dict[str, Any]:
    """How much longer a step takes with each way of keeping than with none."""
    training = Training(config)
    with closing(Keeping(training, config.generator_spec(), folder)) as keeping:
        turns = time_keeping(training, keeping, effort)
        per_checkpoint = keeping.run.size_bytes / len(keeping.run.batches)
    bare = turns["nothing"]
    return {
        "milliseconds": {way: round(1000 * mean(chain(*own)), 1) for way, own in turns.items()},
        "times_nothing": {
            way: {"means": slowdown(own, bare, mean), "medians": slowdown(own, bare, median)}
            for way, own in turns.items()
        },
        "bytes": {
            "checkpoint": round(per_checkpoint),
            "torch_save_of_everything": keeping.whole.stat().st_size,
        },
    }


def time_keeping(
    training: Training, keeping: Keeping, effort: Effort
) -> dict[str, list[list[float]]]:
    """Seconds of each step with what is kept of it, for each turn of each way."""
    resident = torch.rand(BATCH_SIZE, 3, IMAGE_SIZE, IMAGE_SIZE) * 2 - 1
    reals = iter(lambda: resident, None)
    turns: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for number in range(-1, effort.turns):  # the first turns compile, and choose steps
        for way in WAYS:
            seconds = []
            for _ in range(effort.steps):
                began = time.perf_counter()
                training.step(reals)
                getattr(keeping, way)()
                seconds.append(time.perf_counter() - began)
            keeping.settle()
            if number >= 0:
                turns[way].append(seconds[SETTLING:])
            report(f"{way}: {1000 * mean(seconds[SETTLING:]):.0f} ms a step")
    return turns


def measure(scratch: Path, quick: bool, effort: Effort, sizes: list[int]) -> dict[str, Any]:
    folders = [make_jpegs(scratch / f"folder_{size}px", size, BATCH_SIZE) for size in sizes]
    nets = NETS if not quick else {"small": NETS["small"]}
    pixels = {
        size: prepare_folder(folders[0], scratch / f"prepared_{size}px", size).pixels
        for size in {config.image_size for config in nets.values()}
    }
    return {
        "cores": os.cpu_count(),
        "feeds_alone": measure_feeds(pixels[IMAGE_SIZE], folders),
        "data": {
            name: measure_data(config, pixels[config.image_size], folders, effort)
            for name, config in nets.items()
        },
        "cost": measure_cost(scratch, [*nets.values()][-1], effort),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="one minute: the small networks")
    parser.add_argument("--turns", type=int, default=6, help="of each way")
    parser.add_argument("--sizes", default="1024,2048,4096", help="heights of the JPEGs, px")
    wanted = parser.parse_args()
    sizes = [int(size) for size in wanted.sizes.split(",")]
    effort = Effort(turns=wanted.turns, steps=8)
    if wanted.quick:
        effort, sizes = Effort(turns=2, steps=6), sizes[:1]
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(Path(scratch), wanted.quick, effort, sizes), indent=1))


if __name__ == "__main__":
    main()
