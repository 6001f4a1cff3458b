"""How far edges and corners of generated pictures are like those of real ones, without a network.

The sliced Wasserstein distance sees colours and noise. Streets that wobble, blocks without corners
and flat areas with streaks hardly change it, but the eye sees them first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from studio.workspace.errors import StudioError

WINDOW_PX = 16
COARSEST_PX = 16  # The coarsest level is one window.
MAX_WINDOWS = 4096  # Windows of all pictures at one level.
CHUNK_PIXELS = 1 << 21  # Pixels of the pictures that are looked at at once.
NEIGHBOURS = 3  # The k of precision and recall, as in the paper.
# Slopes of brightness, in 0..1 a pixel: below the first is flat, above the last is an edge.
FLAT, EDGE = 0.02, 0.25
SCHARR = ((-3.0, 0.0, 3.0), (-10.0, 0.0, 10.0), (-3.0, 0.0, 3.0))  # Divided by 32.
TINY = 1e-4
MIN_DEVIATION = 0.01  # What no real window has at all would count without limit.


@dataclass(frozen=True)
class EdgeComparison:
    """Edges of pictures beside those of real ones, averaged over the levels.

    Attributes:
        distance: the Frechet distance of the features of windows; 0 for the same pictures.
        precision: the share of generated windows that look like real ones, 0..1.
        recall: the share of real windows that generated ones look like, 0..1.
    """

    distance: float
    precision: float
    recall: float


def compare_edges(reals: np.ndarray, fakes: np.ndarray, seed: int = 0) -> EdgeComparison:
    """Compare edges and corners in windows of 16 x 16 pixels, at halves of the pictures' size.

    Halved, and halved again down to 16 px, pictures show streets and blocks. Their full size is
    left out: its single pixels are as far from real ones in pictures that the eye tells apart.
    Windows are described by ten numbers (see `describe_windows`), which are scaled by the mean and
    deviation of the real ones. Compared are their Gaussians (Heusel et al. 2017) and their
    manifolds (precision and recall by 3 nearest neighbours, Kynkaanniemi et al. 2019). Numbers of
    equal counts of pictures can be compared with each other, no others.

    Args:
        reals, fakes: uint8 [N, S, S, 3], as many of either, S at least 32.
        seed: seeds the choice of windows.

    Raises:
        StudioError: different shapes, fewer than two pictures, or too small ones.
    """
    check_shapes(reals, fakes)
    of_reals, of_fakes = (
        gather_windows(pictures, np.random.default_rng((seed, stream)))
        for stream, pictures in enumerate((reals, fakes))
    )
    found = [compare_features(real, fake) for real, fake in zip(of_reals, of_fakes, strict=True)]
    return EdgeComparison(*np.mean(found, axis=0).round(4).tolist())


def gather_windows(pictures: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Features of windows from random places, by level: float64 [windows, 10] each.

    Args:
        pictures: uint8 [N, S, S, 3].
    """
    each = max(2, MAX_WINDOWS // len(pictures))
    chunk = max(1, CHUNK_PIXELS // (pictures.shape[1] * pictures.shape[2]))
    levels: dict[int, list[Tensor]] = {}
    for start in range(0, len(pictures), chunk):
        pixels = torch.from_numpy(np.ascontiguousarray(pictures[start : start + chunk]))
        for level in halvings(pixels.permute(0, 3, 1, 2).float() / 255):
            windows = describe_windows(level)  # [N, windows, 10]
            drawn = torch.from_numpy(rng.random(windows.shape[:2])).argsort(1)[:, :each]
            chosen = windows.gather(1, drawn[..., None].expand(-1, -1, windows.shape[2]))
            levels.setdefault(level.shape[-1], []).append(chosen.flatten(0, 1))
    return [torch.cat(parts)[:MAX_WINDOWS].double().numpy() for parts in levels.values()]


def halvings(pictures: Tensor) -> Iterator[Tensor]:
    """Pictures [N, 3, S, S] at half their size, at a quarter, and so on down to 16 px."""
    while pictures.shape[-1] >= 2 * COARSEST_PX:
        pictures = F.avg_pool2d(pictures, 2)
        yield pictures


def describe_windows(pictures: Tensor) -> Tensor:
    """Ten numbers for each window: how much edge there is, which way it runs, how clean it is.

    They are the logarithm of the mean slope; how far edges run in one direction, in two at right
    angles, and in four (means of angles doubled, times four and times eight); corners (the smaller
    eigenvalue of the structure tensor, Shi and Tomasi 1994); the shares of flat, faint and steep
    pixels; the steepest pixel; and how evenly slopes are spread. None depends on a quarter turn.

    Args:
        pictures: float [N, 3, S, S] in 0..1.

    Returns:
        float [N, windows, 10].
    """
    xx, yy, xy = structure_tensor(pictures)
    spread = ((xx - yy).square() + 4 * xy.square()).sqrt()
    slope = ((xx + yy + spread) / 2).sqrt()
    doubled = torch.complex(xx - yy, 2 * xy) / (spread + TINY**2)  # The edge's angle, doubled.
    mean = pool(slope)
    turns = [
        torch.hypot(pool(slope * angle.real), pool(slope * angle.imag)) / (mean + TINY)
        for angle in (doubled, doubled.square(), doubled.square().square())
    ]
    faint = (slope >= FLAT) & (slope < EDGE / 2.5)
    numbers = [
        (mean + 0.01).log(),
        *turns,
        pool(corners(xx, yy, xy)) / (mean + 0.01),
        *(pool(pixels.float()) for pixels in (slope < FLAT, faint, slope > EDGE)),
        F.max_pool2d(slope, WINDOW_PX),
        mean.square() / (pool(slope.square()) + TINY),
    ]
    return torch.stack(numbers, dim=-1).flatten(1, 2)


def structure_tensor(pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Products of the slopes to the right and down, summed over colours: three of [N, S, S].

    Args:
        pictures: float [N, 3, S, S].
    """
    right = torch.tensor(SCHARR) / 32
    kernels = torch.stack([right, right.T])[:, None]
    padded = F.pad(pictures, (1, 1, 1, 1), mode="replicate")
    slopes = F.conv2d(padded.flatten(0, 1)[:, None], kernels)
    x, y = slopes.unflatten(0, pictures.shape[:2]).unbind(2)  # Each [N, 3, S, S].
    return x.square().sum(1), y.square().sum(1), (x * y).sum(1)


def corners(xx: Tensor, yy: Tensor, xy: Tensor) -> Tensor:
    """The root of the smaller eigenvalue of a structure tensor over 5 x 5 pixels: [N, S, S]."""
    xx, yy, xy = (F.avg_pool2d(part, 5, stride=1, padding=2) for part in (xx, yy, xy))
    smaller = (xx + yy - ((xx - yy).square() + 4 * xy.square()).sqrt()) / 2
    return smaller.clamp_min(0).sqrt()


def pool(pixels: Tensor) -> Tensor:
    """Means over windows: [N, S, S] -> [N, S / 16, S / 16]."""
    return F.avg_pool2d(pixels, WINDOW_PX)


def compare_features(real: np.ndarray, fake: np.ndarray) -> tuple[float, float, float]:
    """The Frechet distance, precision and recall of two sets of features, float64 [N, D] each."""
    mean, deviation = real.mean(0), real.std(0).clip(MIN_DEVIATION)
    real, fake = (real - mean) / deviation, (fake - mean) / deviation
    return frechet_distance(real, fake), share_within(fake, real), share_within(real, fake)


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The squared Wasserstein distance of the Gaussians of two sets, [N, D] each (Dowson 1982)."""
    covariance_a, covariance_b = np.cov(a.T), np.cov(b.T)
    # The product has the eigenvalues of a matrix without negative ones, but for rounding.
    roots = np.sqrt(np.linalg.eigvals(covariance_a @ covariance_b).real.clip(0))
    distance = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(covariance_a + covariance_b)
    return float(max(0.0, distance - 2 * roots.sum()))


def share_within(points: np.ndarray, manifold: np.ndarray) -> float:
    """The share of points that are no farther from a point of a manifold than its 3rd neighbour.

    Args:
        points: float [N, D].
        manifold: float [M, D].
    """
    k = min(NEIGHBOURS, len(manifold) - 1)
    others = torch.from_numpy(manifold)
    radii = torch.cdist(others, others).kthvalue(k + 1, dim=1).values  # The nearest is itself.
    within = (torch.cdist(torch.from_numpy(points), others) <= radii).any(1)
    return float(within.double().mean())


def check_shapes(reals: np.ndarray, fakes: np.ndarray) -> None:
    """Refuse sets whose edges cannot be compared.

    Args:
        reals, fakes: should be uint8 [N, S, S, 3].

    Raises:
        StudioError: different shapes, fewer than two pictures, or too small ones.
    """
    if reals.shape != fakes.shape:
        raise StudioError(
            f"Pictures {list(fakes.shape)} cannot be compared with real ones "
            f"{list(reals.shape)}: take as many, of the same size."
        )
    if len(reals) < 2 or reals.shape[1] < 2 * COARSEST_PX:
        raise StudioError(
            f"Edges can be compared in two pictures or more of {2 * COARSEST_PX} px or more, not "
            f"in {list(reals.shape)}. Take more, or larger ones."
        )
