"""Links from Home to what it shows: addresses of the page, which open without loading it anew."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from studio.screens.parts.browser.address import Address


def opening(run: str | None, tab: str, **parts: Any) -> Markup:
    """The attributes of a link that opens a tab with a run and what is looked at there.

    Args:
        run: None for the one that the page has chosen.
        parts: see `studio.screens.parts.browser.address.PARTS`.

    Example:
        >>> opening("city", "Checkpoints", batch=7)
        Markup('href="?run=city&amp;tab=Checkpoints&amp;batch=7" data-opens')
    """
    return Markup('href="{}" data-opens').format(Address(run, tab, parts).write())
