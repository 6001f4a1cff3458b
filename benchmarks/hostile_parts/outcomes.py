"""What may become of hostile input, and doing pieces of work that may hang or crash."""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REFUSED, HARMLESS = "refused", "harmless"
BAD = ("traceback", "hang", "outside write", "silently wrong")
TRACEBACK, HANG, OUTSIDE_WRITE, SILENTLY_WRONG = BAD
OUTCOMES = (REFUSED, HARMLESS, *BAD)
AT_ONCE = 250  # So many pieces are done by one process, whose memory may grow.
LIMIT_S = 90  # What takes longer hangs.
KILL_S = 2 * LIMIT_S  # What no signal ends, since it never leaves compiled code, is killed.
MEMORY_BYTES = 12 << 30


class HangError(BaseException):
    """A piece of work took too long; no guard for errors catches this one."""


@dataclass(frozen=True)
class Yard:
    """A folder in which everything is played; only `inside` may change.

    Attributes:
        folder: it holds both.
    """

    folder: Path

    @property
    def inside(self) -> Path:
        """Where mutants, and what is made of them, lie."""
        return self.folder / "inside"

    @property
    def outside(self) -> Path:
        """Where nothing may change; the current folder while the work is done."""
        return self.folder / "outside"

    def look(self) -> list[tuple[str, int, int]]:
        """Name, size and time of change of everything that lies outside."""
        beside = [path for path in self.folder.iterdir() if path != self.inside]
        states = ((str(path), path.lstat()) for top in beside for path in (top, *top.rglob("*")))
        return sorted((name, state.st_size, state.st_mtime_ns) for name, state in states)


@contextmanager
def open_yard() -> Iterator[Yard]:
    """A new yard, which is gone at the end."""
    with tempfile.TemporaryDirectory() as folder:
        yard = Yard(Path(folder))
        for made in (yard.inside, yard.outside):
            made.mkdir()
        (yard.outside / "decoy.txt").write_text("dear")
        yield yard


def count_outcomes(
    seeds: Sequence[int], work: Callable[[int], str], yard: Yard | None = None
) -> Counter[str]:
    """Do pieces of work in processes of their own, which may crash.

    Args:
        seeds: one for each piece.
        work: does a piece and gives its outcome.
        yard: where it is done, if a change outside is to be noticed.
    """
    counts, at = Counter[str](), 0
    while at < len(seeds):
        outcomes = _do_some(seeds[at : at + AT_ONCE], work, yard)
        counts.update(outcomes)
        at += len(outcomes)
    return counts


def _do_some(seeds: Sequence[int], work: Callable[[int], str], yard: Yard | None) -> list[str]:
    """The outcomes of pieces that one process did, of which the last may have ended it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _work(writing, seeds, work, yard)
    os.close(writing)
    said = b""
    while select.select([reading], [], [], KILL_S)[0] and (more := os.read(reading, 4096)):
        said += more
    os.close(reading)
    outcomes = [OUTCOMES[number] for number in said]
    if len(outcomes) < len(seeds):
        is_stuck = not os.waitpid(child, os.WNOHANG)[0]
        print(f"seed {seeds[len(outcomes)]} {'hangs' if is_stuck else 'crashes'}", file=sys.stderr)
        outcomes.append(HANG if is_stuck else TRACEBACK)
        if not is_stuck:
            return outcomes
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return outcomes


def _work(
    writing: int, seeds: Sequence[int], work: Callable[[int], str], yard: Yard | None
) -> None:
    """Do pieces, one after another, and tell the number of each outcome by one byte."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGALRM, _raise_hang)
    if yard is not None:
        os.chdir(yard.outside)
    before = yard.look() if yard else []
    for seed in seeds:
        signal.alarm(LIMIT_S)
        outcome, said = _do(seed, work)
        signal.alarm(0)
        if yard is not None and (after := yard.look()) != before:
            outcome, before = OUTSIDE_WRITE, after
        if outcome in BAD:
            print(f"seed {seed}: {outcome} {said}", file=sys.stderr, flush=True)
        os.write(writing, bytes([OUTCOMES.index(outcome)]))
    os._exit(0)


def _do(seed: int, work: Callable[[int], str]) -> tuple[str, str]:
    try:
        return work(seed), ""
    except HangError:
        return HANG, traceback.format_exc()
    except Exception:
        return TRACEBACK, traceback.format_exc()


def _raise_hang(*_: object) -> None:
    raise HangError
