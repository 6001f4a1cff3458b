"""The routes of the timeline over real HTTP: whom they answer, with what, and what they refuse."""

import asyncio
import http.client
import io
import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.requests import Request

from checkpoints_index import CheckpointIndex
from renderers.frames.frame_renderer import render_frames
from renderers.pictures.sheets import arrange_grid
from studio.screens.checkpoints.timeline import page_turns
from studio.screens.checkpoints.timeline.page_turns import (
    BusyPagesError,
    PageTurns,
    StaleRequestError,
)
from studio.screens.safety.gate import is_logged_in
from studio.specimens.points import FIXED, points_of
from tests.studio.conftest import BATCHES

PAGE = "testpage01"
NAMES = (
    *(
        "../city",
        "..",
        "city/../../x",
        "/etc/passwd",
        "city\0",
        "\ud800".encode("utf-8", "replace"),
    ),
    *("%2e%2e", "c" * 300, "", "<script>", "con;rm", "-rf", "{}", "ci ty\n"),
)


@pytest.fixture
def ask(served):
    """ask(path, headers, **query): (status, headers, body) of a GET request."""
    address = urlsplit(served[1])

    def call(path="picture", headers=None, raw=None, **query):
        text = raw if raw is not None else urlencode(query)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        try:
            connection.request("GET", f"/studio/timeline/{path}?{text}", headers=headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    call.netloc = address.netloc
    return call


def run_beside(work):
    """Run a coroutine in a thread of its own: this one may have the loop of a browser's driver."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def decode(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def test_a_picture_is_that_of_the_batch_that_it_names(ask, served):
    status, headers, content = ask(run="city", batch=3, page=PAGE)
    assert (status, headers["x-batch"]) == (200, "3")
    points = points_of(served[0], "city", FIXED)
    G = CheckpointIndex(served[0].runs)["city"].generator(3)
    right = arrange_grid(render_frames(G, torch.stack([point.z for point in points])))
    assert np.abs(decode(content).astype(int) - right).mean() < 2
    _, headers, one = ask(run="city", batch=3, page=PAGE, point=points[1].label)
    assert headers["x-size"] == "32 32"
    assert np.abs(decode(one).astype(int) - right[:32, 34:66]).mean() < 3


def test_a_picture_that_the_browser_knows_is_not_sent_again(ask):
    _, headers, _ = ask(run="city", batch=4, page=PAGE)
    again = ask(run="city", batch=4, page=PAGE, headers={"If-None-Match": headers["etag"]})
    assert (again[0], again[1]["x-batch"], again[2]) == (304, "4", b"")
    other = ask(run="city", batch=5, page=PAGE, headers={"If-None-Match": headers["etag"]})
    assert other[0] == 200


@pytest.mark.parametrize(("batch", "shown"), [(0, "1"), (BATCHES + 1, "12"), (10**14, "12")])
def test_a_batch_beyond_the_run_is_answered_with_the_nearest_one(ask, batch, shown):
    status, headers, _ = ask(run="city", batch=batch, page=PAGE)
    assert (status, headers["x-batch"]) == (200, shown)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("path", ["picture", "thumbnails"])
def test_a_hostile_name_is_refused_in_one_sentence(ask, path, name):
    status, _, body = ask(path, run=name, batch=3, page=PAGE)
    assert status in (400, 404)
    assert 10 < len(json.loads(body)["detail"]) < 600
    assert b"Traceback" not in body


@pytest.mark.parametrize(
    "query",
    [
        {"batch": "-1"},
        {"batch": "1e3"},
        {"batch": "٣"},
        {"batch": "9" * 16},
        {"batch": "9" * 5000},
        {"size": "100000"},
        {"size": "512 "},
        {"point": "../../x"},
        {"point": "99.99"},
        {"point": "seed:" + "9" * 30},
        {"page": "short"},
        {"page": "x" * 33},
        {"page": "../../../x"},
        {"format": "png"},
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(ask, query):
    status, _, body = ask(**{"run": "city", "batch": "3", "page": PAGE, **query})
    assert status == 400
    assert 10 < len(json.loads(body)["detail"]) < 400


def test_bytes_that_are_no_text_are_refused(ask):
    assert ask(raw=f"run=%ff%fe&batch=3&page={PAGE}")[0] == 400
    assert ask(raw="")[0] == 400


def test_pages_of_other_origins_see_nothing(ask):
    query = {"run": "city", "batch": 3, "page": PAGE}
    assert ask(headers={"Host": "evil.example"}, **query)[0] == 403
    assert ask(headers={"Origin": "http://evil.example"}, **query)[0] == 403
    embedded = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Dest": "image",
    }
    for path in ("picture", "thumbnails"):
        status, headers, _ = ask(path, headers=embedded, **query)
        assert status == 403
        assert not [name for name in headers if name.lower().startswith("access-control")]
    own = ask(headers={"Origin": f"http://{ask.netloc}", "Sec-Fetch-Site": "same-origin"}, **query)
    assert own[0] == 200


@pytest.mark.parametrize("urgent", [True, False])
def test_the_newest_of_many_requests_is_answered_and_what_is_at_work_unless_it_is_urgent(urgent):
    async def ask_often():
        turns, drawn, begun = PageTurns(), [], asyncio.Event()

        async def draw(number):
            async with turns.take(PAGE, urgent) as is_wanted:
                begun.set()
                await asyncio.sleep(0.05)
                drawn.append((number, is_wanted()))

        first = asyncio.create_task(draw(0))
        await begun.wait()
        others = [asyncio.create_task(draw(number)) for number in range(1, 6)]
        told = await asyncio.gather(first, *others, return_exceptions=True)
        assert [isinstance(each, StaleRequestError) for each in told[1:]] == 4 * [True] + [False]
        assert drawn == [(0, not urgent), (5, True)]
        assert turns._pages == {}

    run_beside(ask_often())


def test_a_request_that_is_given_up_while_it_waits_blocks_nobody(monkeypatch):
    monkeypatch.setattr(page_turns, "MAX_PAGES", 1)

    async def give_up():
        turns = PageTurns()

        async def wait():
            async with turns.take(PAGE):
                await asyncio.sleep(0.02)

        async with turns.take(PAGE):
            with pytest.raises(BusyPagesError, match="Too many pages"):
                async with turns.take("another01"):
                    pass
            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0)
            waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.wait_for(wait(), 5)
        assert turns._pages == {}

    run_beside(give_up())


def test_a_login_is_asked_for_where_the_studio_has_one():
    def request(cookie):
        app = SimpleNamespace(
            auth=object(), auth_dependency=None, cookie_id="c", tokens={"right": "me"}
        )
        headers = [(b"cookie", f"access-token-c={cookie}".encode())]
        return Request({"type": "http", "app": app, "headers": headers})

    assert is_logged_in(request("right"))
    assert not is_logged_in(request("wrong"))
    assert not is_logged_in(request(""))
