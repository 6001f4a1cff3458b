"""Hostile programs: forged values, names and messages for every endpoint and every tool.

They go to one app by HTTP, whose workspace is verified after all of them. Nothing may change
beside it, and the app may not say a traceback.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.hostile_parts.outcomes import (
    HARMLESS,
    REFUSED,
    SILENTLY_WRONG,
    TRACEBACK,
    open_yard,
)
from benchmarks.hostile_parts.requests import (
    MAX_SECONDS,
    RUN,
    VALUES,
    Playground,
    end_jobs,
    find_damage,
    judge,
    make_playground,
    right_value,
    serving,
)
from studio.actions.action import Action
from studio.actions.catalogue import known_actions
from studio.workspace.records.declarations import Declared

OPTIONS = ("--api", "--mcp")
NOT_FORGED = ("yes",)  # What it deletes would not be there for those that come after.
SHORT: dict[str, dict[str, Any]] = {
    "train": {"duration": "1s", "preset": "none", "batch_size": 4},
    "resume": {"duration": "1s"},
    "jobs wait": {"seconds": 1},
    "near": {"drawn": 20},
    "spaces": {"count": 20},
    "poster": {"width": 400},
    "memorised": {"count": 8},
}
HEADERS = (
    *({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}),
    *({"Content-Type": "text/plain"}, {"Accept": "text/html"}, {"Sec-Fetch-Site": "cross-site"}),
    *(
        {"Mcp-Session-Id": "x" * 5000},
        {"MCP-Protocol-Version": "../../etc"},
        {"Content-Length": "-1"},
    ),
)
BODIES = (
    *(b"", b"{", b"[" * 99_999, b"\xff\xfe", b"null", b"1e999", b'{"jsonrpc": "2.0"}'),
    *(b'{"data": {}}', b'{"data": [[[[]]]]}', b'{"data": null}', b'{"fn_index": 0, "data": []}'),
)


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of so many forged requests, and of a look at the workspace after."""
    choose, outcomes, said = random.Random(seed), Counter[str](), list[str]()
    actions = [action for action in known_actions().values() if action.is_remote]
    with open_yard() as yard:
        made = make_playground(yard)
        with (
            put_back(made) as look_after,
            serving(made, *OPTIONS, "--open", str(yard.inside), said_since=said) as address,
        ):
            for _ in range(count):
                path, body, headers = forge(made, actions, choose)
                outcome = judge(made, lambda p=path, b=body, h=headers: send(address, p, b, h))
                if outcome not in (REFUSED, HARMLESS):
                    print(f"{outcome}: {path} {headers} {body!r:.400}", file=sys.stderr, flush=True)
                outcomes[outcome] += 1
                end_jobs(made.workspace)
                look_after()
        if damage := find_damage(made.workspace):
            print(f"{damage:.400}", file=sys.stderr)
            outcomes[SILENTLY_WRONG] += 1
    if told := [line for line in said if line.startswith("Traceback")]:
        print("".join(said)[-4000:], file=sys.stderr)
        outcomes[TRACEBACK] += len(told)
    return outcomes


def forge(
    made: Playground, actions: list[type[Action]], choose: random.Random
) -> tuple[str, bytes, dict[str, str]]:
    """(path, body, headers) of a request to an endpoint or a tool; one thing of it is forged."""
    action = choose.choice(actions)
    values = forge_values(made, action, choose)
    name = action.endpoint_name()
    kind = choose.random()
    if kind < 0.45:
        path, asked = f"/gradio_api/call/v2/{name}", values
    else:
        called = {"name": name, "arguments": values}
        path, asked = "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called}
    body = json.dumps(asked).encode("utf-8", "surrogatepass")
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    if kind > 0.9:
        path = choose.choice((path, "/mcp", "/gradio_api/call/look", "/gradio_api/run/runs"))
        body = choose.choice((*BODIES, body))
        headers |= choose.choice(({}, *HEADERS))
    return path, body, headers


def forge_values(made: Playground, action: type[Action], choose: random.Random) -> dict[str, Any]:
    """The values of an action of which one is forged, and the others are right."""
    fields = [field for field in action.fields() if field.name not in NOT_FORGED]
    values = dict(SHORT.get(action.command, {}))
    for field in fields:
        if field.required:
            values[field.name] = _as_value(field, right_value(made, action.command, field))
    forged = choose.choice(fields).name if fields else "unknown"
    values[choose.choice((forged, forged, forged, forged, "x\x1b[31m", "x" * 999))] = choose.choice(
        VALUES
    )
    return values


def _as_value(field: Declared, text: str) -> Any:
    """What stands for a word of the command in JSON."""
    if field.kind == "whole":
        return [int(text)] if field.many else int(text)
    if field.name == "settings":
        name, _, value = text.partition("=")
        return {name: float(value)}
    return [text] if field.many else text


def send(address: str, path: str, body: bytes, headers: dict[str, str]) -> str:
    """Send a request and await its answer."""
    request = urllib.request.Request(address + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=MAX_SECONDS) as answer:
            told = answer.read()
    except urllib.error.HTTPError as error:
        return REFUSED if error.code < 500 and is_sentence(error.read()) else TRACEBACK
    if path == "/mcp":
        document = json.loads(told) if told else {}
        failed = "error" in document or document.get("result", {}).get("isError")
        return REFUSED if failed and is_sentence(told) else TRACEBACK if failed else HARMLESS
    event = json.loads(told).get("event_id")
    if event is None:
        return HARMLESS
    name = path.rsplit("/", 1)[-1]
    stream = f"{address}/gradio_api/call/{name}/{event}"
    with urllib.request.urlopen(stream, timeout=MAX_SECONDS) as answers:
        told = answers.read()
    if b"event: error" in told:
        return REFUSED if is_sentence(told.partition(b"event: error")[2]) else TRACEBACK
    return HARMLESS


def is_sentence(told: bytes) -> bool:
    """Whether an answer says in words what is wrong, and shows nobody a traceback."""
    return b" " in told.replace(b"data: ", b"").replace(b": ", b"").strip() and (
        b"Traceback" not in told
    )


@contextmanager
def put_back(made: Playground) -> Iterator[Any]:
    """A function that puts the workspace back where an attack was allowed to take its run away."""
    kept = made.yard.inside / "kept"
    shutil.copytree(made.workspace.root, kept)

    def look_after() -> None:
        if not made.workspace.run(RUN).is_dir():
            shutil.copytree(kept / "runs" / RUN, made.workspace.run(RUN))

    yield look_after
    shutil.rmtree(kept)
