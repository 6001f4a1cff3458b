"""Find the nearest latent points, exactly.

A first pass in the precision of the data gives every distance with a bound of its error. The k-th
smallest of them, or a bound of it, says which rows can be among the nearest; those few are measured
again in float64. So the result is what comparing everything in float64 gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latent.errors import LatentError
from latent.nearness.batches import find_candidates
from latent.nearness.distances import measure_pairs, require_metric
from latent.nearness.scans import scan_squares

FEW_QUERIES = 4  # Up to so many are searched one by one; more together, by products of matrices.
GROUP = 256  # The smallest distance of so many rows is looked at first.


def find_neighbours(
    features: np.ndarray, query: np.ndarray, k: int, metric: str = "euclidean"
) -> tuple[np.ndarray, np.ndarray]:
    """Find the k rows nearest to each query: those that comparing all in float64 gives.

    Of rows at the same distance the first come first. A million rows take hardly longer than
    reading them once; many queries are searched together, in memory that does not grow with them.

    Args:
        features: float [N, num_features].
        query: float [Q, num_features].
        k: how many; fewer come back where there are fewer rows.
        metric: one of `latent.nearness.distances.METRICS`.

    Returns:
        (indices int64 [Q, k], distances float64 [Q, k]), nearest first; distances are those of
        `latent.nearness.distances.measure_pairs`.

    Raises:
        LatentError: k below one, no such metric, no rows, rows of another length than the query's,
            or numbers that are not finite.
    """
    if k < 1:
        raise LatentError(f"Asked for {k} neighbours; ask for one or more.")
    require_metric(metric)
    rows, exact_queries = _as_rows(features), _as_rows(query)
    _require_same_width(rows, exact_queries)
    search = _Search(rows, min(k, len(rows)), metric)
    if len(exact_queries) <= FEW_QUERIES:
        return search.one_by_one(exact_queries)
    return search.together(exact_queries)


@dataclass(frozen=True)
class _Search:
    """Rows that are searched for the k nearest."""

    rows: np.ndarray
    k: int
    metric: str

    def one_by_one(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `find_neighbours`."""
        indices = np.empty((len(queries), self.k), np.int64)
        distances = np.empty((len(queries), self.k))
        for i, query in enumerate(queries):
            with np.errstate(over="ignore", invalid="ignore"):  # What overflows is noticed.
                candidates = self._candidates(query)
            exact = self._measure(candidates, query[None], np.zeros(len(candidates), np.int64))
            nearest = np.lexsort((candidates, exact))[: self.k]
            indices[i], distances[i] = candidates[nearest], exact[nearest]
        return indices, distances

    def together(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `find_neighbours`; queries with too many candidates are searched one by one."""
        indices = np.empty((len(queries), self.k), np.int64)
        distances = np.empty((len(queries), self.k))
        for part, asked, found in find_candidates(self.rows, queries, self.k, self.metric):
            inside = queries[part]
            exact = self._measure(found, inside, asked)
            order = np.lexsort((found, exact, asked))
            asked, found, exact = asked[order], found[order], exact[order]
            starts = np.searchsorted(asked, np.arange(len(inside)))
            ends = np.searchsorted(asked, np.arange(len(inside)), "right")
            easy = ends - starts >= self.k
            places = starts[easy, None] + np.arange(self.k)
            indices[part][easy], distances[part][easy] = found[places], exact[places]
            if not easy.all():
                hard = self._among_different(inside[~easy])
                indices[part][~easy], distances[part][~easy] = hard
        return indices, distances

    def _among_different(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Search where many rows may lie in one place, such as those of a collapsed generator.

        Each place is searched once, in the order of its first row. The k nearest places hold the k
        nearest rows.
        """
        rows = self.rows
        whole = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0]
        _, first, place = np.unique(whole, return_index=True, return_inverse=True)
        if len(first) > len(rows) / 2:
            return self.one_by_one(queries)
        order = np.argsort(first)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        members = np.argsort(rank[place], kind="stable")
        ends = np.cumsum(np.bincount(rank[place]))
        nearest = _Search(rows[first[order]], min(self.k, len(first)), self.metric)
        indices, distances = [], []
        for places, far in zip(*nearest.together(queries), strict=True):
            groups = [members[ends[p - 1] if p else 0 : ends[p]][: self.k] for p in places]
            found = np.concatenate(groups)
            apart = np.repeat(far, [len(group) for group in groups])
            chosen = np.lexsort((found, apart))[: self.k]
            indices.append(found[chosen])
            distances.append(apart[chosen])
        return np.array(indices), np.array(distances)

    def _measure(self, found: np.ndarray, queries: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """Distances of pairs, without gathering the rows of all of them at a time."""
        step = max(1, (1 << 22) // self.rows.shape[1])
        parts = [slice(start, start + step) for start in range(0, len(found), step)]
        measured = [
            measure_pairs(self.rows[found[part]], queries[asked[part]], self.metric)
            for part in parts
        ]
        return np.concatenate([np.empty(0), *measured])

    def _candidates(self, query: np.ndarray) -> np.ndarray:
        """Rows that can be among the k nearest to a query; all where the first pass cannot tell."""
        cosine = self.metric == "cosine"
        length = np.sqrt((query.astype(np.float64) ** 2).sum())
        exact = query.astype(np.float64) / (length or 1.0) if cosine else query.astype(np.float64)
        rounded = exact.astype(self.rows.dtype)
        squares = scan_squares(self.rows, rounded, cosine=cosine)
        if not np.isfinite(squares).all() or (cosine and not length):
            self._require_finite(query)
            return np.arange(len(self.rows))
        # The error of a sum of squares is relative to it; that of a cosine is not. Both are
        # doubled, since what they are compared with, in float64, is rounded as well.
        numbers, width = np.finfo(self.rows.dtype), self.rows.shape[1]
        accuracy, tiny = float(numbers.eps), 4 * width * float(numbers.tiny)
        relative = 0.0 if cosine else 2 * (width + 8) * accuracy
        absolute = (6 * width + 40) * accuracy if cosine else tiny
        if relative > 0.1 or absolute > 0.1:
            return np.arange(len(self.rows))
        shift = 2 * float(np.sqrt(((exact - rounded) ** 2).sum())) + 1e-150
        bound = np.sqrt(_bound_smallest(squares, self.k) * (1 + relative) + absolute)
        limit = ((bound + shift) ** 2 + absolute) / (1 - relative)
        return np.flatnonzero(squares <= np.nextafter(squares.dtype.type(limit), np.inf))

    def _require_finite(self, query: np.ndarray) -> None:
        if not (np.isfinite(self.rows).all() and np.isfinite(query).all()):
            raise LatentError(
                "Nothing is near numbers that are not finite: there are some among the features. "
                "Leave those rows out."
            )


def _bound_smallest(values: np.ndarray, k: int) -> float:
    """A number that at least k of the values do not exceed, and hardly more than k.

    The k-th smallest of the smallest of each group is one, for k groups have such a value.
    """
    groups = len(values) // GROUP
    if groups >= 4 * k:
        values = values[: groups * GROUP].reshape(groups, GROUP).min(1)
    return float(np.partition(values, k - 1)[k - 1])


def _as_rows(values: np.ndarray) -> np.ndarray:
    """The values row by row in memory, as float32 or float64.

    Raises:
        LatentError: they are no table of numbers.
    """
    table = np.asarray(values)
    if table.ndim != 2 or table.dtype.kind not in "fiub" or not table.shape[1]:
        raise LatentError(
            f"Features are a table of numbers [N, num_features]; this is {table.dtype} "
            f"{list(table.shape)}."
        )
    if table.dtype == np.float16:
        return np.ascontiguousarray(table, np.float32)
    return np.ascontiguousarray(table, None if table.dtype == np.float32 else np.float64)


def _require_same_width(rows: np.ndarray, queries: np.ndarray) -> None:
    if not len(rows):
        raise LatentError("There are no features to search.")
    if rows.shape[1] != queries.shape[1]:
        raise LatentError(
            f"The features have {rows.shape[1]} numbers each and the query {queries.shape[1]}: "
            "describe both in the same space."
        )
