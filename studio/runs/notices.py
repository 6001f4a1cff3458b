"""Sends alarms to the outside: to a webhook, or to a command."""

from __future__ import annotations

import json
import logging
import queue
import shlex
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace
from studio.workspace.trust import Named, command_folder, require_trusted

MAX_WAITING = 100  # While so many notices wait, further ones are dropped.
WEBHOOK_SECONDS = 10.0
COMMAND_SECONDS = 60.0
CLOSE_SECONDS = 15.0

log = logging.getLogger(__name__)


class Notices:
    """Sends notices one after the other in a thread, so that training never waits for them.

    A command is run in the folder in which the owner of the workspace named it, and neither a
    command nor an address is used that was never named.

    A receiver that fails is a line in the log and one of `take_failures`, once until it has
    answered again; nothing else comes of it.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._waiting: queue.Queue[tuple[str, str, bytes] | None] = queue.Queue(MAX_WAITING)
        self._failures: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._failing: set[str] = set()
        self._thread = threading.Thread(target=self._send_all, name="notices", daemon=True)
        self._thread.start()

    def send(self, notice: Mapping[str, Any], *, webhook: str = "", command: str = "") -> None:
        """Hand a notice over, and return at once.

        Args:
            notice: the keys and values that are sent as JSON: run, batch, name, text.
            webhook: an http or https address that the JSON is posted to; "" for none.
            command: a program and its arguments, split as a shell would, but run without a shell;
                it gets the JSON on standard input. "" for none.
        """
        if not webhook and not command:
            return
        try:
            self._waiting.put_nowait((webhook, command, json.dumps(dict(notice)).encode()))
        except queue.Full:
            self._fail("A notice was dropped", f"{MAX_WAITING} are waiting already.")

    def take_failures(self) -> list[str]:
        """What failed since the last call, a sentence each."""
        return [self._failures.get() for _ in range(self._failures.qsize())]

    def close(self) -> None:
        """Wait a short while for the notices that are being sent."""
        try:
            self._waiting.put(None, timeout=CLOSE_SECONDS)
        except queue.Full:
            self._fail(f"{MAX_WAITING} notices were not sent", "their receiver does not answer.")
            return
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            self._fail("The last notices were not sent", "their receiver does not answer.")

    def _send_all(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            webhook, command, content = waiting
            self._attempt(f"alarm_webhook '{webhook}' failed", self._post, webhook, content)
            self._attempt(f"alarm_command '{command}' failed", self._run, command, content)

    def _post(self, webhook: str, content: bytes) -> None:
        require_trusted(self._workspace, Named("alarm_webhook", "address", webhook))
        post(webhook, content)

    def _run(self, command: str, content: bytes) -> None:
        require_trusted(self._workspace, Named("alarm_command", "command", command))
        run_command(command, content, command_folder(self._workspace, command))

    def _attempt(
        self, failed: str, send: Callable[[str, bytes], None], receiver: str, content: bytes
    ) -> None:
        """Send a notice to a receiver, if there is one."""
        if not receiver:
            return
        try:
            send(receiver, content)
        except Exception as error:  # Whatever it is, it must not stop a training.
            self._fail(failed, describe_failure(error))
        else:
            self._failing.discard(failed)

    def _fail(self, failed: str, reason: str) -> None:
        if failed not in self._failing:
            self._failing.add(failed)
            self._failures.put(f"{failed}: {reason}")
            log.warning("%s: %s", failed, reason)


def describe_failure(error: Exception) -> str:
    """Why a notice was not sent, in half a sentence, and what to look at."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"it ended with exit status {error.returncode}. Run it by hand to see what it says."
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it took longer than {COMMAND_SECONDS:g} s and was ended. Let it return at once."
    if isinstance(error, FileNotFoundError):
        return f"there is no program '{error.filename}'. Give its full path."
    return f"{error}".rstrip(".") + "."


def check_notices(webhook: str, command: str) -> None:
    """Refuse addresses and commands that could never work.

    Raises:
        StudioError: an address that is not http or https, or a command with an open quote.
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
    """Post JSON to a webhook.

    Raises:
        OSError: the webhook cannot be reached in time, or answers with an error.
    """
    check_notices(webhook, "")
    request = urllib.request.Request(webhook, content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=WEBHOOK_SECONDS) as answer:
        answer.read(1)


def run_command(command: str, content: bytes, folder: Path | None = None) -> None:
    """Run a command with JSON on its standard input; its output is dropped.

    Args:
        folder: where it is run; the current folder by default.

    Raises:
        OSError: there is no such program.
        subprocess.SubprocessError: the command failed, or took too long and was ended.
    """
    subprocess.run(
        shlex.split(command),
        input=content,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=COMMAND_SECONDS,
        check=True,
    )
