"""How fast the nearest points are found: beside the time of reading the data once, sklearn, faiss.

For each number of points (100 numbers each, float32) it prints one JSON object a line:

- `one`:     one query, 10 nearest. All ways take turns, so that a busy machine slows them alike;
             `ratio` is the median over the turns of this search to reading the data once
             (the faster of torch's and numba's sum over all of it, measured in the same turn);
- `many`:    200 queries at once: seconds of each way;
- `same`:    whether the lists are those of comparing everything in float64 (5 queries);
- `grown_mb` how far the process grew while it searched, beside the size of the data.

faiss is compared where it is installed; it is no dependency: run this with the Python of an
environment of its own that has it, and PYTHONPATH=. .

    python -m benchmarks.nearness [--points 10000,100000,1000000] [--turns 15] [--alone]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import numpy as np
import psutil
import torch
from numba import njit
from sklearn.neighbors import NearestNeighbors

from latent import find_neighbours
from latent.nearness.distances import METRICS, measure_table

WIDTH, K, MANY, CHECKED = 100, 10, 200, 5


@njit(nogil=True, fastmath={"reassoc", "contract", "nsz"})
def add_up(numbers):  # type: ignore[no-untyped-def]
    total = np.float32(0)
    for i in range(numbers.shape[0]):
        total += numbers[i]
    return total


def read_once(rows: np.ndarray) -> None:
    """All threads read all numbers, a part each at a time."""
    flat = rows.reshape(-1)
    parts = [flat[start : start + (1 << 22)] for start in range(0, len(flat), 1 << 22)]
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        list(threads.map(add_up, parts))


def other_ways(rows: np.ndarray, alone: bool) -> dict[str, Callable[[np.ndarray], Any]]:
    """Searches of others, each already built: query -> found; none where alone."""
    if alone:
        return {}
    plain = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(rows)
    norms = torch.from_numpy((rows**2).sum(1))
    tensor = torch.from_numpy(rows)

    def by_torch(query: np.ndarray) -> Any:
        found = torch.from_numpy(query) @ tensor.T
        return (norms - 2 * found).topk(K, dim=1, largest=False)

    ways: dict[str, Callable[[np.ndarray], Any]] = {"sklearn": plain.kneighbors, "torch": by_torch}
    if importlib.util.find_spec("faiss") is not None:
        import faiss

        index = faiss.IndexFlatL2(rows.shape[1])
        index.add(rows)
        ways["faiss"] = lambda query: index.search(query, K)
    return ways


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def time_one(rows: np.ndarray, query: np.ndarray, turns: int, alone: bool) -> dict[str, Any]:
    tensor = torch.from_numpy(rows)
    ways: dict[str, Callable[[], Any]] = {
        "sum_by_torch": tensor.sum,
        "sum_by_numba": lambda: read_once(rows),
        "find_neighbours": lambda: find_neighbours(rows, query, K),
        "find_neighbours_cosine": lambda: find_neighbours(rows, query, K, "cosine"),
    }
    for name, way in other_ways(rows, alone).items():
        ways[name] = lambda way=way: way(query)
    for way in ways.values():
        way()
    taken = [{name: seconds(way) for name, way in ways.items()} for _ in range(turns)]
    ratios = [t["find_neighbours"] / min(t["sum_by_torch"], t["sum_by_numba"]) for t in taken]
    least = {name: min(turn[name] for turn in taken) for name in ways}
    return {
        "median_ms": {n: round(1e3 * median(t[n] for t in taken), 2) for n in ways},
        "least_ms": {name: round(1e3 * value, 2) for name, value in least.items()},
        "ratio": round(median(ratios), 2),
        "ratio_of_least": round(
            least["find_neighbours"] / min(least["sum_by_torch"], least["sum_by_numba"]), 2
        ),
    }


def watch_memory(work: Callable[[], Any]) -> float:
    """How many MB the process grows by at most while it works."""
    process, over = psutil.Process(), threading.Event()
    before = process.memory_info().rss
    most = [before]

    def watch() -> None:
        while not over.wait(0.002):
            most.append(process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    over.set()
    watcher.join()
    return round((max(most) - before) / 1e6, 1)


def is_same(rows: np.ndarray, queries: np.ndarray, metric: str) -> bool:
    """Searched one by one and together, against float64."""
    plain = [
        np.argsort(measure_table(rows, q[None], metric)[:, 0], kind="stable")[:K] for q in queries
    ]
    together = find_neighbours(rows, queries, K, metric)[0]
    single = [find_neighbours(rows, q[None], K, metric)[0][0] for q in queries]
    return bool(np.array_equal(together, plain) and np.array_equal(single, plain))


def measure(points: int, turns: int, alone: bool) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((points, WIDTH), dtype=np.float32)
    queries = generator.standard_normal((MANY, WIDTH), dtype=np.float32)
    many = {"find_neighbours": seconds(lambda: find_neighbours(rows, queries, K))}
    for name, way in other_ways(rows, alone).items():
        many[name] = seconds(lambda way=way: way(queries))
    return {
        "points": points,
        "data_mb": round(rows.nbytes / 1e6, 1),
        "one": time_one(rows, queries[:1], turns, alone),
        "many_s": {name: round(value, 3) for name, value in many.items()},
        "same": {m: is_same(rows, queries[:CHECKED], m) for m in METRICS},
        "grown_mb": {
            "one": watch_memory(lambda: find_neighbours(rows, queries[:1], K)),
            "many": watch_memory(lambda: find_neighbours(rows, queries, K)),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", default="10000,100000,1000000")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--alone", action="store_true", help="leave the searches of others out")
    asked = parser.parse_args()
    print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()[0]}))
    for points in map(int, asked.points.split(",")):
        print(json.dumps(measure(points, asked.turns, asked.alone)), flush=True)


if __name__ == "__main__":
    main()
