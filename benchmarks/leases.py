"""Processes that ask for the cards of a workspace at once, some killed while they hold one.

Each does several pieces of work, of all kinds that take leases: training, films, and films on
`auto`, which take every card that is free. While it works, it writes its number into a file of the
card, again and again, and looks whether anybody else has written there. At the end every card must
be free. Prints one JSON document.

    python -m benchmarks.leases [--processes 20] [--cards 4] [--turns 2000] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmarks.store import report
from studio.workspace.devices import take_leases

HOLD_S, LOOK_S = 0.05, 0.005
# How leases are asked for: the number of cards, the kind of work, and whether it is exclusive.
# Work takes turns on a card with work of its own kind, and with all that is exclusive.
TRAINING, PAIR = (1, "", False), (2, "", False)
EXCLUSIVE = (1, "films", True)


def work(folder: Path, cards: list[str], seed: int) -> None:
    """Take cards and give them back until the end, which is the file `end`."""
    choose, own = random.Random(seed), str(os.getpid())
    while not (folder / "end").exists():
        count, kind, exclusive = choose.choice((TRAINING, TRAINING, PAIR, EXCLUSIVE))
        held = take_leases(folder / "leases", cards, count, f"work of {own}", kind, exclusive)
        until = time.monotonic() + choose.uniform(0, 2 * HOLD_S)
        for card in held:
            (folder / card).write_text(own)
        while held and time.monotonic() < until:
            time.sleep(LOOK_S)
            for card in held:
                if (folder / card).read_text() != own:
                    note(folder, f"two on {card}: {own}")
                    return
        for card, lease in held.items():
            note(folder, f"took {card}")
            lease.release()
        time.sleep(choose.uniform(0, LOOK_S))


def note(folder: Path, line: str) -> None:
    """Write a line; lines of several processes do not mix."""
    with (folder / "log").open("a") as log:
        log.write(line + "\n")


def count_turns(processes: int, cards: int, turns: int, seed: int) -> dict[str, Any]:
    """Let processes work until so many turns were taken, and kill one now and then."""
    choose, names = random.Random(seed), [f"cuda:{number}" for number in range(cards)]
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["studio.workspace.devices"])
    killed, began = Counter[str](), time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "log").touch()

        def begin() -> BaseProcess:
            process = context.Process(target=work, args=(folder, names, choose.random()))
            process.start()
            return process

        working = [begin() for _ in range(processes)]
        while len(lines := read_lines(folder)) < turns and not any("two" in line for line in lines):
            time.sleep(HOLD_S)
            if choose.random() < 0.2:
                number = choose.randrange(processes)
                os.kill(working[number].pid, signal.SIGKILL)
                working[number].join()
                holders = [path.read_text() for path in folder.glob("cuda:*")]
                killed["holding" if str(working[number].pid) in holders else "waiting"] += 1
                working[number] = begin()
        (folder / "end").touch()
        for process in working:
            process.join()
        lines = read_lines(folder)
        free = take_leases(folder / "leases", names, cards, "the end", "films", exclusive=True)
        report(f"{len(lines)} turns, {time.monotonic() - began:.0f} s")
        return {
            "processes": processes,
            "turns": len(lines),
            "cards": len({line for line in lines if line.startswith("took")}),
            "killed": killed.total(),
            "killed_while_holding": killed["holding"],
            "two_on_one_card": sum("two" in line for line in lines),
            "lost": cards - len(free),
        }


def read_lines(folder: Path) -> list[str]:
    return (folder / "log").read_text().splitlines()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--processes", type=int, default=20)
    parser.add_argument("--cards", type=int, default=4)
    parser.add_argument("--turns", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    print(json.dumps(count_turns(wanted.processes, wanted.cards, wanted.turns, wanted.seed)))


if __name__ == "__main__":
    main()
