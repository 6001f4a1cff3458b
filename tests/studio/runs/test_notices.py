import json
import logging
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from studio.runs.notices import Notices, check_notices
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.trust import trust

RISKS = ("address", "command")
NOTICE = {"run": "city", "batch": 7, "name": "D wins", "text": "straße"}


@pytest.fixture
def server():
    """A webhook that keeps what it was sent; it answers with server.status after server.waits."""

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.received.append((self.headers["Content-Type"], json.loads(content)))
            self.server.waits.wait(10)
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    server.received, server.status, server.waits = [], 200, threading.Event()
    server.waits.set()
    server.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.waits.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def send(empty_workspace):
    """Sends notices to receivers that the owner of the workspace has named: send(NOTICE, ...)."""
    notices = Notices(empty_workspace)

    def named(notice, webhook="", command=""):
        for risk, value in (("address", webhook), ("command", command)):
            if value:
                trust(empty_workspace, risk, value)
        notices.send(notice, webhook=webhook, command=command)

    named.close, named.take_failures = notices.close, notices.take_failures
    return named


def test_a_webhook_is_posted_the_notice_as_json(server, send):
    send(NOTICE, webhook=server.url)
    send.close()
    assert server.received == [("application/json", NOTICE)]


def test_a_command_gets_the_notice_on_its_standard_input(tmp_path, send):
    out = tmp_path / "a file"
    script = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    send(NOTICE, command=f'{sys.executable} -c "{script}" "{out}"')
    send.close()
    assert json.loads(out.read_bytes()) == NOTICE


def test_there_is_no_shell(tmp_path, send):
    send(NOTICE, command=f"true; touch {tmp_path / 'made'}")
    send.close()
    assert not (tmp_path / "made").exists()


def test_a_slow_webhook_holds_nobody_up(server, send):
    server.waits.clear()
    began = time.monotonic()
    for _ in range(300):
        send(NOTICE, webhook=server.url)
    assert time.monotonic() - began < 2
    server.waits.set()
    send.close()
    assert 100 <= len(server.received) <= 102


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"webhook": "http://127.0.0.1:9/nobody-listens"}, "refused"),
        ({"webhook": "file:///etc/hostname"}, "alarm_webhook is an address"),
        ({"command": "no-such-program --now"}, "there is no program 'no-such-program'"),
        ({"command": f"{sys.executable} -c 'exit(3)'"}, "it ended with exit status 3"),
        ({"command": "'unclosed"}, "No closing quotation"),
    ],
)
def test_what_cannot_be_sent_is_told_once_and_the_next_is_sent(server, words, told, caplog, send):
    with caplog.at_level(logging.WARNING):
        send(NOTICE, **words)
        send(NOTICE, **words)
        send(NOTICE, webhook=server.url)
        send.close()
    (failure,) = send.take_failures()
    assert failure.startswith(f"alarm_{next(iter(words))} '")
    assert told in failure
    assert [record.getMessage() for record in caplog.records] == [failure]
    assert len(server.received) == 1
    assert send.take_failures() == []


def test_a_command_that_takes_too_long_is_ended_and_told(monkeypatch, send):
    monkeypatch.setattr("studio.runs.notices.COMMAND_SECONDS", 0.1)
    send(NOTICE, command="sleep 60")
    send.close()
    assert "took longer than 0.1 s" in send.take_failures()[0]


def test_a_webhook_that_fails_does_not_keep_the_command_from_running(tmp_path, send):
    send(NOTICE, webhook="http://127.0.0.1:9/nobody", command=f"touch {tmp_path / 'ran'}")
    send.close()
    assert (tmp_path / "ran").exists()


def test_a_receiver_that_answered_meanwhile_is_told_again_when_it_fails(server, send):
    for server.status in (500, 200, 500):
        send(NOTICE, webhook=server.url)
        while len(server.received) < {500: 1, 200: 2}[server.status]:
            time.sleep(0.01)
        time.sleep(0.05)
    send.close()
    assert len(send.take_failures()) == 2


def test_an_answer_that_is_an_error_is_a_line_in_the_log(server, caplog, send):
    server.status = 500
    send(NOTICE, webhook=server.url)
    send.close()
    assert "500" in caplog.text


@pytest.mark.parametrize("webhook", ["ftp://example.org/x", "example.org", "http://"])
def test_an_address_that_is_no_web_address_is_refused(webhook):
    with pytest.raises(EXPECTED_ERRORS, match="alarm_webhook is an address"):
        check_notices(webhook, "")


def test_a_command_with_an_open_quote_is_refused():
    with pytest.raises(EXPECTED_ERRORS, match="Close every quote"):
        check_notices("", "mail 'me")


def test_what_nobody_named_is_neither_called_nor_run(empty_workspace, server, tmp_path):
    notices = Notices(empty_workspace)
    notices.send(NOTICE, webhook=server.url, command=f"touch {tmp_path / 'ran'}")
    notices.close()
    told = notices.take_failures()
    for risk, text in zip(RISKS, told, strict=True):
        assert f"studio trust --{risk} " in text
    assert server.received == []
    assert not (tmp_path / "ran").exists()


def test_a_command_is_run_in_the_folder_in_which_it_was_named(
    empty_workspace, tmp_path, monkeypatch
):
    for name in ("mine", "theirs"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "tell.sh").write_text(f"#!/bin/sh\ntouch {folder / 'ran'}\n")
        (folder / "tell.sh").chmod(0o755)
    monkeypatch.chdir(tmp_path / "mine")
    trust(empty_workspace, "command", "./tell.sh")
    monkeypatch.chdir(tmp_path / "theirs")
    notices = Notices(empty_workspace)
    notices.send(NOTICE, command="./tell.sh")
    notices.close()
    assert notices.take_failures() == []
    assert (tmp_path / "mine" / "ran").exists()
    assert not (tmp_path / "theirs" / "ran").exists()
