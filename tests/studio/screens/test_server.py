import shutil
import socket
import urllib.error
import urllib.request
from collections import Counter

import gradio as gr
import pytest
from gradio import networking

from app import name_command
from studio.actions.permissions import Permissions
from studio.runs.events import record_event
from studio.screens import server
from studio.screens.parts.run_cache import RunCache
from studio.screens.safety.gate import GuardedApp, Limits
from studio.screens.safety.own_pages import OwnPages
from studio.screens.server import (
    build_app,
    choose_port,
    first_choice,
    parse_auth,
    still_awaited,
)
from studio.screens.train.run_view import show_runs
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.jobs import insert_job
from studio.workspace.queue.work import working_as_job
from tests.studio.conftest import TINY

HERE = "127.0.0.1"


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind((HERE, 0))
        listener.listen()
        yield listener.getsockname()[1]


def fetch(url):
    """(status, body) of a request."""
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def test_the_app_has_a_tab_for_each_thing_a_person_does(empty_workspace):
    config = build_app(Permissions(empty_workspace), Limits().pages).get_config_file()
    tabs = [c["props"]["label"] for c in config["components"] if c["type"] == "tabitem"]
    outer = [name for name in tabs if name in "Home Train Checkpoints Explore Render Specimens"]
    assert outer == ["Home", "Train", "Checkpoints", "Explore", "Render", "Specimens"]


def test_nothing_but_tabs_lies_in_a_row_of_tabs(empty_workspace):
    """Gradio counts what lies there, and shows other tabs where something else is among them."""
    page = build_app(Permissions(empty_workspace), Limits().pages)
    rows = [block for block in page.blocks.values() if isinstance(block, gr.Tabs)]
    assert len(rows) > 3
    kinds = {(row.elem_id, type(child)) for row in rows for child in row.children}
    assert {kind for _, kind in kinds} == {gr.Tab}, kinds


def test_at_most_one_listener_of_an_event_is_asked_the_last_time_only(empty_workspace):
    """Gradio asks two such listeners by turns without an end, once both are at work."""
    config = build_app(Permissions(empty_workspace), Limits().pages).get_config_file()
    kinds = {component["id"]: component["type"] for component in config["components"]}
    listeners = Counter(
        (component, event)
        for dependency in config["dependencies"]
        if dependency["trigger_mode"] == "always_last" and dependency["backend_fn"]
        for component, event in dependency["targets"]
        if kinds.get(component) != "state"  # Its listeners are asked one by one.
    )
    assert [event for event, count in listeners.items() if count > 1] == []


def test_a_wanted_port_that_is_taken_is_an_error(taken_port):
    with pytest.raises(EXPECTED_ERRORS, match=str(taken_port)):
        choose_port(HERE, taken_port)


def test_a_port_that_is_taken_while_the_pages_are_built_is_an_error(empty_workspace, taken_port):
    limits = Limits()
    page = build_app(Permissions(empty_workspace), limits.pages)
    app = GuardedApp(OwnPages(frozenset([HERE])), limits)
    with pytest.raises(StudioError, match=f"Port {taken_port} .* was taken"):
        server._launch(page, empty_workspace, HERE, taken_port, None, app)


def test_an_app_whose_first_page_is_slow_is_served_all_the_same(empty_workspace, monkeypatch):
    """Gradio gives a page three seconds, which a busy machine may not keep."""
    monkeypatch.setattr(networking, "url_ok", lambda url: False)
    limits, port = Limits(), choose_port(HERE, None)
    with gr.Blocks() as page:
        gr.Textbox()
    app = GuardedApp(OwnPages(frozenset([HERE])), limits)
    server._launch(page, empty_workspace, HERE, port, None, app)
    try:
        assert fetch(f"http://{HERE}:{port}/config")[0] == 200
    finally:
        page.close(verbose=False)


def test_an_app_whose_port_was_taken_meanwhile_is_opened_at_another(empty_workspace, monkeypatch):
    wanted, opened = [], []

    def launch(page, workspace, host, port, *others):
        wanted.append(port)
        if len(wanted) == 1:
            raise server.PortTakenError("taken")
        opened.append(port)
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "_launch", launch)
    with pytest.raises(KeyboardInterrupt):
        server.serve_app(Permissions(empty_workspace))
    assert len(wanted) == 2
    assert opened == wanted[1:]
    wanted.clear()
    with pytest.raises(server.PortTakenError):  # Who names a port wants no other one.
        server.serve_app(Permissions(empty_workspace), port=choose_port(HERE, None))


