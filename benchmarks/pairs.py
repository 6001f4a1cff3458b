"""Two processes at once on one run: nothing is lost, and whoever is refused is told why.

    python benchmarks/pairs.py WORKSPACE RUN [--pairs 200] [--seed 0]

WORKSPACE holds a small trained run; each pair works on a copy of it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

COMMANDS = (
    "resume {run}",
    "render timelapse {run} --grid",
    "thin {run} --every 2",
    "pin {run} 1",
    "delete run {run} --yes",
    "rename run {run} moved",
    "specimens sample {run} --batch 1 --count 2",
    "verify {run}",
)


def studio(root: Path, command: str) -> subprocess.Popen[str]:
    """Begin a command in a process of its own."""
    words = [sys.executable, "-m", "studio", "--workspace", str(root), *command.split()]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def try_pair(template: Path, commands: list[str]) -> str:
    """Run two commands at once on a copy of a workspace, and say in a word how it went."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "workspace"
        shutil.copytree(template, root)
        at_work = [studio(root, command) for command in commands]
        said = [process.communicate()[1] for process in at_work]
        if any("Traceback" in text for text in said):
            return "traceback"
        failed = [process.returncode != 0 for process in at_work]
        checks = [studio(root, f"verify {path.name}") for path in (root / "runs").iterdir()]
        for check in checks:
            check.communicate()
        if any(check.returncode for check in checks):
            return "damaged"
        return ("both done", "one refused", "both refused")[sum(failed)]


def main() -> None:
    """Try the pairs, and count how they went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("run")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance, counts = random.Random(given.seed), Counter[str]()
    for _ in range(given.pairs):
        pair = [chance.choice(COMMANDS).format(run=given.run) for _ in range(2)]
        counts[outcome := try_pair(given.workspace, pair)] += 1
        print(f"{outcome}: {' | '.join(pair)}", flush=True)
    print(dict(counts))


if __name__ == "__main__":
    main()
