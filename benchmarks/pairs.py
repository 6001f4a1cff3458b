"""Two processes at once on one workspace: nothing is lost, and whoever is refused is told why.

    python -m benchmarks.pairs [--pairs 200] [--seed 0] [--killed 0.3]

Each pair works on a copy of a small workspace. Afterwards all that two commands leave has to be as
if one had come after the other: checkpoints bit for bit, points, marks, films, pictures, datasets,
names and events. In a part of the pairs one of the two is killed at a random moment; then it is
given again, as a person would.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.pair_parts.checker import Checker
from benchmarks.pair_parts.commands import Command, make_commands
from benchmarks.pair_parts.processes import Ended, prepare_processes, run_at_once
from benchmarks.pair_parts.template import Template, make_template

KILLED_WITHIN_S = 2.0


@dataclass
class Outcome:
    """How a pair went.

    Attributes:
        ended: how each command ended, in their order.
        faults: what is lost or wrong.
    """

    ended: list[Ended]
    faults: list[str] = field(default_factory=list)

    @property
    def word(self) -> str:
        """The outcome in a word or two."""
        refused = sum(end.status not in (0, -9) for end in self.ended)
        killed = ", one killed" if any(end.was_killed for end in self.ended) else ""
        return ("both done", "one refused", "both refused", "all refused")[refused] + killed


def try_pair(
    made: Template, checker: Checker, pair: Sequence[Command], kill_after: float | None = None
) -> Outcome:
    """Run two commands at once on a copy of a workspace, and look at what they leave.

    Args:
        kill_after: seconds after which the first one is killed; it is given again afterwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        copied = Template(Path(folder) / "copy")
        shutil.copytree(made.folder, copied.folder)
        root = copied.workspace.root
        words = [command.words.replace("{folder}", str(copied.folder)) for command in pair]
        outcome = Outcome(run_at_once(root, words, kill_after))
        carried = list(pair)
        if outcome.ended[0].was_killed:
            carried.append(pair[0])
            outcome.ended.append(_give_again(root, pair[0], words[0]))
        outcome.faults += [fault for end in outcome.ended for fault in end.faults()]
        try:
            outcome.faults += checker.find_faults(root, carried, outcome.ended)
        except Exception:  # What cannot even be looked at is as wrong as what is lost.
            outcome.faults.append(traceback.format_exc())
        return outcome


def _give_again(root: Path, command: Command, words: str) -> Ended:
    """Give a command again that was killed, or what goes on with it."""
    (end,) = run_at_once(root, [words])
    if not end.is_done and command.again:
        (gone_on,) = run_at_once(root, [command.again])
        return gone_on if gone_on.is_done else end
    return end


def main() -> None:
    """Try the pairs, and count how they went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--killed", type=float, default=0.3, help="part of pairs, 0..1")
    given = parser.parse_args()
    prepare_processes()
    chance, counts, began = random.Random(given.seed), Counter[str](), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        made = make_template(Path(folder) / "template")
        checker, commands = Checker(made), make_commands(made)
        for _ in range(given.pairs):
            pair = chance.choices(commands, k=2)
            moment = chance.uniform(0, KILLED_WITHIN_S)
            is_killed = chance.random() < given.killed
            outcome = try_pair(made, checker, pair, moment if is_killed else None)
            counts["faulty" if outcome.faults else outcome.word] += 1
            named = " | ".join(command.words for command in pair)
            print(f"{outcome.word}: {named}", *outcome.faults, sep="\n  ", flush=True)
    print(dict(counts), f"{time.monotonic() - began:.0f} s")
    sys.exit(bool(counts["faulty"]))


if __name__ == "__main__":
    main()
