"""The gate before the web app: what is not for it, or too much, ends here in one sentence."""

from __future__ import annotations

import hmac
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qs

from anyio import CapacityLimiter, to_thread
from gradio import Blocks
from gradio.routes import App, ORJSONResponse
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.screens.safety.allowances import Allowance, OpenPages
from studio.screens.safety.own_pages import OwnPages
from studio.workspace.names import read_whole

MB = 2**20
MAX_UPLOAD_MB = 64  # The largest single file.
MAX_BODY = 4 * MB  # The largest request that is no upload.
KEPT_S = 3600.0  # Uploads are deleted when they are older.
CLEANED_S = 600.0  # Seconds between two looks for uploads that are old enough.
AT_ONCE = 8  # Requests of one kind that are worked on in threads at the same time.
# Gradio prints the words of such an address on the terminal, escape codes and all.
NOT_SERVED = "/custom_component/"
NOT_LOGGED_IN = "Only those who have logged in see this. Open the studio, and log in."
NOT_UNDERSTOOD = "The studio could not do that: it is asked for in a form that it does not know."

Answer = Callable[[Request], Response | Awaitable[Response]]  # What is given for a GET.

log = logging.getLogger(__name__)


@dataclass
class Limits:
    """What clients may use of an app: wrong logins, bytes of uploads, and open pages."""

    logins: Allowance = field(default_factory=lambda: Allowance(5, 30, 60.0))
    uploads: Allowance = field(
        default_factory=lambda: Allowance(256 * MB, 1024 * MB, KEPT_S + CLEANED_S)
    )
    pages: OpenPages = field(default_factory=lambda: OpenPages(most=64, patience_s=20.0))


class RefusedRequestError(Exception):
    """A request that is not handed on: the status and the sentence of the answer."""

    def __init__(self, status: int, sentence: str, wait_s: float = 0.0) -> None:
        self.status, self.sentence, self.wait_s = status, sentence, wait_s
        super().__init__(sentence)


