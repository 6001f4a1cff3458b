"""The login of programs that show no page: HTTP Basic (RFC 7617)."""

from __future__ import annotations

import base64
import binascii

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from studio.screens.safety.allowances import Allowance
from studio.screens.safety.gate import Login

ASKS = {"WWW-Authenticate": 'Basic realm="Latent City Studio", charset="UTF-8"'}
NEEDED = "The studio asks for a user and a password: send them as an Authorization header, Basic."


class BasicLogin:
    """An ASGI app that hands on what comes with the right user and password.

    Args:
        failures: how many wrong ones a client may try; pages' logins count there, too.
    """

    def __init__(self, app: ASGIApp, login: Login, failures: Allowance) -> None:
        self._app, self._login, self._failures = app, login, failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, or refuse it."""
        given = read_basic(Headers(scope=scope).get("authorization", ""))
        client = str(scope["client"][0]) if scope.get("client") else ""
        if given is None:
            answer = JSONResponse({"detail": NEEDED}, 401, headers=ASKS)
        elif wait_s := self._failures.take(client):
            headers = {"Retry-After": str(round(wait_s))}
            told = {"detail": f"Too many logins failed. Wait {wait_s:.0f} seconds."}
            answer = JSONResponse(told, 429, headers=headers)
        elif not self._login(*given):
            answer = JSONResponse({"detail": "Wrong user or password."}, 401, headers=ASKS)
        else:
            self._failures.give_back(client)
            await self._app(scope, receive, send)
            return
        await answer(scope, receive, send)


def read_basic(header: str) -> tuple[str, str] | None:
    """The user and the password of an Authorization header; None where it has none of this kind.

    Example:
        >>> read_basic("Basic YWRhOnM6dA=="), read_basic("Bearer x"), read_basic("Basic ???")
        (('ada', 's:t'), None, None)
    """
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon else None
