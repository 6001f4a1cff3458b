"""Starts the web app: `python app.py [--workspace DIR]`, then the options of `studio app`."""

from __future__ import annotations

import sys

from studio.main import main


def name_command(words: list[str]) -> list[str]:
    """The words with the command among them; where everything is kept is said before it.

    Example:
        >>> name_command(["--workspace", "here", "--port", "8000"])
        ['--workspace', 'here', 'app', '--port', '8000']
    """
    joined = sum(word.startswith("--workspace=") for word in words[:1])
    before = 2 if words[:1] == ["--workspace"] else joined
    return [*words[:before], "app", *words[before:]]


if __name__ == "__main__":
    sys.argv[1:] = name_command(sys.argv[1:])
    main()
