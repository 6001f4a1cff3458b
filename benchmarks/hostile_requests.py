"""Hostile requests: forged values for every action and for every event of the app's pages.

Each case ends as one of OUTCOMES. What counts as an outside write is any change to the folder in
which everything is played, apart from the workspace and the folder for temporary files.

    python benchmarks/hostile_requests.py [--requests 300]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from checkpoints_index import CheckpointIndex
from studio.actions.catalogue import known_actions
from studio.workspace.record import Declared

OUTCOMES = ("refused", "harmless", "traceback", "hang", "outside write", "silently wrong")
MAX_WORD = 100_000  # Linux takes words of up to 131,072 bytes, none of which is 0.
MAX_SECONDS = 90  # What takes longer counts as a hang.
RUN, BATCHES = "city", 3
SERVING = ("app", "demo")  # They serve until they are stopped.

TEXTS = (
    *("../../outside/evil", "/outside-of-all", "a/b", "..", "~", "", " ", "\t", "-", "--help"),
    *("--dry-run", "x\0y", "\udcff", "x" * 300_000, "[/red]", "[bold]x", "x [old]", "\x1b]0;x\x07"),
    *("\x1b[31mred", "a\nb", "\u202egpj.exe", "NaN", "Infinity", "-1", "0", "1e400", "9" * 400),
    *("seed:-1", "seed:1e9", "seed:" + "9" * 60, "seed:x", "$(touch owned)", "`touch owned`"),
    *("; touch owned", "<script>alert(1)</script>", "{run}", "%s%n", "%d.png", "CON", "x."),
    *("http://127.0.0.1:1/", "file:///etc/passwd", "/dev/zero", "/dev/stdin", "/proc/self/mem"),
    *("1:0", "0:0", "5:1:-1", "1,,2", ",", "::", "1:999999999999999999999", "cuda:99", "os:system"),
)
VALUES: tuple[Any, ...] = (
    *TEXTS,
    *(None, True, -1, 0, 10**30, 1e308, -0.5, [], {}, [[[[]]]], {"a": {"b": []}}, [None], ["../x"]),
    *({"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, list(range(1000)), "[" * 9999),
)


@dataclass(frozen=True)
class Playground:
    """A folder with a small workspace, beside which nothing may change.

    Attributes:
        folder: everything lies in it.
    """

    folder: Path

    @property
    def workspace(self) -> Path:
        """The workspace that is attacked."""
        return self.folder / "home" / "workspace"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of processes that are attacked: home and temporary files lie in here."""
        own = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "temporary")}
        return {**os.environ, **own, "PYTHONPATH": str(Path(__file__).parents[1])}

    def outside(self) -> dict[str, tuple[int, int]]:
        """Size and time of change of everything that lies outside of the workspace."""
        kept = (self.workspace, self.folder / "temporary", self.folder / "home" / ".cache")
        return {
            str(path): (path.lstat().st_size, path.lstat().st_mtime_ns)
            for path in self.folder.rglob("*")
            if path.is_file() and not any(path.is_relative_to(folder) for folder in kept)
        } | {
            str(path): (0, 0)
            for path in self.folder.rglob("*")
            if path.is_dir() and not any(path.is_relative_to(folder) for folder in kept)
        }

    def studio(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the studio in the folder `home`.

        Raises:
            subprocess.TimeoutExpired: it took longer than MAX_SECONDS.
        """
        return subprocess.run(
            [sys.executable, "-m", "studio", "--workspace", str(self.workspace), *words],
            cwd=self.folder / "home",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=MAX_SECONDS,
            check=False,
        )


@contextmanager
def playground(batches: int = BATCHES) -> Iterator[Playground]:
    """A workspace with one small run of so many batches, a dataset, specimens and a film."""
    with tempfile.TemporaryDirectory() as folder:
        made = Playground(Path(folder))
        for name in ("outside", "home", "temporary"):
            (made.folder / name).mkdir()
        (made.folder / "outside" / "decoy.txt").write_text("dear")
        _make_pictures(made.folder / "home" / "photos")
        for words in (
            ["datasets", "add", "photos", "--name", "photos", "--image-size", "32"],
            ["train", "photos", "--run", RUN, "--batches", str(batches), "--batch-size", "4"],
            ["specimens", "sample", RUN, "--batch", str(batches), "--count", "4"],
            ["render", "timelapse", RUN, "--points", "seed:1"],
        ):
            done = made.studio(*words)
            if done.returncode:
                raise SystemExit(f"The playground cannot be made: {done.stderr}")
        yield made


def _make_pictures(folder: Path) -> None:
    folder.mkdir()
    numbers = np.random.default_rng(0)
    for number in range(12):
        pixels = numbers.integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def attack_actions(made: Playground, count: int, seed: int = 0) -> Counter[str]:
    """Give commands forged values, one each: the words that a person or a script may write.

    Args:
        count: how many commands.
    """
    choose, outcomes = random.Random(seed), Counter[str]()
    actions = [action for name, action in known_actions().items() if name not in SERVING]
    for _ in range(count):
        action = choose.choice(actions)
        words = _forge_words(action.command, action.fields(), choose)
        outcome = judge(made, lambda words=words: _run_command(made, words))
        _tell(outcome, words)
        outcomes[outcome] += 1
    return outcomes


def _forge_words(command: str, fields: list[Declared], choose: random.Random) -> list[str]:
    """The words of a command of which one value is forged, and the others are right."""
    # Where the owner sends a result to at the shell is the owner's choice, so `out` stays right.
    forged = choose.choice([field for field in fields if field.name != "out"] or [None])
    words = command.split()
    if command in ("train", "resume"):
        words += ["--for", "5s"]
    for field in fields:
        text = choose.choice(TEXTS) if field is forged else _right(field)
        text = text.replace("\0", "")[:MAX_WORD]
        if field.argument:
            words.append(text)
        elif field is forged and field.kind != "flag" and not field.switches:
            words.append(f"{field.flag}={text}")
        elif field.required:
            words += [field.flag, text]
    return words


def _right(field: Declared) -> str:
    """A value that will do for a field that has to be given."""
    known = {"run": RUN, "dataset": "photos", "folder": "photos", "points": "seed:1", "k": "3"}
    others = {"keys": f"1@seed:1 -> {BATCHES}@seed:2", "batch": str(BATCHES), "job": "1"}
    return {**known, **others}.get(field.name, field.choices[0] if field.choices else "seed:1")


def _run_command(made: Playground, words: list[str]) -> str:
    done = made.studio(*words)
    if "Traceback (most recent call last)" in done.stderr or done.returncode not in (0, 1, 2):
        return "traceback"
    return "harmless" if done.returncode == 0 else "refused"


def judge(made: Playground, attack: Any) -> str:
    """The outcome of an attack: as it says itself, unless it hung or wrote outside."""
    before = made.outside()
    try:
        outcome = str(attack())
    except (subprocess.TimeoutExpired, TimeoutError):
        outcome = "hang"
    return outcome if made.outside() == before else "outside write"


def _tell(outcome: str, what: Any) -> None:
    if outcome not in ("refused", "harmless"):
        print(f"{outcome}: {what!r:.400}", file=sys.stderr, flush=True)


def attack_events(made: Playground, count: int, seed: int = 0) -> Counter[str]:
    """Send the app forged events: a wrong type, a wrong number of values, or a forged text."""
    choose, outcomes = random.Random(seed), Counter[str]()
    with serving(made) as address:
        with urllib.request.urlopen(f"{address}/config") as answer:
            config = json.load(answer)
        values = {part["id"]: part["props"].get("value") for part in config["components"]}
        events = [event for event in config["dependencies"] if event["backend_fn"]]
        for number in range(count):
            event = choose.choice(events)
            data = _forge_values([values.get(part) for part in event["inputs"]], choose)
            outcome = judge(made, lambda d=data, e=event, n=number: _send(address, e["id"], d, n))
            _tell(outcome, (event["id"], event.get("api_name"), data))
            outcomes[outcome] += 1
    return outcomes


def _forge_values(values: list[Any], choose: random.Random) -> list[Any]:
    forged = choose.choice(VALUES)
    if not values or choose.random() < 0.1:
        return [*values, forged]
    values = list(values)
    values[choose.randrange(len(values))] = forged
    return values


@contextmanager
def serving(made: Playground) -> Iterator[str]:
    """The address of an app that serves the workspace meanwhile."""
    process = subprocess.Popen(
        [sys.executable, "-m", "studio", "--workspace", str(made.workspace), "app"],
        cwd=made.folder / "home",
        env=made.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = ""
    while (found := re.search(r"http://\S+", said)) is None:
        line = process.stderr.readline()
        if not line:
            raise SystemExit(f"The app does not start: {said}")
        said += line
    lines: list[str] = []
    drain = threading.Thread(target=lambda: lines.extend(process.stderr or ()), daemon=True)
    drain.start()
    try:
        yield found[0]
    finally:
        process.terminate()
        process.wait(30)
        drain.join(5)


def _send(address: str, event: int, data: list[Any], number: int) -> str:
    """Send one event and await its answer."""
    session = f"attack{number}"
    sent = {"fn_index": event, "data": data, "session_hash": session, "event_data": None}
    body = json.dumps(sent).encode("utf-8", "surrogatepass")
    request = urllib.request.Request(
        f"{address}/gradio_api/queue/join", body, {"Content-Type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=MAX_SECONDS).close()
    except urllib.error.HTTPError as error:
        return "refused" if error.code < 500 else "traceback"
    stream = f"{address}/gradio_api/queue/data?session_hash={session}"
    with urllib.request.urlopen(stream, timeout=MAX_SECONDS) as answers:
        for line in answers:
            answer = json.loads(line[6:]) if line.startswith(b"data: ") else {}
            if answer.get("msg") == "process_generating":
                return "harmless"
            if answer.get("msg") in ("process_completed", "unexpected_error"):
                return _judge_answer(answer)
    return "refused"


def _judge_answer(answer: Mapping[str, Any]) -> str:
    if answer.get("success"):
        return "harmless"
    sentence = (answer.get("output") or {}).get("error") or answer.get("message")
    return "refused" if sentence and " " in str(sentence).strip() else "traceback"


def require_sound(made: Playground) -> Counter[str]:
    """Look whether the workspace still answers, and whether its run is what it was."""
    outcomes = Counter[str]()
    for words in (["runs"], ["jobs"], ["datasets"], ["verify", RUN, "--deep"], ["reindex"]):
        outcome = _run_command(made, words)
        if outcome == "refused":
            outcome = "silently wrong"
        _tell(outcome, words)
        outcomes[outcome] += 1
    run = CheckpointIndex(made.workspace / "runs")[RUN]
    pictures = run.generator(BATCHES)(torch.zeros(1, run.spec.z_dim))
    outcomes["harmless" if bool(pictures.isfinite().all()) else "silently wrong"] += 1
    return outcomes


def main() -> None:
    """Attack, and print the counts as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with playground() as made:
        counts = {
            "events": attack_events(made, given.requests, given.seed),
            "actions": attack_actions(made, given.requests, given.seed),
            "afterwards": require_sound(made),
        }
    print(json.dumps({part: {o: n[o] for o in OUTCOMES} for part, n in counts.items()}, indent=2))


if __name__ == "__main__":
    main()
