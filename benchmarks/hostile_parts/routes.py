"""Hostile requests to everything that a page loads besides its events: pictures, files, uploads.

Every route of the studio's own and every function that a place of the page asks for is attacked,
with the right question of which one value is forged; one that has no line in QUESTIONS ends the
benchmark. Whatever is answered is looked at: a picture of another run or batch, a file that is not
the one in the workspace, or the decoy beside it, counts as silently wrong; and so does an escape
code that the app writes on its terminal.
"""

from __future__ import annotations

import io
import json
import random
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import torch
from PIL import Image

from benchmarks.hostile_parts.outcomes import (
    HARMLESS,
    REFUSED,
    SILENTLY_WRONG,
    TRACEBACK,
    open_yard,
)
from benchmarks.hostile_parts.requests import (
    BATCHES,
    MAX_SECONDS,
    RUN,
    VALUES,
    Playground,
    find_damage,
    judge,
    make_playground,
    serving,
)
from studio.actions.permissions import Permissions
from studio.screens.safety.allowances import OpenPages
from studio.screens.server import build_app

PAGE = "hostilepage01"
PICTURE = {"run": RUN, "batch": "2", "point": "0.1", "page": PAGE, "size": "512"}
QUESTIONS: dict[str, dict[str, str]] = {
    "/studio/timeline/picture": PICTURE,
    "/studio/timeline/thumbnails": {"run": RUN, "point": "0.1", "page": PAGE},
    "/studio/specimens/picture": {"run": RUN, "label": f"{BATCHES}.0", "key": "0" * 32},
    "/studio/metrics.csv": {"run": RUN},
    "/studio/datasets/sheet": {"name": "photos", "columns": "8", "key": "0" * 16},
    "/studio/films/poster": {"run": RUN, "film": f"{RUN}-timelapse-0123ab/{RUN}-timelapse.mp4"},
}
METHODS = ("GET", "GET", "GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
HEADERS: tuple[dict[str, str], ...] = (
    *({}, {}, {}, {"If-None-Match": '"x"'}, {"If-None-Match": "*"}, {"Range": "bytes=9-1"}),
    *({"Range": "bytes=-1"}, {"Range": f"bytes=0-{10**30}"}, {"Range": "bytes=" + "0-1," * 2000}),
    *({"Range": "furlongs=x"}, {"If-Range": "x"}, {"Host": "evil.example"}, {"Origin": "null"}),
    *({"Accept-Encoding": "\xff"}, {"If-Modified-Since": "never"}, {"Cookie": "a=" + "b" * 9999}),
)
NAMES = (
    *("../../outside/owned.png", "/etc/cron.d/owned", "..", ".", "", "a\0b.png", "x" * 5000),
    *("a.png/../../b", "CON", "-rf", "\u202egpj.exe", "a\nb.png", "x.svg", "x.html", "%2e%2e%2fx"),
    *("studio.db", "run.toml", "x.png\r\nX-Owned: 1", "\\..\\..\\x", "a" * 254 + ".png"),
)
# What Gradio serves beside; {} is forged. Those of its streams that never end are left out.
GRADIO = (
    *("/gradio_api/proxy={}", "/gradio_api/custom_component/{}/client/component/{}", "/static/{}"),
    *("/assets/{}", "/svelte/{}", "/gradio_api/stream/{}/1/2/playlist.m3u8", "/monitoring/{}"),
    *("/gradio_api/stream/1/2/3/{}.ts", "/gradio_api/upload_progress?upload_id={}", "/pwa_icon/{}"),
    *("/gradio_api/deep_link?session_hash={}", "/?deep_link={}", "/?__theme={}", "/{}", "/file/{}"),
    *("/gradio_api/call/{}", "/gradio_api/run/{}", "/gradio_api/api/{}", "/gradio_api/call/v2/{}"),
    *("/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/process_recording", "/login"),
    *("/gradio_api/vibe-edit/", "/gradio_api/vibe-code/", "/gradio_api/undo-vibe-edit/"),
    *("/gradio_api/queue/join", "/gradio_api/queue/status", "/gradio_api/run-history/{}"),
    *(
        "/gradio_api/info?all_endpoints={}",
        "/config?deep_link={}",
        "/openapi.json",
        "/profiling/{}",
    ),
)


@dataclass(frozen=True)
class Request:
    """What is sent, and who looks at what came back."""

    method: str
    path: str
    body: bytes | None
    headers: dict[str, str]
    look: Callable[[HTTPMessage, bytes], str]


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of so many forged requests, and of a look at the workspace after them."""
    torch.set_num_threads(1)
    choose, outcomes, said = random.Random(seed), Counter[str](), list[str]()
    with open_yard() as yard:
        made = make_playground(yard)
        require_known(made)
        forgers = (
            *(forge_question, forge_download, forge_upload),
            *(forge_server_function, forge_other),
        )
        with serving(made, said_since=said) as address:
            functions = find_server_functions(address)
            for number in range(count):
                forge = forgers[number % len(forgers)]
                request = forge(made, functions, choose)
                outcome = judge(made, lambda r=request: send(address, r))
                if outcome not in (REFUSED, HARMLESS):
                    told = f"{request.method} {request.path} {request.headers} {request.body!r}"
                    print(f"{outcome}: {told:.500}", file=sys.stderr, flush=True)
                outcomes[outcome] += 1
        if damage := find_damage(made.workspace):
            print(f"{damage:.400}", file=sys.stderr)
            outcomes[SILENTLY_WRONG] += 1
    if told := [line for line in said if line.startswith("Traceback")]:
        print("".join(said)[-4000:], file=sys.stderr)
        outcomes[TRACEBACK] += len(told)
    if told := [line for line in said if not line.rstrip("\n").isprintable()]:
        print(f"Said on the terminal: {told[0]!r:.400}", file=sys.stderr)
        outcomes[SILENTLY_WRONG] += len(told)
    return outcomes


def require_known(made: Playground) -> None:
    """End the benchmark where the studio has a route that nothing here attacks."""
    page = build_app(Permissions(made.workspace), OpenPages(most=1, patience_s=1.0))
    if missing := set(page.own_answers) ^ set(QUESTIONS):
        raise SystemExit(f"QUESTIONS of {__name__} and the studio's routes differ: {missing}")


def find_server_functions(address: str) -> list[tuple[int, str]]:
    """The functions that places of the page ask for: (number of the place, name)."""
    with urllib.request.urlopen(f"{address}/config") as answer:
        parts = json.load(answer)["components"]
    found = [(p["id"], name) for p in parts for name in p["props"].get("server_fns") or ()]
    assert len(found) > 3, "The page names its functions elsewhere by now."
    return found


def send(address: str, request: Request) -> str:
    """The outcome of a request."""
    asked = urllib.request.Request(
        address + request.path, request.body, request.headers, method=request.method
    )
    try:
        with urllib.request.urlopen(asked, timeout=MAX_SECONDS) as answer:
            return request.look(answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        told = error.read()
        return TRACEBACK if error.code >= 500 or b"Traceback" in told else REFUSED
    except (HTTPException, UnicodeError, ValueError):
        return REFUSED  # It cannot be written as a request at all.
    except TimeoutError:
        raise
    except OSError:
        return REFUSED  # The server hung up on it.


def forge_question(made: Playground, functions: Any, choose: random.Random) -> Request:
    """A question for a picture or a table with one value forged, doubled, missing or unknown."""
    path = choose.choice(list(QUESTIONS))
    asked = dict(QUESTIONS[path])
    name = choose.choice([*asked, "unknown"])
    kind = choose.random()
    if kind < 0.15:
        asked.pop(name, None)
    else:
        asked[name] = _text(choose.choice(VALUES))
    query = urlencode(asked, errors="surrogatepass")[:60_000]
    if kind > 0.85:
        query = choose.choice((query + "&" + query, "&" * 5000, "%ff=%00&run=%", query[::-1]))
    look = lambda headers, body: _look_at_answer(asked, kind, headers, body)  # noqa: E731
    method = choose.choice(METHODS)
    return Request(method, f"{path}?{query}", None, choose.choice(HEADERS), look)


def _look_at_answer(
    asked: Mapping[str, str], kind: float, headers: HTTPMessage, body: bytes
) -> str:
    """What is given has to be of the run, and a picture of the kept batch nearest to the asked."""
    if not body:
        return HARMLESS
    if headers["Content-Type"].startswith("text/csv"):
        is_whole = body.startswith(b"batch,") and body.count(b"\n") == BATCHES + 1
        is_of_run = kind > 0.85 or asked.get("run") == RUN
        return HARMLESS if is_whole and is_of_run else SILENTLY_WRONG
    if not headers["Content-Type"].startswith("image/"):
        return TRACEBACK
    Image.open(io.BytesIO(body)).load()
    if kind <= 0.85 and asked.get("run") != RUN:
        return SILENTLY_WRONG
    shown = headers.get("X-Batch")
    if shown is None or kind > 0.85:
        return HARMLESS
    nearest = min(range(1, BATCHES + 1), key=lambda b: abs(b - int(asked.get("batch", "0"))))
    return HARMLESS if int(shown) == nearest else SILENTLY_WRONG


def forge_download(made: Playground, functions: Any, choose: random.Random) -> Request:
    """A file by its path: one of the workspace, its database, or one beside it."""
    here = made.workspace
    films, pictures = sorted(here.renders.glob("*/*.mp4")), sorted(here.specimens(RUN).iterdir())
    good = choose.choice([*films, *pictures, here.preview(RUN)])
    up = "/".join([".."] * choose.randrange(1, 9))
    paths = (
        *(str(good), str(good), str(here.database), str(made.yard.outside / "decoy.txt")),
        *("/etc/passwd", f"{here.renders}/{up}/etc/passwd", f"{good.parent}/{up}/studio.db"),
        *(f"{here.renders}/../../../outside/decoy.txt", str(here.root), str(good.parent)),
        *(f"{good}/", f"{good}\0.png", "~/.bashrc", "", "http://127.0.0.1:1/", "/dev/zero"),
        *("/proc/self/environ", str(here.datasets), str(here.run_config(RUN)), "x" * 9000),
    )
    path = choose.choice(paths)
    written = choose.choice((quote(path), quote(path, safe=""), quote(quote(path, safe=""))))
    routes = ("/gradio_api/file=", "/file=", "/gradio_api/file/", "/gradio_api/stream/")
    route = choose.choice((routes[0], routes[0], *routes))
    headers = choose.choice(HEADERS)

    def look(answered: HTTPMessage, body: bytes) -> str:
        whole = Path(path).read_bytes() if path == str(good) else None
        allowed = any(
            Path(path).resolve().is_relative_to(folder)
            for folder in (here.runs, here.renders, here.exports)
        )
        if body and (body == b"dear" or b"root:" in body or body.startswith(b"SQLite format")):
            return SILENTLY_WRONG
        if whole is not None and not headers and body and route == routes[0]:
            return HARMLESS if body == whole else SILENTLY_WRONG
        is_page = answered["Content-Type"].startswith(("text/html", "application/json"))
        return HARMLESS if allowed or not body or is_page else SILENTLY_WRONG

    return Request(choose.choice(METHODS), route + written, None, headers, look)


def forge_upload(made: Playground, functions: Any, choose: random.Random) -> Request:
    """An upload under a forged name, or with a body that is none."""
    name = choose.choice(NAMES)
    edge = choose.choice((b"edge", b"edge", b"edge", b"", b"x" * 500))
    field = choose.choice(('name="files"', 'name="files"', 'name="other"', "", 'name="'))
    head = f'Content-Disposition: form-data; {field}; filename="{name}"\r\n'
    content = choose.choice((b"x", b"", bytes(100_000), b"\r\n--edge\r\n" * 200))
    body = b"--%s\r\n%s\r\n%s\r\n--%s--\r\n" % (edge, head.encode(), content, edge)
    if choose.random() < 0.2:
        body = choose.choice((b"", body[: len(body) // 2], b"--edge\r\n" * 5000, body[::-1]))
    kind = choose.choice(("multipart/form-data; boundary=edge",) * 3 + ("multipart/form-data", "x"))
    query = choose.choice(("", "", "?upload_id=../../x", "?upload_id=" + "x" * 5000))

    def look(answered: HTTPMessage, told: bytes) -> str:
        stored = [Path(path) for path in json.loads(told)]
        kept = made.yard.inside / "temporary"
        inside = all(path.resolve().is_relative_to(kept.resolve()) for path in stored)
        return HARMLESS if inside else SILENTLY_WRONG

    path = f"/gradio_api/upload{query}"
    return Request("POST", path, body, {"Content-Type": kind}, look)


def forge_server_function(
    made: Playground, functions: list[tuple[int, str]], choose: random.Random
) -> Request:
    """A question that a place of the page asks by itself, with any value at all."""
    place, name = choose.choice(functions)
    sent: dict[str, Any] = {"data": choose.choice(VALUES), "component_id": place, "fn_name": name}
    sent["session_hash"] = "attack"
    if choose.random() < 0.3:
        sent[choose.choice(list(sent))] = choose.choice((*VALUES, "__class__", "postprocess"))
    body = json.dumps(sent).encode("utf-8", "surrogatepass")
    kind = {"Content-Type": "application/json"}
    look = lambda answered, told: TRACEBACK if b"Traceback" in told else HARMLESS  # noqa: E731
    return Request("POST", "/gradio_api/component_server/", body, kind, look)


def forge_other(made: Playground, functions: Any, choose: random.Random) -> Request:
    """A request to what Gradio serves beside the page, with any path."""
    secrets = (str(made.workspace.database), str(made.yard.outside / "decoy.txt"), "/etc/passwd")
    path = choose.choice((*secrets, *(_text(value) for value in VALUES), *NAMES))
    forged = choose.choice((quote, lambda text, **_: "../" * 9 + quote(text, errors="replace")))
    asked = choose.choice(GRADIO).replace("{}", forged(path[:9000], errors="replace"))
    body, kind = None, {}
    if choose.random() < 0.5:
        body = json.dumps(choose.choice(VALUES)).encode("utf-8", "surrogatepass")
        kind = {"Content-Type": "application/json"}

    def look(answered: HTTPMessage, told: bytes) -> str:
        leaked = told == b"dear" or b"root:" in told or told.startswith(b"SQLite format")
        return SILENTLY_WRONG if leaked else TRACEBACK if b"Traceback" in told else HARMLESS

    return Request("GET" if body is None else "POST", asked, body, kind, look)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
