"""Scores a checkpoint: how far its pictures are from those it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from checkpoints_index import CheckpointIndex, GeneratorSpec
from latent.points import sample_points
from renderers.frames.frame_renderer import FrameRenderer
from renderers.progress import OnProgress
from studio.datasets.listing import open_dataset
from studio.runs.config import TrainingConfig
from studio.runs.selection import last_batch
from studio.training.monitor.edges import compare_edges
from studio.training.scores.sliced_wasserstein import SlicedWasserstein, mean_distance
from studio.workspace.devices import borrow_device
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

USUAL_COUNT = 2048  # Pictures on either side, where nobody says how many.
MIN_COUNT, MAX_COUNT = 16, 50_000
CHUNK = 64
KID_SUBSET = 1000  # Pictures in a subset (Binkowski et al. 2018 take 100 such subsets).
SEED = 0  # Seeds the choice of real pictures and of latent points.


@dataclass
class PictureScore:
    """Distances of one checkpoint's pictures to as many real ones; lower is better.

    Attributes:
        values: by metric: swd (times 1000, the mean of its levels), edges, fid, kid; and
            edges_precision and edges_recall, 0..1, of which higher is better.
        swd_levels: swd by the size in px of the level.
        unavailable: metrics that could not be had, each with the reason in a sentence.
    """

    run: str
    batch: int
    count: int
    values: dict[str, float] = field(default_factory=dict)
    swd_levels: dict[int, float] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)


def score_checkpoint(
    workspace: Workspace,
    run: str,
    batch: int | None,
    metrics: Sequence[str],
    count: int | None,
    on_progress: OnProgress,
    device: str | None = None,
) -> PictureScore:
    """Compare pictures of a checkpoint with pictures of its dataset.

    The same latent points and real pictures are taken for every checkpoint, so that scores of one
    count can be compared. Where a metric lacks something on this machine, the score says what, and
    the other metrics are measured all the same.

    Args:
        batch: the checkpoint; None for the last one.
        metrics: names of METRICS.
        count: pictures on either side; the dataset has to have as many. None for USUAL_COUNT, or
            as many as the dataset has.
        on_progress: called with the pictures so far.
        device: see `borrow_device`.

    Raises:
        StudioError: unknown run, batch or metric, no dataset, or a count out of range.
    """
    check_metrics(metrics)
    checkpoints = CheckpointIndex(workspace.runs)[run]
    checkpoints.spec.require_drawn(run)
    batch = last_batch(checkpoints.batches, run) if batch is None else batch
    reals = choose_reals(workspace, run, checkpoints.spec.image_size, count)
    score = PictureScore(run, batch, len(reals))
    with borrow_device(workspace, device, f"scores of {run}") as chosen:
        G = checkpoints.generator(batch, chosen)
        fakes = draw_fakes(G, checkpoints.spec, len(reals), on_progress)
        for metric in metrics:
            try:
                METRICS[metric](score, reals, fakes, chosen)
            except UnavailableError as reason:
                score.unavailable[metric] = str(reason)
    return score


class UnavailableError(StudioError):
    """A metric cannot be measured on this machine."""


def measure_swd(score: PictureScore, reals: np.ndarray, fakes: np.ndarray, device: str) -> None:
    """Put the sliced Wasserstein distance into a score, from uint8 pictures [N, S, S, 3]."""
    levels = SlicedWasserstein(reals)(fakes)
    score.swd_levels = {level: round(distance, 3) for level, distance in levels.items()}
    score.values["swd"] = round(mean_distance(levels), 3)


def measure_edges(score: PictureScore, reals: np.ndarray, fakes: np.ndarray, device: str) -> None:
    """Put how far edges and corners are from real ones into a score, see `compare_edges`.

    Args:
        reals, fakes: uint8 [N, S, S, 3].
    """
    found = compare_edges(reals, fakes)
    score.values["edges"] = found.distance
    score.values["edges_precision"] = found.precision
    score.values["edges_recall"] = found.recall


def measure_fid(score: PictureScore, reals: np.ndarray, fakes: np.ndarray, device: str) -> None:
    """Put the Frechet inception distance (Heusel et al. 2017) of sets [N, S, S, 3] into a score."""

    def build(image: ModuleType) -> Any:
        return image.fid.FrechetInceptionDistance(feature=2048)

    fid = build_metric("fid", build, device)
    score.values["fid"] = round(float(compare(fid, reals, fakes)), 3)


def measure_kid(score: PictureScore, reals: np.ndarray, fakes: np.ndarray, device: str) -> None:
    """Put the kernel inception distance of two sets of pictures into a score.

    It has no bias (Binkowski et al. 2018).

    Args:
        reals, fakes: uint8 [N, S, S, 3].
    """
    subset = min(KID_SUBSET, len(reals))

    def build(image: ModuleType) -> Any:
        return image.kid.KernelInceptionDistance(subset_size=subset)

    kid = build_metric("kid", build, device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)  # The subsets are drawn from the global generator.
        mean, _ = compare(kid, reals, fakes)
    score.values["kid"] = round(float(mean), 5)


METRICS: dict[str, Callable[[PictureScore, np.ndarray, np.ndarray, str], None]] = {
    "swd": measure_swd,
    "edges": measure_edges,
    "fid": measure_fid,
    "kid": measure_kid,
}


def build_metric(name: str, build: Callable[[ModuleType], Any], device: str) -> Any:
    """A metric of torchmetrics with its Inception network.

    Args:
        name: the metric's name in messages.
        build: from the module `torchmetrics.image` to the metric.
        device: where it is to be.

    Raises:
        UnavailableError: packages are missing or do not work, or the weights cannot be loaded.
    """
    try:
        import torchmetrics.image.fid
        import torchmetrics.image.kid
    except (
        ImportError,
        RuntimeError,
    ) as error:  # A torchvision for another torch raises the latter.
        raise UnavailableError(
            f"{name} needs packages that are missing or do not fit ({error}): "
            "pip install 'latent-city-studio[scores]'"
        ) from error
    try:
        return build(torchmetrics.image).to(device)
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"{name} needs torch-fidelity: pip install 'latent-city-studio[scores]'"
        ) from error
    except (OSError, RuntimeError) as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise UnavailableError(
            f"{name} needs the weights of the Inception network, which could not be downloaded to "
            f"{folder} ({error}). Connect this machine once, or copy that folder from one that "
            "has them."
        ) from error


def compare(metric: Any, reals: np.ndarray, fakes: np.ndarray) -> Any:
    """The value of a metric of torchmetrics for uint8 pictures [N, S, S, 3]."""
    for pictures, real in ((reals, True), (fakes, False)):
        for start in range(0, len(pictures), CHUNK):
            chunk = torch.from_numpy(pictures[start : start + CHUNK]).permute(0, 3, 1, 2)
            metric.update(chunk.to(metric.device), real=real)
    return metric.compute()


def check_metrics(metrics: Sequence[str]) -> None:
    """Refuse an unknown metric.

    Raises:
        StudioError: the text lists the known ones.
    """
    for metric in metrics:
        if metric not in METRICS:
            raise StudioError(f"There is no metric '{metric}'. Known: {', '.join(METRICS)}.")


def choose_reals(workspace: Workspace, run: str, image_size: int, count: int | None) -> np.ndarray:
    """Pictures of a run's dataset, of which the middle is cut out where they are larger.

    Returns:
        uint8 [count, image_size, image_size, 3].

    Raises:
        StudioError: the run was not trained here, its dataset is gone, or has too few pictures.
    """
    if not workspace.run_config(run).exists():
        raise StudioError(
            f"Run '{run}' was not trained in this workspace, so there is no dataset to compare "
            "with. Score a run that studio train made."
        )
    name = TrainingConfig.read(workspace.run_config(run)).dataset
    pixels = open_dataset(workspace, name).pixels
    limit = min(MAX_COUNT, len(pixels))
    if limit < MIN_COUNT:
        raise StudioError(
            f"Dataset '{name}' has {limit:,} pictures, and a score needs {MIN_COUNT} or more. Add "
            f"pictures: studio datasets add FOLDER --name {name} --replace"
        )
    count = min(USUAL_COUNT, limit) if count is None else count
    if not MIN_COUNT <= count <= limit:
        raise StudioError(
            f"Cannot compare {count:,} pictures with dataset '{name}': use a --count from "
            f"{MIN_COUNT} to {limit:,}."
        )
    chosen = np.random.default_rng(SEED).choice(len(pixels), count, replace=False)
    margin = (pixels.shape[1] - image_size) // 2
    cut = slice(margin, margin + image_size)
    return np.ascontiguousarray(pixels[np.sort(chosen)][:, cut, cut])


def draw_fakes(
    G: nn.Module, spec: GeneratorSpec, count: int, on_progress: OnProgress
) -> np.ndarray:
    """A generator's pictures of the same latent points each time: uint8 [N, S, S, 3]."""
    renderer, drawn = FrameRenderer(), []
    points = sample_points(0, range(count), spec.z_dim, SEED, spec.shape_z)
    z = torch.stack([point.z for point in points])
    for chunk in torch.split(z, CHUNK):
        drawn.append(renderer.render(G, chunk))
        on_progress(min(len(drawn) * CHUNK, count), count)
    return np.concatenate(drawn)
