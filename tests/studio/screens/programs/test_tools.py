"""A real MCP client against a studio that was started with --mcp."""

import asyncio
import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image
from starlette.testclient import TestClient

from studio.actions.catalogue import known_actions
from studio.actions.declared.film_actions import RenderTimelapse
from studio.actions.permissions import Permissions
from studio.actions.submission import perform
from studio.screens.programs.faces import MCP_PATH, Faces
from studio.screens.safety.gate import GuardedApp, Limits, Login
from studio.screens.safety.own_pages import OwnPages
from studio.workspace.jobs import newest_job

mcp = pytest.importorskip("mcp", reason="the extra `mcp` is not installed")
pytestmark = pytest.mark.slow
HERE = "127.0.0.1"
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
TINY = {
    "preset": "none",
    "batch_size": 4,
    "settings": {
        "generator_options": {"width": 0.125},
        **{"discriminator_width": 0.125, "z_dim": 16, "fixed_points": 3},
    },
}
ACCEPTED = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


@pytest.fixture
def with_client(offered):
    """with_client(work): what `work(client)` gives, with a client of the studio."""

    def run(work, mode="auto"):
        async def connected():
            async with mcp.Client(offered[1] + MCP_PATH, mode=mode) as client:
                return await work(client)

        # In a thread of its own: the driver of a browser may keep a loop in this one.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, connected()).result()

    return run


@pytest.fixture
def call(with_client):
    """call(tool, values...): the answer of a tool."""
    return lambda tool, /, **values: with_client(lambda client: client.call_tool(tool, values))


def document(answer):
    assert not answer.is_error, answer.content[0].text
    return answer.structured_content["result"]


def pictures(answer):
    found = [each for each in answer.content if each.type == "image"]
    return [Image.open(io.BytesIO(base64.b64decode(each.data))) for each in found]


def await_job(call, started):
    """What a job gave back that a call has started."""
    job = document(started)["id"]
    while not (state := document(call("jobs_wait", job=job, seconds=60)))["ended"]:
        pass
    assert state["status"] == "done", state
    return call("jobs_result", job=job)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_tools_are_the_actions_with_their_fields(with_client, mode):
    tools = {tool.name: tool for tool in with_client(lambda c: c.list_tools(), mode).tools}
    assert tools.keys() == {a.endpoint_name() for a in known_actions().values() if a.is_remote}
    train = tools["train"]
    assert train.title == "Train a generator on a dataset."
    assert train.input_schema["required"] == ["run"]
    assert train.input_schema["properties"]["storage"]["enum"] == ["visual", "exact"]
    assert train.input_schema["properties"]["run"]["description"] == "Name of the new run."


def test_a_client_trains_films_and_looks(call):
    trained = await_job(call, call("train", run="tiny", dataset="streets", batches=3, **TINY))
    assert document(trained).items() >= {"run": "tiny", "batch": 3}.items()
    film = await_job(call, call("render_timelapse", run="tiny", points=["seed:1"]))
    assert document(film)["videos"][0]["frames"] == 3
    assert len(pictures(film)) == 1
    looked = call("look", run="tiny", points=["seed:1", "seed:2"])
    assert pictures(looked)[0].height > 60
    near = call("near", run="tiny", point="seed:1", among="drawn", drawn=20, k=3)
    assert len(document(near)["neighbours"]) == 3
    assert len(pictures(near)) == 1


@pytest.mark.parametrize(
    ("tool", "values", "words"),
    [
        ("nope", {}, "There is no tool 'nope'."),
        ("look", {}, "run is missing. Name of a run"),
        ("look", {"run": "city", "ponts": []}, "ponts is not known here. Did you mean points?"),
        ("look", {"run": "city", "x\x1b[31m": 1}, "is not known here."),
        ("look", {"run": "city", "points": ["/etc/passwd"]}, "outside the workspace"),
        ("look", {"run": "city", "out": "../evil.png"}, "outside the workspace"),
        ("look", {"run": "\x1b[31mcity"}, "cannot be the name of a run"),
        ("jobs_show", {"job": [[[]]]}, "it is a whole number"),
        ("near", {"run": "city", "point": "seed:1", "network": "os:system"}, "--allow-commands"),
    ],
)
def test_what_may_not_be_or_does_not_fit_is_refused_in_a_sentence(call, tool, values, words):
    answer = call(tool, **values)
    assert answer.is_error
    (said,) = answer.content
    assert words in said.text
    assert "\x1b" not in said.text


def test_a_film_that_lies_elsewhere_is_named_and_not_shown(call, offered, tmp_path):
    workspace, _ = offered
    film = tmp_path / "a.mp4"
    perform(workspace, RenderTimelapse(run="city", points=["seed:4"], batches="1:3", out=film))
    answer = call("jobs_result", job=newest_job(workspace, "render timelapse", run="city").id)
    assert document(answer)["videos"][0]["path"] == str(film)
    assert pictures(answer) == []


def test_tools_stand_behind_the_gate(offered):
    url = offered[1] + MCP_PATH
    assert (
        httpx.post(url, json=LIST, headers={**ACCEPTED, "Host": "evil.example"}).status_code == 403
    )
    evil = {**ACCEPTED, "Origin": "http://evil.example"}
    assert httpx.post(url, json=LIST, headers=evil).status_code == 403
    own = {**ACCEPTED, "Origin": f"http://{urlsplit(url).netloc}"}
    assert httpx.post(url, json=LIST, headers=own).status_code == 200
    assert httpx.post(url, content=b"x" * 5 * 2**20, headers=ACCEPTED).status_code == 413
    assert httpx.get(url).status_code == 405
    for body in (b"", b"{", b"[]", b"\xff", b"[" * 9999, b'{"jsonrpc": "2.0", "id": 1}'):
        answer = httpx.post(url, content=body, headers=ACCEPTED)
        assert 400 <= answer.status_code < 500
        assert "Traceback" not in answer.text


def test_without_the_option_there_are_no_tools(served):
    assert httpx.post(served[1] + MCP_PATH, json=LIST, headers=ACCEPTED).status_code in (404, 405)


@pytest.fixture
def guarded(empty_workspace):
    """A client of an app that asks for a password."""
    limits = Limits()
    app = GuardedApp(OwnPages(frozenset([HERE])), limits)
    permissions = Permissions(empty_workspace)
    tools = Faces(mcp=True).add_tools(app, permissions, Login("ada", "sécret"), limits)
    app.router.lifespan_context = tools.serving
    with TestClient(app, base_url=f"http://{HERE}") as client:
        yield client


def test_a_program_sends_its_password_with_each_request(guarded):
    ask = lambda **auth: guarded.post(MCP_PATH, json=LIST, headers={**ACCEPTED, **auth})  # noqa: E731
    refused = ask()
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic")
    right = base64.b64encode("ada:sécret".encode()).decode()
    assert "tools" in ask(Authorization=f"Basic {right}").json()["result"]
    wrong = base64.b64encode(b"ada:secret").decode()
    answers = [ask(Authorization=f"Basic {wrong}").status_code for _ in range(6)]
    assert answers == [401] * 5 + [429]
    assert ask(Authorization=f"Basic {right}").status_code == 429
    assert ask(Authorization="Basic ???").status_code == 401
    assert json.loads(ask(Authorization="Bearer x").text)["detail"].startswith("The studio asks")
