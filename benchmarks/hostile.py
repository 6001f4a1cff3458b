"""What the studio does with hostile input, counted part by part.

Prints a table; the last four columns (traceback, hang, outside write, silently wrong) have to be 0.

    python -m benchmarks.hostile [--only PART] [--count 10000] [--seed 0] [--processes 2]

A part is a module of `hostile_parts` with a function `attack(count, seed)`, and a line in PARTS.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from benchmarks.hostile_parts.outcomes import BAD, OUTCOMES

# How many attacks each part makes where --count says nothing.
PARTS = {
    "requests": 300,
    "programs": 300,
    "gallery": 300,
    "routes": 1000,
    "imports": 4000,
    "passports": 3000,
    "pictures": 3000,
    "points": 2000,
    "maps": 500,
    "runs": 1000,
    "videos": 100,
    "flips": 10_000,
}
STEP = 1_000_000  # Seeds of the processes lie so far apart.


def main() -> None:
    """Run the parts and print their counts; exit status 1 where anything bad was counted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be repeated")
    parser.add_argument("--count", type=int, help="so many attacks of each part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    os.environ["KERAS_BACKEND"] = "torch"
    print("part".ljust(12), *(outcome.rjust(14) for outcome in OUTCOMES), "seconds".rjust(9))
    total = Counter[str]()
    for part in given.only or PARTS:
        began = time.monotonic()
        counts = _attack_at_once(part, given.count or PARTS[part], given.seed, given.processes)
        _print_row(part, counts, f"{time.monotonic() - began:9.0f}")
        total += counts
    _print_row("all", total)
    sys.exit(1 if any(total[outcome] for outcome in BAD) else 0)


def _attack_at_once(part: str, count: int, seed: int, processes: int) -> Counter[str]:
    """The counts of a part whose attacks are shared out to processes."""
    if processes == 1:
        return attack(part, count, seed)
    shares = [count // processes + (i < count % processes) for i in range(processes)]
    with ProcessPoolExecutor(processes) as pool:
        seeds = [seed + STEP * i for i in range(processes)]
        return sum(pool.map(attack, [part] * processes, shares, seeds), Counter[str]())


def attack(part: str, count: int, seed: int) -> Counter[str]:
    """The outcomes of so many attacks of a part.

    Args:
        part: one of PARTS.
        count: how many.
        seed: that of the first; others follow.
    """
    module = importlib.import_module(f"benchmarks.hostile_parts.{part}")
    counts: Counter[str] = module.attack(count, seed)
    return counts


def _print_row(part: str, counts: Counter[str], *more: str) -> None:
    print(part.ljust(12), *(f"{counts[outcome]:14,}" for outcome in OUTCOMES), *more, flush=True)


if __name__ == "__main__":
    main()
