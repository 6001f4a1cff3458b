"""Text of a run before it is Markdown or YAML: what others wrote is text there, no markup."""

from __future__ import annotations

import html
import json
import re

from studio.workspace.names import printable

MAX_CHARACTERS = 400  # Of a text in a card; what is longer is cut.
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~$@:])")
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_FOLDERS = re.compile(r"(?<![\w/\\.])~?(?:[A-Za-z]:)?[/\\](?:[^/\\\s]+[/\\])*")
_BEGINNING = re.compile(r"^([-=]|\d+[.)](?=\s|$))")


def shorten_text(text: str) -> str:
    """A text on one line, as long as has its place in a card, with control characters visible.

    Example:
        >>> shorten_text("two" + chr(10) + "lines")
        'two\\\\x0alines'
    """
    shown = printable(text.strip(), one_line=True)
    return shown if len(shown) <= MAX_CHARACTERS else f"{shown[: MAX_CHARACTERS - 3]}..."


def without_places(text: str) -> str:
    """A text without folders of this machine and addresses, which are nobody else's business.

    Example:
        >>> without_places("read /home/me/maps/a.png, told https://example.org/?key=1")
        'read a.png, told (an address)'
    """
    return _FOLDERS.sub("", _ADDRESS.sub("(an address)", text))


def escape_markdown(text: str) -> str:
    """A text of somebody's in a line of Markdown, where it is no markup, HTML, link or table.

    Example:
        >>> escape_markdown("a | <b> [c](d)")
        'a \\\\| &lt;b&gt; \\\\[c\\\\]\\\\(d\\\\)'
    """
    plain = html.escape(shorten_text(text), quote=False)
    escaped = _MARKUP.sub(r"\\\1", plain).replace("www.", "www\\.")
    return _BEGINNING.sub(lambda found: f"{found[1][:-1]}\\{found[1][-1]}", escaped)


def quote_yaml(text: str) -> str:
    """A text as a scalar of YAML, between quotation marks: JSON is YAML.

    Example:
        >>> quote_yaml('a: "b"')
        '"a: \\\\"b\\\\""'
    """
    return json.dumps(shorten_text(text), ensure_ascii=True)
