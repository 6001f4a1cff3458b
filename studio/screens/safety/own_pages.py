"""Which requests come from the studio's own pages: what they ask for by name, and from where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")
NAVIGATIONS = ("document", "")  # What a link from another page may open; a frame is none of these.


@dataclass(frozen=True)
class OwnPages:
    """The names under which the studio answers, and only to pages that it served itself.

    A name that another page made up for this machine (DNS rebinding) is none of them.

    Attributes:
        names: names besides those of the loopback.
    """

    names: frozenset[str] = frozenset()

    @classmethod
    def known_as(cls, host: str, names: Sequence[str]) -> OwnPages:
        """The pages of a studio that listens on an address and was told its further names.

        Args:
            host: that address, or its name.
            names: further names; an IPv6 address may stand in brackets.
        """
        return cls(frozenset(name.lower().strip("[]") for name in (host, *names)))

    def refusal(self, scheme: str, headers: Mapping[str, str]) -> str | None:
        """Why a request is not answered; None where it is.

        Args:
            scheme: http or https, ws or wss.
            headers: of the request, by their names in small letters.
        """
        asked = headers.get("host", "")
        name = host_name(asked)
        if name not in LOOPBACK and name not in self.names:
            return (
                f"The studio is not known as {name!r}. If it should be, start it with: "
                "studio app --allow-host NAME"
            )
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin, scheme, asked.lower(), name):
            return f"Pages of {origin!r} may not ask the studio. Open the studio itself."
        if _is_embedded_elsewhere(headers):
            return "Other pages may link to the studio, and not show or read what is in it."
        return None

    def _is_own(self, origin: str, scheme: str, asked: str, name: str) -> bool:
        """Whether an origin is the one that was asked; a proxy may speak HTTPS for a given name."""
        secure = {"ws": "http", "wss": "https"}.get(scheme, scheme)
        schemes = {secure} if name in LOOPBACK else {secure, "https"}
        return origin.lower() in {f"{each}://{asked}" for each in schemes}


def host_name(asked: str) -> str:
    """The name in a Host header, without its port; empty where it has none.

    Example:
        >>> host_name("LocalHost:7860"), host_name("[::1]:7860"), host_name("a@b:1")
        ('localhost', '::1', '')
    """
    if "@" in asked or "/" in asked:
        return ""
    try:
        return urlsplit(f"//{asked}").hostname or ""
    except ValueError:
        return ""


def _is_embedded_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether a page of another site asks for a picture, a script or a frame, as browsers say."""
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    opened = headers.get("sec-fetch-mode") == "navigate"
    return not (opened and headers.get("sec-fetch-dest", "") in NAVIGATIONS)
