"""Talking to the Hugging Face Hub: where it is, with which token, within bounds, errors in words.

The token comes from the environment (HF_TOKEN) or the Hub's own login. It is handed to the library
of the Hub and to nobody else: no field, row, log, page or text of an error has it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
from huggingface_hub import get_token, set_client_factory
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
    get_session,
)

from studio.publishing.hub_addresses import ENDPOINT, HubError, hub_endpoint
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.names import printable, read_whole

TIMEOUT_S = 60.0  # Without a byte from the other side.
MAX_ANSWER_S = 300.0
MAX_ANSWERS = 1000
MAX_ANSWER_BYTES = 16_000_000  # Of what the Hub tells; files are bounded by what they should be.
MAX_WAIT_S = 120  # The longest that the Hub may ask one to wait.
LOGIN = "Log in with a token that may write (hf auth login), or set HF_TOKEN."
_WAIT = re.compile(r"\bt\s*=\s*(\d+)")


def require_token() -> str:
    """The token of the person who started the studio.

    Raises:
        HubError: there is none.
    """
    token = get_token()
    if not token:
        raise HubError(f"There is no token for the Hub, so nothing can be sent there. {LOGIN}")
    return token


@contextmanager
def talking_to_hub(repository: str) -> Iterator[None]:
    """Bounds for what the library of the Hub does in the block, and its errors as sentences.

    Args:
        repository: USER/NAME, for the sentences.

    Raises:
        HubError: whatever went wrong on the other side, or on the way.
    """
    hooks, shows_bars = get_session().event_hooks["request"], not are_progress_bars_disabled()
    answers = AnswerBounds()
    _use_clients({"request": [*hooks, limit_time], "response": [answers.bound]})
    disable_progress_bars()
    try:
        yield
    except EXPECTED_ERRORS:
        raise
    except Exception as error:  # Whatever answers make the library raise.
        # Its texts have addresses with signatures in them, so that they are not passed on.
        raise explain_hub_error(error, repository) from None
    finally:
        _use_clients({"request": hooks})
        if shows_bars:
            enable_progress_bars()


def _use_clients(hooks: dict[str, list[Any]]) -> None:
    """Let the library of the Hub talk by clients with these hooks from now on."""
    set_client_factory(
        lambda: httpx2.Client(event_hooks=hooks, follow_redirects=True, timeout=None)
    )


def limit_time(request: httpx2.Request) -> None:
    """Let a request wait no longer than TIMEOUT_S, whatever the library asked of its client."""
    request.extensions["timeout"] = httpx2.Timeout(TIMEOUT_S).as_dict()


class AnswerBounds:
    """Refuses answers that are too many, too long, send us elsewhere, or ask for a long wait."""

    def __init__(self) -> None:
        self._answers = 0

    def bound(self, response: httpx2.Response) -> None:
        """Look at an answer whose bytes are still to come, and bound these.

        Raises:
            HubError: it is refused.
        """
        host = response.request.url.host
        self._answers += 1
        if self._answers > MAX_ANSWERS:
            raise HubError(f"{host} never comes to an end: {MAX_ANSWERS:,} answers were read.")
        length = response.headers.get("content-length", "")
        if length.isdecimal() and read_whole(length, MAX_ANSWER_BYTES) is None:
            raise HubError(f"{host} answers with {length:.20} bytes, which is no answer of a Hub.")
        if response.has_redirect_location:
            target = urlsplit(urljoin(str(response.request.url), response.headers["location"]))
            if target.netloc != response.request.url.netloc.decode("ascii", "replace"):
                shown = printable(target.netloc, one_line=True)[:100]
                raise HubError(f"{host} sends us on to {shown}, where nothing of yours is sent.")
        waits = [response.headers.get("retry-after", ""), *_WAIT.findall(_limits(response))]
        if any(wait.isdecimal() and read_whole(wait, MAX_WAIT_S) is None for wait in waits):
            raise HubError(f"{host} asks for a longer wait than {MAX_WAIT_S} s. Try again later.")
        response.stream = BoundedStream(response.stream, host)


def _limits(response: httpx2.Response) -> str:
    return str(response.headers.get("ratelimit", ""))


class BoundedStream(httpx2.SyncByteStream):
    """The bytes of an answer, which end with an error where they are too many or too slow.

    Args:
        stream: where they come from.
        host: who sends them.
    """

    def __init__(self, stream: Any, host: str) -> None:
        self._stream, self._host = stream, host

    def __iter__(self) -> Iterator[bytes]:
        """The same bytes.

        Raises:
            HubError: too many, or too slow.
        """
        begun, received = time.monotonic(), 0
        for chunk in self._stream:
            received += len(chunk)
            if received > MAX_ANSWER_BYTES:
                raise HubError(f"{self._host} answers without an end, which no Hub does.")
            if time.monotonic() - begun > MAX_ANSWER_S:
                raise HubError(f"{self._host} takes longer than {MAX_ANSWER_S:g} s to answer.")
            yield chunk

    def close(self) -> None:
        """Let the connection go."""
        self._stream.close()


def explain_hub_error(error: BaseException, repository: str) -> StudioError:
    """What went wrong between us and the Hub, in a sentence without addresses or tokens."""
    for cause in _causes(error):
        if isinstance(cause, EXPECTED_ERRORS):
            return HubError(str(cause))
        if isinstance(cause, HfHubHTTPError):
            return HubError(_explain_status(cause.response.status_code, repository))
        if isinstance(cause, OfflineModeIsEnabled):
            return HubError("The Hub is not called, since HF_HUB_OFFLINE is set. Unset it.")
        if isinstance(cause, HFValidationError):
            return HubError(f"'{repository}' is no repository of the Hub. Write USER/NAME.")
        if isinstance(cause, httpx2.TimeoutException):
            return HubError(f"The Hub did not answer within {TIMEOUT_S:g} s. {_again()}")
        if isinstance(cause, httpx2.HTTPError | OSError):
            return HubError(f"The connection to the Hub broke off. {_again()}")
    kind = type(error).__name__
    return HubError(f"What {_host()} answers is no answer of a Hub ({kind}). See {ENDPOINT}.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _explain_status(status: int, repository: str) -> str:
    if status in (401, 403):
        return f"The Hub does not take the token for '{repository}' ({status}). {LOGIN}"
    if status == 404:
        return (
            f"The Hub shows no repository '{repository}' (404). Check its name; to see one that "
            f"is private, {LOGIN[0].lower()}{LOGIN[1:]}"
        )
    if status == 429:
        return "The Hub has had too many requests (429). Try again later."
    return f"The Hub answered with {status}. {_again()}"


def _again() -> str:
    return "Give the same command again: what is there is not sent again."


def _host() -> str:
    return urlsplit(hub_endpoint()).hostname or ""
