"""Where the Hugging Face Hub is: HF_ENDPOINT, and the addresses of a repository there."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from studio.workspace.errors import StudioError

ENDPOINT, DEFAULT_ENDPOINT = "HF_ENDPOINT", "https://huggingface.co"


class HubError(StudioError):
    """The Hub cannot be reached, refuses, or answers what no Hub would."""


def hub_endpoint() -> str:
    """The address of the Hub, without a slash at its end.

    Raises:
        HubError: HF_ENDPOINT is no address.
    """
    given = os.environ.get(ENDPOINT, "") or DEFAULT_ENDPOINT
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise HubError(f"{ENDPOINT} is no address of a Hub: write https://HOST.")
    return given.rstrip("/")


def hub_address(repository: str) -> str:
    """The page of a repository.

    Args:
        repository: USER/NAME.

    Raises:
        HubError: as `hub_endpoint`.
    """
    return f"{hub_endpoint()}/{repository}"


def upload_address(repository: str) -> str:
    """Where what is sent to a repository goes, which is allowed apart from reading its page.

    Args:
        repository: USER/NAME.

    Raises:
        HubError: as `hub_endpoint`.
    """
    return f"{hub_endpoint()}/api/models/{repository}"
