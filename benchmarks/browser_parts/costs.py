"""What a server and a browser take: processor time, requests, memory; and how times are told."""

from __future__ import annotations

import os
import time
from typing import Any

import psutil
from playwright.sync_api import CDPSession, Page


def summarise(times: list[float]) -> dict[str, float]:
    """The median, the 95th of 100 and the longest, in whole milliseconds."""
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    middle = ordered[len(ordered) // 2]
    return {"median": round(middle), "p95": round(p95), "longest": round(ordered[-1])}


def measure_idle(page: Page, seconds: float) -> dict[str, Any]:
    """What the server and the browser take of a core while nobody does anything."""
    asked: list[str] = []
    note = lambda request: asked.append(request.url)  # noqa: E731
    page.on("request", note)
    ours = _processes()
    before, began = {n: cpu_s(found) for n, found in ours.items()}, time.perf_counter()
    page.wait_for_timeout(1000 * seconds)
    passed = time.perf_counter() - began
    page.remove_listener("request", note)
    percent = {
        f"idle_{name}_percent": round(100 * (cpu_s(found) - before[name]) / passed, 1)
        for name, found in ours.items()
    }
    return {**percent, "idle_requests_in_10_s": round(10 * len(asked) / passed, 1)}


def server_processes() -> list[psutil.Process]:
    """The processes of the app that this one serves."""
    return _processes()["server"]


def _processes() -> dict[str, list[psutil.Process]]:
    found: dict[str, list[psutil.Process]] = {"server": [], "browser": []}
    for process in psutil.Process().children(recursive=True):
        try:
            if "chrom" in process.name():
                found["browser"].append(process)
            elif "studio" in process.cmdline():
                found["server"].append(process)
        except psutil.NoSuchProcess:  # It has ended just now.
            continue
    return found


def cpu_s(processes: list[psutil.Process]) -> float:
    """Seconds of a core that processes have used; those that have ended count for nothing."""
    total = 0.0
    for process in processes:
        try:
            used = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += used.user + used.system
    return total


def heap_mb(session: CDPSession) -> float:
    """The heap of a page that is in use once the rest was collected."""
    session.send("HeapProfiler.collectGarbage")
    return round(session.send("Runtime.getHeapUsage")["usedSize"] / 2**20, 1)


def load() -> float:
    """How many processes wanted a core in the last minute, this benchmark's among them."""
    return round(os.getloadavg()[0], 1)
