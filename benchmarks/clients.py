"""How much clients that look at a studio slow a training on the same machine.

Trains a small network on the CPU while the studio is served, in turns: for some seconds nobody
looks, then so many clients do. A client is a light one, which draws nothing itself: it does over
HTTP what an open page does, at the page's pace. It loads the page once, keeps the stream of answers
open, asks for news every 2.5 s, and refreshes what its tab shows whenever there is news, as a page
does whose run is training. Prints one JSON document:

- `batches_per_s`: without and with clients, turn by turn;
- `ratio`: of the sums with clients and without; 0.98 is 2 % slower;
- `batch_cpu_ms`: processor time of the training for a batch, in both; waiting for a core is not in;
- `server_percent`: of a core, in both.

On a machine that others use as well, the ratio of a turn is as uncertain as their work: `spread` is
the standard deviation of the turns without clients, over their mean.

    python -m benchmarks.clients [--clients 20] [--turns 6] [--seconds 20] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
import urllib.request
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import psutil

import studio
from benchmarks.browser_parts.costs import cpu_s, load, server_processes
from benchmarks.browser_parts.made_up import prepare_noise
from benchmarks.browser_parts.serving import serve
from studio.actions.studio import Job
from studio.workspace.paths import Workspace

RUN = "busy"
EVERY_S = 2.5  # As often as a page asks for news.
ANSWER_S = 60
SETTINGS: dict[str, Any] = {
    "preset": "none",
    "batch_size": 8,
    "settings": {"generator_options": {"width": 0.25}, "discriminator_width": 0.25},
}


class Client:
    """An open page without a browser: it asks what a page asks, when a page asks it."""

    def __init__(self, address: str, number: int) -> None:
        self._address, self._session = address, f"client{number:05}"
        self._stamp, self.refreshed = "", 0
        self._closing = threading.Event()
        config = json.load(self._open("/config"))
        parts = config["components"]
        self._values = {part["id"]: part["props"].get("value") for part in parts}
        self._news = next(p["id"] for p in parts if p["props"].get("server_fns") == ["stamp"])
        self._events = [
            event
            for event in config["dependencies"]
            if event["backend_fn"]
            and any(t in ("anything", "news Train") for _, t in event["targets"])
        ]
        # What keeps the stream of answers open, as in a page.
        self._hold = next(
            event["id"]
            for event in config["dependencies"]
            if str(event["api_name"]).startswith("hold")
        )
        self._run = next(p["id"] for p in parts if p["props"].get("elem_id") == "run")
        self._loops = [threading.Thread(target=f, daemon=True) for f in (self._ask, self._hear)]
        for loop in self._loops:
            loop.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        self._loops[0].join(ANSWER_S)

    def _ask(self) -> None:
        self._open("/").read()
        asked = {"fn_index": self._hold, "data": [], "session_hash": self._session}
        self._open("/gradio_api/queue/join", asked).read()
        while not self._closing.wait(EVERY_S):
            question = {"data": f"?run={RUN}&tab=Train", "component_id": self._news}
            question |= {"fn_name": "stamp", "session_hash": self._session}
            stamp = self._open("/gradio_api/component_server/", question).read().decode()
            if self._stamp and stamp != self._stamp:
                self._refresh()
            self._stamp = stamp

    def _refresh(self) -> None:
        """Ask for all that the open tab shows."""
        for event in self._events:
            data = [RUN if p == self._run else self._values.get(p) for p in event["inputs"]]
            asked = {"fn_index": event["id"], "data": data, "session_hash": self._session}
            self._open("/gradio_api/queue/join", asked).read()
            self.refreshed += 1

    def _hear(self) -> None:
        """Read the answers, again and again, as they come."""
        while not self._closing.is_set():
            try:
                stream = f"/gradio_api/queue/data?session_hash={self._session}"
                for _ in self._open(stream):
                    if self._closing.is_set():
                        return
            except OSError:
                self._closing.wait(1.0)
            self._closing.wait(0.2)

    def _open(self, path: str, body: Any = None) -> HTTPResponse:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._address + path, data, {"Content-Type": "application/json"}
        )
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=ANSWER_S)
        return answer


def take_turn(job: Job, seconds: float) -> dict[str, float]:
    """How far the training comes within some seconds, and what it and the server take for it."""
    training, servers = psutil.Process(job.row.pid), server_processes()
    wait_for_news(job)
    began, batch = time.perf_counter(), job.row.done
    before, served = cpu_s([training]), cpu_s(servers)
    time.sleep(seconds)
    wait_for_news(job)
    passed, batches = time.perf_counter() - began, job.row.done - batch
    return {
        "batches_per_s": round(batches / passed, 2),
        "batch_cpu_ms": round(1000 * (cpu_s([training]) - before) / max(batches, 1), 2),
        "server_percent": round(100 * (cpu_s(servers) - served) / passed, 1),
    }


def wait_for_news(job: Job) -> None:
    """Return just after the training has reported how far it is, which it does now and then."""
    done = job.row.done
    while job.row.done == done:
        time.sleep(0.02)


def measure(workspace: Workspace, clients: int, turns: int, seconds: float) -> dict[str, Any]:
    """Take turns without clients and with them."""
    job = studio.open(workspace.root).train(
        dataset="noise", run=RUN, batches=10**6, **SETTINGS, detach=True
    )
    found: dict[str, list[dict[str, float]]] = {"alone": [], "watched": []}
    refreshed = 0
    with serve(workspace) as url:
        while job.row.done < 20:
            time.sleep(0.5)
        for _ in range(turns):
            found["alone"].append(take_turn(job, seconds))
            looking = [Client(url, number) for number in range(clients)]
            time.sleep(2 * EVERY_S)  # The pages are loaded.
            found["watched"].append(take_turn(job, seconds))
            refreshed += sum(client.refreshed for client in looking)
            for client in looking:
                client.close()
            time.sleep(2.0)
    job.cancel()
    job.wait(120)
    return {"refreshed": refreshed, **summarise_turns(found)}


def summarise_turns(found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """The numbers of all turns, and the ratios of their sums."""

    def mean(kind: str, name: str) -> float:
        return statistics.fmean(turn[name] for turn in found[kind])

    rates = [turn["batches_per_s"] for turn in found["alone"]]
    spread = statistics.pstdev(rates) / statistics.fmean(rates)
    told = {
        name: {kind: [turn[name] for turn in found[kind]] for kind in found}
        for name in ("batches_per_s", "batch_cpu_ms", "server_percent")
    }

    def ratio(name: str) -> float:
        return mean("watched", name) / mean("alone", name)

    return {
        "ratio": round(ratio("batches_per_s"), 3),
        "cpu_ratio": round(ratio("batch_cpu_ms"), 3),
        "spread": round(spread, 3),
        **told,
    }


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--threads", type=int, default=1, help="of the training")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(Path(folder) / "w")
        prepare_noise(workspace)
        measured = measure(workspace, asked.clients, asked.turns, asked.seconds)
    print(json.dumps({"clients": asked.clients, "load": load(), **measured}))


if __name__ == "__main__":
    main()
