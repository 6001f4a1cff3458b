import json
import logging
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from studio.runs.notices import Notices, check_notices
from studio.workspace.errors import EXPECTED_ERRORS

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


def test_a_webhook_is_posted_the_notice_as_json(server):
    notices = Notices()
    notices.send(NOTICE, webhook=server.url)
    notices.close()
    assert server.received == [("application/json", NOTICE)]


def test_a_command_gets_the_notice_on_its_standard_input(tmp_path):
    out = tmp_path / "a file"
    script = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    notices = Notices()
    notices.send(NOTICE, command=f'{sys.executable} -c "{script}" "{out}"')
    notices.close()
    assert json.loads(out.read_bytes()) == NOTICE


def test_there_is_no_shell(tmp_path):
    notices = Notices()
    notices.send(NOTICE, command=f"true; touch {tmp_path / 'made'}")
    notices.close()
    assert list(tmp_path.iterdir()) == []


def test_a_slow_webhook_holds_nobody_up(server):
    server.waits.clear()
    notices = Notices()
    began = time.monotonic()
    for _ in range(300):
        notices.send(NOTICE, webhook=server.url)
    assert time.monotonic() - began < 2
    server.waits.set()
    notices.close()
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
def test_what_cannot_be_sent_is_told_once_and_the_next_is_sent(server, words, told, caplog):
    notices = Notices()
    with caplog.at_level(logging.WARNING):
        notices.send(NOTICE, **words)
        notices.send(NOTICE, **words)
        notices.send(NOTICE, webhook=server.url)
        notices.close()
    (failure,) = notices.take_failures()
    assert failure.startswith(f"alarm_{next(iter(words))} '")
    assert told in failure
    assert [record.getMessage() for record in caplog.records] == [failure]
    assert len(server.received) == 1
    assert notices.take_failures() == []


def test_a_command_that_takes_too_long_is_ended_and_told(monkeypatch):
    monkeypatch.setattr("studio.runs.notices.COMMAND_SECONDS", 0.1)
    notices = Notices()
    notices.send(NOTICE, command="sleep 60")
    notices.close()
    assert "took longer than 0.1 s" in notices.take_failures()[0]


def test_a_webhook_that_fails_does_not_keep_the_command_from_running(tmp_path):
    notices = Notices()
    notices.send(NOTICE, webhook="http://127.0.0.1:9/nobody", command=f"touch {tmp_path / 'ran'}")
    notices.close()
    assert (tmp_path / "ran").exists()


def test_a_receiver_that_answered_meanwhile_is_told_again_when_it_fails(server):
    notices = Notices()
    for server.status in (500, 200, 500):
        notices.send(NOTICE, webhook=server.url)
        while len(server.received) < {500: 1, 200: 2}[server.status]:
            time.sleep(0.01)
        time.sleep(0.05)
    notices.close()
    assert len(notices.take_failures()) == 2


def test_an_answer_that_is_an_error_is_a_line_in_the_log(server, caplog):
    server.status = 500
    notices = Notices()
    notices.send(NOTICE, webhook=server.url)
    notices.close()
    assert "500" in caplog.text


@pytest.mark.parametrize("webhook", ["ftp://example.org/x", "example.org", "http://"])
def test_an_address_that_is_no_web_address_is_refused(webhook):
    with pytest.raises(EXPECTED_ERRORS, match="alarm_webhook is an address"):
        check_notices(webhook, "")


def test_a_command_with_an_open_quote_is_refused():
    with pytest.raises(EXPECTED_ERRORS, match="Close every quote"):
        check_notices("", "mail 'me")
