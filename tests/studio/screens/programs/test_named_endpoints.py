"""A real gradio_client against a studio that was started with --api."""

import base64
import http.client
import io
import json
import urllib.request
from urllib.parse import urlsplit

import gradio_client
import pytest
from PIL import Image

from studio.actions.catalogue import known_actions
from studio.actions.permissions import Permissions
from studio.screens import server
from studio.screens.programs.faces import Faces
from studio.screens.safety.gate import GuardedApp, Limits, Login
from studio.screens.safety.own_pages import OwnPages
from studio.screens.safety.page import GuardedPage

pytestmark = pytest.mark.slow
HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def client(offered):
    return gradio_client.Client(offered[1], verbose=False)


@pytest.fixture
def refusal(client):
    """refusal(endpoint, values...): the sentence with which a program is refused."""

    def ask(endpoint, /, **values):
        with pytest.raises(gradio_client.exceptions.AppError) as refused:
            client.predict(api_name=f"/{endpoint}", **values)
        return str(refused.value)

    return ask


def shown(address):
    """The picture that an answer holds."""
    _, _, encoded = address.partition(";base64,")
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def await_end(client, job):
    """How a job stands once it has ended."""
    while not (state := json.loads(client.predict(job, 60, api_name="/jobs_wait")["json"]))[
        "ended"
    ]:
        pass
    return state


