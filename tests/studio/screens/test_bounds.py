"""Real HTTP: how often one may guess a password, and how much of the queue one page may take."""

import concurrent.futures
import http.client
import json
import socket
import time
from urllib.parse import urlencode, urlsplit

import gradio as gr
import pytest
from starlette.responses import Response

from studio.screens.safety.bounded_queue import MAX_OF_CLIENT, MAX_OF_PAGE, BoundedQueue
from studio.screens.safety.gate import MB, GuardedApp, Limits, Login
from studio.screens.safety.own_pages import OwnPages
from studio.screens.safety.page import GuardedPage

SLOW_S = 0.2
PICTURE = "/studio/a/picture"


@pytest.fixture
def serve():
    """serve(login): the address of a page with an event that takes a while, behind the gate."""
    opened = []

    def start(login=None):
        with GuardedPage(own_answers={PICTURE: lambda request: Response(b"seen")}) as page:
            asked, told = gr.Textbox(), gr.Textbox()
            gr.Button().click(lambda text: time.sleep(SLOW_S) or text, asked, told)
        page.queue(default_concurrency_limit=4, max_size=256)
        auth, app = Login(*login) if login else None, GuardedApp(OwnPages(), Limits())
        quiet = {"quiet": True, "prevent_thread_lock": True, "ssr_mode": False, "share": False}
        page.launch(server_name="127.0.0.1", auth=auth, max_threads=100, _app=app, **quiet)
        opened.append(page)
        return urlsplit(page.local_url).netloc

    yield start
    for page in opened:
        page.close(verbose=False)


def test_a_queue_without_events_looks_for_them_a_hundred_times_a_second_at_most(serve, monkeypatch):
    serve()
    looks = []
    count = BoundedQueue.__len__
    monkeypatch.setattr(BoundedQueue, "__len__", lambda queue: looks.append(1) or count(queue))
    time.sleep(1)
    assert 1 <= len(looks) <= 110


def post(netloc, path, body, kind="application/json", source="127.0.0.1", **headers):
    """(status, text) of the answer to a client at an address of the loopback."""
    connection = http.client.HTTPConnection(netloc, timeout=60, source_address=(source, 0))
    try:
        connection.request("POST", path, body, {"Content-Type": kind, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def log_in(netloc, password, **options):
    form = urlencode({"username": "me", "password": password})
    return post(netloc, "/login", form, "application/x-www-form-urlencoded", **options)[0]


def join(netloc, session, **options):
    body = {"fn_index": 0, "data": ["hello"], "session_hash": session, "trigger_id": 1}
    return post(netloc, "/gradio_api/queue/join", json.dumps(body), **options)


def hear(netloc, session, source):
    """What a page is told of its event."""
    connection = http.client.HTTPConnection(netloc, timeout=60, source_address=(source, 0))
    try:
        connection.request("GET", f"/gradio_api/queue/data?session_hash={session}")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_a_password_cannot_be_guessed_by_the_thousand(serve):
    netloc = serve(login=("me", "secret"))
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda n: log_in(netloc, f"guess-{n}"), range(200)))
    assert (told.count(400), told.count(429)) == (5, 195)
    assert log_in(netloc, "secret") == 429  # Guessing it right at last is no use either.
    assert log_in(netloc, "secret", source="127.0.0.2") == 200


def test_many_addresses_guess_no_faster_in_sum(serve):
    netloc = serve(login=("me", "secret"))
    sources = [f"127.0.1.{n}" for n in range(1, 21)]
    told = [log_in(netloc, "wrong", source=source) for source in sources for _ in range(4)]
    assert told.count(400) == 30
    pretended = [log_in(netloc, "wrong", **{"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(20)]
    assert set(pretended) == {429}


def look(netloc, **headers):
    """(status, text) of a picture of the page's own."""
    connection = http.client.HTTPConnection(netloc, timeout=60)
    try:
        connection.request("GET", PICTURE, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_pictures_are_for_those_who_may_see_the_page_and_asked_for_by_itself(serve):
    open_to_all, netloc = serve(), serve(login=("me", "secret"))
    assert look(open_to_all) == (200, "seen")
    assert look(open_to_all, Host="evil.example")[0] == 403
    assert (
        look(open_to_all, **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"})[0] == 403
    )
    status, told = look(netloc)
    assert status == 401
    assert "log in" in told
    form = urlencode({"username": "me", "password": "secret"})
    connection = http.client.HTTPConnection(netloc, timeout=60)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/login", form, kind)
    answer = connection.getresponse()
    cookies = [text.partition(";")[0] for text in answer.headers.get_all("Set-Cookie")]
    connection.close()
    assert look(netloc, Cookie="; ".join(cookies)) == (200, "seen")
    forged = "; ".join(f"{cookie.partition('=')[0]}=forged" for cookie in cookies)
    assert look(netloc, Cookie=forged)[0] == 401


def test_logins_that_succeed_are_not_counted(serve):
    netloc = serve(login=("me", "secret"))
    assert {log_in(netloc, "secret") for _ in range(12)} == {200}


def begin_upload(netloc, source, size):
    """The status of the answer to an upload that was announced: 100 where it may be sent."""
    host, _, port = netloc.partition(":")
    with socket.create_connection((host, int(port)), 60, source_address=(source, 0)) as opened:
        opened.sendall(
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {netloc}\r\nContent-Length: {size}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        with opened.makefile("rb") as answer:
            return int(answer.readline().split()[1])


def test_uploads_are_bounded_in_sum_for_one_client_and_for_all_together(serve):
    netloc = serve()
    assert [begin_upload(netloc, "127.0.2.1", 60 * MB) for _ in range(6)] == 4 * [100] + 2 * [413]
    assert begin_upload(netloc, "127.0.2.1", 10 * MB) == 100  # A smaller one still has room.
    told = [begin_upload(netloc, f"127.0.2.{n}", 250 * MB) for n in range(2, 8)]
    assert told == 3 * [100] + 3 * [413]
    assert begin_upload(netloc, "127.0.2.9", 64 * MB) == 413  # All together have used it up.


@pytest.mark.parametrize(
    ("pages", "most"), [(1, MAX_OF_PAGE), pytest.param(400, MAX_OF_CLIENT, marks=pytest.mark.slow)]
)
def test_one_client_cannot_lock_another_out(serve, pages, most):
    netloc = serve()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        sessions = [f"flood-{n % pages}" for n in range(400)]
        began = time.monotonic()
        told = list(pool.map(lambda session: join(netloc, session), sessions))
    answered = 4 * (time.monotonic() - began) / SLOW_S  # At most so many were done meanwhile.
    accepted = [status for status, _ in told].count(200)
    assert most <= accepted <= most + answered + 4
    refused = next(text for status, text in told if status == 503)
    assert "too much at a time" in refused
    assert join(netloc, "another", source="127.0.0.2")[0] == 200
    assert "process_completed" in hear(netloc, "another", "127.0.0.2")
