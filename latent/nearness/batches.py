"""Many queries at a time: candidates for the nearest rows by products of matrices."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

QUERIES, ROWS = 1024, 4096  # So many are compared at a time, less of long rows.
BLOCK_NUMBERS = 1 << 22
GROUP = 32  # The smallest distance of so many rows is looked at first.
CROWD = 512  # A query with more candidates than this, and than 8 k, is left to another way.
CENTRE_ROWS = 4096  # The middle of the rows is estimated from so many.


def find_candidates(
    rows: np.ndarray, queries: np.ndarray, k: int, metric: str
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Find the rows that can be among the k nearest to each query, in flat memory.

    Squared distances are |x|^2 + |q|^2 - 2 x.q in the precision of the rows, about the middle of
    the rows, where cancellation is least; what the rounding of each step can change is allowed for
    (Higham 2002, chapter 3).

    Args:
        rows: float32 or float64 [N, num_features].
        queries: float [Q, num_features].
        k: 1..N.
        metric: one of `latent.nearness.distances.METRICS`.

    Yields:
        (a slice of the queries, int64 [C] numbers of queries within it, int64 [C] rows). A query
        without candidates has too many, or numbers that are too large to be compared so.
    """
    cosine = metric == "cosine"
    sample = rows[:: -(-len(rows) // CENTRE_ROWS)]
    with np.errstate(over="ignore", invalid="ignore"):
        centre = _directed(sample, cosine)[0].mean(0, dtype=np.float64).astype(rows.dtype)
    step = max(1, min(QUERIES, BLOCK_NUMBERS // rows.shape[1]))
    for start in range(0, len(queries), step):
        part = slice(start, min(start + step, len(queries)))
        with np.errstate(over="ignore", invalid="ignore"):  # What overflows is found and left out.
            compared = _compare(rows, queries[part], centre, k, cosine)
        yield part, *compared


def _directed(values: np.ndarray, cosine: bool) -> tuple[np.ndarray, np.ndarray]:
    """(values, or their directions where cosine; which of them cannot be compared so)."""
    if not cosine:
        return values, np.zeros(len(values), bool)
    lengths = np.sqrt(np.square(values, dtype=np.float64).sum(1))
    odd = ~((lengths > 1e-100) & np.isfinite(lengths))
    return (values / np.where(odd, 1.0, lengths)[:, None]).astype(values.dtype), odd


def _compare(
    rows: np.ndarray, queries: np.ndarray, centre: np.ndarray, k: int, cosine: bool
) -> tuple[np.ndarray, np.ndarray]:
    """See `find_candidates`, for one slice of the queries."""
    numbers, width = np.finfo(rows.dtype), rows.shape[1]
    accuracy, tiny = float(numbers.eps), 4 * width * float(numbers.tiny)
    longest = float(numbers.max) ** 0.5 / 8  # The squares of longer rows might overflow.
    asked, hard = _directed(queries.astype(np.float64), cosine)
    moved = (asked - centre).astype(rows.dtype)
    q = torch.from_numpy(moved)
    lengths = np.sqrt(np.square(moved, dtype=np.float64).sum(1))
    hard = hard | ~(lengths < longest)
    limits = np.where(hard, -np.inf, np.inf)
    counts = np.zeros(len(queries), np.int64)
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    step = max(GROUP, min(ROWS, BLOCK_NUMBERS // width))
    for start in range(0, len(rows), step):
        part, odd = _directed(rows[start : start + step], cosine)
        block = part - centre
        norms = np.square(block, dtype=np.float64).sum(1)
        widest = float(np.sqrt(norms.max()))
        if odd.any() or not widest < longest:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        squares = _squares(q, block, norms, lengths)
        error = (width + 24) * accuracy * (widest + lengths) ** 2 + tiny
        # Rounding to directions and about the middle moves both ends of a distance a little.
        shift = 2 * (4 * accuracy * (widest + lengths + cosine) + 1e-150)
        kth = _bound_smallest(squares, min(k, len(block))) if len(block) >= k else np.inf
        limits = np.minimum(limits, (np.sqrt(np.maximum(kth + error, 0)) + shift) ** 2 + error)
        near = squares <= torch.from_numpy(limits.astype(rows.dtype))[:, None]
        crowd = max(CROWD, 8 * k)
        if int(near.count_nonzero()) > 16 * crowd:
            counts += _count(near)
            limits[counts > crowd] = -np.inf
            near[torch.from_numpy(np.isneginf(limits))] = False
        asked_of, row_of = (places.numpy() for places in near.nonzero(as_tuple=True))
        found.append((asked_of, row_of + start, squares.numpy()[asked_of, row_of]))
    askers, places, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
    kept = values <= limits[askers]
    return askers[kept], places[kept]


def _squares(q: Tensor, block: np.ndarray, norms: np.ndarray, lengths: np.ndarray) -> Tensor:
    """Squared distances, [Q, B]."""
    beside = torch.from_numpy(norms.astype(block.dtype))
    found = torch.addmm(beside, q, torch.from_numpy(block).T, alpha=-2)
    return found.add_(torch.from_numpy((lengths**2).astype(block.dtype))[:, None])


def _count(near: Tensor) -> np.ndarray:
    """How many are true in each row, int64 [Q]; summing bytes as they are is slow."""
    return near.view(torch.uint8).float().sum(1).long().numpy()


def _bound_smallest(squares: Tensor, k: int) -> np.ndarray:
    """For each query a number that at least k of its squares do not exceed, float64 [Q]."""
    groups = squares.shape[1] // GROUP
    if groups >= 2 * k:
        squares = squares[:, : groups * GROUP].unflatten(1, (groups, GROUP)).amin(2)
    return squares.kthvalue(k, dim=1).values.double().numpy()