def post(url, path, body, **headers):
    """(status, text) of a request."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    sent = {"Content-Type": "application/json", **headers}
    connection.request("POST", path, json.dumps(body), sent)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_every_action_that_others_may_ask_for_is_an_endpoint_and_nothing_else(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    remote = {f"/{a.endpoint_name()}" for a in known_actions().values() if a.is_remote}
    assert named.keys() == remote
    assert not {"/app", "/demo", "/trust"} & named.keys()


def test_an_endpoint_has_the_names_types_defaults_and_help_of_its_action(client):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    train = {each["parameter_name"]: each for each in named["/train"]["parameters"]}
    assert not train["run"]["parameter_has_default"]
    assert train["run"]["python_type"] == {"type": "str", "description": "Name of the new run."}
    assert train["storage"]["type"]["enum"] == ["visual", "exact"]
    assert train["storage"]["parameter_default"] == "visual"
    assert train["processes"]["type"]["maximum"] == 64
    assert train["after"]["python_type"]["description"] == "Begin once this job has ended well."
    assert named["/train"]["description"].startswith("Train a generator on a dataset.")
    assert "jobs_wait" in named["/train"]["description"]


def test_what_is_no_job_is_answered_at_once_with_what_the_command_prints(client, offered):
    answer = client.predict(api_name="/runs")
    (run,) = json.loads(answer["json"])
    assert (run["name"], run["checkpoints"]) == ("city", 12)
    assert "city" in answer["text"]


def test_a_look_at_a_run_shows_its_picture(client):
    answer = client.predict("city", points=["seed:1", "seed:2"], batch=5, api_name="/look")
    assert json.loads(answer["json"])["columns"] * json.loads(answer["json"])["rows"] == 2
    assert shown(answer["pictures"][0]).width > 60


def test_a_job_is_started_awaited_and_its_film_seen(client):
    job = json.loads(
        client.predict(run="city", points=["seed:3"], api_name="/render_timelapse")["json"]
    )
    assert job["text"] == "studio render timelapse city --points seed:3"
    state = await_end(client, job["id"])
    assert (state["status"], state["done"], state["total"]) == ("done", 12, 12)
    answer = client.predict(job["id"], api_name="/jobs_result")
    (video,) = json.loads(answer["json"])["videos"]
    assert video["frames"] == 12
    assert shown(answer["pictures"][0]).format == "JPEG"
    log = client.predict(job["id"], tail=True, api_name="/jobs_log")
    assert "Rendering frames" in log["text"]


def test_a_job_that_waits_can_be_looked_at_and_cancelled(client, refusal):
    asked = client.predict(run="city", at="+2h", api_name="/render_timelapse")
    job = json.loads(asked["json"])["id"]
    state = json.loads(client.predict(job, api_name="/jobs_show")["json"])
    assert (state["status"], state["ended"]) == ("queued", False)
    assert not json.loads(client.predict(job, 0.1, api_name="/jobs_wait")["json"])["ended"]
    assert "studio jobs wait" in refusal("jobs_result", job=job)
    client.predict(job, api_name="/jobs_cancel")
    state = await_end(client, job)
    assert (state["status"], state["ended"]) == ("cancelled", True)
    assert "is cancelled" in refusal("jobs_result", job=job)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("look", {"run": "nope"}, "Run 'nope' is not in the index. Known: city."),
        ("look", {"run": "../city"}, "cannot be the name of a run"),
        ("look", {"run": "city\0"}, "holds a NUL"),
        ("look", {"run": "city", "points": "seed:1"}, "'seed:1' will not do: it is a list."),
        ("look", {"run": "city", "points": ["/etc/passwd"]}, "outside the workspace"),
        ("look", {"run": "city", "out": "/tmp/evil.png"}, "outside the workspace"),
        ("look", {"run": "city", "out": "studio.db"}, "is a record of the workspace"),
        ("look", {"run": {"path": "/etc/passwd"}}, "it is a text"),
        ("look", {"run": "x" * 200_000}, "characters"),
        ("datasets_add", {"folder": "/etc", "name": "e"}, "outside the workspace"),
        ("jobs_wait", {"job": 1, "seconds": 10**9}, "use 300.0 or less"),
        ("jobs_show", {"job": 10**40}, "too large"),
        ("near", {"run": "city", "point": "seed:1", "network": "os:system"}, "--allow-commands"),
        (
            "train",
            {"run": "evil", "dataset": "streets", "settings": {"alarm_command": "touch owned"}},
            "--allow-commands",
        ),
        ("delete_run", {"run": "city"}, "--yes"),
    ],
)
def test_what_may_not_be_or_does_not_fit_is_refused_in_a_sentence(refusal, name, values, words):
    sentence = refusal(name, **values)
    assert words in sentence
    assert "Traceback" not in sentence
    assert len(sentence) < 600


def test_a_wrong_number_of_values_ends_in_a_sentence(offered):
    status, text = post(offered[1], "/gradio_api/call/look", {"data": ["city", "x"]})
    assert status == 200
    address = f"{offered[1]}/gradio_api/call/look/{json.loads(text)['event_id']}"
    with urllib.request.urlopen(address, timeout=60) as said:
        assert b"form that it does not know" in said.read()


def test_endpoints_stand_behind_the_gate(offered):
    path = "/gradio_api/call/runs"
    assert post(offered[1], path, {"data": []}, Host="evil.example")[0] == 403
    assert post(offered[1], path, {"data": []}, Origin="http://evil.example")[0] == 403
    assert post(offered[1], path, {"data": ["x" * 5 * 2**20]})[0] == 413
    assert post(offered[1], "/gradio_api/run/runs", {"data": []})[0] == 404


def test_without_the_option_there_is_no_endpoint(served):
    named = gradio_client.Client(served[1], verbose=False).view_api(
        return_format="dict", print_info=False
    )
    assert named == {"named_endpoints": {}, "unnamed_endpoints": {}}


def test_a_program_logs_in_where_a_password_is_asked_for(empty_workspace):
    permissions, limits = Permissions(empty_workspace), Limits()
    with GuardedPage() as page:
        Faces(api=True).add_endpoints(permissions)
    page.queue(api_open=False)
    app, port = GuardedApp(OwnPages(frozenset([HERE])), limits), server.choose_port(HERE, None)
    server._launch(page, empty_workspace, HERE, port, Login("ada", "secret"), app)
    url = f"http://{HERE}:{port}"
    try:
        assert post(url, "/gradio_api/call/runs", {"data": []})[0] == 401
        with pytest.raises(Exception, match=r"[Aa]uth|login|401"):
            gradio_client.Client(url, verbose=False)
        client = gradio_client.Client(url, verbose=False, auth=("ada", "secret"))
        assert json.loads(client.predict(api_name="/runs")["json"]) == []
    finally:
        page.close(verbose=False)
