"""What the studio does with hostile input, counted part by part.

Prints a table; the last four columns (traceback, hang, outside write, silently wrong) have to be 0.

    python benchmarks/hostile.py [--imports 10000] [--seed 0]

A part is a module of `hostile_parts` with a function `attack(count, seed)`, and a line in PARTS.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable

from hostile_parts import imports
from hostile_parts.outcomes import BAD, OUTCOMES

PARTS: dict[str, Callable[[int, int], Counter[str]]] = {"imports": imports.attack}


def main() -> None:
    """Run the parts and print their counts; exit status 1 where anything bad was counted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in PARTS:
        parser.add_argument(f"--{name}", type=int, default=1000, help=f"so many {name}")
    parser.add_argument("--seed", type=int, default=0)
    given = vars(parser.parse_args())
    print("part".ljust(12), *(outcome.rjust(15) for outcome in OUTCOMES))
    worst = 0
    for name, attack in PARTS.items():
        counts = attack(given[name], given["seed"])
        print(name.ljust(12), *(f"{counts[outcome]:15,}" for outcome in OUTCOMES))
        worst = max(worst, *(counts[outcome] for outcome in BAD))
    sys.exit(1 if worst else 0)


if __name__ == "__main__":
    main()