class Gate:
    """An ASGI app around the studio's: it looks at each request before anything else does."""

    def __init__(self, app: ASGIApp, own: OwnPages, limits: Limits) -> None:
        self._app, self._own, self._limits = app, own, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
        except RefusedRequestError as refused:
            await _refuse(refused, scope, receive, send)
            return
        await self._pass(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        """Look at names, origins and sizes.

        Raises:
            RefusedRequestError: it is not for the studio, or too much.
        """
        headers = _headers(scope)
        reason = self._own.refusal(scope["scheme"], headers)
        if reason is not None:
            raise RefusedRequestError(403, reason)
        if NOT_SERVED in scope["path"]:
            raise RefusedRequestError(404, "The studio has no parts of others on its pages.")
        if scope.get("method") != "POST":
            return
        length, client = _length(headers), _client(scope)
        if _is_path(scope, "/upload"):
            if wait_s := self._limits.uploads.take(client, length):
                raise RefusedRequestError(
                    413, "Too much was uploaded of late. Wait until it is cleared.", wait_s
                )
        elif length > MAX_BODY:
            raise RefusedRequestError(413, f"A request has at most {MAX_BODY // MB} MB.")
        if _is_path(scope, "/login") and (wait_s := self._limits.logins.take(client)):
            raise RefusedRequestError(
                429, f"Too many logins failed. Wait {wait_s:.0f} seconds.", wait_s
            )

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = _streamed_session(scope)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note_login(scope, message["status"])
                message["headers"] = [*_without_cors(message), *PROTECTION]
            await send(message)

        if session is not None:
            self._limits.pages.opened(session)
        try:
            await self._app(scope, receive, answer)
        except Exception as error:  # The answer was sent by `tell_fault`; this is the record of it.
            log.warning("%s: %r", scope["path"], error)
        finally:
            if session is not None:
                self._limits.pages.closed(session)

    def _note_login(self, scope: Scope, status: int) -> None:
        """Only logins that failed count."""
        if scope.get("method") == "POST" and _is_path(scope, "/login") and status < 400:
            self._limits.logins.give_back(_client(scope))


class GuardedApp(App):
    """Gradio's app behind the gate; nothing of it answers first, its own CORS neither.

    Args:
        own: which requests come from the studio's own pages.
        limits: what clients may use.
    """

    def __init__(self, own: OwnPages, limits: Limits) -> None:
        self._own, self._limits = own, limits
        super().__init__(default_response_class=ORJSONResponse)
        self.add_exception_handler(Exception, tell_fault)

    def configure_app(self, blocks: Blocks) -> None:
        """Take the page over, and what its screens give besides it."""
        super().configure_app(blocks)
        for path, answer in getattr(blocks, "own_answers", {}).items():
            self.router.routes.insert(0, Route(path, _for_users(answer)))

    def build_middleware_stack(self) -> ASGIApp:
        """All of Gradio's, and the gate around it."""
        return Gate(super().build_middleware_stack(), self._own, self._limits)


def is_logged_in(request: Request) -> bool:
    """Whether a request may be answered: no login is needed, or it was made; as Gradio has it."""
    app = request.app
    if app.auth is None and app.auth_dependency is None:
        return True
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    tokens = (request.cookies.get(name) for name in names)
    return any(token and app.tokens.get(token) is not None for token in tokens)


def _for_users(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Answer whoever may see the page.

    Functions that are not asynchronous work in threads: however much is asked for, in few of them.
    """
    limiter = CapacityLimiter(AT_ONCE)

    async def answer_user(request: Request) -> Response:
        if not is_logged_in(request):
            return JSONResponse({"detail": NOT_LOGGED_IN}, 401)
        if inspect.iscoroutinefunction(answer):
            answered: Response = await answer(request)
            return answered
        plain = cast(Callable[[Request], Response], answer)
        return await to_thread.run_sync(plain, request, limiter=limiter)

    return answer_user


async def tell_fault(request: Request, error: Exception) -> JSONResponse:
    """The answer to a request at which the app failed, such as one with a forged number."""
    return JSONResponse({"detail": NOT_UNDERSTOOD, "error": NOT_UNDERSTOOD}, 400)


class Login:
    """Whether a user and a password are the right ones, which takes equally long either way."""

    def __init__(self, user: str, password: str) -> None:
        self._right = [user.encode(), password.encode()]

    def __call__(self, user: str, password: str) -> bool:
        """True for the right ones."""
        given = [text.encode("utf-8", "surrogatepass") for text in (user, password)]
        same = [hmac.compare_digest(*pair) for pair in zip(given, self._right, strict=True)]
        return all(same)


PROTECTION = [
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
]


def _headers(scope: Scope) -> dict[str, str]:
    """The headers by name; what is sent twice is joined and so equals nothing known."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        key = name.decode("latin-1").lower()
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _length(headers: dict[str, str]) -> int:
    """The bytes of a request's body.

    Raises:
        RefusedRequestError: it does not say.
    """
    length = read_whole(headers.get("content-length", ""))
    if length is None:
        raise RefusedRequestError(411, "A request has to say how long it is.")
    return length


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _is_path(scope: Scope, end: str) -> bool:
    return bool(scope["path"].rstrip("/").endswith(end))


def _streamed_session(scope: Scope) -> str | None:
    """The session whose answers are listened to, if that is what is asked for."""
    if not _is_path(scope, "/queue/data"):
        return None
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return next(iter(asked.get("session_hash", [])), None)


def _without_cors(message: Message) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, but for those that let other pages read it."""
    headers: list[Any] = list(message.get("headers", []))
    return [(n, v) for n, v in headers if not n.lower().startswith(b"access-control-")]


async def _refuse(refused: RefusedRequestError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": refused.sentence[:100]})
        return
    headers = {"Retry-After": str(round(refused.wait_s))} if refused.wait_s else {}
    answer = JSONResponse({"detail": refused.sentence}, refused.status, headers=headers)
    await answer(scope, receive, send)
