"""Hostile requests: forged values for every action and for every event of the app's pages.

Each command has a copy of the workspace of its own, which is verified after it. The events go to
one app by HTTP, and its workspace is verified after all of them. Nothing may change beside it.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import studio
from benchmarks.hostile_parts.outcomes import (
    HANG,
    HARMLESS,
    OUTSIDE_WRITE,
    REFUSED,
    SILENTLY_WRONG,
    TRACEBACK,
    Yard,
    count_outcomes,
    open_yard,
)
from studio.actions.catalogue import known_actions
from studio.actions.declared.checkpoint_actions import Verify
from studio.actions.job_actions import JobsCancel
from studio.main import main
from studio.workspace.jobs import list_jobs
from studio.workspace.paths import Workspace
from studio.workspace.progress import SilentReporter
from studio.workspace.records.declarations import Declared

MAX_WORD = 100_000  # Linux takes words of up to 131,072 bytes, none of which is 0.
MAX_SECONDS = 90  # An event that takes longer hangs.
RUN, BATCHES = "city", 3
TINY: dict[str, Any] = {
    "preset": "none",
    "batch_size": 4,
    "settings": {
        "generator_options": {"width": 0.125},
        **{"discriminator_width": 0.125, "z_dim": 16, "fixed_points": 3},
    },
}
GIVEN = ("run", "dataset", "generator")  # Words that may be left out, and are not.
# Options without which a command would take long, however right all of its values are.
SHORT = {
    "train": ["--for", "1s", "--preset", "none", "--batch-size", "4"],
    "archive": ["--batches", "1"],
    "render interpolation": ["--seconds", "1"],
    "render path": ["--seconds", "1"],
    "resume": ["--for", "1s"],
    "datasets add-cities": ["--count", "4"],
    "atlas": ["--count", "20"],
    "invert": ["--gallery", "100"],
    "render between": ["--gallery", "100", "--seconds", "1"],
    "render direction": ["--seconds", "1"],
}

LONG = "9" * 5000
TEXTS = (
    *("../../outside/evil", "/outside-of-all", "a/b", "..", "~", "", " ", "\t", "-", "--help"),
    *("--dry-run", "x\0y", "\udcff", "x" * 300_000, "[/red]", "[bold]x", "x [old]", "\x1b]0;x\x07"),
    *("\x1b[31mred", "a\nb", "\u202egpj.exe", "NaN", "Infinity", "-1", "0", "1e400", "9" * 400),
    *("seed:-1", "seed:1e9", "seed:" + "9" * 60, "seed:x", "$(touch owned)", "`touch owned`"),
    *("; touch owned", "<script>alert(1)</script>", "{run}", "%s%n", "%d.png", "CON", "x."),
    # Python reads no number of more than 4,300 digits, and C none of more than 19.
    *(LONG, f"-{LONG}", f"0.{LONG}", f"{LONG}e9", f"seed:{LONG}", f"1:{LONG}", f"{LONG}x{LONG}"),
    *(f"{LONG}x{LONG}+{LONG}+{LONG}", f"city@{LONG}", f"cuda:{LONG}", f"{LONG}.0", f"x={LONG}"),
    *("http://127.0.0.1:1/", "file:///etc/passwd", "/dev/zero", "/dev/stdin", "/proc/self/mem"),
    *("1:0", "0:0", "5:1:-1", "1,,2", ",", "::", "1:999999999999999999999", "cuda:99", "os:system"),
)
VALUES: tuple[Any, ...] = (
    *TEXTS,
    *(10**400, float("inf"), [10**400], {"x": 10**400}),
    *(
        None,
        True,
        -1,
        0,
        10**30,
        1e308,
        -0.5,
        [],
        {},
        [[[[]]]],
        {"a": {"b": []}},
        [None],
        ["../x"],
    ),
    *({"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, list(range(1000)), "[" * 9999),
)


@dataclass(frozen=True)
class Playground:
    """A yard with a small workspace and pictures in it.

    Attributes:
        yard: beside its part `inside` nothing may change.
    """

    yard: Yard

    @property
    def workspace(self) -> Workspace:
        """The workspace that is attacked."""
        return Workspace(self.yard.inside / "workspace")

    @property
    def pictures(self) -> Path:
        """A folder of pictures."""
        return self.yard.inside / "photos"

    @property
    def points(self) -> Path:
        """A file with a latent point."""
        return self.yard.inside / "mine.json"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of an app that is attacked: home and temporary files lie inside."""
        own = {"HOME": str(self.yard.inside), "TMPDIR": str(self.yard.inside / "temporary")}
        return {**os.environ, **own, "PYTHONPATH": str(Path(__file__).parents[2])}


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of so many forged events and commands, and of a look at the workspace after."""
    torch.set_num_threads(1)  # The commands are run by forked processes.
    with open_yard() as yard:
        made = make_playground(yard)
        work = lambda at: run_forged(made, at)  # noqa: E731
        commands = range(seed, seed + count - count // 2)
        outcomes = count_outcomes(commands, work, yard)
        return outcomes + attack_events(made, count // 2, seed)


def make_playground(yard: Yard) -> Playground:
    """A workspace with one small run, a dataset, specimens and a film."""
    made = Playground(yard)
    (yard.inside / "temporary").mkdir()
    made.points.write_text(json.dumps([[0.5] * 16]))
    made.pictures.mkdir()
    numbers = np.random.default_rng(0)
    for number in range(12):
        pixels = numbers.integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(made.pictures / f"{number}.png")
    with redirect_stderr(io.StringIO()):
        here = studio.open(made.workspace.root)
        here.datasets_add(folder=made.pictures, name="photos", image_size=32)
        here.train(dataset="photos", run=RUN, batches=BATCHES, **TINY)
        here.specimens_sample(run=RUN, batch=BATCHES, count=4)
        here.render_timelapse(run=RUN, points=["seed:1"])
        here.archive(run=RUN, batches=["2"])
        here.export_checkpoint(run=RUN, batch=BATCHES)
    return made


def run_forged(made: Playground, seed: int) -> str:
    """The outcome of a command of which one value is forged, in a workspace of its own."""
    choose = random.Random(seed)
    action = choose.choice(list(known_actions().values()))
    copy = Workspace(made.yard.inside / "copy")
    shutil.copytree(made.workspace.root, copy.root)
    try:
        words = forge_words(made, action.command, action.fields(), choose)
        outcome = run_command(copy, words)
        if damage := find_damage(copy):
            outcome = SILENTLY_WRONG
            print(f"{damage:.300}", file=sys.stderr)
        _tell(outcome, words)
        return outcome
    finally:
        shutil.rmtree(copy.root)


def forge_words(
    made: Playground, command: str, fields: list[Declared], choose: random.Random
) -> list[str]:
    """The words of a command of which one value is forged, and the others are right."""
    # Where the owner sends a result to at the shell is the owner's choice, so `out` stays right.
    forged = choose.choice([field for field in fields if field.name != "out"] or [None])
    words = [*command.split(), *SHORT.get(command, [])]
    for field in fields:
        text = choose.choice(TEXTS) if field is forged else right_value(made, command, field)
        text = text.replace("\0", "")[:MAX_WORD]
        if field.argument:
            words += [text] if field is forged or field.name in GIVEN or field.required else []
        elif field is forged and field.kind == "flag":
            words.append(field.flag)
        elif field is forged and not field.argument and not field.switches:
            words.append(f"{field.flag}={text}")
        elif field.required:
            words += [field.flag, text]
    return words


def right_value(made: Playground, command: str, field: Declared) -> str:
    """A value that will do for a field that has to be given."""
    photos, batch, label = made.pictures, str(BATCHES), f"{BATCHES}.0"
    exports = made.workspace.specimens(RUN)
    picture, (archive,) = str(photos / "0.png"), exports.glob("*.zip")
    (film,) = made.workspace.renders.glob("*/*.mp4")
    known = {
        **{"dataset": "photos", "folder": str(photos), "points": "seed:1", "k": "3"},
        **{"run": RUN, "runs": RUN, "keys": f"1@seed:1 -> {batch}@seed:2", "batch": batch},
        **{"job": "1", "batches": batch, "settings": "learning_rate=1e-5", "new": "other"},
        **{"labels": label, "label": label, "picture": picture, "pictures": picture},
        **{"file": str(film), "files": picture, "name": "photos"},
    }
    of_command = {
        **{"train run": "fresh", "import run": "fresh", "import folder": str(exports)},
        **{"restore file": str(archive), "specimens import files": str(made.points)},
        **{"delete film name": film.parent.name, "rename film name": film.parent.name},
        **{"datasets add name": "fresh", "datasets add-cities name": "fresh"},
    }
    value = of_command.get(f"{command} {field.name}") or known.get(field.name)
    return value or (field.choices[0] if field.choices else "seed:1")


def run_command(workspace: Workspace, words: list[str]) -> str:
    """The outcome of a command; what it raises is a traceback.

    Its output is that of a terminal, which cannot write every text.
    """
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    said = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")
    before, sys.argv = sys.argv, ["studio", "--workspace", str(workspace.root), *words]
    status: object = 0
    with Path(os.devnull).open() as nothing, redirect_stdout(out), redirect_stderr(said):
        stdin, sys.stdin = sys.stdin, nothing
        try:
            main()
        except SystemExit as ended:
            status = ended.code or 0
        finally:
            sys.argv, sys.stdin = before, stdin
            said.flush()
    told = said.buffer.getvalue().decode()  # type: ignore[attr-defined]
    if "Traceback (most recent call last)" in told or status not in (0, 1, 2, 3, 130):
        print(told, file=sys.stderr)
        return TRACEBACK
    if status and not told.strip():
        return TRACEBACK  # It was refused without a sentence.
    return REFUSED if status else HARMLESS


def find_damage(workspace: Workspace) -> str:
    """What a look at a whole workspace finds; empty where all is well."""
    found = Verify(every_run=True).perform(workspace, SilentReporter(workspace))
    reasons = [f"{each.file}: {each.reason}" for each in found.damaged]
    return "; ".join([*reasons, *found.failed])


def judge(made: Playground, attack: Callable[[], str]) -> str:
    """The outcome of an attack: as it says itself, unless it hung or wrote outside."""
    before = made.yard.look()
    try:
        outcome = attack()
    except TimeoutError:
        outcome = HANG
    return outcome if made.yard.look() == before else OUTSIDE_WRITE


def _tell(outcome: str, what: Any) -> None:
    if outcome not in (REFUSED, HARMLESS):
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
        end_jobs(made.workspace)
    if damage := find_damage(made.workspace):
        _tell(SILENTLY_WRONG, damage)
        outcomes[SILENTLY_WRONG] += 1
    return outcomes


def end_jobs(workspace: Workspace) -> None:
    """Cancel what the events have started."""
    for job in list_jobs(workspace):
        if job.status in ("queued", "running"):
            JobsCancel(job=job.id).perform(workspace, SilentReporter(workspace))


def _forge_values(values: list[Any], choose: random.Random) -> list[Any]:
    forged = choose.choice(VALUES)
    if not values or choose.random() < 0.1:
        return [*values, forged]
    values = list(values)
    values[choose.randrange(len(values))] = forged
    return values


@contextmanager
def serving(made: Playground, *options: str, said_since: list[str] | None = None) -> Iterator[str]:
    """The address of an app that serves the workspace meanwhile.

    Args:
        said_since: takes up what the app says on its terminal once it is open.
    """
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "studio", "--workspace", str(made.workspace.root)),
            *("app", "--port", str(_free_port()), *options),
        ],
        cwd=made.yard.outside,
        env=made.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    said = ""
    while (found := re.search(r"http://\S+", said)) is None:
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"The app does not start: {said}")
        said += line
    lines = [] if said_since is None else said_since
    drain = threading.Thread(target=lambda: lines.extend(process.stdout or ()), daemon=True)
    drain.start()
    try:
        yield found[0]
    finally:
        process.terminate()
        process.wait(30)
        drain.join(5)


def _free_port() -> int:
    """A port that nobody listens on, far from those that apps take by themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        return REFUSED if error.code < 500 else TRACEBACK
    stream = f"{address}/gradio_api/queue/data?session_hash={session}"
    with urllib.request.urlopen(stream, timeout=MAX_SECONDS) as answers:
        for line in answers:
            answer = json.loads(line[6:]) if line.startswith(b"data: ") else {}
            if answer.get("msg") == "process_generating":
                return HARMLESS
            if answer.get("msg") in ("process_completed", "unexpected_error"):
                return _judge_answer(answer)
    return REFUSED


def _judge_answer(answer: Mapping[str, Any]) -> str:
    if answer.get("success"):
        return HARMLESS
    sentence = (answer.get("output") or {}).get("error") or answer.get("message")
    return REFUSED if sentence and " " in str(sentence).strip() else TRACEBACK
