"""What may become of hostile input, and running pieces of work that may hang or crash."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable

REFUSED, HARMLESS = "refused", "harmless"
BAD = ("traceback", "hang", "outside write", "silently wrong")
TRACEBACK, HANG, OUTSIDE_WRITE, SILENTLY_WRONG = BAD
OUTCOMES = (REFUSED, HARMLESS, *BAD)
LIMIT_S = 60
MEMORY_BYTES = 12 << 30


class HangError(BaseException):
    """A piece of work took too long; no guard for errors catches this one."""


def count_outcomes(seeds: Iterable[int], work: Callable[[int], str]) -> Counter[str]:
    """Do pieces of work in a process of their own, which may crash.

    Args:
        seeds: one for each piece.
        work: does a piece and gives its outcome.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _work(writing, list(seeds), work)
    os.close(writing)
    with os.fdopen(reading) as lines:
        counts = Counter(json.loads(line) for line in lines)
    _, status = os.waitpid(child, 0)
    if status:
        counts[TRACEBACK] += 1
        print(f"a process ended with status {status}", file=sys.stderr)
    return counts


def _work(writing: int, seeds: list[int], work: Callable[[int], str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGALRM, _raise_hang)
    for seed in seeds:
        signal.alarm(LIMIT_S)
        try:
            outcome = work(seed)
        except HangError:
            outcome = HANG
            print(f"seed {seed} hangs", file=sys.stderr)
        except Exception:
            outcome = TRACEBACK
            print(f"seed {seed}: {traceback.format_exc()}", file=sys.stderr)
        signal.alarm(0)
        os.write(writing, f"{json.dumps(outcome)}\n".encode())
    os._exit(0)


def _raise_hang(*_: object) -> None:
    raise HangError
