"""The way to the Hub and back, on good days and on bad ones."""

import hashlib
import json
import threading

import pytest
import safetensors.torch
import torch

from checkpoints_index import GeneratorSpec
from studio.publishing import hub_client, hub_download
from studio.publishing.hub_addresses import HubError
from studio.publishing.hub_download import fetch_model
from studio.publishing.hub_upload import upload_published
from studio.publishing.network_files import write_config
from studio.publishing.published_folder import CARD, CONFIG, FILES, POINTS, WEIGHTS
from tests.studio.publishing.hub_server import Repository

TO = "mira/city"
SPEC = GeneratorSpec("dcgan", {"z_dim": 8, "image_size": 32, "width": 0.125})


@pytest.fixture
def folder(tmp_path):
    """Files as a published folder has them."""
    for name in FILES:
        text = "---\nlicense: other\n---\n# city\n" if name == CARD else f"content of {name}"
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / name).write_text(text)
    return tmp_path / "out"


@pytest.fixture
def published(hub):
    """The files of a repository that has a model of ours."""
    weights = safetensors.torch.save(
        {n: t.contiguous() for n, t in SPEC.build().state_dict().items()}
    )
    told = {"batch": 7, "weights_sha256": hashlib.sha256(weights).hexdigest()}
    points = safetensors.torch.save({"7.1": torch.zeros(8)})
    files = {CONFIG: write_config(SPEC, told).encode(), WEIGHTS: weights, POINTS: points}
    hub.repositories[TO] = Repository(True, files)
    return files


def fetch(tmp_path):
    """What comes of fetching the model; where nothing does, nothing lies here."""
    place = tmp_path / "fetched"
    place.mkdir()
    return fetch_model(TO, place)


def refuse_to_fetch(tmp_path, sentence, allowed=()):
    """A model is refused with a sentence, and nothing of what was refused lies here."""
    with pytest.raises(HubError, match=sentence) as refused:
        fetch(tmp_path)
    assert "\n" not in str(refused.value)
    left = [path.name for path in (tmp_path / "fetched").iterdir() if path.name not in allowed]
    assert left == []


def test_what_is_there_is_not_sent_again(hub, folder):
    first = upload_published(folder, TO, public=False)
    assert (set(first.sent), first.kept, first.private) == (set(FILES), (), True)
    sent, commits = hub.sent_bytes, hub.repositories[TO].commits
    again = upload_published(folder, TO, public=False)
    assert (again.sent, set(again.kept)) == ((), set(FILES))
    assert (hub.sent_bytes, hub.repositories[TO].commits) == (sent, commits)
    (folder / WEIGHTS).write_text("other weights")
    (folder / "film.mp4").unlink()
    uploads = hub.count("PUT", "/lfs/")
    assert upload_published(folder, TO, public=False).sent == (WEIGHTS,)
    assert hub.count("PUT", "/lfs/") == uploads + 1
    assert set(hub.repositories[TO].files) == {*FILES, ".gitattributes"} - {"film.mp4"}


@pytest.mark.parametrize("where", ["/commit/", "/lfs/"])
def test_a_connection_that_breaks_is_a_sentence_and_a_second_call_goes_on(hub, folder, where):
    def break_off(handler):
        if where in handler.route and len(hub.stored) >= 3:
            handler.break_off()
            return True
        return False

    hub.fault = break_off
    with pytest.raises(HubError, match="The connection to the Hub broke off"):
        upload_published(folder, TO, public=False)
    assert set(hub.repositories[TO].files) == {".gitattributes"}
    there, hub.fault = len(hub.stored), None
    assert there >= 3
    uploads = hub.count("PUT", "/lfs/")
    upload_published(folder, TO, public=False)
    assert hub.count("PUT", "/lfs/") == uploads + 5 - there
    assert set(hub.repositories[TO].files) == {*FILES, ".gitattributes"}


def test_a_wrong_token_or_none_is_one_sentence(hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(HubError, match="does not take the token for 'mira/city'") as refused:
        upload_published(folder, TO, public=False)
    assert "hf_wrong" not in str(refused.value)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="There is no token for the Hub"):
        upload_published(folder, TO, public=False)
    assert hub.repositories == {}


def test_a_public_repository_is_not_sent_to_unless_that_is_meant(hub, folder):
    assert not upload_published(folder, TO, public=True).private
    (folder / WEIGHTS).write_text("secret weights")
    sent = hub.sent_bytes
    with pytest.raises(HubError, match="is public on the Hub"):
        upload_published(folder, TO, public=False)
    assert hub.sent_bytes == sent


def test_a_model_that_was_published_is_fetched_with_its_points(published, tmp_path):
    model = fetch(tmp_path)
    assert (model.spec, model.batch) == (SPEC, 7)
    assert model.weights.read_bytes() == published[WEIGHTS]
    assert model.points.read_bytes() == published[POINTS]
    names = {path.name for path in (tmp_path / "fetched").iterdir()}
    assert names == {"checkpoint-7.safetensors", CONFIG, POINTS}


def test_one_file_of_weights_of_somebody_else_is_fetched(hub, tmp_path):
    files = {"model.safetensors": b"weights", "config.json": b'{"model_type": "bert"}', "x.py": b""}
    hub.repositories[TO] = Repository(True, files)
    model = fetch(tmp_path)
    assert (model.spec, model.weights.name) == (None, "model-0.safetensors")
    assert hub.count("GET", "x.py") == 0


def test_several_files_of_weights_are_refused(hub, tmp_path):
    hub.repositories[TO] = Repository(True, {"a.bin": b"1", "b.bin": b"2"})
    refuse_to_fetch(tmp_path, "has 2 files of weights")


