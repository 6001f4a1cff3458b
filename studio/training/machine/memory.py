"""Keeps memory that every training step frees and takes again, instead of returning it."""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h.
MAX_MMAP_THRESHOLD = 32 << 20
NEVER_TRIM = (1 << 31) - 1


def keep_freed_memory() -> None:
    """Let glibc keep what tensors free, rather than give it back and fault it in again.

    A training step on the CPU frees and takes the same hundred megabytes each time; without this,
    a tenth of its time goes to the kernel clearing pages.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # The C library musl has none.
    if mallopt is not None:
        mallopt(MMAP_THRESHOLD, MAX_MMAP_THRESHOLD)
        mallopt(TRIM_THRESHOLD, NEVER_TRIM)
