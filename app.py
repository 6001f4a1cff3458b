"""Starts the studio's web app: `python app.py` is `studio app`, with the same options."""

from __future__ import annotations

import sys

from studio.command_line.main import main

if __name__ == "__main__":
    sys.argv[1:1] = ["app"]
    main()
