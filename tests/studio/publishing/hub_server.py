"""A Hub on this machine, which speaks as much of the protocol as publishing and importing use.

It keeps repositories in memory: commits of regular files and of large ones, which come by the
protocol of Git LFS, are listed, and are given out, large ones by a redirection. A test lets it
fail by giving `fault`, which may answer in its place.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_SecretOfTheTests0123456789"
LARGE = (".safetensors", ".mp4", ".jpg", ".png", ".bin")


@dataclass
class Repository:
    """Files by name, and what is told of them."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: int = 0

    @property
    def sha(self) -> str:
        return hashlib.sha1(f"commit {self.commits}".encode()).hexdigest()


@dataclass
class Hub:
    """What the server holds, and what it was asked.

    Attributes:
        fault: called with the handler before each answer; True where it answered itself.
        asked: (method, path, whether the token was there) of each request.
        stored: the large files that were sent, by their digests.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, bool]] = field(default_factory=list)
    sent_bytes: int = 0
    fault: object = None
    url: str = ""

    def count(self, method: str, part: str) -> int:
        """How many requests were of a method, with a text in their path."""
        return sum(m == method and part in path for m, path, _ in self.asked)


@contextmanager
def serving_hub():
    """A Hub whose address is `hub.url`, until the block ends."""
    hub = Hub()

    class Handler(_HubHandler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _HubHandler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def answer(self, status: int, document=None, content: bytes | None = None, **headers):
        """Send JSON, or bytes as they are."""
        body = json.dumps(document).encode() if content is None else content
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def break_off(self):
        """Close the connection in the middle of things."""
        self.close_connection = True
        self.connection.close()

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _serve(self):
        self.route = unquote(urlsplit(self.path).path)
        self.authorized = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        self.hub.asked.append((self.command, self.route, "Authorization" in self.headers))
        if self.hub.fault is not None and self.hub.fault(self):
            return
        content = self.body()
        if self.route.startswith("/lfs/"):
            self._lfs(content)
        elif self.route.startswith("/cdn/"):
            self.answer(200, content=self.hub.stored[self.route.removeprefix("/cdn/")])
        elif self.route == "/api/repos/create":
            self._create(json.loads(content))
        elif self.route == "/api/validate-yaml":
            self._validate(json.loads(content)["content"])
        elif self.route.endswith(".git/info/lfs/objects/batch"):
            self._batch(json.loads(content))
        elif self.route.startswith("/api/models/"):
            self._model(content)
        else:
            self._resolve()

    do_GET = do_POST = do_PUT = do_HEAD = _serve  # noqa: N815

    def _lfs(self, content: bytes):
        oid = self.route.removeprefix("/lfs/")
        if self.command == "PUT":
            assert hashlib.sha256(content).hexdigest() == oid
            assert "Authorization" not in self.headers  # The place of large files is another one.
            self.hub.stored[oid] = content
            self.hub.sent_bytes += len(content)
        self.answer(200, {})

    def _create(self, asked: dict):
        if not self.authorized:
            return self.answer(401, {"error": "Invalid username or password."})
        name = f"{asked['organization']}/{asked['name']}"
        url = f"{self.hub.url}/{name}"
        if name in self.hub.repositories:
            return self.answer(409, {"error": "You already created this model repo", "url": url})
        private = asked.get("visibility") == "private"
        self.hub.repositories[name] = Repository(private, {".gitattributes": b"*.bin\n"})
        return self.answer(200, {"url": url, "id": name})

    def _validate(self, content: str):
        header = content.split("---\n")[1]
        fits = all(line.startswith(("- ", "tags:")) or ": " in line for line in header.splitlines())
        self.answer(200 if fits else 400, {"errors": [], "warnings": []})

    def _batch(self, asked: dict):
        objects = []
        for wanted in asked["objects"]:
            oid, told = wanted["oid"], dict(wanted)
            if oid not in self.hub.stored:
                upload = {"href": f"{self.hub.url}/lfs/{oid}"}
                told["actions"] = {"upload": upload, "verify": dict(upload)}
            objects.append(told)
        self.answer(200, {"transfer": "basic", "objects": objects})

    def _model(self, content: bytes):
        user, name, *rest = self.route.removeprefix("/api/models/").split("/")
        repository = self.hub.repositories.get(f"{user}/{name}")
        if repository is None or (repository.private and not self.authorized):
            error = {"X-Error-Code": "RepoNotFound"}
            return self.answer(404, {"error": "Repository not found"}, **error)
        what = rest[0] if rest else ""
        if what in ("", "revision"):
            told = {"id": f"{user}/{name}", "sha": repository.sha, "private": repository.private}
            return self.answer(200, told)
        if what == "tree":
            return self.answer(200, [_tell(n, c) for n, c in repository.files.items()])
        if not self.authorized:
            return self.answer(403, {"error": "Forbidden"})
        if what == "preupload":
            return self.answer(200, {"files": _modes(repository, json.loads(content)["files"])})
        assert what == "commit"
        return self._commit(f"{user}/{name}", repository, content)

    def _commit(self, name: str, repository: Repository, content: bytes):
        for line in content.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
                self.hub.sent_bytes += len(repository.files[value["path"]])
            elif entry["key"] == "lfsFile":
                repository.files[value["path"]] = self.hub.stored[value["oid"]]
            elif entry["key"] == "deletedFile":
                del repository.files[value["path"]]
        repository.commits += 1
        url = f"{self.hub.url}/{name}/commit/{repository.sha}"
        return self.answer(200, {"success": True, "commitUrl": url, "commitOid": repository.sha})

    def _resolve(self):
        user, name, _, revision, file = self.route.strip("/").split("/", 4)
        repository = self.hub.repositories[f"{user}/{name}"]
        if repository.private and not self.authorized:
            return self.answer(401, {"error": "Invalid"})
        assert revision in (repository.sha, "main")
        content = repository.files[file]
        if not file.endswith(LARGE):
            return self.answer(200, content=content)
        oid = hashlib.sha256(content).hexdigest()
        self.hub.stored[oid] = content
        return self.answer(302, content=b"", Location=f"{self.hub.url}/cdn/{oid}")


def blob_id(content: bytes) -> str:
    """The name that git gives a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _tell(name: str, content: bytes) -> dict:
    told = {"type": "file", "path": name, "size": len(content), "oid": blob_id(content)}
    if name.endswith(LARGE):
        oid = hashlib.sha256(content).hexdigest()
        told["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 134}
    return told


def _modes(repository: Repository, files: list[dict]) -> list[dict]:
    return [
        {
            "path": each["path"],
            "uploadMode": "lfs" if each["path"].endswith(LARGE) else "regular",
            "shouldIgnore": False,
            "oid": None,
        }
        for each in files
    ]
