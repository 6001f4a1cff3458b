"""Commands at once, each in a process of its own, one of which may be killed."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.main import main as run_studio

MAX_SECONDS = 150
KILLED = -9
# What commands import when they work; a process that is forked from one that has it starts at once.
PRELOADED = [
    *("benchmarks.pair_parts.processes", "studio.training.loop.session", "studio.upkeep.archives"),
    *("studio.training.setup.creation", "studio.films.timelapse", "studio.nearness.searches"),
    *("studio.upkeep.imports", "studio.datasets.folder", "studio.upkeep.run_verification"),
]


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: its exit status; None where it hung and was ended, KILLED where it was to be killed.
        said: what it wrote on standard error.
    """

    words: str
    status: int | None
    said: str

    @property
    def is_done(self) -> bool:
        """Whether it did what it was asked for."""
        return self.status == 0

    @property
    def was_killed(self) -> bool:
        """Whether it was ended while it worked."""
        return self.status == KILLED

    @property
    def had_to_wait(self) -> bool:
        """Whether it was refused because somebody else was at work."""
        return any(words in self.said for words in ("is in use", "being written", "is working on"))

    def faults(self) -> Iterator[str]:
        """What is wrong with how it ended: whoever is refused is told in one line."""
        if self.status is None:
            yield f"{self.words} hangs"
        elif "Traceback" in self.said or self.status not in (0, 1, 2, KILLED):
            yield f"{self.words} ended in {self.status}: {self.said[-900:]}"
        elif self.status > 0 and len(self.said.strip().splitlines()) != 1:
            yield f"{self.words} has no single sentence: {self.said!r}"


def prepare_processes() -> None:
    """Let processes begin with everything imported."""
    os.environ["OMP_NUM_THREADS"] = "1"
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)


def run_at_once(
    root: Path, commands: Sequence[str], kill_after: float | None = None
) -> list[Ended]:
    """Carry out commands at once on a workspace, each in a process of its own.

    Args:
        root: the workspace; what they say is kept beside it.
        kill_after: seconds after which the first one is killed, if it has not ended by then.
    """
    context = multiprocessing.get_context("forkserver")
    logs = [root.with_name(f"{number}.log") for number in range(len(commands))]
    processes = [
        context.Process(target=_work, args=(root, words, log))
        for words, log in zip(commands, logs, strict=True)
    ]
    for process in processes:
        process.start()
    if kill_after is not None:
        processes[0].join(kill_after)
        processes[0].kill()
    deadline = time.monotonic() + MAX_SECONDS
    ended = []
    for process, words, log in zip(processes, commands, logs, strict=True):
        process.join(max(0.0, deadline - time.monotonic()))
        status = process.exitcode
        if status is None:
            process.kill()
            process.join()
        ended.append(Ended(words, status, log.read_text(errors="replace") if log.exists() else ""))
    return ended


def _work(root: Path, words: str, log: Path) -> None:
    """Be the process of a command; it ends with the exit status."""
    with log.open("wb") as file:
        os.dup2(file.fileno(), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.argv = ["studio", "--workspace", str(root), *words.split()]
    run_studio()