def test_without_a_wish_the_next_free_port_is_taken(taken_port, monkeypatch):
    monkeypatch.setattr(server, "FIRST_PORT", taken_port)
    assert taken_port < choose_port(HERE, None) < taken_port + server.PORTS


def test_a_port_out_of_range_and_a_host_of_nobody_are_errors():
    with pytest.raises(EXPECTED_ERRORS, match="1 to 65535"):
        choose_port(HERE, 70_000)
    with pytest.raises(EXPECTED_ERRORS, match=r"no\.such\.host"):
        choose_port("no.such.host.invalid", None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", ""])
def test_beyond_this_machine_a_password_is_asked_for(host):
    with pytest.raises(EXPECTED_ERRORS, match="--auth USER:PASSWORD"):
        parse_auth(host, None)
    assert parse_auth(host, "ada:se:cret") == ("ada", "se:cret")


@pytest.mark.parametrize("auth", ["ada", "ada:", ":secret", ""])
def test_a_malformed_login_is_refused_everywhere(auth):
    with pytest.raises(EXPECTED_ERRORS, match="USER:PASSWORD"):
        parse_auth(HERE, auth)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "app"),
        ("--port 8000", "app --port 8000"),
        ("--workspace here --port 8000", "--workspace here app --port 8000"),
        ("--workspace=here", "--workspace=here app"),
    ],
)
def test_the_app_is_started_with_the_options_of_its_command(given, words):
    assert name_command(given.split()) == words.split()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_this_machine_needs_no_password(host):
    assert parse_auth(host, None) is None


def test_the_run_shown_first_is_the_longest(workspace, studio):
    studio("train", "streets", "--run", "a-short-one", "--batches", "2", *TINY)
    assert first_choice(workspace) == "city"


def test_a_paused_run_is_shown_before_a_longer_one(workspace, studio):
    studio("train", "streets", "--run", "a-short-one", "--batches", "2", *TINY)
    job = insert_job(workspace, "train", {}, ["train"], "a-short-one")
    with working_as_job(workspace, job):
        record_event(workspace, "a-short-one", 2, "paused", "paused")
        assert first_choice(workspace) == "a-short-one"


def test_a_damaged_run_is_shown_as_such_and_hides_no_other(workspace):
    description = workspace.run("broken") / "checkpoints" / "generator.json"
    description.parent.mkdir(parents=True)
    description.write_text("{")
    shutil.copytree(workspace.run("city"), workspace.run("lost"))
    (workspace.run("lost") / "checkpoints" / "generator.json").unlink()
    assert first_choice(workspace) == "city"
    table = show_runs(RunCache(workspace), "city")
    assert table.count('class="badge damaged"') == 2
    assert 'data-label="lost"' in table
    assert 'data-label="city"' in table


def test_a_run_that_could_not_be_made_is_listed_with_the_reason(empty_workspace):
    job = insert_job(empty_workspace, "train", {}, ["train", "no-such", "--run", "new"], "new")
    with pytest.raises(StudioError), working_as_job(empty_workspace, job):
        raise StudioError("There is no dataset 'no-such'.")
    table = show_runs(RunCache(empty_workspace), None)
    assert 'class="badge failed"' in table
    assert "no-such" in table
    assert still_awaited(empty_workspace, "new") is None
    assert still_awaited(empty_workspace, "other") == "other"


def test_an_empty_workspace_has_no_run_to_show(empty_workspace):
    assert first_choice(empty_workspace) is None


def test_only_runs_renders_and_exports_are_served(served):
    workspace, url = served
    status, body = fetch(f"{url}/gradio_api/file={workspace.preview('city')}")
    assert (status, body[1:4]) == (200, b"PNG")
    for kept_in in (workspace.database, workspace.datasets / "streets" / "manifest.json"):
        assert fetch(f"{url}/gradio_api/file={kept_in}")[0] == 403
    up = f"{workspace.runs}/../datasets/streets/manifest.json"
    assert fetch(f"{url}/gradio_api/file={up}")[0] == 403


def test_the_page_names_no_other_machine(served):
    status, body = fetch(served[1])
    assert status == 200
    assert b"fonts.googleapis.com" not in body
    assert b"fonts.googleapis.com" not in fetch(f"{served[1]}/theme.css")[1]
