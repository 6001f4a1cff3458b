"""Real HTTP against a studio that is served: who gets in, and how much one client may take."""

import concurrent.futures
import http.client
import http.server
import json
import threading
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch

from studio.screens.safety.own_pages import OwnPages
from studio.specimens.passports import Passport, save_specimen
from tests.studio.screens.conftest import ALLOWED_HOST

EVIL = "evil.example"


@pytest.fixture
def ask(served):
    """ask(method, path, body, headers...): (status, headers, text) of a request."""
    address = urlsplit(served[1])

    def call(method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body, headers = json.dumps(body), {"Content-Type": "application/json", **headers}
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    ask_at = call
    ask_at.netloc = address.netloc
    ask_at.port = address.port
    return ask_at


@pytest.mark.parametrize("host", [EVIL, "127.0.0.1.evil.example", "localhost@evil.example", "["])
def test_a_rebound_name_is_told_nothing(ask, host):
    for method, path in (("GET", "/"), ("GET", "/config"), ("POST", "/gradio_api/queue/join")):
        status, _, text = ask(method, path, {} if method == "POST" else None, Host=host)
        assert status == 403
        assert "--allow-host" in json.loads(text)["detail"]


def test_what_gradio_would_print_on_the_terminal_does_not_reach_it(ask):
    path = "/gradio_api/custom_component/%1b%5d0;x%07/client/component/x"
    status, _, text = ask("GET", path)
    assert status == 404
    assert " " in json.loads(text)["detail"]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
def test_the_names_of_the_loopback_are_answered(ask, name):
    assert ask("GET", "/config", Host=f"{name}:{ask.port}")[0] == 200


def test_a_name_that_was_allowed_is_answered_and_its_own_pages_may_ask(ask):
    for name in (ALLOWED_HOST, ALLOWED_HOST.lower(), f"{ALLOWED_HOST}:{ask.port}"):
        assert ask("GET", "/config", Host=name)[0] == 200
        assert ask("GET", "/config", Host=name, Origin=f"https://{name}")[0] == 200
        assert ask("GET", "/config", Host=name, Origin=f"http://{ask.netloc}")[0] == 403
    for name in (f"{ALLOWED_HOST}.evil.example", f"x{ALLOWED_HOST}", ALLOWED_HOST.split(".")[1]):
        assert ask("GET", "/config", Host=name)[0] == 403


@pytest.mark.parametrize(
    ("host", "names", "asked"),
    [
        ("City.lan", (), "city.lan:7860"),
        ("192.0.2.7", (), "192.0.2.7:7860"),
        ("fd00::7", (), "[fd00::7]:7860"),
        ("0.0.0.0", ("One.lan", "[fd00::8]"), "one.lan"),
        ("0.0.0.0", ("One.lan", "[fd00::8]"), "[fd00::8]:80"),
    ],
)
def test_the_address_that_is_listened_on_and_the_allowed_names_are_its_own(host, names, asked):
    assert OwnPages.known_as(host, names).refusal("http", {"host": asked}) is None
    refusal = OwnPages.known_as("127.0.0.1", ()).refusal("http", {"host": asked})
    assert "--allow-host" in refusal


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:1", "null", "https"])
def test_a_page_of_another_origin_can_start_and_upload_nothing(ask, origin):
    origin = f"https://{ask.netloc}" if origin == "https" else origin
    for path, kind in (("queue/join", "text/plain"), ("upload", "multipart/form-data")):
        status, headers, _ = ask(
            "POST", f"/gradio_api/{path}", b"{}", Origin=origin, Content_Type=kind
        )
        assert status == 403
        assert not [name for name in headers if name.lower().startswith("access-control")]
    preflight = {"Origin": origin, "Access_Control_Request_Method": "POST"}
    status, headers, _ = ask("OPTIONS", "/gradio_api/queue/join", **preflight)
    assert status == 403
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_its_own_pages_are_answered_without_a_word_to_others(ask):
    status, headers, _ = ask("GET", "/config", Origin=f"http://{ask.netloc}")
    assert status == 200
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_other_sites_may_link_to_the_studio_and_not_embed_it(ask):
    cross = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert ask("GET", "/", **cross, Sec_Fetch_Dest="document")[0] == 200
    assert ask("GET", "/", **cross, Sec_Fetch_Dest="iframe")[0] == 403
    picture = {
        "Sec_Fetch_Site": "same-site",
        "Sec_Fetch_Mode": "no-cors",
        "Sec_Fetch_Dest": "image",
    }
    assert ask("GET", "/config", **picture)[0] == 403


@pytest.mark.parametrize(
    "body",
    [
        {"fn_index": 10**6, "data": [], "session_hash": "forged"},
        {"fn_index": -1, "data": [], "session_hash": "forged"},
        {"fn_index": None, "data": [], "session_hash": "forged"},
    ],
)
def test_a_forged_event_is_answered_with_a_sentence(ask, body):
    status, _, text = ask("POST", "/gradio_api/queue/join", body)
    assert status == 400
    assert "function index" in text or "form that it does not know" in text


def test_values_of_a_wrong_type_end_in_a_sentence(ask):
    config = json.loads(ask("GET", "/config")[2])
    inputs = {d["id"]: len(d["inputs"]) for d in config["dependencies"] if d["inputs"]}
    started = [n for n, count in inputs.items() if count > 2][:6]
    for number in started:
        for data in ([{"a": []}] * inputs[number], []):
            done, told = succeeds(ask, number, data, f"wrong-{number}-{len(data)}")
            assert done or len(told["error"]) > 20


def succeeds(ask, event, data, session, pressed=None):
    """Whether an event of a page ends well, and what is said; `pressed` is what a press tells."""
    body = {"fn_index": event, "data": data, "session_hash": session, "trigger_id": 1}
    body |= {"event_data": pressed} if pressed else {}
    assert ask("POST", "/gradio_api/queue/join", body)[0] == 200
    _, _, said = ask("GET", f"/gradio_api/queue/data?session_hash={session}")
    done = next(line for line in said.splitlines() if "process_completed" in line)
    told = json.loads(done.removeprefix("data: "))
    return told["success"], told["output"]


def upload(ask, path):
    """The path at which a file that a page sends is kept."""
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'
    body = head.encode() + path.read_bytes() + b"\r\n--x--\r\n"
    kind = "multipart/form-data; boundary=x"
    return json.loads(ask("POST", "/gradio_api/upload", body, Content_Type=kind)[2])[0]


def test_only_a_file_that_was_uploaded_is_read(ask, tmp_path):
    points, picture = tmp_path / "private.npy", tmp_path / "private.jpg"
    np.save(points, np.ones((1, 16), np.float32))
    passport = Passport("city", "0.1", 12, torch.ones(16), "abc")
    save_specimen(np.zeros((32, 32, 3), np.uint8), picture, passport, "")
    config = json.loads(ask("GET", "/config")[2])
    parts = {c["id"]: c["props"] for c in config["components"]}
    fields = {c["id"]: c["props"] for c in config["components"] if c["type"] == "file"}
    events = [d for d in config["dependencies"] if fields.keys() & set(d["inputs"])]
    assert len(events) == 9
    others = {"At batch": None, "Not square": "crop"}  # Of other fields that are asked with it.
    for event in events:
        (field,) = fields.keys() & set(event["inputs"])
        many = fields[field]["file_count"] == "multiple"
        path = points if fields[field]["elem_id"] == "own-points" else picture
        starts_job = event["targets"][0][1] == "click" and many
        kept, meta = upload(ask, path), {"meta": {"_type": "gradio.FileData"}}
        forged = [{"path": path, **meta}, {"path": path}, {"url": f"file://{path}"}, path]
        for number, said in enumerate([{"path": kept, **meta}, *forged]):
            said = json.loads(json.dumps(said, default=str))
            given = [said] if many else said
            labels = {name: parts[name].get("label") for name in event["inputs"]}
            data = [
                given if name == field else others.get(labels[name], "city")
                for name in event["inputs"]
            ]
            if number == 0 and starts_job:
                continue
            session, pressed = f"file-{event['id']}-{number}", {"action": "keep"}
            done, told = succeeds(ask, event["id"], data, session, pressed)
            assert done is (number == 0), (said, told)


def test_no_upload_and_no_request_is_without_bounds(ask):
    large = {"Content_Length": str(300 * 2**20), "Content_Type": "multipart/form-data; boundary=x"}
    assert ask("POST", "/gradio_api/upload", b"", **large)[0] == 413
    assert ask("POST", "/gradio_api/queue/join", b"", Content_Length=str(2**24))[0] == 413


@pytest.mark.slow
def test_a_page_that_nobody_reads_holds_no_place_in_the_queue(ask):
    config = json.loads(ask("GET", "/config")[2])
    endless = max(d["id"] for d in config["dependencies"] if not d["inputs"] and not d["outputs"])

    def join(number):
        body = {"fn_index": endless, "data": [], "session_hash": f"join-{number}"}
        return ask("POST", "/gradio_api/queue/join", body)[0]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert 200 in set(pool.map(join, range(400)))
    deadline = time.monotonic() + 60
    while (
        ask(
            "POST",
            "/gradio_api/queue/join",
            {"fn_index": endless, "data": [], "session_hash": "another"},
        )[0]
        != 200
    ):
        assert time.monotonic() < deadline, "the queue stayed full"
        time.sleep(1)


@pytest.mark.browser
def test_in_chromium_neither_a_foreign_page_nor_a_rebound_name_reads_anything(ask, launch_chromium):
    files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=files.serve_forever, daemon=True).start()
    read = "url => fetch(url).then(answer => answer.status, error => 'blocked')"
    opened = launch_chromium(f"--host-resolver-rules=MAP {EVIL} 127.0.0.1")
    page = opened.new_page()
    page.goto(f"http://{EVIL}:{files.server_port}/")
    assert page.evaluate(read, f"http://{ask.netloc}/config") == "blocked"
    assert page.goto(f"http://{EVIL}:{ask.port}/").status == 403
    assert page.evaluate(read, f"http://{EVIL}:{ask.port}/config") == 403
    opened.close()
    files.shutdown()
    files.server_close()
