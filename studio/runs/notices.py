"""Alarms told to the world outside: a webhook, a command."""

from __future__ import annotations

import json
import logging
import queue
import shlex
import subprocess
import threading
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from studio.workspace.errors import StudioError

WAITING = 100  # notices; more than those are dropped
WEBHOOK_SECONDS = 10.0
COMMAND_SECONDS = 60.0
CLOSE_SECONDS = 15.0

log = logging.getLogger(__name__)


class Notices:
    """Sends notices one after the other beside the training, which never waits for them.

    What goes wrong on the way becomes a line in the log, and nothing else.
    """

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[str, str, bytes] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._send_all, name="notices", daemon=True)
        self._thread.start()

    def send(self, notice: Mapping[str, Any], *, webhook: str = "", command: str = "") -> None:
        """Hand a notice over, and return at once.

        Args:
            notice: is sent as JSON, such as {"run", "batch", "name", "text"}.
            webhook: an http or https address that it is posted to; "" for none.
            command: words, as a shell would split them, of a program that gets it on standard
                input; "" for none. There is no shell.
        """
        if not webhook and not command:
            return
        try:
            self._waiting.put_nowait((webhook, command, json.dumps(dict(notice)).encode()))
        except queue.Full:
            log.warning("A notice was dropped: %d are waiting already.", WAITING)

    def close(self) -> None:
        """Wait a short while for those on their way."""
        try:
            self._waiting.put(None, timeout=CLOSE_SECONDS)
        except queue.Full:
            log.warning("%d notices were not sent: their receiver does not answer.", WAITING)
            return
        self._thread.join(CLOSE_SECONDS)

    def _send_all(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            webhook, command, content = waiting
            try:
                if webhook:
                    post(webhook, content)
                if command:
                    run_command(command, content)
            except Exception as error:  # of the world outside, which must not stop a training
                log.warning("A notice was not sent: %s", error)


def check_notices(webhook: str, command: str) -> None:
    """Refuse what could never be sent.

    Raises:
        StudioError: an address that is not http or https, or words that cannot be split.
    """
    parts = urlsplit(webhook)
    if webhook and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise StudioError(
            f"alarm_webhook is an address such as https://example.org/hook, not '{webhook}'."
        )
    try:
        shlex.split(command)
    except ValueError as error:
        raise StudioError(
            f"alarm_command '{command}' cannot be read: {error}. Close every quote."
        ) from error


def post(webhook: str, content: bytes) -> None:
    """Send JSON to a webhook.

    Raises:
        OSError: it cannot be reached in time, or answers with an error.
    """
    check_notices(webhook, "")
    request = urllib.request.Request(webhook, content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=WEBHOOK_SECONDS) as answer:
        answer.read(1)


def run_command(command: str, content: bytes) -> None:
    """Run a command with JSON on its standard input; what it prints is not kept.

    Raises:
        OSError: there is no such program.
        subprocess.SubprocessError: it failed, or took too long and was ended.
    """
    subprocess.run(
        shlex.split(command),
        input=content,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=COMMAND_SECONDS,
        check=True,
    )