def test_a_repository_that_is_not_there_is_a_sentence(hub, tmp_path):
    refuse_to_fetch(tmp_path, "shows no repository 'mira/city'")


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[1, 2]", b"null", b'{"sha": 3}', b'{"sha": "../x"}']
)
def test_a_server_that_answers_nonsense_is_a_sentence(hub, published, tmp_path, answer):
    hub.fault = lambda handler: "/api/" in handler.route and not handler.answer(200, content=answer)
    refuse_to_fetch(tmp_path, "no answer of a Hub|is empty on the Hub")


def test_a_server_that_never_answers_is_a_sentence(hub, published, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_client, "TIMEOUT_S", 0.05)
    released = threading.Event()
    hub.fault = lambda handler: released.wait(100)
    try:
        refuse_to_fetch(tmp_path, "did not answer within 0.05 s")
    finally:
        released.set()


def test_a_server_that_drips_is_given_up(hub, published, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_download, "PATIENCE_S", 0.0)
    monkeypatch.setattr(hub_download, "LEAST_RATE", 1e12)
    refuse_to_fetch(tmp_path, "bytes a second, which takes too long")


def test_a_server_that_says_or_sends_too_much_is_a_sentence(hub, published, tmp_path):
    def promise(handler):
        if "/api/" not in handler.route:
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**10))
        handler.end_headers()
        return True

    hub.fault = promise
    refuse_to_fetch(tmp_path, "answers with 10000000000 bytes")


def test_an_answer_without_an_end_is_cut_off(hub, published, tmp_path, monkeypatch):
    monkeypatch.setattr(hub_client, "MAX_ANSWER_BYTES", 100_000)

    def stream(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        for _ in range(1000):
            handler.wfile.write(b"x" * 10_000)
        return True

    hub.fault = stream
    refuse_to_fetch(tmp_path, "answers without an end")


def test_a_file_that_is_larger_than_it_can_be_is_not_fetched(hub, published, tmp_path):
    published[POINTS] = Sized(10**10)
    refuse_to_fetch(tmp_path, "It was not fetched", {CONFIG, "checkpoint-7.safetensors"})
    assert hub.count("GET", POINTS) == 0


def test_a_file_of_which_more_comes_than_it_says_leaves_nothing(hub, published, tmp_path):
    hub.fault = lambda handler: (
        handler.route.startswith("/cdn/") and not handler.answer(200, content=b"x" * 10**6)
    )
    refuse_to_fetch(tmp_path, "More comes of", {CONFIG})


def test_a_file_with_other_bytes_leaves_nothing(hub, published, tmp_path):
    content = bytes(len(published[WEIGHTS]))
    hub.fault = lambda handler: (
        handler.route.startswith("/cdn/") and not handler.answer(200, content=content)
    )
    refuse_to_fetch(tmp_path, "other bytes came", {CONFIG})


def test_a_download_that_breaks_off_leaves_nothing(hub, published, tmp_path):
    def break_off(handler):
        if not handler.route.startswith("/cdn/"):
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(published[WEIGHTS])))
        handler.end_headers()
        handler.wfile.write(published[WEIGHTS][:1000])
        handler.break_off()
        return True

    hub.fault = break_off
    refuse_to_fetch(tmp_path, "broke off", {CONFIG})


@pytest.mark.parametrize(
    ("part", "sentence"),
    [("/api/", "sends us on to other.example"), ("/resolve/", "neither itself nor encrypted")],
)
def test_a_server_that_sends_us_elsewhere_is_not_followed(hub, published, tmp_path, part, sentence):
    hub.fault = lambda handler: (
        part in handler.route
        and not handler.answer(302, content=b"", Location="http://other.example/x")
    )
    refuse_to_fetch(tmp_path, sentence)


def test_a_server_that_sends_us_in_circles_is_left(hub, published, tmp_path):
    hub.fault = lambda handler: (
        "/resolve/" in handler.route
        and not handler.answer(302, content=b"", Location=hub.url + handler.path)
    )
    refuse_to_fetch(tmp_path, "in circles")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"generator": {"architecture": "os:system", "options": {}}}, "somebody's code"),
        ({"generator": {"architecture": "keras", "options": {}}}, "somebody's code"),
        ({"generator": {"architecture": "dcgan", "options": {"image_size": 10**9}}}, "up to 8,192"),
        ({"generator": {"architecture": "dcgan", "options": {"width": 1e9}}}, "width up to"),
        ({"generator": {"architecture": "dcgan", "options": {"x": 1}}}, "does not take x"),
        ({"generator": 3}, "describes no generator"),
        ({"batch": -1}, "its batch is none"),
        ({"batch": True}, "its batch is none"),
        ({"weights_sha256": "0" * 64}, "is not the one that its config.json tells of"),
    ],
)
def test_a_config_of_somebody_hostile_is_refused(hub, published, tmp_path, changed, sentence):
    document = {**json.loads(published[CONFIG]), **changed}
    published[CONFIG] = json.dumps(document).encode()
    refuse_to_fetch(tmp_path, sentence, {CONFIG, "checkpoint-7.safetensors"})


def test_an_address_that_is_none_is_a_sentence(hub, folder, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "file:///etc")
    with pytest.raises(HubError, match="HF_ENDPOINT is no address of a Hub"):
        upload_published(folder, TO, public=False)


class Sized(bytes):
    """Bytes of which there are said to be more."""

    def __new__(cls, size):
        made = super().__new__(cls, b"x")
        made.size = size
        return made

    def __len__(self):
        return self.size
